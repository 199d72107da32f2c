"""The process look of a watcher, against real processes."""

import errno
import os
import pathlib
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from helpers.needs import needs
from kacheck import procfs
from kacheck.deadline import Deadline
from kacheck.probe import OptionError
from kacheck.probes.process import tracker
from kacheck.probes.process.look import probe as one_shot
from kacheck.probes.process.options import ProcessOptions, prepare
from kacheck.probes.process.scan import scan as process_scan
from kacheck.probes.process.tracker import ATTEMPTS, Tracker
from kacheck.result import BadConfigError, Loss, Result

Start = Callable[..., subprocess.Popen[bytes]]
Script = Callable[..., list[str]]

NAME = f"ktrack-{os.getpid()}"
LONG = f"{NAME}-with-a-long-name"
NAMED = "import ctypes; ctypes.CDLL(None).prctl(15, sys.argv[1].encode());"
MAIN_THREAD_GONE = f"""
import ctypes, os, signal, sys, threading, time
{NAMED}
libc = ctypes.CDLL(None)
def stay():
    while open(f"/proc/self/task/{{os.getpid()}}/stat").read().rpartition(") ")[2][0] != "Z":
        time.sleep(0.001)
    print(os.getpid(), flush=True)
    time.sleep(60)
def go():
    sys.stdin.readline()
    threading.Thread(target=stay).start()
    libc.syscall(60 if os.uname().machine == "x86_64" else 93, 0)  # exit(2): of this thread alone
print(os.getpid(), flush=True)
go()
"""
CHANGES_USER = f"""
import os, sys
{NAMED}
print(os.getpid(), flush=True)
sys.stdin.readline()
os.setresuid(*map(int, sys.argv[2].split()))
print("changed", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def start(start: Start) -> Start:
    """Processes that have their command line: execve(2) gives it last."""

    def run(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = start(*args, **options)
        while not procfs.Process("/proc", process.pid).argv(procfs.PAGE):
            assert process.poll() is None
        return process

    return run


class Looks:
    """Trackers that are let go of at the end, and how often they read all of /proc."""

    def __init__(self) -> None:
        self.trackers: list[Tracker] = []
        self.scans = 0

    def tracker(self, name: str = NAME, **options: Any) -> Tracker:
        self.trackers.append(Tracker(ProcessOptions(name, **options)))
        return self.trackers[-1]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Looks]:
    made = Looks()
    real = process_scan

    def scan(options: ProcessOptions) -> Any:
        made.scans += 1
        return real(options)

    monkeypatch.setattr(tracker, "scan", scan)
    yield made
    for each in made.trackers:
        each.close()


def verdict(result: Result | None) -> str:
    return "nothing" if result is None else f"{result.status.word} {result.reason}"


def look(each: Tracker) -> str:
    return verdict(each(Deadline(5)))


def pids(each: Tracker) -> list[int]:
    found: list[int] = each(Deadline(5)).data["pids"]
    return found


def readable(each: Tracker, seconds: float = 5) -> bool:
    """Return whether an event has come or comes within that time."""
    poll = select.poll()
    for file in each.watched():
        poll.register(file, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def talk(process: subprocess.Popen[bytes], word: bytes = b"") -> list[str]:
    """Say a line to a process, and read one."""
    assert process.stdin is not None
    assert process.stdout is not None
    if word:
        process.stdin.write(word + b"\n")
        process.stdin.flush()
    return process.stdout.readline().decode().split()


PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}


# --- the steady state ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", [NAME, LONG], ids=["short", "long"])
def test_what_is_held_is_verified_and_nothing_else_is_read(
    looks: Looks, start: Start, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pid = start(name, "60").pid
    each = looks.tracker(name)
    assert pids(each) == [pid]
    reads: list[str] = []
    real = procfs.read

    def read(path: str, limit: int = procfs.LONGEST) -> bytes:
        reads.append(path)
        return real(path, limit)

    monkeypatch.setattr(procfs, "read", read)
    for _ in range(5):
        assert look(each) == "ok running"
    assert looks.scans == 1
    assert {path.split("/")[2] for path in reads} == {str(pid)}
    assert len(reads) == 5, "one file a look"


def test_of_more_than_the_quorum_the_oldest_are_held(looks: Looks, start: Start) -> None:
    older = [start(NAME, "60").pid for _ in range(2)]
    each = looks.tracker(quorum=2)
    ticks = procfs.Process("/proc", older[1]).started_ticks()
    younger = start(NAME, "60").pid
    while procfs.Process("/proc", younger).started_ticks() == ticks:  # of the same clock tick
        younger = start(NAME, "60").pid
    look(each)
    assert sorted(each._held) == sorted(older)


def test_fewer_than_the_quorum_are_held_and_searched_each_time(looks: Looks, start: Start) -> None:
    first = start(NAME, "60").pid
    each = looks.tracker(quorum=2)
    assert [look(each), look(each)] == ["critical too-few"] * 2
    assert list(each._held) == [first]
    assert looks.scans == 2
    start(NAME, "60")
    assert look(each) == "ok running"


def test_what_is_missing_is_looked_for_each_time(looks: Looks, start: Start) -> None:
    each = looks.tracker()
    assert look(each) == "critical missing"
    assert each.watched() == []
    start(NAME, "60")
    assert look(each) == "ok running"


# --- what happens to what is held ---------------------------------------------------------------


@pytest.mark.parametrize("name", [NAME, LONG], ids=["short", "long"])
def test_an_exit_is_an_event_and_the_next_look_says_missing(
    looks: Looks, start: Start, name: str
) -> None:
    process = start(name, "60")
    each = looks.tracker(name)
    assert look(each) == "ok running"
    assert not readable(each, 0)
    end(process)
    assert readable(each)
    assert look(each) == "critical missing"
    assert not readable(each, 0), "an event that stays would be a look that never ends"


def test_a_zombie_has_exited(looks: Looks, start: Start) -> None:
    process = start(NAME, "60")
    each = looks.tracker()
    assert look(each) == "ok running"
    process.kill()  # and nobody waits for it
    assert readable(each)
    result = each(Deadline(5))
    assert verdict(result) == "critical missing"
    assert f"pid {process.pid} is a zombie" in result.message
    assert each.watched() == []


def test_a_process_whose_main_thread_goes_lives_on(looks: Looks, start: Start) -> None:
    code = [sys.executable, "-I", "-c", MAIN_THREAD_GONE, NAME]
    process = start(code, **PIPES)
    (pid,) = talk(process)
    each = looks.tracker()
    assert pids(each) == [int(pid)]
    talk(process, b"go")
    assert procfs.Process.state(f"/proc/{pid}") == "Z"
    assert not readable(each, 0)
    assert look(each) == "ok running"
    assert looks.scans == 1
    end(process)
    assert readable(each)
    assert look(each) == "critical missing"


@pytest.mark.parametrize("name", [NAME, LONG], ids=["short", "long"])
def test_the_next_look_notices_a_process_that_became_another_program(
    looks: Looks, start: Start, tmp_path: pathlib.Path, name: str
) -> None:
    (tmp_path / name).symlink_to("/bin/sh")
    process = start([str(tmp_path / name), "-c", "echo ready; read line; exec sleep 60"], **PIPES)
    talk(process)
    each = looks.tracker(name)
    assert look(each) == "ok running"
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    process.stdin.flush()
    while procfs.Process("/proc", process.pid).comm() != b"sleep":
        assert process.poll() is None
    assert look(each) == "critical missing"
    assert each.watched() == []


@pytest.mark.parametrize(
    ("uids", "nobodys_then"),
    [
        ("65534 65534 65534", "ok running"),
        ("65534 0 0", "critical missing"),
        ("0 65534 0", "critical missing"),
    ],
    ids=["whole", "real", "effective"],
)
def test_the_next_look_notices_a_process_that_changed_its_user(
    looks: Looks, start: Start, uids: str, nobodys_then: str
) -> None:
    needs(root=True)
    process = start([sys.executable, "-I", "-c", CHANGES_USER, NAME, uids], **PIPES)
    talk(process)
    mine, nobodys = looks.tracker(user="root"), looks.tracker(user="65534")
    assert (look(mine), look(nobodys)) == ("ok running", "critical missing")
    scans = looks.scans
    assert look(mine) == "ok running"
    assert looks.scans == scans
    talk(process, b"go")
    assert (look(mine), look(nobodys)) == ("critical missing", nobodys_then)


def test_a_held_process_that_becomes_another_users_is_not_read_closer(
    looks: Looks, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(root=True)
    argv = [LONG, "-I", "-c", CHANGES_USER, NAME, "65534 0 0"]
    process = start(argv, executable=os.path.realpath(sys.executable), **PIPES)
    talk(process)
    each = looks.tracker(LONG, user="root")
    assert look(each) == "ok running"
    talk(process, b"go")
    real = procfs.read

    def read(path: str, limit: int = procfs.LONGEST) -> bytes:
        assert path != f"/proc/{process.pid}/cmdline"
        return real(path, limit)

    monkeypatch.setattr(procfs, "read", read)
    assert look(each) == "critical missing"


def test_when_one_of_the_quorum_exits_another_one_takes_its_place(
    looks: Looks, start: Start
) -> None:
    processes = [start(NAME, "60") for _ in range(3)]
    each = looks.tracker(quorum=2)
    assert look(each) == "ok running"
    dies = next(process for process in processes if process.pid in each._held)
    end(dies)
    assert readable(each)
    assert look(each) == "ok running"
    assert sorted(each._held) == sorted({p.pid for p in processes} - {dies.pid})
    assert not readable(each, 0)
    dies = next(process for process in processes if process.poll() is None)
    end(dies)
    assert look(each) == "critical too-few"


def test_with_a_maximum_every_look_sees_new_processes(looks: Looks, start: Start) -> None:
    first, each = start(NAME, "60"), looks.tracker(quorum_max=1)
    assert look(each) == "ok running"
    second = start(NAME, "60")
    assert look(each) == "critical too-many"
    assert len(each.watched()) == 2, "the exit of either is what makes it well again"
    end(first)
    assert readable(each)
    assert pids(each) == [second.pid]
    none = looks.tracker(quorum_max=0)
    assert look(none) == "critical too-many"
    end(second)
    assert look(none) == "ok missing"


def test_a_changed_link_is_followed_again(
    looks: Looks, start: Start, tmp_path: pathlib.Path
) -> None:
    """As alternatives(8) and upgrades do: the process is named after the file."""
    link = tmp_path / "current"
    for version in ("one", "two"):
        shutil.copy("/bin/sleep", tmp_path / version)
    link.symlink_to(tmp_path / "one")
    each = looks.tracker(str(link))
    old = start([str(tmp_path / "one"), "60"])
    assert pids(each) == [old.pid]
    link.unlink()
    link.symlink_to(tmp_path / "two")
    end(old)
    new = start([str(tmp_path / "two"), "60"])
    assert pids(each) == [new.pid]
    scans = looks.scans
    assert pids(each) == [new.pid]
    assert looks.scans == scans, "it is held"


@pytest.mark.slow
def test_many_restarts_leave_no_descriptor_behind(looks: Looks, start: Start) -> None:
    each = looks.tracker()
    process = start(NAME, "60")
    look(each)
    before = descriptors()
    for _ in range(300):
        end(process)
        process = start(NAME, "60")
        assert look(each) == "ok running"
    assert len(descriptors()) == len(before)
    each.close()
    assert len(descriptors()) == len(before) - 1
    assert each.watched() == []


# --- races --------------------------------------------------------------------------------------


def between_scan_and_hold(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[int], int | None]
) -> list[int]:
    """Call `happens` before each pidfd_open(2); it may return another pid to open."""
    opened: list[int] = []
    real = os.pidfd_open

    def pidfd_open(pid: int, flags: int = 0) -> int:
        opened.append(pid)
        return real(happens(pid) or pid, flags)

    monkeypatch.setattr(os, "pidfd_open", pidfd_open)
    return opened


def test_a_process_that_exits_before_it_is_held_is_searched_again(
    looks: Looks, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes, stays = start(NAME, "60"), start(NAME, "60")
    with monkeypatch.context() as patch:
        between_scan_and_hold(patch, lambda pid: end(goes) if pid == goes.pid else None)
        each = looks.tracker()
        assert pids(each) == [stays.pid]
    assert looks.scans == 2
    assert not readable(each, 0)


def test_a_zombie_that_was_alive_in_the_scan_is_not_held(
    looks: Looks, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes = start(NAME, "60")

    def dies(_: int) -> None:
        goes.kill()
        os.waitid(os.P_PID, goes.pid, os.WEXITED | os.WNOWAIT)

    with monkeypatch.context() as patch:
        between_scan_and_hold(patch, dies)
        each = looks.tracker()
        assert look(each) == "critical missing"
    assert each.watched() == []


def test_another_process_that_has_got_the_number_is_not_held(
    looks: Looks, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends, and its number is given to a process of another name."""
    process, other = start(NAME, "60"), start("ktrack-other", "60")
    real = procfs.Process.comm
    ended = False

    def reused(pid: int) -> int:
        nonlocal ended
        ended = True
        return other.pid if pid == process.pid else pid

    def comm(self: procfs.Process) -> bytes:
        return real(
            procfs.Process("/proc", other.pid) if ended and self.pid == process.pid else self
        )

    with monkeypatch.context() as patch:
        between_scan_and_hold(patch, reused)
        patch.setattr(procfs.Process, "comm", comm)
        each = looks.tracker()
        assert look(each) == "critical missing"
        assert each.watched() == []


