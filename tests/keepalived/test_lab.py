"""The lab keeps its promises: above all, that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from helpers.certificates import Authority
from helpers.keepalived import (
    NETNS_DIR,
    Keepalived,
    Lab,
    LabError,
    Node,
    Start,
    children_of,
    sweep,
    wait_until,
)
from helpers.needs import needs
from helpers.paths import TESTS
from helpers.vault_node import VaultNode

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.keepalived

CONF = """
vrrp_instance VI_1 {
    version 3
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.1
    virtual_ipaddress {
        10.77.0.100
    }
}
"""

CHILD = """
import json, signal, sys
from helpers.keepalived import Lab, children_of

signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
conf, end = sys.argv[1:]
with Lab() as lab:
    a, b = lab.node("a"), lab.node("b")
    inside, outside = a.keepalived(conf), b.keepalived(conf, "host")
    inside.wait_log("VRRP sockpool")
    outside.wait_log("VRRP sockpool")
    started = [a.process("vault"), lab.host.process("idle"), inside.process, outside.process]
    pids = [p.pid for p in started] + [c for p in started for c in children_of(p.pid)]
    print(json.dumps({"pids": pids, "dir": str(lab.dir), "netns": [a.netns, b.netns]}), flush=True)
    sys.stdin.readline()
    if end == "exception":
        raise KeyError(end)
