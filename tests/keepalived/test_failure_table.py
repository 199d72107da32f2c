"""What each failure does to the VIP, with event-driven.conf: the rows of the table in docs/failures.md.

A row is a test: `failure`, what is said about it, and the VIP. The words in backquotes are what
the test finds there, in the watcher's journal, a verdict file or keepalived's log.

Two nodes are up for all rows. B serves all the time: in its stead Vault's own election would make
it the active one. A is started anew for each row, Vault, watcher and keepalived, and the row
begins when A has the VIP.
"""

import datetime as dt
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from math import floor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from helpers import lxcfs
from helpers.certificates import Authority
from helpers.keepalived import Keepalived, Lab, LabError, Process, children_of, wait_until
from helpers.needs import needs
from helpers.pair import INSTANCE, PATIENCE, configuration, scripts
from helpers.paths import ROOT
from helpers.processes import has_started
from helpers.vault_node import AS_USER, CONFIGURATION, VIP, VaultNode, Watcher

pytestmark = pytest.mark.keepalived

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
TRUSTING_A_DIRECTORY = CONFIGURATION.replace(
    'ca_cert = "/etc/vault.d/ca.pem"', 'ca_path = "/etc/vault.d/authorities"'
)


class Row(NamedTuple):
    """A row of the table."""

    failure: str
    said: str
    vip: str

    def phrases(self) -> Iterator[tuple[str, str]]:
        """Who says what."""
        for part in self.said.split("; "):
            source, _, words = part.partition(": ")
            for phrase in re.findall("`([^`]+)`", words):
                yield source, phrase


Test = TypeVar("Test", bound=Callable[..., None])
ROWS: list[Row] = []


def row(failure: str, said: str, vip: str) -> Callable[[Test], Test]:
    """The test is this row of the table."""

    def register(test: Test) -> Test:
        ROWS.append(Row(failure, said, vip))
        test.row = ROWS[-1]  # type: ignore[attr-defined]
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
        """A Vault that is active, the watcher and keepalived: A gets the VIP."""
        self.a.toml.write_text(toml)
        self.a.state = "active"
        self.a.start_vault()
        self.settle(self.start_rest)

    def start_process(self, toml: str = ONLY_THE_PROCESS) -> Process:
        """The same with an idle process in place of Vault."""
        self.a.toml.write_text(toml)
        process = self.spawn()
        self.settle(self.start_rest)
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
        """A process named vault, from a copy of that program."""
        path = self.program(program)
        self.others.append(self.a.node.popen([path, *(argv or ["600"])], **options))
        wait_until(lambda: has_started(self.others[-1].pid, "vault"), "vault did not start")
        return self.others[-1]

    def program(self, name: str) -> Path:
        return self.copy(name, f"{name}/vault")

    def copy(self, name: str, place: str) -> Path:
        """A copy of a program below A's directory."""
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

    # --- deeds and what comes of them -----------------------------------------------------

    @property
    def watcher(self) -> Watcher:
        return self.watchers[-1]

    @property
    def keepalived(self) -> Keepalived:
        return self.keepaliveds[-1]

    def settle(self, deed: Callable[[], object]) -> None:
        """After the deed A has the VIP, and B does not."""
        deed()
        settled = (["MASTER", "BACKUP"], [True, False])
        try:
            wait_until(lambda: self.states_and_vips() == settled, "A has no VIP", PATIENCE)
        except LabError as error:
            raise AssertionError(f"{error}: {self.states_and_vips()}\n{self.told()}") from None

    def states_and_vips(self) -> tuple[list[str], list[bool]]:
        """Of A and of B."""
        states = [each.state(INSTANCE) for each in (self.keepalived, self.b_keepalived)]
        return states, [self.a.has_vip, self.b.has_vip]

    def leaves_by_the_guard(self, deed: Callable[[], object]) -> None:
        """The same, where the guard alone can see it, and has just looked: as late as can be."""
        vrrp = children_of(self.keepalived.process.pid)[0]
        wait_until(lambda: children_of(vrrp), "the guard does not run")
        wait_until(lambda: not children_of(vrrp), "the guard does not end")
        self.leaves(deed)

    def leaves(self, deed: Callable[[], object]) -> None:
        """After the deed A is in FAULT and without the VIP within BOUND, and B has it."""
        began = time.monotonic()
        deed()
        self.has_left(began)

    def has_left(self, began: float) -> None:
        fault = self.keepalived.wait_for("FAULT", PATIENCE, instance=INSTANCE, after=began)
        wait_until(lambda: not self.a.has_vip, "A keeps the VIP")
        gone = time.monotonic() - began
        sys.stdout.write(f"FAULT after {fault.at - began:.3f} s, no VIP after {gone:.3f} s\n")
        assert gone <= BOUND + BUSY, self.told()
        self.b_keepalived.wait_for("MASTER", PATIENCE, instance=INSTANCE, after=began)
        wait_until(lambda: self.b.has_vip and not self.a.has_vip, "B has no VIP", PATIENCE)
        assert self.keepalived.state(INSTANCE) == "FAULT"

    def stays(self, deed: Callable[[], object]) -> None:
        """After the deed A has the VIP, as long as the guard may take, and nothing moves."""
        began = time.monotonic()
        deed()
        while time.monotonic() < began + BOUND:
            moves = self.keepalived.states(INSTANCE, began)
            assert moves == self.b_keepalived.states(INSTANCE, began) == [], self.told()
            assert self.a.has_vip
            time.sleep(0.05)

    def told(self) -> str:
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
    """event-driven.conf in the shipped configuration, with elections of tenths of a second."""
    conf = configuration("event-driven", priority)
    assert "advert_int 0.3 " in conf
    return conf.replace("advert_int 0.3 ", "advert_int 0.1 ")


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[VaultNode, VaultNode, Keepalived]]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    authority = Authority()
    with Lab() as lab:
        a, b = (VaultNode(lab.node(name), authority) for name in "ab")
        b.start_vault()
        b.start_watcher()
        keepalived = b.keepalived(fast(218))
        keepalived.wait_for("MASTER", PATIENCE)
        yield a, b, keepalived


