"""Consul and a real keepalived: Consul's answer moves the VIP, and it gets a report of where it may be."""

import json
import sys
import time
from collections.abc import Iterator

import pytest

from helpers.certificates import Authority
from helpers.keepalived import Keepalived, Lab, Node, Process, wait_until
from helpers.needs import needs
from helpers.one_script import one_script
from helpers.pair import PATIENCE, configuration
from helpers.paths import ROOT
from helpers.vault_node import VaultNode

pytestmark = pytest.mark.keepalived
STAND_IN = ROOT / "tests/helpers/consul.py"
WEB = ROOT / "tests/helpers/web.py"
BY_CONSUL = """
[check.vault-node]
probe = "consul"
service = "web"
interval = 0.25
"""
TO_CONSUL = """
[check.vault-node]
probe = "http"
url = "http://127.0.0.1:8008/health"
interval = 0.25
consul_check = "service:web"
"""


@pytest.fixture
def node() -> Iterator[Node]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        node = lab.node("a")
        node.run(["ip", "link", "set", "lo", "up"])
        yield node


def say(node: Node, **states: str) -> str:
    """Let the agent say this of its services; return the file that it reads."""
    return str(node.write("states.new", json.dumps(states)).replace(node.dir / "states.json"))


def start_agent(node: Node) -> Process:
    return node.popen([sys.executable, STAND_IN, "8500", say(node, web="passing")])


def test_the_vip_is_where_consul_calls_the_service_passing(node: Node) -> None:
    agent = start_agent(node)
    check = ROOT / "checks/kacheck-consul"
    keepalived = node.keepalived(one_script(f"{check} --timeout 0.9 --service web"))
    last = keepalived.wait_for("MASTER")
    for state in ("critical", "maintenance", "warning"):
        say(node, web=state)
        last = keepalived.wait_for("FAULT", after=last.at)
        say(node, web="passing")
        last = keepalived.wait_for("MASTER", after=last.at)
    say(node, other="passing")
    last = keepalived.wait_for("FAULT", after=last.at)
    say(node, web="passing")
    last = keepalived.wait_for("MASTER", after=last.at)
    agent.kill()
    assert keepalived.wait_for("FAULT", after=last.at)


def watch(node: Node, toml: str) -> tuple[VaultNode, Keepalived]:
    """Start the watcher and keepalived with the recipe event-driven."""
    installed = VaultNode(node, Authority())
    installed.toml.write_text(toml)
    installed.start_watcher()
    return installed, installed.keepalived(configuration("event-driven", 220))


def expect(installed: VaultNode, keepalived: Keepalived, state: str, after: float) -> None:
    keepalived.wait_for(state, PATIENCE, instance="VI_1", after=after)
    wait_until(lambda: installed.has_vip == (state == "MASTER"), f"the VIP at {state}", PATIENCE)


def test_the_watcher_moves_the_vip_as_consul_says(node: Node) -> None:
    agent = start_agent(node)
    installed, keepalived = watch(node, BY_CONSUL)
    expect(installed, keepalived, "MASTER", 0)
    for state in ("critical", "maintenance"):
        began = time.monotonic()
        say(node, web=state)
        expect(installed, keepalived, "FAULT", began)
        began = time.monotonic()
        say(node, web="passing")
        expect(installed, keepalived, "MASTER", began)
    began = time.monotonic()
    agent.kill()
    expect(installed, keepalived, "FAULT", began)


def test_discovery_and_the_vip_agree(node: Node) -> None:
    start_agent(node)
    code = node.write("code", "200")
    server = node.popen([sys.executable, WEB, "8008", code])
    installed, keepalived = watch(node, TO_CONSUL)

    def agree(state: str, status: str, began: float) -> None:
        expect(installed, keepalived, state, began)
        reported = node.dir / "states.ttl"
        wait_until(
            lambda: reported.read_text() == f"service:web {status}", reported.read_text(), PATIENCE
        )

    agree("MASTER", "passing", 0)
    began = time.monotonic()
    node.write("code", "500")
    agree("FAULT", "critical", began)
    began = time.monotonic()
    node.write("code", "200")
    agree("MASTER", "passing", began)
    began = time.monotonic()
    server.kill()
    agree("FAULT", "critical", began)
