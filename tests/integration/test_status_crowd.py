"""`kacheck status` for root while other users do their worst to the socket."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.child import SOURCE, run_kacheck
from helpers.needs import needs
from helpers.watcher import Watcher
from kacheck import statedir, status
from kacheck.watch import clients

Start = Callable[..., subprocess.Popen[bytes]]

NAME = f"kcrw-{os.getpid()}"
WATCHER, ATTACKER, READER = (200_000 + 3 * os.getpid() + place for place in range(3))
TRIES = 15

HOLDS = """
import os, resource, select, socket, sys
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
held = []
print("ready", flush=True)
while True:
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    try:
        connection.connect(sys.argv[1])
    except BlockingIOError:
        continue
    except OSError:
        held.clear()
        continue
    held.append(connection)
    while len(held) > 300:
        poll = select.poll()
        for each in held:
            poll.register(each, 0)
        ended = {file for file, _ in poll.poll(50)}
        held = [each for each in held if each.fileno() not in ended]
"""
"""Connects as fast as it can, keeps what it has got, and never reads."""
GOES = HOLDS.replace("held.append(connection)", "connection.close()")
"""Connects as fast as it can and hangs up at once."""
READS = HOLDS.replace(
    "held.append(connection)",
    "connection.setblocking(True)\n    while connection.recv(1 << 20): pass",
)
"""Asks as fast as it can."""
DRIPS = HOLDS.replace(
    "    connection = socket",
    "    for each in held:\n"
    "        try:\n"
    "            each.recv(1)\n"
    "        except OSError:\n"
    "            pass\n"
    "    connection = socket",
)
"""Reads a byte at a time of all that it has got."""


def as_user(uid: int) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


@pytest.fixture
def directory() -> Iterator[Path]:
    needs("setpriv", root=True)
    with tempfile.TemporaryDirectory(prefix="kcrw-") as name:
        os.chmod(name, 0o755)
        os.chown(name, WATCHER, WATCHER)
        yield Path(name)


def many(number: int) -> str:
    """Return checks whose answer has no room in a socket's buffer."""
    tables = [
        f'[check.{"c" * 50}{place}]\nprobe = "process"\nname = "none-{"x" * 200}{place}"\n'
        f"interval = 30\ntimeout = 5\n"
        for place in range(number)
    ]
    return "".join(tables) + f'[check.proc]\nprobe = "process"\nname = "{NAME}"\ninterval = 60\n'


@contextlib.contextmanager
def attacked(watcher: Watcher, code: str, number: int = 2) -> Iterator[None]:
    """Let many processes of another user run this code."""
    path = watcher.state_dir / statedir.SOCKET
    argv = [*as_user(ATTACKER), sys.executable, "-I", "-c", code, str(path)]
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            attacker = stack.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE))
            stack.callback(attacker.kill)
            assert attacker.stdout is not None
            assert attacker.stdout.readline() == b"ready\n"
        yield


@pytest.mark.parametrize("code", [HOLDS, GOES, READS, DRIPS], ids=["hold", "go", "read", "drip"])
def test_root_is_answered_each_time_whatever_other_users_do(
    directory: Path, start: Start, code: str
) -> None:
    process = start(NAME, "60")
    with Watcher(directory, many(200), wrapper=as_user(WATCHER)) as watcher:
        with attacked(watcher, code):
            time.sleep(0.5)  # it is under way
            for _ in range(TRIES):
                report = status.ask(str(watcher.state_dir))
                assert (report["pid"], len(report["checks"])) == (watcher.pid, 201)
            began = time.monotonic()
            process.kill()
            watcher.until(lambda: watcher.track("proc") == 0)
            assert time.monotonic() - began < 10, "the interval is 60 s"
        assert not watcher.find("not answered")
        watcher.wait_for("proc", "critical missing")
        watcher.until(lambda: watcher.descriptors() < 40)


def test_another_user_is_answered_while_one_holds_every_place(
    directory: Path, start: Start
) -> None:
    start(NAME, "60")
    with Watcher(directory, many(200), wrapper=as_user(WATCHER)) as watcher:
        words = ("status", "--json", "--state-dir", watcher.state_dir)
        with attacked(watcher, HOLDS):
            for _ in range(5):
                shown = run_kacheck(
                    *words, wrapper=as_user(READER), env={"PYTHONPATH": str(SOURCE)}
                )
                assert shown.stderr == ""
                assert f'"pid": {watcher.pid}' in shown.stdout


def test_endless_connections_cost_only_part_of_one_processor(directory: Path, start: Start) -> None:
    start(NAME, "60")
    with Watcher(directory, many(200), wrapper=as_user(WATCHER)) as watcher:
        for code in (HOLDS, GOES, READS):
            with attacked(watcher, code):
                shares = (processor_share(watcher.pid) for _ in range(4))
                assert any(share < 0.5 for share in shares), "also while the machine is busy"


def processor_share(pid: int) -> float:
    """Return how much of one processor a process uses, over two seconds."""
    before, began = cpu(pid), time.monotonic()
    time.sleep(2)
    return (cpu(pid) - before) / (time.monotonic() - began)


def test_a_slow_reader_that_is_displaced_does_not_end_the_watcher(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, many(400)) as watcher, contextlib.ExitStack() as stack:
        monkeypatch.chdir(watcher.state_dir)

        def connected() -> socket.socket:
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(statedir.SOCKET)
            return connection

        oldest, *_ = [connected() for _ in range(clients.FAVOURED_PLACES)]
        assert oldest.recv(1), "they have been let in, and have not read all"
        time.sleep(0.3)  # all of them
        watcher.signal(signal.SIGSTOP)
        connected()  # notified first, it takes the place
        with contextlib.suppress(BlockingIOError):
            while oldest.recv(1 << 16, socket.MSG_DONTWAIT):
                pass  # now it can be written to
        watcher.signal(signal.SIGCONT)
        assert status.ask(str(watcher.state_dir))["pid"] == watcher.pid
        assert watcher.track("proc") == 1


def test_a_crowd_of_users_displaces_the_greediest() -> None:
    places = clients.Places()
    with contextlib.ExitStack() as stack:

        def client(owner: int) -> clients.Client:
            ours, theirs = socket.socketpair()
            stack.enter_context(theirs)
            made = clients.Client(stack.enter_context(ours))
            assert made.owner == clients.FAVOURED, "we are the watcher's own user"
            made.owner = owner
            return made

        first = [client(1000) for _ in range(clients.PLACES_OF_ONE)]
        assert [places.add(each) for each in first] == [None] * len(first)
        assert places.add(client(1000)) is first[0], "from itself"
        places.remove(first[0])
        others = range(1001, 1001 + clients.PLACES_OF_OTHERS - len(first))
        assert [places.add(client(owner)) for owner in others] == [None] * len(others)
        assert places.add(client(2000)) is first[1]
        places.remove(first[1])
        favoured = [client(clients.FAVOURED) for _ in range(clients.FAVOURED_PLACES)]
        assert [places.add(each) for each in favoured] == [None] * len(favoured)
        assert places.add(client(clients.FAVOURED)) is favoured[0]


def cpu(pid: int) -> float:
    """Return the seconds of processor time that a process has had."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