@pytest.fixture
def scene(
    stage: tuple[VaultNode, VaultNode, Keepalived], request: pytest.FixtureRequest
) -> Iterator[Scene]:
    scene = Scene(*stage)
    try:
        yield scene
        for source, phrase in request.function.row.phrases():
            wait_until(lambda: phrase in scene.sources()[source], f"{source}: no {phrase!r}")
    except BaseException:
        sys.stdout.write(scene.told())
        raise
    finally:
        scene.end()


# --- Vault ------------------------------------------------------------------------------------


@row("Vault is killed", "watcher: `critical missing`", "leaves at once")
def test_vault_is_killed(scene: Scene) -> None:
    scene.start()
    scene.leaves(scene.kill_vault)


@row("Vault is stopped (SIGSTOP)", "watcher: `critical timeout`", "leaves after 2 looks")
def test_vault_is_stopped(scene: Scene) -> None:
    scene.start()
    vault = scene.a.vault
    assert vault
    scene.leaves(lambda: vault.kill(signal.SIGSTOP))


def becomes(scene: Scene, state: str) -> None:
    scene.start()
    scene.leaves(lambda: setattr(scene.a, "state", state))


@row("Vault is sealed", "watcher: `critical sealed`", "leaves after 2 looks")
def test_vault_is_sealed(scene: Scene) -> None:
    becomes(scene, "sealed")


@row(
    "Vault steps down",
    "watcher: `warning standby`; keepalived: `now FAULT state`",
    "leaves after 2 looks, to the active node; without one it is dropped on purpose",
)
def test_vault_steps_down(scene: Scene) -> None:
    becomes(scene, "standby")


@row("Vault hangs", "watcher: `critical timeout`", "leaves after 2 looks")
def test_vault_hangs(scene: Scene) -> None:
    becomes(scene, "hang")


