"""Why the usual answers fail: every row of that table in DESIGN.md, and the facts that we lean on.

How a test proves that a state *stays*: a second instance, the witness, tracks a file. After the
event (a killed process, say) the test fails the witness through the file and lets it come back:
FAULT, then BACKUP, then MASTER, three advertisement intervals later. Both instances live in one
keepalived process, which has one loop for all of its events, and where native tracking works (its
own test below) it reacts within milliseconds. So what has not happened when the witness is MASTER
again does not happen because of the event.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers import vault
from helpers.keepalived import Keepalived, Lab, Node, keepalived_version
from helpers.needs import needs

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.keepalived

URL = "http://127.0.0.1:8200/v1/sys/health"

INSTANCE = """
vrrp_instance %(name)s {
    version 3
    interface eth0
    virtual_router_id %(number)d
    priority 100
    advert_int 0.1
    virtual_ipaddress {
        10.77.0.%(number)d
    }
    %(track)s
}
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    needs("keepalived", "ip", "unshare", "nsenter", "setpriv", root=True)
    with Lab() as lab:
        yield lab


@pytest.fixture
def node(lab: Lab) -> Node:
    return lab.node("a")


def instance(name: str, track: str, number: int = 100) -> str:
    return INSTANCE % {"name": name, "number": number, "track": track}


def track_process(name: str) -> str:
    block = f"vrrp_track_process track_vault {{\n process {name}\n}}\n"
    return block + instance("VI_1", "track_process {\n track_vault\n }")


def track_script(script: str, options: str = "", *, global_defs: str = "") -> str:
    user = f"global_defs {{\n script_user root\n {global_defs}\n}}\n"
    block = f'vrrp_script check {{\n script "{script}"\n interval 1\n {options}\n}}\n'
    return user + block + instance("VI_1", "track_script {\n check\n }")


def witness(node: Node) -> str:
    path = node.write("witness", "0\n")
    block = f"track_file witness {{\n file {path}\n weight 0\n}}\n"
    return block + instance("WITNESS", "track_file {\n witness\n }", 200)


def let_the_witness_testify(node: Node, keepalived: Keepalived) -> None:
    called = time.monotonic()
    node.write("witness", "1\n")
    failed = keepalived.wait_for("FAULT", instance="WITNESS", after=called)
    node.write("witness", "0\n")
    keepalived.wait_for("MASTER", instance="WITNESS", after=failed.at)


def unique_name() -> str:
    """Return a comm that no other process of the host has, those of other labs included."""
    return f"vault-{os.getpid()}"


class TestTrackProcessInItsOwnNetwork:
    """As in LXC, nspawn or Docker's default: the kernel refuses the listen with errno 111."""

    def test_the_instance_stays_in_fault_although_the_process_runs(self, node: Node) -> None:
        node.process("vault")
        keepalived = node.keepalived(track_process("vault") + witness(node))

        keepalived.wait_log(
            "process event listen - errno 111"
        )  # "Failed to set/clear", 2.3: "Failed to set"
        keepalived.wait_log("(tracked process track_vault quorum not achieved)")
        keepalived.wait_for("FAULT", instance="VI_1")
        another = node.process("vault")
        let_the_witness_testify(node, keepalived)

        assert another.returncode is None
        assert keepalived.states("VI_1") == ["FAULT"]
        assert not node.has_address("10.77.0.100")

    def test_after_a_reload_it_stays_master_when_the_process_dies(self, node: Node) -> None:
        """A reload reads /proc again, and that needs no listen (reload_track_processes)."""
        vault = node.process("vault")
        keepalived = node.keepalived(track_process("vault") + witness(node))
        keepalived.wait_for("FAULT", instance="VI_1")
        keepalived.reload()
        keepalived.wait_for("MASTER", instance="VI_1")

        killed = time.monotonic()
        vault.kill()
        vault.wait()
        let_the_witness_testify(node, keepalived)

        assert keepalived.states("VI_1", killed) == []
        assert node.has_address("10.77.0.100")