def test_another_users_process_that_has_got_the_number_is_not_held(
    looks: Looks, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends, and its number is given to a process of the same name."""
    needs(root=True)
    process = start([sys.executable, "-I", "-c", CHANGES_USER, NAME, "65534 0 0"], **PIPES)
    talk(process)

    def reused(_: int) -> None:
        talk(process, b"go")

    with monkeypatch.context() as patch:
        opened = between_scan_and_hold(patch, reused)
        each = looks.tracker(user="root")
        assert look(each) == "critical missing"
    assert opened == [process.pid]
    assert each.watched() == []


def test_short_lived_processes_are_counted_without_being_held(
    looks: Looks, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(pid: int) -> int:
        raise ProcessLookupError(pid)

    start(NAME, "60")
    each = looks.tracker()
    with monkeypatch.context() as patch:
        between_scan_and_hold(patch, gone)
        assert look(each) == "ok running"
        assert looks.scans == ATTEMPTS
        assert each.quick_result() is None, "what is not held must be looked for"
    look(each)
    assert looks.scans == ATTEMPTS + 1


# --- without pidfds -----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EPERM, errno.ENOSYS])
def test_without_pidfds_every_look_scans_and_warns(
    looks: Looks, start: Start, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_: int) -> int:
        raise OSError(number, os.strerror(number))

    process = start(NAME, "60")
    each = looks.tracker()
    with monkeypatch.context() as patch:
        between_scan_and_hold(patch, refuse)
        for _ in range(3):
            result = each(Deadline(5))
            assert verdict(result) == "ok running"
            (warning,) = result.data["warnings"]
            assert os.strerror(number) in warning
            assert each.quick_result() is None
        end(process)
        assert look(each) == "critical missing"
    start(NAME, "60")
    assert "warnings" not in each(Deadline(5)).data
    assert readable(each, 0) is False


IN_ANOTHER_NAMESPACE = """
import os, subprocess, sys
from kacheck.deadline import Deadline
from kacheck.probe import OptionError
from kacheck.probes.process.options import ProcessOptions, prepare
from kacheck.probes.process.tracker import Tracker
each = Tracker(ProcessOptions(sys.argv[1], proc=sys.argv[2], all_namespaces=True))
child = subprocess.Popen([sys.argv[3], "60"])
while open(f"/proc/{child.pid}/comm").read().strip() != sys.argv[1]:
    pass
for ends in (False, True):
    if ends:
        child.kill()
        child.wait()
    for _ in range(2):
        result = each(Deadline(5))
        print(result.status.word, result.reason, len(each.watched()), result.data.get("warnings"))
"""


def test_a_proc_of_another_pid_namespace_is_scanned_each_time(tmp_path: pathlib.Path) -> None:
    """Its numbers would be those of other processes here."""
    needs("unshare", root=True)
    (tmp_path / NAME).symlink_to("/bin/sleep")
    outer = tmp_path / "outer"
    outer.mkdir()
    code = f'mount --bind /proc {outer}; mount -t proc proc /proc; exec "$@"'
    argv = [sys.executable, "-c", IN_ANOTHER_NAMESPACE, NAME[:15], str(outer), str(tmp_path / NAME)]
    shown = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount", "sh", "-c", code, "sh", *argv],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(tracker.__file__).parents[2])},
    )
    lines = shown.stdout.splitlines()
    assert len(lines) == 4, shown
    for line in lines[:2]:
        assert line.startswith("ok running 0 ")
        assert "another pid namespace" in line
    assert [line.split(" [")[0] for line in lines[2:]] == ["critical missing 0 None"] * 2


# --- a quick result -----------------------------------------------------------------------------


def test_a_quick_result_is_what_a_look_would_say_or_nothing(looks: Looks, start: Start) -> None:
    each = looks.tracker()
    assert each.quick_result() is None, "before the first look"
    look(each)
    assert each.quick_result() is None, "missing: it may have come"
    process = start(NAME, "60")
    result = each(Deadline(5))
    scans = looks.scans
    assert each.quick_result() == result
    assert looks.scans == scans
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert each.quick_result() is None
    process.wait()
    assert each.quick_result() is None
    assert looks.scans == scans, "a quick result does not read all of /proc"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (LONG, {}),
        (NAME, {"args": ("60",)}),
        (NAME, {"full_command": True}),
        (NAME, {"user": str(os.geteuid())}),
        (NAME, {"quorum_max": 3}),
    ],
    ids=["long", "args", "full_command", "user", "quorum_max"],
)
def test_what_takes_more_than_comm_has_no_quick_result(
    looks: Looks,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: dict[str, Any],
) -> None:
    """A command line is in the process's memory, whose lock may be held for long."""
    words = start(name, "60").args
    assert isinstance(words, list)
    each = looks.tracker(str(words[0]) if "full_command" in options else name, **options)
    assert look(each) == "ok running"
    monkeypatch.setattr(procfs, "read", lambda path, *_: pytest.fail(f"{path} was read"))
    assert each.quick_result() is None


def test_an_exit_is_reported_once_by_the_look_that_finds_it(looks: Looks, start: Start) -> None:
    first, second = start(NAME, "60"), start(NAME, "60")
    each = looks.tracker(quorum=2)
    assert look(each) == "ok running"
    assert each.loss() is Loss.NOTHING
    end(first)
    assert look(each) == "critical too-few"
    assert [each.loss(), each.loss()] == [Loss.SOME, Loss.NOTHING]
    end(second)
    start(NAME, "60")
    assert look(each) == "critical too-few"
    assert [each.loss(), each.loss()] == [Loss.ALL, Loss.NOTHING]


def test_the_exit_of_the_oldest_leaves_the_others(looks: Looks, start: Start) -> None:
    """As few are held as the quorum needs: they are not all that there are."""
    first, second = start(NAME, "60"), start(NAME, "60")
    each = looks.tracker()
    assert pids(each) == [first.pid, second.pid]
    end(first)
    assert pids(each) == [second.pid]
    assert each.loss() is Loss.SOME
    end(second)
    start(NAME, "60")
    assert look(each) == "ok running"
    assert each.loss() is Loss.ALL


def test_a_quick_result_reads_nothing_but_comm(
    looks: Looks, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(NAME, "60")
    each = looks.tracker()
    look(each)
    real = procfs.read

    def read(path: str, limit: int = procfs.LONGEST) -> bytes:
        assert path == f"/proc/{process.pid}/comm"
        return real(path, limit)

    monkeypatch.setattr(procfs, "read", read)
    assert verdict(each.quick_result()) == "ok running"


def test_a_quick_result_that_cannot_read_says_nothing(
    looks: Looks, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, *_: int) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)

    start(NAME, "60")
    each = looks.tracker()
    look(each)
    with monkeypatch.context() as patch:
        patch.setattr(procfs, "read", refuse)
        assert each.quick_result() is None
        assert look(each) == "unknown hidden", "as in a one-shot"
    assert look(each) == "ok running"


# --- as a one-shot ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("running", "options"),
    [
        (0, {}),
        (1, {}),
        (2, {"quorum": 3}),
        (3, {"quorum": 2}),
        (2, {"quorum_max": 1}),
        (0, {"quorum_max": 0}),
        (1, {"args": ("60",)}),
        (1, {"args": ("61",)}),
        (1, {"user": "no-such-user"}),
    ],
)
def test_a_look_says_what_a_one_shot_says(
    looks: Looks, start: Start, running: int, options: dict[str, Any]
) -> None:
    for _ in range(running):
        start(NAME, "60")
    each = looks.tracker(**options)

    def said(probe: Callable[[], Result]) -> Any:
        try:
            return probe()
        except BadConfigError as error:
            return str(error)

    once = said(lambda: one_shot(ProcessOptions(NAME, **options), Deadline(5)))
    assert said(lambda: each(Deadline(5))) == once
    assert said(lambda: each(Deadline(5))) == once


def test_what_no_process_can_satisfy_is_refused() -> None:
    with pytest.raises(OptionError, match="no number of processes"):
        prepare({"name": NAME, "quorum": 3, "quorum_max": 2})
