"""`kacheck drain on --wait` under a real keepalived: when the VIP left, and when it was back."""

import json
import os
import re
import signal
import time

import pytest

from helpers.keepalived import children_of, wait_until
from helpers.pair import PATIENCE, Pair
from helpers.vault_node import CONFIGURATION, VaultNode
from kacheck.handover import STEP_DOWN, TO_STANDBY

pytestmark = pytest.mark.keepalived

VIP = "VIP 192.0.2.100 (VI_1)"
GRADED = re.sub(r"(?ms)^# For event-driven.*", "", CONFIGURATION)
"""The recommended check alone."""


def pair(name: str, nodes: tuple[VaultNode, VaultNode]) -> Pair:
    for node, state in zip(nodes, ("active", "standby"), strict=True):
        node.toml.write_text(GRADED if name == "vault-graded" else CONFIGURATION)
        node.state = state
        node.start_vault()
        node.start_watcher()
    return Pair(name, nodes)


def seconds(words: str, shown: str) -> float:
    found = re.search(rf"^{re.escape(VIP)}: {words} after ([0-9.]+) s$", shown, re.MULTILINE)
    assert found, shown
    return float(found[1])


def test_a_rehearsal_reports_when_the_vip_left_and_returned(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    """With the recommended recipe a standby has the VIP meanwhile."""
    both = pair("vault-graded", nodes)
    both.expect(a="MASTER", b="BACKUP")
    both.deed_at = time.monotonic()
    done = nodes[0].kacheck("drain", "on", "vault-graded", "--for", "4s", "--wait")
    assert done.returncode == 0, done
    assert (done.stdout.splitlines()[1], done.stderr) == (TO_STANDBY, "")
    left, back = seconds("left", done.stdout), seconds("back", done.stdout)
    assert left < 3 < back, "a busy machine takes its time"
    assert "MASTER" in both.b_keepalived.states("VI_1", both.deed_at)
    both.expect(a="MASTER", b="BACKUP")


def test_with_a_strict_recipe_drain_says_to_step_down(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    both = pair("event-driven", nodes)
    both.expect(a="MASTER", b="FAULT")
    done = nodes[0].kacheck("drain", "on", "vault-node", "--wait", "10s", "--format", "json")
    assert done.returncode == 0, done
    (vip,) = json.loads(done.stdout)["vips"]
    assert (vip["address"], vip["instance"], vip["was_here"]) == ("192.0.2.100", "VI_1", True)
    assert 0 <= vip["left_after_s"] < 10
    assert vip["back_after_s"] is None
    assert both.holders == []
    again = nodes[0].kacheck("drain", "on", "vault-node", "--wait")
    assert again.returncode == 0
    assert again.stdout.splitlines()[1:] == [STEP_DOWN, f"{VIP}: not on this node"]
    nodes[0].state, nodes[1].state = "standby", "active"  # vault operator step-down
    wait_until(lambda: both.holders == [nodes[1]], "the VIP did not follow", PATIENCE)


def test_a_drain_fails_if_the_vip_stays_or_cannot_be_followed(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    a, _ = nodes
    both = pair("vault-graded", nodes)
    both.expect(a="MASTER", b="BACKUP")
    node_only = a.kacheck("drain", "on", "vault", "--wait")
    assert node_only.returncode == 3
    assert node_only.stdout.startswith("vault: drained")
    conf = both.a_keepalived.conf.with_name("lab-1.conf")
    assert node_only.stderr == (
        f"kacheck: the VIP cannot be followed: no vrrp_instance with a VIP in {conf} tracks vault; "
        "run kacheck doctor; the drain is on\n"
    )
    vrrp = children_of(both.a_keepalived.process.pid)
    for pid in vrrp:
        os.kill(pid, signal.SIGSTOP)
    stays = a.kacheck("drain", "on", "vault-graded", "--wait", "1s")
    assert (stays.returncode, stays.stderr) == (
        2,
        f"kacheck: {VIP}: still here after 1 s; kacheck doctor says why\n",
    )
    for pid in vrrp:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: both.holders == [nodes[1]], "the VIP did not leave", PATIENCE)
    both.a_keepalived.stop()
    gone = a.kacheck("drain", "on", "vault-graded", "--wait")
    assert gone.returncode == 3
    assert "/etc/keepalived/keepalived.conf" in gone.stderr
