"""Verdicts to the state directory's files, whatever becomes of the directory.

A disk that is full or a resident that is out of descriptors must not keep a failure from
keepalived. So each track file's failing value lies ready in failing/, on the same file system: to
rename it takes neither space nor a descriptor. A verdict that cannot be renewed is removed, and
kacheck-verdict looks for itself; where not even that can be done, the resident says so in its own
name (comm), which kacheck-verdict reads.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from kacheck.files import Stamp, identity, make_directory, replace, stamp
from kacheck.probes.procfs import Process
from kacheck.result import BadConfigError
from kacheck.statedir import Published, names_in, published, uptime

DIRECTORIES = ("track", "verdict", "failing")
COMM = "kacheck"
MUTE = "kacheck-mute"
"""The comm of a resident that cannot publish: what stands in its files is not its verdict."""


class Written(NamedTuple):
    """What a track file was when its value had been written."""

    value: int
    stamp: Stamp


class Publisher:
    """Writes the files of one state directory; there is one resident for each.

    Raises:
        BadConfigError: another resident has the directory, or it cannot be written.

    """

    def __init__(
        self,
        directory: str,
        report: Callable[[str | None], None],
        notice: Callable[[str, str], None],
    ) -> None:
        self.directory = directory
        self._notice = notice
        """Called with a check's name and what was found and mended."""
        self._report = report
        """Called with what is wrong, when that changes; None: it is well again."""
        self._trouble: str | None = None
        self._lasting: tuple[str | None, str | None] = (None, None)
        """What is wrong until keepalived has been reloaded, which nobody can see from here."""
        self._unwell: set[str] = set()
        """The checks that could not be published at once; "": the directory itself is not well."""
        self._untrue: set[str] = set()
        """The checks whose files say something that is not their verdict."""
        self._comm = COMM
        set_comm(COMM)
        self._track: dict[str, Written] = {}
        self._failing: dict[str, int] = {}
        self._ready: dict[str, Stamp] = {}
        self._lock = -1
        self._place = -1
        """The directory that keepalived watches; while it is open no other can have its inode."""
        self._earlier: dict[str, Published] = {}
        """What this process published before it re-executed."""
        has_re_executed = read(self._path("lock")) == owner()
        try:
            self._prepare()
        except OSError as error:
            raise BadConfigError(
                f"{error.filename or directory} cannot be written ({error.strerror}): make the "
                "state directory (systemd-tmpfiles --create), or give another one with --state-dir"
            ) from None
        if has_re_executed:
            self._earlier = self._fresh()

    def expect(self, name: str, failing: int) -> Published | None:
        """Get ready to publish for a check whose failing value is this.

        A verdict that an earlier resident left behind is not ours to vouch for. One that this
        process published before it re-executed, and that has not expired, is returned.
        """
        earlier = self._earlier.pop(name, None)
        if earlier is None:
            self._remove("verdict", name)
        else:
            self._adopt_track(name)
        self._failing[name] = failing
        self._ready.pop(name, None)
        self._try(name, lambda: self._make_ready(name))
        return earlier

    def end_others(self) -> None:
        """Let the checks fail that were published before, and that nobody expects any more."""
        self._earlier = {}
        for name in names_in(self._path("failing")):
            if name not in self._failing:
                self._rename(name)
                self._remove("verdict", name)

    def _fresh(self) -> dict[str, Published]:
        """The verdicts that have not expired."""
        now = uptime()
        names = names_in(self._path("verdict"))
        found = {name: published(self._path("verdict", name)) for name in names}
        return {name: each[0] for name, each in found.items() if each and now < each[0].expiry}

    def publish(self, name: str, track: int, verdict: Published) -> None:
        """Write the track file, if it is not as it should be, and the verdict."""
        told, renewed = self._write(name, track, verdict)
        if told and renewed:
            self._recover(name)
        else:
            self._remove("verdict", name)  # its room may be all that there is to be had
            told, renewed = self._write(name, track, verdict)
        if (told or self._fail(name, track)) and (renewed or self._remove("verdict", name)):
            self._untrue.discard(name)
        else:
            self._untrue.add(name)
        self._set_comm(MUTE if self._untrue else COMM)

    def _write(self, name: str, track: int, verdict: Published) -> tuple[bool, bool]:
        """Is the track file as it should be, and the verdict?"""
        path, line = self._path("verdict", name), verdict.line()
        return (
            self._try(name, lambda: self._write_track(name, track)),
            self._try(name, lambda: replace(path, line)),
        )

    def forget(self, name: str, verdict: Published) -> None:
        """Leave the failing value and this verdict behind."""
        self.publish(name, self._failing[name], verdict)
        for memory in (self._track, self._failing, self._ready):
            memory.pop(name, None)
        self._untrue.discard(name)
        self._recover(name)
        self._remove("failing", name)

    def check_lock(self) -> None:
        """Find out whether the state directory is still the one that was locked.

        Raises:
            BadConfigError: another resident has it now; or it is gone and cannot be made, which
                whoever starts the resident anew may mend, as its unit does.

        """
        if (self._has_lock() and self._has_place()) or self._try("", self._prepare):
            self._recover("")
        elif not os.path.isdir(self.directory):
            raise BadConfigError(
                f"{self.directory} is gone, and cannot be made by this user: make it "
                "(systemd-tmpfiles --create) and start the resident again"
            )

    def close(self) -> None:
        """Let another resident have the directory."""
        os.close(self._lock)
        os.close(self._place)

    def _path(self, *parts: str) -> str:
        return "/".join((self.directory, *parts))

    def _prepare(self) -> None:
        """Make the directories and take the lock."""
        os.makedirs(os.path.dirname(self.directory) or ".", exist_ok=True)
        for path in (self.directory, *map(self._path, DIRECTORIES)):
            make_directory(path)
        if not self._has_lock():
            lock = lock_file(self._path("lock"))
            if self._lock >= 0:
                os.close(self._lock)
            self._lock = lock
        if not self._has_place():
            self._take_place(self._path("track"))

    def _has_lock(self) -> bool:
        return is_same(self._path("lock"), self._lock)

    def _has_place(self) -> bool:
        return is_same(self._path("track"), self._place)

    def _take_place(self, path: str) -> None:
        place = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if self._place >= 0:
            os.close(self._place)
            words = (
                f"{path} is another directory than before: reload keepalived, which looks at the "
                "old one until then"
            )
            self._lasting = "another directory", words
            self._set_trouble(*self._lasting)
        self._place = place

    def _write_track(self, name: str, value: int) -> None:
        path, before = self._path("track", name), self._track.get(name)
        now = stamp(path)
        is_changed = False
        if before is not None:
            if is_unchanged(path, before.stamp, now, before.value):
                if before.value == value:
                    if not before.stamp.still_holds(now):
                        self._track[name] = Written(value, now)
                    self._make_ready(name)
                    return
            else:  # but out of descriptors nobody can tell
                is_changed = before.stamp.identity != now.identity or read(path) is not None
        if not (value == self._failing[name] and self._is_ready(name) and self._rename(name)):
            replace(path, f"{value}\n")
        self._track[name] = Written(value, just_written(path))
        if is_changed:
            what = "changed" if now.identity else "deleted"
            self._notice(name, f"somebody has {what} {path}: it says {value} again")
        self._make_ready(name)

    def _adopt_track(self, name: str) -> None:
        """Take a track file that has a number for one that was written."""
        path = self._path("track", name)
        now = stamp(path)
        with suppress(ValueError):
            self._track[name] = Written(int(read(path) or ""), now)

    def _is_ready(self, name: str) -> bool:
        """Does the failing value lie ready, as it was written?"""
        path = self._path("failing", name)
        before, now = self._ready.get(name), stamp(path)
        if before is None or not is_unchanged(path, before, now, self._failing[name]):
            return False
        if not before.still_holds(now):
            self._ready[name] = now
        return True

    def _make_ready(self, name: str) -> None:
        if not self._is_ready(name):
            path = self._path("failing", name)
            replace(path, f"{self._failing[name]}\n")
            self._ready[name] = just_written(path)

    def _rename(self, name: str) -> bool:
        """Put the failing value that lies ready into place: one system call, at any time."""
        try:
            os.rename(self._path("failing", name), self._path("track", name))
        except OSError:
            return False
        return True

    def _fail(self, name: str, track: int) -> bool:
        """Rename the failing value into place, unless the file says that or what it should."""
        path, failing = self._path("track", name), self._failing[name]
        before, now = self._track.get(name), stamp(path)
        if before is not None and before.stamp.identity != now.identity:
            before = None
        if before is not None and (
            before.value == track != failing
            or (before.value == failing and before.stamp.still_holds(now))
        ):
            return True
        if not self._rename(name):
            return before is not None and before.value == failing
        self._track[name] = Written(failing, just_written(path))
        return True

    def _remove(self, *parts: str) -> bool:
        try:
            os.unlink(self._path(*parts))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _try(self, name: str, write: Callable[[], None]) -> bool:
        """Write; where the directory is gone, make it and try again; report what is wrong."""
        try:
            try:
                write()
            except FileNotFoundError:
                self._prepare()
                write()
        except OSError as error:
            self._unwell.add(name)
            what = error.strerror or str(error)
            self._set_trouble(
                what,
                f"{error.filename or self.directory}: {what}: verdicts cannot be published; "
                "what fails is said to fail",
            )
            return False
        return True

    def _recover(self, name: str) -> None:
        """This one is well; all is when all are."""
        self._unwell.discard(name)
        if not self._unwell:
            self._set_trouble(*self._lasting)

    def _set_trouble(self, trouble: str | None, words: str | None) -> None:
        """Report what is wrong once, though it is wrong with many files."""
        if trouble != self._trouble:
            self._trouble = trouble
            self._report(words)

    def _set_comm(self, comm: str) -> None:
        if comm != self._comm:
            with suppress(OSError):
                set_comm(comm)
                self._comm = comm


