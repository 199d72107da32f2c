"""A program as a check, under a real keepalived: the VIP goes where it succeeds."""

from collections.abc import Iterator

import pytest

from helpers.keepalived import Lab, Node
from helpers.needs import needs
from helpers.paths import ROOT

pytestmark = pytest.mark.keepalived

CONFIGURATION = """
global_defs {{
    enable_script_security
}}
vrrp_script plugin {{
    script "{check} --timeout 0.9 -- {program} -w 5"
    interval 1
    timeout 5
    fall 1
    rise 1
    user root
}}
vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {{
        192.0.2.100/24
    }}
    track_script {{
        plugin
    }}
}}
"""


@pytest.fixture
def node() -> Iterator[Node]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        yield lab.node("a")


def test_the_vip_is_where_the_program_succeeds(node: Node) -> None:
    says = node.write("says", "0")
    program = node.write("check_it", f'#!/bin/sh\necho "$*"; exit $(cat {says})\n', 0o755)
    check = ROOT / "checks/kacheck-command"
    keepalived = node.keepalived(CONFIGURATION.format(check=check, program=program))
    last = keepalived.wait_for("MASTER")
    for code in ("1", "2", "3", "127", "250"):
        node.write("says", code)
        last = keepalived.wait_for("FAULT", after=last.at)
        node.write("says", "0")
        last = keepalived.wait_for("MASTER", after=last.at)
    program.unlink()
    assert keepalived.wait_for("FAULT", after=last.at)