@row("Vault answers garbage", "watcher: `critical bad-response`", "leaves after 2 looks")
def test_vault_answers_garbage(scene: Scene) -> None:
    becomes(scene, "garbage-head")


@row(
    "Vault is restarted with an expired certificate",
    "watcher: `critical tls`, `has expired`",
    "leaves at once, and stays away",
)
def test_vault_is_restarted_with_an_expired_certificate(scene: Scene) -> None:
    scene.start()

    def restart() -> None:
        scene.kill_vault()
        scene.a.certify(scene.a.authority.expired("127.0.0.1"))
        scene.a.start_vault()

    scene.leaves(restart)
    scene.watcher.wait_said("critical tls")
    assert scene.keepalived.state(INSTANCE) == "FAULT"


@row(
    "Vault's certificate expires while the connection is kept",
    "watcher: `critical tls`, `has expired`",
    "leaves after 2 looks on new connections, the first of which comes within 3 s",
)
def test_the_certificate_expires_while_the_connection_is_kept(scene: Scene) -> None:
    """The watcher connects 2.5 s before the end, so that it would look on that connection again."""
    left = dt.timedelta(seconds=5)
    leaf = scene.a.authority._issue(("127.0.0.1",), left)
    # It ends with a whole second; OpenSSL's X509_cmp_time() takes "equal" for "over".
    end = time.monotonic() - time.time() + floor(time.time() + left.total_seconds())
    scene.a.certify(leaf)
    wait_until(lambda: time.monotonic() > end - 2.7, "time stands still", PATIENCE)
    scene.start()
    assert time.monotonic() < end, "it has expired before it was seen"
    wait_until(lambda: time.monotonic() > end, "it does not expire", PATIENCE)
    assert scene.a.has_vip
    scene.has_left(end)


@row(
    "the authority of Vault's certificate is overwritten in the directory that is trusted",
    "watcher: `critical tls`, `unknown authority`",
    "leaves after 2 looks on new connections, the first of which comes within 3 s",
)
def test_the_authority_is_overwritten_while_the_connection_is_kept(scene: Scene) -> None:
    file = scene.a.node.root / "etc/vault.d/authorities/ca.pem"
    file.parent.mkdir(exist_ok=True)
    scene.a.authority.write(file)
    scene.start(TRUSTING_A_DIRECTORY)
    began = time.monotonic()
    Authority().write(file)
    scene.has_left(began)


# --- a process --------------------------------------------------------------------------------


@row("the process is killed", "watcher: `critical missing`", "leaves at once")
def test_the_process_is_killed(scene: Scene) -> None:
    process = scene.start_process()
    scene.leaves(process.kill)


@row("the process is a zombie", "watcher: `critical missing`", "leaves at once")
def test_the_process_is_a_zombie(scene: Scene) -> None:
    parent = f"{scene.program('sleep')} 600 & exec sleep 600"
    scene.others.append(scene.a.node.popen(["sh", "-c", parent]))
    wait_until(lambda: children_of(scene.others[0].pid), "the parent has no child")
    child = children_of(scene.others[0].pid)[0]
    scene.a.toml.write_text(ONLY_THE_PROCESS)
    scene.settle(scene.start_rest)
    scene.leaves(lambda: os.kill(child, signal.SIGKILL))
    assert "zombie" in Path(f"/proc/{child}/status").read_text()


@row(
    "the process is restarted within `terminate_delay`",
    "verdict: `0`, `ok running`",
    "stays on purpose; leaves when the delay is over and it is not back",
)
def test_the_process_is_restarted_within_terminate_delay(scene: Scene) -> None:
    process = scene.start_process(ONLY_THE_PROCESS + "terminate_delay = 2\n")

    def restart() -> None:
        process.kill()
        process.wait()
        scene.spawn()

    scene.stays(restart)
    assert scene.a.read(f"verdict/{CHECK}").startswith("0 ")
    scene.settle(lambda: None)
    said = len(scene.watcher.journal)
    scene.leaves(scene.others[-1].kill)
    scene.watcher.wait_said("critical missing", after=said)
    scene.settle(scene.spawn)


