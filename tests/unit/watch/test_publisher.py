"""The state directory's files, whatever becomes of the directory."""

import contextlib
import errno
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.clock import SlowClock
from helpers.needs import needs
from helpers.reasons import REASON
from helpers.watcher import Watcher
from kacheck.result import Status
from kacheck.statedir import Published, StateDirectoryError, parse
from kacheck.watch import publisher as module
from kacheck.watch import track_files
from kacheck.watch.lock import lock_file
from kacheck.watch.publisher import COMM, MUTE, Publisher

UP = Published(0, 4_000_000_000, Status.OK, REASON["running"], "it runs")
DOWN = Published(2, 4_000_000_000, Status.CRITICAL, REASON["missing"], "it has gone")
CHECKS = ("one", "two", "three")
NOTHING = '[check.nothing]\nprobe = "process"\nname = "kacheck-no-such"\n'


class Seen:
    """A publisher, and all that it reports; `comm` is what it calls its process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.reports: list[str | None] = []
        self.notices: list[tuple[str, str]] = []
        self.publisher = Publisher(
            str(directory), self.reports.append, lambda *said: self.notices.append(said)
        )
        for check in CHECKS:
            self.publisher.expect(check, 0)

    def publish(self, track: int) -> None:
        """Publish as a supervisor does in an interval."""
        for check in CHECKS:
            self.publisher.publish(check, track, UP if track else DOWN)

    def tracks(self) -> set[str]:
        return {(self.directory / "track" / check).read_text() for check in CHECKS}

    def verdicts(self) -> set[Published | None]:
        files = [self.directory / "verdict" / check for check in CHECKS]
        return {parse(file.read_text()) if file.exists() else None for file in files}


@pytest.fixture(autouse=True)
def comm(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that publishers give to this process, which keeps its own."""
    names: list[str] = []
    monkeypatch.setattr(module, "set_comm", names.append)
    return names


@pytest.fixture
def seen(tmp_path: Path, comm: list[str]) -> Iterator[Seen]:
    watched = Seen(tmp_path / "state")
    assert comm == [COMM]
    yield watched
    watched.publisher.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Seen]:
    """On a separate, small file system."""
    needs(root=True)
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=64", "none", place], check=True
    )
    try:
        watched = Seen(place / "state")
        watched.publish(1)
        yield watched
        watched.publisher.close()
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


# --- what readers see ---------------------------------------------------------------------------


def test_a_reader_sees_the_old_value_or_the_new_one(seen: Seen) -> None:
    found: set[str] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            found.update(seen.tracks())
            assert seen.verdicts() <= {UP, DOWN}

    seen.publish(1)
    reader = threading.Thread(target=read)
    reader.start()
    for round_ in range(300):
        seen.publish(round_ % 2)
    stop.set()
    reader.join()
    assert found == {"0\n", "1\n"}


def test_only_verdict_files_are_written_without_a_change(
    seen: Seen,
) -> None:
    """Each write of a track file wakes keepalived."""
    file, verdict = seen.directory / "track/one", seen.directory / "verdict/one"
    seen.publish(1)
    before = file.stat()
    for number in range(20):
        seen.publisher.publish("one", 1, UP._replace(expiry=number))
        assert parse(verdict.read_text()) == UP._replace(expiry=number)
    assert file.stat() == before
    seen.publish(0)
    assert file.stat() != before


@pytest.mark.parametrize("umask", [0o022, 0o177])
def test_everybody_may_read_the_files_but_the_lock_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    old = os.umask(umask)
    try:
        watched = Seen(tmp_path / "state")
        watched.publish(1)
    finally:
        os.umask(old)
    for path in (watched.directory, *watched.directory.rglob("*")):
        wanted = 0o755 if path.is_dir() else 0o600 if path.name == "lock" else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    watched.publisher.close()


def garble(file: Path) -> None:
    file.write_bytes(b"\xff\0garbage" * 100)


def edit(file: Path) -> None:
    """Edit by hand, so that neither size nor time changes."""
    times = file.stat()
    file.write_text("7\n")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def replace(file: Path) -> None:
    file.with_name("new").write_text("1\n")
    file.with_name("new").rename(file)


MEDDLING: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "emptied": lambda file: file.write_text(""),
    "garbled": garble,
    "edited": edit,
    "replaced": replace,
    "hidden from readers": lambda file: file.chmod(0),
}