def lock_file(path: str) -> int:
    """The locked file, which says who has it: PID STARTTIME.

    Raises:
        BadConfigError: another resident has it.
        OSError: it cannot be made.

    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(file, 0o644)
        os.ftruncate(file, 0)
        os.pwrite(file, owner().encode(), 0)
    except BlockingIOError:
        other = os.read(file, 64).decode(errors="replace").split()
        os.close(file)
        raise BadConfigError(
            f"another resident, pid {other[0] if other else 'unknown'}, has "
            f"{path.rpartition('/')[0]}: stop it, or give another one with --state-dir"
        ) from None
    except OSError:
        os.close(file)  # the lock with it, or the next attempt would find it taken
        raise
    return file


def owner() -> str:
    """The line of a lock file that is this process's, whatever program it has become."""
    pid = os.getpid()
    return f"{pid} {Process('/proc', pid).started_ticks()}\n"


def read(path: str) -> str | None:
    """The beginning of a file; None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(64)
    except OSError:
        return None


def just_written(path: str) -> Stamp:
    """The stamp of a file that nobody has read since it was written: it never holds."""
    return stamp(path)._replace(is_settled=False)


def is_unchanged(path: str, before: Stamp, now: Stamp, value: int) -> bool:
    """Is it certain that a file still has the value that it had when it had that stamp?"""
    if not now.identity or before.identity != now.identity:
        return False
    return before.still_holds(now) or read(path) == f"{value}\n"


def set_comm(name: str) -> None:
    """Name this process, as `ps` and /proc/PID/stat show it (proc(5), /proc/PID/comm)."""
    file = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, name.encode())
    finally:
        os.close(file)


def is_same(path: str, file: int) -> bool:
    """Is this open file, if it is one, what the path leads to?"""
    return file >= 0 and identity(path)[:2] == identity(file)[:2]