@row(
    "the process becomes another program (exec)",
    "watcher: `critical missing`",
    "leaves after 2 looks",
)
def test_the_process_becomes_another_program(scene: Scene) -> None:
    becomes_sleep = "read _; exec sleep 600"
    process = scene.spawn("-c", becomes_sleep, program="sh", stdin=subprocess.PIPE)
    scene.a.toml.write_text(ONLY_THE_PROCESS)
    scene.settle(scene.start_rest)

    def deed() -> None:
        assert process.popen.stdin
        process.popen.stdin.write("now\n")
        process.popen.stdin.flush()

    scene.leaves(deed)
    assert Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n"


@row(
    "the process's pid is another's, at once",
    "watcher: `critical missing`",
    "leaves at once; stays if it is its successor's",
)
def test_the_pid_of_the_process_is_anothers(scene: Scene) -> None:
    """The watcher is stopped meanwhile, so that it sees nothing but the same pid again."""
    scene.start_process()
    pid = pid_in_node(scene.others[0])
    watcher = scene.watcher.process
    stranger = scene.copy("sleep", "stranger")

    def replace(program: Path) -> None:
        watcher.kill(signal.SIGSTOP)
        scene.a.node.run(["sh", "-c", SAME_PID, "sh", str(pid), program])
        watcher.kill(signal.SIGCONT)

    scene.stays(lambda: replace(scene.program("sleep")))
    scene.leaves(lambda: replace(stranger))


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


# --- the watcher -----------------------------------------------------------------------------


@row(
    "the watcher is stopped by its service (SIGTERM)",
    "watcher: `all checks fail now`; verdict: `critical stopped`",
    "leaves at once, on purpose: nothing checks the service any more",
)
def test_the_watcher_is_stopped_by_its_service(scene: Scene) -> None:
    scene.start()
    scene.leaves(scene.watcher.stop)


@row(
    "the watcher is killed, then Vault",
    "keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves by the guard",
)
def test_the_watcher_is_killed(scene: Scene) -> None:
    scene.start()
    scene.stays(scene.watcher.process.kill)
    scene.leaves_by_the_guard(scene.kill_vault)


@row(
    "the watcher is killed, then Vault hangs",
    "keepalived: `now returning 2`",
    "leaves by the guard",
)
def test_the_watcher_is_killed_and_vault_hangs(scene: Scene) -> None:
    scene.start()
    scene.watcher.process.kill()
    scene.leaves_by_the_guard(lambda: setattr(scene.a, "state", "hang"))


@row(
    "the watcher is killed, its pid is another's, then Vault",
    "keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves by the guard",
)
def test_the_watchers_pid_is_anothers(scene: Scene) -> None:
    scene.start()
    pid = pid_in_node(scene.watcher.process)
    scene.a.node.run(["sh", "-c", SAME_PID, "sh", str(pid), scene.copy("sleep", "kacheck")])
    assert scene.a.read("watcher/pid").split()[0] == str(pid)
    scene.leaves_by_the_guard(scene.kill_vault)


@row(
    "the watcher is stopped (SIGSTOP), then Vault killed",
    "keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves by the guard",
)
def test_the_watcher_is_stopped(scene: Scene) -> None:
    scene.start()
    scene.stays(lambda: scene.watcher.process.kill(signal.SIGSTOP))
    scene.leaves_by_the_guard(scene.kill_vault)


def take_descriptors(scene: Scene) -> None:
    scene.start()
    pid = pid_in_node(scene.watcher.process)
    scene.a.node.run([*AS_USER, "prlimit", f"--pid={pid}", "--nofile=3:3"])  # as root needs more


@row(
    "the watcher is out of file descriptors, then Vault killed",
    "watcher: `Too many open files`, `critical`",
    "leaves at once",
)
def test_the_watcher_is_out_of_descriptors(scene: Scene) -> None:
    take_descriptors(scene)
    scene.leaves(scene.kill_vault)