@pytest.mark.parametrize("meddle", MEDDLING.values(), ids=MEDDLING)
@pytest.mark.parametrize("value", [0, 1])
def test_the_next_verdict_repairs_a_track_file_changed_by_others(
    seen: Seen, value: int, meddle: Callable[[Path], object]
) -> None:
    seen.publish(value)
    file = seen.directory / "track/one"
    meddle(file)
    seen.publish(value)
    assert file.read_text() == f"{value}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert seen.reports == []
    ((name, words),) = seen.notices
    assert name == "one"
    assert re.fullmatch(
        rf"{file} was (changed|deleted) by another program; restored to {value}", words
    )


@pytest.mark.parametrize("meddle", MEDDLING.values(), ids=MEDDLING)
def test_what_others_do_to_the_value_that_lies_ready_is_mended(
    seen: Seen, meddle: Callable[[Path], object]
) -> None:
    seen.publish(1)
    meddle(seen.directory / "failing/one")
    seen.publish(1)
    assert (seen.directory / "failing/one").read_text() == "0\n"


@pytest.mark.parametrize("meddle", MEDDLING.values(), ids=MEDDLING)
def test_a_value_that_others_have_prepared_is_not_used(
    seen: Seen, meddle: Callable[[Path], object]
) -> None:
    seen.publish(1)
    meddle(seen.directory / "failing/one")
    seen.publish(0)
    file = seen.directory / "track/one"
    assert file.read_text() == "0\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert seen.notices == []
    assert (seen.directory / "failing/one").read_text() == "0\n"


@pytest.mark.parametrize("later", [0.0, 1.5, 3600.0])
@pytest.mark.parametrize("value", [0, 1])
def test_a_track_file_changed_within_its_clock_tick_is_repaired(
    seen: Seen, monkeypatch: pytest.MonkeyPatch, value: int, later: float
) -> None:
    clock = SlowClock(monkeypatch)
    seen.publish(value)
    seen.publish(value)
    file = seen.directory / "track/one"
    file.write_text(f"{1 - value}\n")
    clock.now += later
    seen.publish(value)
    assert file.read_text() == f"{value}\n"
    assert len(seen.notices) == 1
    assert seen.reports == []


@pytest.mark.parametrize("later", [0.0, 1.5])
def test_a_prepared_value_changed_within_its_clock_tick_is_not_used(
    seen: Seen, monkeypatch: pytest.MonkeyPatch, later: float
) -> None:
    clock = SlowClock(monkeypatch)
    seen.publish(1)
    (seen.directory / "failing/one").write_text("1\n")
    clock.now += later
    seen.publish(0)
    assert (seen.directory / "track/one").read_text() == "0\n"
    assert (seen.directory / "failing/one").read_text() == "0\n"