@pytest.mark.usefixtures("process_events")
class TestTrackProcessWithTheHostsNetworkAndItsOwnPids:
    """As with `docker run --net=host`: the kernel ignores the listen without a word."""

    def test_the_instance_stays_master_after_the_process_was_killed(self, node: Node) -> None:
        vault = node.process("vault")
        keepalived = node.keepalived(track_process("vault") + witness(node), "host-network")
        keepalived.wait_log("WARNING - the kernel does not support proc events")
        keepalived.wait_for("MASTER", instance="VI_1")

        vault.kill()
        vault.wait()
        let_the_witness_testify(node, keepalived)

        assert keepalived.states("VI_1") == ["BACKUP", "MASTER"]
        assert node.has_address("10.77.0.100")


@pytest.mark.usefixtures("process_events")
class TestTrackProcessOnTheHost:
    """The honest baseline: in the initial namespaces it keeps its promise."""

    def test_a_killed_process_causes_fault_long_before_the_witness_returns(
        self, lab: Lab, node: Node
    ) -> None:
        vault = lab.host.process(unique_name())
        keepalived = node.keepalived(track_process(unique_name()) + witness(node), "host")
        keepalived.wait_for("MASTER", instance="VI_1")

        vault.kill()
        vault.wait()
        let_the_witness_testify(node, keepalived)

        assert keepalived.states("VI_1") == ["BACKUP", "MASTER", "FAULT"]
        assert not node.has_address("10.77.0.100")

    def test_a_started_process_ends_the_fault(self, lab: Lab, node: Node) -> None:
        keepalived = node.keepalived(track_process(unique_name()), "host")
        keepalived.wait_for("FAULT")

        lab.host.process(unique_name())

        keepalived.wait_for("MASTER")


class TestPidof:
    """`script "pidof vault"`.

    Before 2.3.0 keepalived passes the real path as argv[0], unless the link's name is in the
    directory of its target as well (check_script_secure in lib/notify.c; changed by ebf37b95,
    which came with use_symlink_paths). Debian's pidof is a link to killall5 in another directory.
    """

    PASSES_THE_CONFIGURED_NAME = (2, 3, 0)

    @pytest.fixture(autouse=True)
    def _pidof(self) -> None:
        needs("pidof")
        pidof = Path(shutil.which("pidof") or "")
        if pidof.resolve().name != "killall5" or (pidof.resolve().parent / "pidof").exists():
            pytest.skip(f"{pidof} is not Debian's link to killall5")

    def test_pidof_finds_the_process_and_killall5_does_not(self, node: Node) -> None:
        node.process("vault")

        assert node.run(["pidof", "vault"]).returncode == 0
        assert node.run(["killall5", "vault"], check=False).returncode == 1

    def test_the_instance_is_in_fault_before_2_3_0_and_master_since(self, node: Node) -> None:
        node.process("vault")
        keepalived = node.keepalived(track_script("pidof vault"))

        if keepalived_version() >= self.PASSES_THE_CONFIGURED_NAME:
            keepalived.wait_for("MASTER")
        else:
            keepalived.wait_log("Script `check` now returning 1")
            keepalived.wait_for("FAULT")
            assert keepalived.states("VI_1")[-1] == "FAULT"
            assert node.run(["pidof", "vault"]).returncode == 0, "vault runs nevertheless"


class TestCurlAndGrep:
    """`script "curl -s URL | grep -q active"`: no shell runs it, so the word is not found."""

    @pytest.fixture(autouse=True)
    def _active_vault(self, node: Node) -> None:
        needs("curl", "grep")
        argv = [sys.executable, "-I", str(vault.__file__), "--listen", "127.0.0.1:8200"]
        process = node.popen(argv, stdout=subprocess.PIPE)
        assert process.popen.stdout
        assert process.popen.stdout.readline()  # it listens

    def test_the_instance_is_in_fault_although_vault_is_active(self, node: Node) -> None:
        keepalived = node.keepalived(track_script(f"curl -s {URL} | grep -q active"))

        keepalived.wait_log("VRRP_Script(check) failed")
        keepalived.wait_for("FAULT")

    def test_curl_alone_succeeds_and_gets_a_body_without_the_word(self, node: Node) -> None:
        keepalived = node.keepalived(track_script(f"curl -s {URL}"))
        keepalived.wait_for("MASTER")

        body = node.run(["curl", "-s", URL]).stdout

        assert json.loads(body).items() >= {"sealed": False, "standby": False}.items()
        assert "active" not in body

    def test_a_real_shell_does_not_cure_it(self, node: Node) -> None:
        pipe = ["sh", "-c", f"curl -s {URL} | grep -q active"]

        assert node.run(pipe, check=False).returncode == 1


