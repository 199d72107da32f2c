"""The recipes that go with `kacheck watch`, as shipped, under a real keepalived.

The shipped keepalived.conf with what a recipe's comment says to put into the instance, and the
shipped kacheck.toml. Beside them, in the two places where it cannot work, vrrp_track_process.
"""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.keepalived import wait_until
from helpers.pair import PATIENCE, Pair, configuration, recipe, scripts
from helpers.paths import ROOT
from helpers.vault_node import CONFIGURATION, VaultNode
from kacheck import config

pytestmark = pytest.mark.keepalived

NAMES = ("event-driven", "vault-graded")
REPORTED = "\nglobal_defs {\n    vrrp_notify_priority_changes true\n}\n"
"""Every change of a priority is a line in the notify FIFO, too."""
NATIVE = """
vrrp_track_process native {
    process vault
}
vrrp_instance NATIVE {
    state BACKUP
    interface eth0
    virtual_router_id 52
    priority 100
    advert_int 1
    virtual_ipaddress {
        192.0.2.101/24
    }
    track_process {
        native
    }
}
"""
ONLY_THE_PROCESS = """
[check.vault-node]
probe = "process"
name = "vault"
"""


def start(nodes: tuple[VaultNode, VaultNode], *states: str) -> None:
    for node, state in zip(nodes, states, strict=True):
        node.state = state
        node.start_vault()
        node.start_watcher()