def test_out_of_descriptors_an_unreadable_value_is_not_a_failing_one(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    SlowClock(monkeypatch)
    seen.publish(0)
    file = seen.directory / "track/one"
    file.write_text("1\n")
    with no_descriptors():
        seen.publish(0)
    assert file.read_text() == "0\n"
    assert seen.notices == []


def test_files_that_are_long_as_they_are_are_not_read_again(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SlowClock(monkeypatch)
    seen.publish(1)
    clock.now += 1.5
    seen.publish(1)
    monkeypatch.setattr(track_files, "read", lambda _: pytest.fail("read"))
    seen.publish(1)


def test_a_verdict_that_an_earlier_watcher_left_is_not_vouched_for(seen: Seen) -> None:
    (seen.directory / "verdict/other").write_text(UP.line())
    seen.publisher.expect("other", 0)
    assert not (seen.directory / "verdict/other").exists()


def test_a_check_that_is_forgotten_ends_failing(seen: Seen) -> None:
    seen.publish(1)
    stopped = Published(2, 0, Status.CRITICAL, REASON["stopped"], "the watcher was stopped")
    seen.publisher.forget("one", stopped)
    assert (seen.directory / "track/one").read_text() == "0\n"
    assert parse((seen.directory / "verdict/one").read_text()) == stopped
    assert not (seen.directory / "failing/one").exists()


# --- a directory that goes ----------------------------------------------------------------------


@pytest.mark.parametrize("gone", [".", "track", "verdict", "failing"])
def test_a_directory_that_is_deleted_is_made_again(seen: Seen, comm: list[str], gone: str) -> None:
    """keepalived's inotify watch stays with the old one: that must be said."""
    seen.publish(1)
    shutil.rmtree(seen.directory / gone)
    seen.publish(1)
    assert seen.tracks() == {"1\n"}
    assert seen.verdicts() == {UP}
    seen.publisher.check_lock()
    reports = [report for report in seen.reports if report]
    assert len(reports) == (gone in (".", "track")), reports
    assert all(f"{seen.directory}/track" in report for report in reports)
    assert all("reload keepalived" in report for report in reports)
    seen.publish(1)
    seen.publisher.check_lock()
    assert seen.reports == reports, "nobody can see from here that keepalived was reloaded"
    assert MUTE not in comm


def test_a_track_directory_recreated_by_others_is_noticed(seen: Seen) -> None:
    seen.publish(1)
    shutil.rmtree(seen.directory / "track")
    (seen.directory / "track").mkdir()
    seen.publish(1)
    seen.publisher.check_lock()
    seen.publish(1)
    (report,) = seen.reports
    assert "reload keepalived" in str(report)


def test_a_place_that_cannot_be_written_is_refused_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateDirectoryError, match=r"file.*cannot be written.*--state-dir"):
        Publisher(str(tmp_path / "file" / "state"), lambda _: None, lambda *_: None)


# --- no room ------------------------------------------------------------------------------------


def fill_bytes(place: Path) -> None:
    """Fill it to the last byte."""
    with (place / "filler").open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x")
            file.write(b"x" * 4095)
    with pytest.raises(OSError, match="No space"):
        (place / "probe").write_text("x")
    (place / "probe").unlink()


def fill_inodes(place: Path) -> None:
    with contextlib.suppress(OSError):
        for number in range(1000):
            (place / f"filler{number}").touch()


def make_room(place: Path) -> None:
    for file in place.glob("filler*"):
        file.unlink()


FULL = pytest.mark.parametrize("fill", [fill_bytes, fill_inodes])


@FULL
def test_a_full_file_system_still_takes_updates_in_existing_space(
    small: Seen, comm: list[str], fill: Callable[[Path], None]
) -> None:
    """Reported once, whatever the number of checks and looks, and once when there is room again."""
    place = small.directory.parent
    fill(place)
    for value in (1, 1, 0, 0, 1, 0, 0):
        small.publish(value)
        assert small.tracks() == {f"{value}\n"}
        assert small.verdicts() == {UP if value else DOWN}
    assert MUTE not in comm
    (report,) = small.reports
    assert "No space left on device" in str(report)
    make_room(place)
    small.publish(1)
    assert small.tracks() == {"1\n"}
    assert small.reports[1:] == [None]


@FULL
def test_without_any_room_a_failure_still_reaches_keepalived(
    small: Seen, comm: list[str], fill: Callable[[Path], None]
) -> None:
    """The program that has filled the file system takes each freed byte at once."""
    place = small.directory.parent
    for check in CHECKS:
        (small.directory / "verdict" / check).unlink()
        fill(place)
        small.publisher.publish(check, 0, DOWN)
        fill(place)
    assert small.tracks() == {"0\n"}
    assert small.verdicts() <= {DOWN, None}
    for _ in range(2):
        small.publish(0)
        assert small.tracks() == {"0\n"}
    assert MUTE not in comm, "its files tell the truth"
    assert len(small.reports) == 1
    make_room(place)
    small.publish(1)
    assert small.tracks() == {"1\n"}
    assert small.verdicts() == {UP}
    assert small.reports[1:] == [None]


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Make a file system read-only, as the kernel does after an error."""
    subprocess.run(["mount", "--bind", place, place], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_a_read_only_file_system_silences_the_watcher_meanwhile(
    small: Seen, comm: list[str]
) -> None:
    with read_only(small.directory.parent):
        for _ in range(3):
            small.publish(0)
            small.publisher.check_lock()
        assert small.tracks() == {"1\n"}, "nothing can be done about that"
        assert comm == [COMM, MUTE]
        (report,) = small.reports
        assert "Read-only file system" in str(report)
    small.publish(0)
    assert small.tracks() == {"0\n"}
    assert comm == [COMM, MUTE, COMM]
    assert small.reports[1:] == [None]


@pytest.mark.parametrize("others", [0, 1])
def test_the_watcher_is_silent_while_one_check_cannot_be_published(
    seen: Seen, comm: list[str], others: int
) -> None:
    """A directory is in the place of one of the files: nothing can be renamed to it."""
    file = seen.directory / "track/two"
    file.mkdir()
    for _ in range(2):
        seen.publish(others)
        assert comm[-1] == MUTE
    file.rmdir()
    seen.publish(1)
    assert comm == [COMM, MUTE, COMM]


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Leave no descriptor to open a file with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_a_descriptor_to_be_had_a_failure_still_reaches_keepalived(
    seen: Seen, comm: list[str]
) -> None:
    seen.publish(1)
    with no_descriptors():
        for _ in range(3):
            seen.publish(0)
    assert seen.tracks() == {"0\n"}
    assert seen.verdicts() == {None}
    assert MUTE not in comm
    (report,) = seen.reports
    assert os.strerror(errno.EMFILE) in str(report)
    seen.publish(1)
    assert seen.tracks() == {"1\n"}
    assert seen.verdicts() == {UP}
    assert seen.reports[1:] == [None]


def test_the_name_of_the_process_says_that_it_is_mute(tmp_path: Path) -> None:
    needs(root=True)
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], check=True)
    try:
        with Watcher(tmp_path, NOTHING, state_dir=place / "state") as watcher:
            comm_file = Path(f"/proc/{watcher.pid}/comm")
            assert comm_file.read_text() == f"{COMM}\n"
            with read_only(place):
                watcher.until(lambda: comm_file.read_text() == f"{MUTE}\n")
                watcher.until(lambda: watcher.find("Read-only file system"))
            watcher.until(lambda: comm_file.read_text() == f"{COMM}\n")
            watcher.until(lambda: watcher.find("can be written again"))
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


# --- one watcher for each ----------------------------------------------------------------------


def test_a_second_watcher_is_refused_with_the_firsts_pid(tmp_path: Path) -> None:
    with Watcher(tmp_path, NOTHING) as first:
        with Watcher(tmp_path, NOTHING, wait=False) as second:
            assert second.process.wait(10) == 3
        (line,) = second.lines
        assert f"another watcher, pid {first.pid}, uses {first.state_dir}" in line["message"]
        assert "--state-dir" in line["message"]
        assert first.says("nothing", "critical missing"), "the first one goes on"


def test_what_a_dead_watcher_has_locked_is_free(tmp_path: Path) -> None:
    with Watcher(tmp_path, NOTHING) as first:
        first.kill()
        with Watcher(tmp_path, NOTHING) as second:
            pid, ticks = (second.state_dir / "watcher/pid").read_text().split()
            fields = Path(f"/proc/{second.pid}/stat").read_text().rpartition(") ")[2].split()
            assert (int(pid), ticks) == (second.pid, fields[19])


def test_a_stopped_watcher_is_still_the_one_that_has_the_lock(tmp_path: Path) -> None:
    with Watcher(tmp_path, NOTHING) as first:
        first.signal(signal.SIGSTOP)
        with Watcher(tmp_path, NOTHING, wait=False) as second:
            assert second.process.wait(10) == 3
        first.signal(signal.SIGCONT)


@pytest.mark.parametrize("name", ["lock", "pid"])
@pytest.mark.parametrize("how", ["deleted", "replaced", "touched", "garbled"])
def test_a_damaged_lock_or_pid_file_is_recreated(seen: Seen, name: str, how: str) -> None:
    path = seen.directory / "watcher" / name
    if how == "touched":
        os.utime(path)
    elif how == "garbled":
        path.write_text("garbage")
    else:
        path.unlink()
    if how == "replaced":
        path.touch()
    seen.publisher.check_lock()
    pid = (seen.directory / "watcher/pid").read_text()
    assert int(pid.split()[0]) == os.getpid()
    with pytest.raises(StateDirectoryError, match=f"another watcher, pid {os.getpid()}, "):
        lock_file(str(seen.directory))
    assert seen.reports == [], "the directory that keepalived looks at is the same"


def test_a_lock_that_another_watcher_has_taken_meanwhile_is_an_end(seen: Seen) -> None:
    (seen.directory / "watcher/lock").unlink()
    other = lock_file(str(seen.directory))
    with pytest.raises(StateDirectoryError, match="another watcher"):
        seen.publisher.check_lock()
    os.close(other)
    seen.publisher.check_lock()


def test_a_lock_that_could_not_be_kept_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the watcher would find itself to be another one, and end."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "watcher").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fchmod", full)
        with pytest.raises(OSError, match="No space left"):
            lock_file(str(tmp_path))
    os.close(lock_file(str(tmp_path)))


def test_nothing_is_left_open(tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    watched = Seen(tmp_path / "state")
    watched.publish(1)
    shutil.rmtree(watched.directory)
    for _ in range(10):
        watched.publish(1)
        watched.publisher.check_lock()
    watched.publisher.close()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert re.fullmatch(rf"{os.getpid()} \d+\n", (watched.directory / "watcher/pid").read_text())