class TestWhatCountsAsSuccess:
    """What keepalived makes of a vrrp_script that does not simply exit 0 or 1."""

    def test_a_script_whose_interpreter_is_missing_counts_as_healthy(self, node: Node) -> None:
        script = node.write("check", "#!/usr/bin/no-such-interpreter\n", 0o755)
        keepalived = node.keepalived(track_script(str(script)))

        keepalived.wait_log("VRRP_Script(check) succeeded")
        keepalived.wait_for("MASTER")

    def test_a_shell_that_cannot_exec_counts_as_failed(self, node: Node) -> None:
        script = node.write("check", "#!/bin/sh\nexec /no/such/program\n", 0o755)
        keepalived = node.keepalived(track_script(str(script)))

        keepalived.wait_log("Script `check` now returning 127")
        keepalived.wait_for("FAULT")

    def test_a_script_that_exits_0_after_sigterm_counts_as_healthy(self, node: Node) -> None:
        text = "#!/bin/sh\ntrap 'exit 0' TERM\nsleep 30 &\nwait\n"
        script = node.write("check", text, 0o755)
        keepalived = node.keepalived(track_script(str(script), "timeout 1"))

        keepalived.wait_log("VRRP_Script(check) succeeded")
        keepalived.wait_for("MASTER")

    def test_a_script_that_overruns_and_dies_of_sigterm_counts_as_failed(self, node: Node) -> None:
        script = node.write("check", "#!/bin/sh\nexec sleep 30\n", 0o755)
        keepalived = node.keepalived(track_script(str(script), "timeout 1"))

        keepalived.wait_log("VRRP_Script(check) timed_out")
        keepalived.wait_for("FAULT")

    def test_a_script_that_dies_of_its_own_signal_counts_as_failed(self, node: Node) -> None:
        script = node.write("check", "#!/bin/sh\nkill -SEGV $$\n", 0o755)
        keepalived = node.keepalived(track_script(str(script)))

        keepalived.wait_log(f"VRRP_Script(check) failed (due to signal {signal.SIGSEGV:d})")
        keepalived.wait_for("FAULT")


class TestRemovedScripts:
    """A script that keepalived does not accept is removed, and the instance runs untracked."""

    FAILS = "#!/bin/sh\nexit 1\n"

    @pytest.mark.parametrize(
        ("mode", "global_defs", "why"),
        [
            pytest.param(
                0o644, "", "is not executable for uid:gid 0:0 - disabling", id="not-executable"
            ),
            pytest.param(
                0o777, "enable_script_security", "Unsafe permissions found", id="insecure"
            ),
        ],
    )
    def test_the_instance_is_master_although_the_script_would_fail(
        self, node: Node, mode: int, global_defs: str, why: str
    ) -> None:
        script = node.write("check", self.FAILS, mode)
        keepalived = node.keepalived(track_script(str(script), global_defs=global_defs))

        keepalived.wait_log(why)
        keepalived.wait_for("MASTER")

        assert "FAULT" not in keepalived.states("VI_1")
        assert "VRRP_Script(check)" not in keepalived.log

    def test_a_script_that_is_not_there_is_removed_too(self, node: Node) -> None:
        keepalived = node.keepalived(track_script("/no/such/check"))

        keepalived.wait_log("/no/such/check")
        keepalived.wait_for("MASTER")

    def test_the_same_script_accepted_is_a_fault(self, node: Node) -> None:
        script = node.write("check", self.FAILS, 0o755)
        keepalived = node.keepalived(
            track_script(str(script), global_defs="enable_script_security")
        )

        keepalived.wait_for("FAULT")