def test_event_driven_keeps_the_vip_on_the_active_process(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    start(nodes, "active", "active")
    pair = Pair("event-driven", nodes)
    pair.expect(a="MASTER", b="BACKUP")
    pair.after(pair.a.kill_vault)
    pair.expect(a="FAULT", b="MASTER")
    pair.after(pair.a.start_vault)
    pair.expect(a="MASTER", b="BACKUP")

    pair.set("active", "standby")
    pair.expect(b="FAULT")
    pair.set("standby", "active")
    pair.expect(a="FAULT", b="MASTER")
    pair.set("sealed", "sealed")
    pair.expect(b="FAULT")
    assert pair.holders == [], "no node is active: the VIP is dropped"
    pair.set("active", "standby")
    pair.expect(a="MASTER")


def test_graded_three_answers_are_two_priorities_and_fault(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    """Active 250, standby 220, FAULT; for the other node two less each."""
    start(nodes, "active", "standby")
    pair = Pair("vault-graded", nodes, extra=REPORTED)
    a, b = pair.a_keepalived, pair.b_keepalived
    pair.expect(a="MASTER", b="BACKUP")
    wait_until(lambda: a.events[-1].priority == 250, "active is not 250", PATIENCE)
    assert b.wait_for("BACKUP").priority == 218

    pair.set("sealed", "active")
    pair.expect(a="FAULT", b="MASTER")
    wait_until(lambda: b.events[-1].priority == 248, "active is not 248", PATIENCE)

    pair.set("standby", "active")
    pair.expect(a="BACKUP")
    assert a.wait_for("BACKUP", after=pair.deed_at).priority in (220, 230), "its guard may lag"
    assert pair.holders == [pair.b]

    pair.after(pair.b.kill_vault)
    pair.expect(a="MASTER", b="FAULT")
    assert a.wait_for("MASTER", after=pair.deed_at).priority == 220, "a live standby has the VIP"
    pair.set("active", "active")
    wait_until(lambda: a.events[-1].priority == 250, "active is not 250", PATIENCE)
    assert pair.holders == [pair.a]


def test_graded_guards_put_a_dead_node_into_fault_without_its_watcher(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    a, b = nodes
    for node, state in zip(nodes, ("active", "standby"), strict=True):
        node.state = state
        node.start_vault()
    watcher = a.start_watcher()
    b.start_watcher()
    pair = Pair("vault-graded", nodes)
    pair.expect(a="MASTER", b="BACKUP")
    watcher.process.kill()
    pair.after(a.kill_vault)
    pair.expect(a="FAULT", b="MASTER")
    assert a.read("track/vault-graded") == "20\n"


def test_each_recipe_is_accepted_before_the_watcher_has_ever_run(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    """`-t` says nothing at all: no error, no warning about files, scripts, users or security."""
    a, _ = nodes
    everything = recipe("keepalived") + "include event-driven.conf\n"
    for conf in [everything, *(configuration(name, 220) for name in NAMES)]:
        path = a.node.write("checked.conf", conf)
        shown = a.node.run(["keepalived", "-t", "-l", "-f", path], check=False)
        assert shown.returncode == 0, shown
        assert shown.stdout + shown.stderr == ""


def test_the_configuration_is_complete_and_accepted(nodes: tuple[VaultNode, VaultNode]) -> None:
    a, _ = nodes
    answer = a.kacheck("watch", "--check-config")
    assert answer.stdout.startswith("/etc/kacheck/kacheck.toml is good: vault-graded, ")


@pytest.mark.parametrize("name", NAMES)
def test_files_checks_and_timeouts_fit_each_other(name: str) -> None:
    checks = {check.name: check for check in config.parse(CONFIGURATION, "kacheck.toml").checks}
    files = re.findall(r'^    file "/run/kacheck/track/(.+)"$', recipe(name), re.MULTILINE)
    assert files
    assert {*files} <= {*checks}
    for words in scripts(name).values():
        entry_point, *_, check = words["script"].strip('"').split()
        assert entry_point == "/usr/libexec/kacheck/kacheck-verdict"
        assert (ROOT / "checks" / Path(entry_point).name).exists()
        assert checks[check].timeout + 1 < int(words["timeout"])
        assert words["user"] == "root"


def test_the_vip_moves_where_track_process_gets_errno_111(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    """Everything in a separate network namespace, as in LXC, nspawn and Docker's default."""
    start(nodes, "active", "active")
    pair = Pair("event-driven", nodes, extra=NATIVE)
    native = pair.a_keepalived
    native.wait_log("process event listen - errno 111")
    since = expect_a_move_and_return(pair, pair.a.kill_vault, pair.a.start_vault)
    assert native.states("NATIVE") == ["FAULT"], "whatever runs"
    assert native.states("VI_1", since)[0] == "FAULT"


@pytest.mark.usefixtures("process_events")
def test_the_vip_moves_where_track_process_silently_stays_master(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    """keepalived, the process and the watcher in pids of their own, on the host's network.

    What Vault listens on would be the host's there, so that the check is of the process alone.
    """
    a, b = nodes
    for node in nodes:
        node.toml.write_text(ONLY_THE_PROCESS)
        watcher = node.start_watcher(net=False)
        networks = [os.readlink(f"/proc/{pid}/ns/net") for pid in (watcher.process.pid, "self")]
        assert networks[0] == networks[1], "it is in the host's network"
    processes = [node.node.process("vault") for node in nodes]
    pair = Pair("event-driven", nodes, extra=NATIVE, start="host-network")
    native = pair.a_keepalived
    native.wait_log("WARNING - the kernel does not support proc events")
    native.wait_for("MASTER", PATIENCE, instance="NATIVE")
    since = expect_a_move_and_return(pair, processes[0].kill, lambda: a.node.process("vault"))
    assert native.states("NATIVE", since) == [], "it died, and came back, unseen"
    assert b.read("track/vault-node") == "1\n"


def expect_a_move_and_return(
    pair: Pair, kill: Callable[[], object], revive: Callable[[], object]
) -> float:
    """Kill, wait until the VIP has moved and returned, and return the time of the kill."""
    pair.expect(a="MASTER", b="BACKUP")
    since = time.monotonic()
    pair.after(kill)
    pair.expect(a="FAULT", b="MASTER")
    pair.after(revive)
    pair.expect(a="MASTER", b="BACKUP")
    return since