@row(
    "the watcher is out of file descriptors, and Vault healthy",
    "watcher: `Too many open files`, `critical`",
    "leaves after 2 looks, on purpose: its state is unknown",
)
def test_the_watcher_is_out_of_descriptors_for_a_healthy_vault(scene: Scene) -> None:
    began = time.monotonic()
    take_descriptors(scene)
    scene.keepalived.wait_for("FAULT", PATIENCE, after=began)
    wait_until(lambda: not scene.a.has_vip and scene.b.has_vip, "A keeps the VIP", PATIENCE)


# --- the state directory ----------------------------------------------------------------------


@row(
    "the state directory is deleted, then Vault killed",
    "watcher: `/run/kacheck/track is gone`; keepalived: `now FAULT state`",
    "leaves at once: the watcher ends, and its unit makes the directory and starts it again; "
    "stays away until keepalived is reloaded; then leaves at once",
)
def test_the_state_directory_is_deleted(scene: Scene) -> None:
    scene.start()
    scene.leaves(lambda: shutil.rmtree(scene.a.run_dir))
    assert scene.watcher.process.wait() == 3
    scene.start_watcher()  # as the unit does, which test_systemd.py shows
    wait_until(lambda: scene.a.read(f"track/{CHECK}") == "1\n", "it is not written anew")
    assert scene.keepalived.state(INSTANCE) == "FAULT"
    scene.settle(scene.keepalived.reload)
    scene.leaves(scene.kill_vault)


@row(
    "the state directory is replaced by a new one, then Vault killed",
    "watcher: `is another directory than before: reload keepalived`; keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves by the guard",
)
def test_the_state_directory_is_replaced(scene: Scene) -> None:
    scene.start()

    def replace() -> None:
        scene.a.node.run(["mv", "/run/kacheck", "/run/kacheck-old"])
        scene.a.make_run_dir()

    scene.stays(replace)
    scene.watcher.wait_said("is another directory")
    scene.leaves(scene.kill_vault)


@row(
    "the state directory is full, then Vault killed",
    "watcher: `No space left on device`, `critical missing`",
    "stays while Vault is healthy; leaves at once",
)
@pytest.mark.parametrize("again", [False, True], ids=["once", "again-and-again"])
def test_the_state_directory_is_full(scene: Scene, *, again: bool) -> None:
    scene.a.node.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=64k", "tmpfs", "/run/kacheck"])
    scene.start()
    fill = "head -c 4096 /dev/zero >>/run/kacheck/filler 2>/dev/null"
    loop = f"while :; do {fill}; done" if again else f"while {fill}; do :; done"
    scene.stays(lambda: scene.others.append(scene.a.node.popen(["sh", "-c", loop])))
    scene.leaves(scene.kill_vault)


@row(
    "the state directory is read-only, then Vault killed",
    "watcher: `Read-only file system`, `critical missing`; keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves by the guard",
)
def test_the_state_directory_is_read_only(scene: Scene) -> None:
    scene.start()
    remount = (
        "mount --bind /run/kacheck /run/kacheck && mount -o remount,bind,ro /run/kacheck && "
        "! touch /run/kacheck/track/new 2>/dev/null"
    )
    scene.stays(lambda: scene.a.node.run(["sh", "-c", remount]))
    scene.leaves_by_the_guard(scene.kill_vault)


# --- its files --------------------------------------------------------------------------------


def hurt_the_track_file(scene: Scene, deed: Callable[[Path], object]) -> None:
    scene.start()
    path = scene.a.run_dir / "track" / CHECK
    began = time.monotonic()
    deed(path)
    scene.keepalived.wait_for("FAULT", PATIENCE, instance=INSTANCE, after=began)
    scene.settle(lambda: None)
    assert path.read_text() == "1\n"


HEALS = "leaves at once, and comes back at the next look, which rewrites it"


