"""The order in which docs/recipes.md changes nodes from VRRPv2 to VRRPv3: one node has the VIP."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from helpers.keepalived import Keepalived, Lab, Node, wait_until
from helpers.needs import needs

pytestmark = pytest.mark.keepalived

VIP = "10.77.0.100"
OLD = """
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass secret
    }
"""
NEW = "    version 3\n    advert_int 0.25\n"
INSTANCE = """
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority %d
    virtual_ipaddress {
        %s
    }
%s}
"""
PRIORITIES = {"a": 220, "b": 218}


def start(node: Node, name: str, settings: str) -> Keepalived:
    keepalived = node.keepalived(INSTANCE % (PRIORITIES[name], VIP, settings))
    keepalived.wait_log("VRRP sockpool")
    return keepalived


@contextmanager
def holders_of(nodes: dict[str, Node]) -> Iterator[set[str]]:
    """Collect, as words such as `ab`, where the VIP is while the block runs."""
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            seen.add("".join(name for name, node in nodes.items() if node.has_address(VIP)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def test_the_documented_order_never_puts_the_vip_on_two_nodes() -> None:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        nodes = {name: lab.node(name) for name in PRIORITIES}
        running = {name: start(node, name, OLD) for name, node in nodes.items()}
        wait_until(lambda: nodes["a"].has_address(VIP), "a has not the VIP")
        wait_until(lambda: not nodes["b"].has_address(VIP), "b has the VIP, too")
        with holders_of(nodes) as seen:
            running["b"].stop()
            time.sleep(1)
            assert seen == {"a"}, "nothing moves"
            running["a"].stop()
            start(nodes["a"], "a", NEW)
            wait_until(lambda: nodes["a"].has_address(VIP), "a has not the VIP")
            start(nodes["b"], "b", NEW).wait_for("BACKUP")
            time.sleep(2)
            assert seen == {"a", ""}