"""


@pytest.fixture(autouse=True)
def _needs() -> None:
    needs("keepalived", "ip", "unshare", "nsenter", "setpriv", root=True)


@pytest.fixture
def node() -> Iterator[Node]:
    with Lab() as lab:
        yield lab.node("a")


def run_child(end: str, signum: int) -> tuple[int, dict[str, Any]]:
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    argv = [sys.executable, "-c", CHILD, CONF, end]
    with subprocess.Popen(
        argv,
        env=env,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert child.stdin
        assert child.stdout
        made = json.loads(child.stdout.readline())
        assert all(is_alive(pid) for pid in made["pids"])
        if signum:
            child.send_signal(signum)
        else:
            child.stdin.write("\n")
            child.stdin.flush()
        return child.wait(20), made


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("end", "signum", "status"),
    [
        ("normal", 0, 0),
        ("exception", 0, 1),
        ("interrupt", signal.SIGINT, -signal.SIGINT),
        ("exit", signal.SIGTERM, 15),
    ],
)
def test_the_lab_leaves_nothing_behind(end: str, signum: int, status: int) -> None:
    returncode, made = run_child(end, signum)

    assert returncode == status
    assert len(made["pids"]) == 6, "two idle processes, two keepalived with a VRRP process each"
    assert [pid for pid in made["pids"] if is_alive(pid)] == []
    assert [name for name in made["netns"] if (NETNS_DIR / name).exists()] == []
    assert not Path(made["dir"]).exists()


def test_the_lab_ends_and_reaps_what_it_started() -> None:
    with Lab() as lab:
        node = lab.node("a")
        inside, outside = node.process("vault"), lab.host.process("idle")
        keepalived = node.keepalived(CONF)

    statuses = [inside.returncode, outside.returncode, keepalived.process.returncode]
    assert statuses == [-signal.SIGKILL] * 3


def test_a_killed_labs_processes_end_and_the_next_lab_sweeps_names() -> None:
    _, made = run_child("killed", signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, made["pids"])), "not all processes are gone")

    sweep()

    assert not any((NETNS_DIR / name).exists() for name in made["netns"])
    assert not Path(made["dir"]).exists()


def test_sweep_spares_a_running_lab(node: Node) -> None:
    sweep()

    assert (NETNS_DIR / node.netns).exists()
    assert node.dir.exists()


def test_a_node_sees_its_own_processes_alone(node: Node) -> None:
    needs("ps")
    vault = node.process("vault", "server", "-config=/etc/vault.d")

    processes = [line.split() for line in node.run(["ps", "-eo", "args="]).stdout.splitlines()]

    assert processes == [
        ["cat"],
        ["vault", "server", "-config=/etc/vault.d"],
        ["ps", "-eo", "args="],
    ]
    assert Path(f"/proc/{vault.pid}/comm").read_text() == "vault\n"
    vault.kill()
    assert vault.wait() == -signal.SIGKILL


def test_an_overlay_is_private_to_the_node(node: Node) -> None:
    before = sorted(Path("/usr/libexec").iterdir())
    source = node.write("checks/kacheck-test", "#!/bin/sh\n", 0o755)
    node.overlay("/usr/libexec")

    node.run(["mkdir", "/usr/libexec/kacheck-lab"])
    node.bind(source.parent, "/usr/libexec/kacheck-lab")

    node.run(["/usr/libexec/kacheck-lab/kacheck-test"])
    assert len(node.run(["ls", "-A", "/usr/libexec"]).stdout.split()) == len(before) + 1
    assert sorted(Path("/usr/libexec").iterdir()) == before


def test_a_node_is_not_disturbed_by_what_the_machine_has_installed(node: Node) -> None:
    for path in ("/usr/libexec", "/etc"):
        node.overlay(path)
    node.run(["mkdir", "-p", "/usr/libexec/kacheck", "/etc/vault.d", "/etc/kacheck"])
    node.run(["touch", "/usr/libexec/kacheck/kacheck-of-old"])

    with_vault = VaultNode(node, Authority())

    assert not (with_vault.libexec / "kacheck-of-old").exists()
    assert node.run(["/usr/libexec/kacheck/kacheck-process", "--version"]).returncode == 0


def test_a_tmpfs_and_run_are_private_to_the_node(node: Node) -> None:
    node.mount_tmpfs("/mnt")
    node.run(["touch", "/mnt/kacheck-test", "/run/kacheck-test"])

    assert (node.root / "run/kacheck-test").exists()
    assert not Path("/mnt/kacheck-test").exists()
    assert not Path("/run/kacheck-test").exists()


@pytest.fixture
def pair() -> Iterator[tuple[Node, Node, Keepalived, Keepalived]]:
    """Two nodes, of which the first is MASTER."""
    with Lab() as lab:
        a, b = lab.node("a"), lab.node("b")
        first = a.keepalived(CONF)
        first.wait_for("MASTER")
        second = b.keepalived(CONF.replace("100\n    advert", "90\n    advert"))
        second.wait_for("BACKUP")
        yield a, b, first, second


def test_two_nodes_share_a_wire_and_the_address_moves(
    pair: tuple[Node, Node, Keepalived, Keepalived],
) -> None:
    a, b, first, second = pair
    assert (a.has_address("10.77.0.100"), b.has_address("10.77.0.100")) == (True, False)

    stopped = time.monotonic()
    assert first.stop() == 0

    second.wait_for("MASTER", after=stopped)
    assert (a.has_address("10.77.0.100"), b.has_address("10.77.0.100")) == (False, True)
    assert first.states("VI_1") == ["BACKUP", "MASTER", "STOP"]


def test_a_master_that_hears_a_lower_priority_is_master(
    pair: tuple[Node, Node, Keepalived, Keepalived],
) -> None:
    _, _, first, second = pair
    [vrrp] = children_of(first.process.pid)

    os.kill(vrrp, signal.SIGSTOP)
    second.wait_for("MASTER")
    os.kill(vrrp, signal.SIGCONT)

    first.wait_for("MASTER_RX_LOWER_PRI")
    assert first.states("VI_1") == ["BACKUP", "MASTER"]
    assert first.state("VI_1") == "MASTER"


@pytest.mark.parametrize("start", ["host-network", "host"])
def test_a_keepalived_started_outside_serves_the_node(node: Node, start: Start) -> None:
    keepalived = node.keepalived(CONF, start)

    keepalived.wait_for("MASTER")

    assert node.has_address("10.77.0.100")


def test_a_reload_takes_a_new_configuration(node: Node) -> None:
    keepalived = node.keepalived(CONF)
    keepalived.wait_for("MASTER")

    keepalived.reload(CONF.replace("10.77.0.100", "10.77.0.101"))

    wait_until(lambda: node.has_address("10.77.0.101"), "the new address does not come")
    wait_until(lambda: not node.has_address("10.77.0.100"), "the old address does not go")


def test_waiting_in_vain_shows_the_events_and_the_log(node: Node) -> None:
    keepalived = node.keepalived(CONF)
    keepalived.wait_for("MASTER")

    with pytest.raises(AssertionError, match=r"(?s)no FAULT of VI_1: .*MASTER.*setting VIPs"):
        keepalived.wait_for("FAULT", 0.01, instance="VI_1")


def test_waiting_ends_when_keepalived_does(node: Node) -> None:
    keepalived = node.keepalived(CONF)
    keepalived.wait_for("BACKUP")
    keepalived.stop()

    with pytest.raises(AssertionError, match="keepalived has exited"):
        keepalived.wait_for("FAULT", 10)


def test_a_failing_command_shows_its_output(node: Node) -> None:
    with pytest.raises(LabError, match=r"exited with 3: .*why"):
        node.run(["sh", "-c", "echo why >&2; exit 3"])


def test_files_pass_the_script_security_check_whatever_the_umask(node: Node) -> None:
    before = os.umask(0)
    try:
        path = node.write("some/where/check", "#!/bin/sh\n", 0o755)
    finally:
        os.umask(before)

    inside = [path, *path.parents][: -len(node.dir.parent.parts)]
    assert {oct(part.stat().st_mode & 0o777) for part in inside} == {"0o755"}