@row("the track file is deleted", "keepalived: `now FAULT state`", HEALS)
def test_the_track_file_is_deleted(scene: Scene) -> None:
    hurt_the_track_file(scene, Path.unlink)


@row("the track file is emptied", "keepalived: `now FAULT state`", HEALS)
def test_the_track_file_is_emptied(scene: Scene) -> None:
    hurt_the_track_file(scene, lambda path: path.write_text(""))


@row("the track file is garbled", "keepalived: `now FAULT state`", HEALS)
def test_the_track_file_is_garbled(scene: Scene) -> None:
    hurt_the_track_file(scene, lambda path: path.write_bytes(b"\xff\x00healthy\n"))


@row(
    "Vault is killed, then the track file set to 1 by hand",
    "watcher: `critical missing`; keepalived: `now returning 2`",
    "comes back until the next look, which rewrites it, at the latest",
)
def test_the_track_file_is_changed_by_hand(scene: Scene) -> None:
    scene.start()
    scene.leaves(scene.kill_vault)
    path = scene.a.run_dir / "track" / CHECK
    began = time.monotonic()
    path.write_text("1\n")
    wait_until(lambda: path.read_text() == "0\n", "it stays changed")
    wait_until(lambda: scene.keepalived.state(INSTANCE) == "FAULT", "the dead node has the VIP")
    wait_until(lambda: not scene.a.has_vip, "the dead node has the VIP")
    assert time.monotonic() - began <= BOUND + BUSY
    scene.keepalived.wait_log("VRRP_Script(kacheck_guard) failed")
    began = time.monotonic()
    path.write_text("1\n")
    wait_until(lambda: path.read_text() == "0\n", "it stays changed")
    assert scene.keepalived.states(INSTANCE, began) == [], "the guard keeps it in FAULT"


@row(
    "the verdict file is garbled, again and again, then Vault killed",
    "watcher: `critical missing`",
    "stays while Vault is healthy; leaves at once",
)
def test_the_verdict_file_is_garbled(scene: Scene) -> None:
    scene.start()
    garble = f"while :; do echo 0 >/run/kacheck/verdict/{CHECK}; done"
    scene.stays(lambda: scene.others.append(scene.a.node.popen(["sh", "-c", garble])))
    scene.leaves(scene.kill_vault)
    scene.keepalived.wait_log("VRRP_Script(kacheck_guard) failed")


# --- the clock, the configuration, keepalived, drain ------------------------------------------


