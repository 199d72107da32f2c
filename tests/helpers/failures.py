"""The table of docs/failures.md: its rows, and the two nodes on which each of them is tried.

A row is a test: `failure`, what is said about it, and the VIP. The words in backquotes are what
the test finds there, in the watcher's journal, a verdict file or keepalived's log.

Two nodes are up for all rows of a file. B serves all the time: a real Vault would elect it as the
active node. A is started again for each row, Vault, watcher and keepalived, and the
row begins when A has the VIP.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from helpers.keepalived import Keepalived, LabError, Process, children_of, wait_until
from helpers.pair import INSTANCE, PATIENCE, configuration, scripts
from helpers.processes import has_started
from helpers.vault_node import CONFIGURATION, VIP, VaultNode, Watcher

GUARD = scripts("event-driven")["kacheck_guard"]
BOUND = int(GUARD["interval"]) * int(GUARD["fall"]) + int(GUARD["timeout"])
"""Seconds that a node whose service is down may keep the VIP."""
BUSY = 5
"""Seconds that a busy machine may add; how long it takes on a quiet one is in bench/failover.py."""
CHECK = "vault-node"
OTHERS = ("vault-graded: ",)
ONLY_THE_PROCESS = """
[check.vault-node]
probe = "process"
name = "vault"
"""


class Row(NamedTuple):
    """A row of the table."""

    failure: str
    said: str
    vip: str

    def phrases(self) -> Iterator[tuple[str, str]]:
        """Yield each source with a phrase that it has."""
        for part in self.said.split("; "):
            source, _, words = part.partition(": ")
            for phrase in re.findall("`([^`]+)`", words):
                yield source, phrase


Test = TypeVar("Test", bound=Callable[..., None])


def row(failure: str, said: str, vip: str) -> Callable[[Test], Test]:
    """Make a test this row of the table."""

    def register(test: Test) -> Test:
        test.row = Row(failure, said, vip)  # type: ignore[attr-defined]
        return test

    return register


class Scene:
    """The two nodes, A as it was started for this row."""

    def __init__(self, a: VaultNode, b: VaultNode, b_keepalived: Keepalived) -> None:
        self.a, self.b, self.b_keepalived = a, b, b_keepalived
        self.keepaliveds: list[Keepalived] = []
        self.watchers: list[Watcher] = []
        self.others: list[Process] = []
        self.answers = ""
        """What commands have said."""

    # --- the healthy state ----------------------------------------------------------------

    def start(self, toml: str = CONFIGURATION) -> None:
        """Start a Vault that is active, the watcher and keepalived: A gets the VIP."""
        self.a.toml.write_text(toml)
        self.a.state = "active"
        self.a.start_vault()
        self.gains(self.start_rest)

    def start_process(self, toml: str = ONLY_THE_PROCESS) -> Process:
        """Start the same with an idle process in place of Vault."""
        self.a.toml.write_text(toml)
        process = self.spawn()
        self.gains(self.start_rest)
        return process

    def start_rest(self) -> None:
        self.start_watcher()
        self.start_keepalived()

    def start_watcher(self, *options: str, wait: bool = True) -> Watcher:
        self.watchers.append(self.a.start_watcher(*options, wait=wait))
        return self.watchers[-1]

    def start_keepalived(self) -> None:
        self.keepaliveds.append(self.a.keepalived(fast(220)))

    def spawn(self, *argv: str, program: str = "sleep", **options: Any) -> Process:
        """Start a process named vault, from a copy of that program."""
        path = self.program(program)
        self.others.append(self.a.node.popen([path, *(argv or ["600"])], **options))
        wait_until(lambda: has_started(self.others[-1].pid, "vault"), "vault did not start")
        return self.others[-1]

    def program(self, name: str) -> Path:
        return self.copy(name, f"{name}/vault")

    def copy(self, name: str, place: str) -> Path:
        """Return a copy of a program below A's directory."""
        path = self.a.node.dir / place
        if not path.exists():
            self.a.node.write(place, "", 0o755).unlink()
            shutil.copy(shutil.which(name) or name, path)
        return path

    def end(self) -> None:
        """Leave nothing of A but its namespaces."""
        for keepalived in self.keepaliveds:
            keepalived.close()
        for process in [*(each.process for each in self.watchers), *self.others]:
            process.close()
        if self.a.vault is not None:
            self.a.vault.close()
        node = self.a.node
        node.run(["ip", "address", "flush", "dev", "eth0", "to", VIP], check=False)
        clear = "while umount -l /run/kacheck 2>/dev/null; do :; done; rm -rf /run/kacheck*"
        node.run(["sh", "-c", clear])
        self.a.make_run_dir()
        self.a.certify()

    # --- actions and their effects -------------------------------------------------------

    @property
    def watcher(self) -> Watcher:
        return self.watchers[-1]

    @property
    def keepalived(self) -> Keepalived:
        return self.keepaliveds[-1]

    def gains(self, action: Callable[[], object]) -> None:
        """Act, and wait until A has the VIP, and B does not."""
        action()
        self.has_the_vip()

    def has_the_vip(self) -> None:
        """Wait until A has the VIP, and B does not."""
        settled = (["MASTER", "BACKUP"], [True, False])
        try:
            wait_until(lambda: self.states_and_vips() == settled, "A has no VIP", PATIENCE)
        except LabError as error:
            raise AssertionError(f"{error}: {self.states_and_vips()}\n{self.logs()}") from None

    def states_and_vips(self) -> tuple[list[str], list[bool]]:
        """Return the states of A and B, and whether each has the VIP."""
        states = [each.state(INSTANCE) for each in (self.keepalived, self.b_keepalived)]
        return states, [self.a.has_vip, self.b.has_vip]

    def leaves_by_the_guard(self, action: Callable[[], object]) -> None:
        """Do the same just after the guard has looked, where only the guard can see it."""
        vrrp = children_of(self.keepalived.process.pid)[0]
        wait_until(lambda: children_of(vrrp), "the guard does not run")
        wait_until(lambda: not children_of(vrrp), "the guard does not end")
        self.leaves(action)

    def leaves(self, action: Callable[[], object]) -> None:
        """Act, and wait until A is in FAULT without the VIP within BOUND, and B has it."""
        began = time.monotonic()
        action()
        self.has_left(began)

    def has_left(self, began: float) -> None:
        fault = self.keepalived.wait_for("FAULT", PATIENCE, instance=INSTANCE, after=began)
        wait_until(lambda: not self.a.has_vip, "A keeps the VIP")
        gone = time.monotonic() - began
        sys.stdout.write(f"FAULT after {fault.at - began:.3f} s, no VIP after {gone:.3f} s\n")
        assert gone <= BOUND + BUSY, self.logs()
        self.b_keepalived.wait_for("MASTER", PATIENCE, instance=INSTANCE, after=began)
        wait_until(lambda: self.b.has_vip and not self.a.has_vip, "B has no VIP", PATIENCE)
        assert self.keepalived.state(INSTANCE) == "FAULT"

    def stays(self, action: Callable[[], object]) -> None:
        """Act, and check that A keeps the VIP for as long as the guard may take."""
        began = time.monotonic()
        action()
        while time.monotonic() < began + BOUND:
            moves = self.keepalived.states(INSTANCE, began)
            assert moves == self.b_keepalived.states(INSTANCE, began) == [], self.logs()
            assert self.a.has_vip
            time.sleep(0.05)

    def logs(self) -> str:
        return "\n".join(f"{source}:\n{text}" for source, text in self.sources().items())

    def sources(self) -> dict[str, str]:
        journal = "".join(each.journal for each in self.watchers)
        ours = [line for line in journal.splitlines() if not line.startswith(OTHERS)]
        return {
            "watcher": "\n".join(ours),
            "verdict": self.a.read(f"verdict/{CHECK}"),
            "kacheck": self.answers,
            "keepalived": "".join(each.log for each in self.keepaliveds),
        }

    def ask(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run kacheck in A."""
        done = self.a.kacheck(*argv)
        self.answers += done.stdout + done.stderr
        return done

    def kill_vault(self) -> None:
        self.a.kill_vault()


def fast(priority: int) -> str:
    """Return the shipped configuration with event-driven.conf, and with fast elections."""
    conf = configuration("event-driven", priority)
    assert "advert_int 0.25 " in conf
    return conf.replace("advert_int 0.25 ", "advert_int 0.1 ")


SAME_PID = """
kill -9 $1
while kill -0 $1 2>/dev/null; do :; done
for attempt in $(seq 100); do
    echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid
    "$2" 600 >/dev/null 2>&1 &
    [ $! = $1 ] && exit
    kill $!
done
exit 1
"""


def pid_in_node(process: Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"^NSpid:.*\t(\d+)$", status, re.MULTILINE)
    assert found
    return int(found[1])