def set_clock(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Start everything of A with a wall clock that can be set: the caller gets the means.

    No namespace has a CLOCK_REALTIME of its own, and the machine's is not ours to set. libfaketime
    stands between the programs, keepalived and its scripts too, and what they ask for the time.
    """
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        needs("faketime")
    clock = scene.a.node.write("clock", "+0\n")
    environment = {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def jump(offset: str) -> None:
        """Set it, and see that it is set."""
        began = time.time()
        scene.a.node.write("clock.new", f"{offset}\n").replace(clock)
        now = int(scene.a.node.run(["date", "+%s"]).stdout)
        assert abs(now - began - 3600 * int(offset.removesuffix("h"))) < 10

    return jump


@row(
    "the clock is set 12 hours forward, or back, then Vault killed",
    "watcher: `critical missing`",
    "stays; leaves at once",
)
@pytest.mark.parametrize("offset", ["+12h", "-12h"])
def test_the_clock_is_set(scene: Scene, monkeypatch: pytest.MonkeyPatch, offset: str) -> None:
    jump = set_clock(scene, monkeypatch)
    scene.start()
    scene.stays(lambda: jump(offset))
    scene.leaves(scene.kill_vault)


@row(
    "the clock is set to where Vault's certificate is not valid",
    "watcher: `critical tls`",
    "leaves after 2 looks on new connections, as it would for clients with this clock",
)
@pytest.mark.parametrize("offset", ["+1200h", "-1200h"])
def test_the_clock_is_set_far(scene: Scene, monkeypatch: pytest.MonkeyPatch, offset: str) -> None:
    jump = set_clock(scene, monkeypatch)
    scene.a.certify(scene.a.authority.new("127.0.0.1"))
    scene.start()
    scene.leaves(lambda: jump(offset))


@row(
    "lxcfs dies, then Vault is killed",
    "watcher: `/proc/uptime: Transport endpoint is not connected: verdict files are withdrawn`, "
    "`critical missing`; keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves at once",
)
def test_lxcfs_dies(scene: Scene) -> None:
    needs(fuse=True)
    scene.start()
    node = scene.a.node
    pidfile = node.dir / "lxcfs.pid"
    command = lxcfs.wrapper(pidfile, "/proc/uptime")[2:]
    try:
        scene.stays(lambda: node.run([*command, "true"]))  # its child ends with it
        scene.watcher.wait_said("verdict files are withdrawn")
        assert scene.a.read(f"verdict/{CHECK}") == ""
        scene.leaves(scene.kill_vault)
        scene.keepalived.wait_log("now returning 2")
    finally:
        node.run(["umount", "-l", "/proc/uptime"])


@row(
    "lxcfs hangs, then Vault is killed",
    "watcher: `/proc/uptime: no answer: verdict files are withdrawn`, `critical missing`; "
    "keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves at once",
)
def test_lxcfs_hangs(scene: Scene) -> None:
    needs(fuse=True)
    node = scene.a.node
    pidfile = node.dir / "hanging.pid"
    served = node.popen([*lxcfs.wrapper(pidfile, "/proc/uptime")[2:], "sleep", "600"])
    try:
        wait_until(pidfile.exists, "lxcfs did not start")
        scene.start()
        scene.stays(lambda: node.run(["sh", "-c", f"kill -STOP $(cat {pidfile})"]))
        scene.watcher.wait_said("no answer: verdict files are withdrawn")
        scene.leaves(scene.kill_vault)
        scene.keepalived.wait_log("now returning 2")
    finally:
        node.run(["sh", "-c", f"kill -KILL $(cat {pidfile})"], check=False)
        served.close()
        node.run(["umount", "-l", "/proc/uptime"])


BAD = CONFIGURATION.replace("interval", "intervall")


@row(
    "the configuration is bad at the start",
    "watcher: `kacheck.toml:10: unknown key intervall`; keepalived: `now returning 3`",
    "leaves: the watcher refuses to start, and the guard cannot look either",
)
def test_the_configuration_is_bad_at_the_start(scene: Scene) -> None:
    scene.start()

    def restart() -> None:
        scene.a.toml.write_text(BAD)
        scene.watcher.stop()
        assert scene.start_watcher(wait=False).process.wait() == 3

    scene.leaves(restart)
    scene.keepalived.wait_log("VRRP_Script(kacheck_guard) failed")


@row(
    "the configuration is bad at a reload",
    "watcher: `configuration not reloaded, the old one stays`",
    "stays; leaves at once when Vault is killed",
)
def test_the_configuration_is_bad_at_a_reload(scene: Scene) -> None:
    scene.start()

    def reload() -> None:
        scene.a.toml.write_text(BAD)
        scene.watcher.process.kill(signal.SIGHUP)
        scene.watcher.wait_said("unknown key intervall")

    scene.stays(reload)
    scene.leaves(scene.kill_vault)


@row(
    "the watcher re-executes itself (SIGUSR2, an upgrade), then Vault killed",
    "watcher: `re-executing, kacheck`, `critical missing`",
    "stays; leaves at once",
)
def test_the_watcher_re_executes(scene: Scene) -> None:
    scene.start()
    watcher = scene.watcher

    def re_execute() -> None:
        watcher.process.kill(signal.SIGUSR2)
        wait_until(lambda: watcher.journal.count("ready: watching") == 2, "it does not come up")

    scene.stays(re_execute)
    scene.leaves(scene.kill_vault)


@row(
    "a second watcher is started",
    "watcher: `another watcher, pid`",
    "stays: it refuses; leaves at once when Vault is killed",
)
def test_a_second_watcher_is_started(scene: Scene) -> None:
    scene.start()
    first = scene.watcher
    pid = pid_in_node(first.process)
    second = scene.start_watcher(wait=False)
    scene.stays(second.process.wait)
    assert second.process.returncode == 3
    assert f"another watcher, pid {pid}, has /run/kacheck" in second.journal
    scene.leaves(scene.kill_vault)


@row(
    "keepalived is restarted",
    "verdict: `0`, `ok active`",
    "leaves, and comes back",
)
def test_keepalived_is_restarted(scene: Scene) -> None:
    scene.start()
    began = time.monotonic()
    scene.keepalived.stop()
    scene.b_keepalived.wait_for("MASTER", PATIENCE, after=began)
    scene.settle(scene.start_keepalived)


@row(
    "keepalived is restarted while Vault is dead",
    "watcher: `critical missing`; keepalived: `now FAULT state`",
    "stays away",
)
def test_keepalived_is_restarted_while_vault_is_dead(scene: Scene) -> None:
    scene.start()
    scene.leaves(scene.kill_vault)
    scene.keepalived.stop()
    scene.start_keepalived()
    scene.keepalived.wait_for("FAULT", PATIENCE)
    scene.keepalived.wait_log("kacheck_guard", PATIENCE)
    assert scene.keepalived.states(INSTANCE) == ["FAULT"]
    assert not scene.a.has_vip


@row(
    "keepalived is started before the watcher has ever run",
    "keepalived: `now FAULT state`",
    "comes when the watcher has looked",
)
def test_keepalived_is_started_before_the_watcher(scene: Scene) -> None:
    scene.a.node.run(["mkdir", "-p", "/run/kacheck/track"])
    scene.a.start_vault()
    scene.start_keepalived()
    scene.keepalived.wait_for("FAULT", PATIENCE)
    scene.settle(scene.start_watcher)
    scene.leaves(scene.kill_vault)


@row(
    "the same, and /run/kacheck/track was not there either",
    "keepalived: `now returning 2`; its message about the dropped file differs between versions",
    "follows the guard alone until keepalived is reloaded: leaves by the guard",
)
def test_keepalived_is_started_without_the_directory(scene: Scene) -> None:
    scene.a.node.run(["rm", "-rf", "/run/kacheck/track"])
    scene.a.start_vault()
    scene.settle(scene.start_keepalived)
    scene.start_watcher()
    scene.leaves(scene.kill_vault)


@row(
    "`kacheck drain on`, then `off`",
    "watcher: `critical draining`; verdict: `ok active`; kacheck: `drained`",
    "leaves within an interval; comes back",
)
def test_drain(scene: Scene) -> None:
    scene.start()
    scene.leaves(lambda: scene.ask("drain", "on", CHECK, "--message", "new disks"))
    scene.watcher.wait_said("drained: new disks")
    scene.settle(lambda: scene.ask("drain", "off", CHECK))


@row(
    "`kacheck drain on --for 8s`",
    "watcher: `critical draining`; verdict: `ok active`",
    "leaves within an interval; comes back by itself",
)
def test_drain_for_a_time(scene: Scene) -> None:
    scene.start()
    scene.leaves(lambda: scene.ask("drain", "on", "--all", "--for", "8s"))
    scene.settle(lambda: None)


# --- the table --------------------------------------------------------------------------------


def test_the_table_of_failures_has_these_rows() -> None:
    text = (ROOT / "docs/failures.md").read_text()
    table = text.partition("## With the watcher")[2]
    rows = re.findall(r"^\| (.+) \|$", table, re.MULTILINE)
    wanted = [" | ".join(each) for each in ROWS]
    assert rows[1 : 1 + len(wanted)] == wanted, "\n" + "\n".join(f"| {row} |" for row in wanted)
    assert not table.partition(f"| {wanted[-1]} |\n")[2].startswith("|")
