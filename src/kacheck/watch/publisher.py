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

from kacheck.probes.procfs import Process
from kacheck.result import BadConfigError
from kacheck.statedir import Published, replace

DIRECTORIES = ("track", "verdict", "failing")
COMM = "kacheck"
MUTE = "kacheck-mute"
"""The comm of a resident that cannot publish: what stands in its files is not its verdict."""


class Publisher:
    """Writes the files of one state directory; there is one resident for each.

    Raises:
        BadConfigError: another resident has the directory, or it cannot be written.

    """

    def __init__(self, directory: str, report: Callable[[str | None], None]) -> None:
        self.directory = directory
        self._report = report
        """Called with what is wrong, when that changes; None: it is well again."""
        self._trouble: str | None = None
        self._comm = COMM
        set_comm(COMM)
        self._track: dict[str, tuple[int, tuple[int, ...]]] = {}
        """The value that was written, and what its file was then."""
        self._failing: dict[str, int] = {}
        self._ready: dict[str, tuple[int, ...]] = {}
        self._lock = -1
        try:
            self._prepare()
        except OSError as error:
            raise BadConfigError(
                f"{error.filename or directory} cannot be written ({error.strerror}): make the "
                "state directory (systemd-tmpfiles --create), or give another one with --state-dir"
            ) from None

    def expect(self, name: str, failing: int) -> None:
        """Get ready to publish for a check whose failing value is this.

        A verdict that an earlier resident left behind is not ours to vouch for.
        """
        self._remove("verdict", name)
        self._failing[name] = failing
        self._ready.pop(name, None)
        self._try(lambda: self._make_ready(name))

    def publish(self, name: str, track: int, verdict: Published) -> None:
        """Write the track file, if it is not as it should be, and the verdict."""
        told = self._try(lambda: self._write_track(name, track))
        renewed = self._try(lambda: replace(self._path("verdict", name), verdict.line()))
        if told and renewed:
            self._recover()
        is_true = (told or self._fail(name, track)) and (renewed or self._remove("verdict", name))
        self._set_comm(COMM if is_true else MUTE)

    def forget(self, name: str, verdict: Published) -> None:
        """Leave the failing value and this verdict behind."""
        self.publish(name, self._failing[name], verdict)
        for memory in (self._track, self._failing, self._ready):
            memory.pop(name, None)
        self._remove("failing", name)

    def check_lock(self) -> None:
        """Find out whether the state directory is still the one that was locked.

        Raises:
            BadConfigError: another resident has it now.

        """
        if identity(self._path("lock")) != identity(self._lock):
            self._try(self._prepare)

    def close(self) -> None:
        """Let another resident have the directory."""
        os.close(self._lock)

    def _path(self, *parts: str) -> str:
        return "/".join((self.directory, *parts))

    def _prepare(self) -> None:
        """Make the directories and take the lock."""
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        for name in DIRECTORIES:
            os.makedirs(self._path(name), mode=0o755, exist_ok=True)
        if self._lock >= 0 and identity(self._path("lock")) == identity(self._lock):
            return
        lock = lock_file(self._path("lock"))
        if self._lock >= 0:
            os.close(self._lock)
            self._report(
                f"{self.directory} is another directory than before: reload keepalived, which "
                "still looks at the old one"
            )
        self._lock = lock

    def _write_track(self, name: str, value: int) -> None:
        path = self._path("track", name)
        if self._track.get(name) != (value, identity(path)):
            replace(path, f"{value}\n")
            self._track[name] = value, identity(path)
        self._make_ready(name)

    def _make_ready(self, name: str) -> None:
        path = self._path("failing", name)
        if name not in self._ready or self._ready[name] != identity(path):
            replace(path, f"{self._failing[name]}\n")
            self._ready[name] = identity(path)

    def _fail(self, name: str, track: int) -> bool:
        """Rename the failing value into place, unless the file says what it should already."""
        path = self._path("track", name)
        if self._track.get(name) == (track, identity(path)):
            return True
        try:
            os.rename(self._path("failing", name), path)
        except OSError:
            return False
        self._track.pop(name, None)
        return True

    def _remove(self, *parts: str) -> bool:
        try:
            os.unlink(self._path(*parts))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _try(self, write: Callable[[], None]) -> bool:
        """Write; where the directory is gone, make it and try again; report what is wrong."""
        try:
            try:
                write()
            except FileNotFoundError:
                self._prepare()
                write()
        except OSError as error:
            self._set_trouble(f"{error.filename or self.directory}: {error.strerror}")
            return False
        return True

    def _recover(self) -> None:
        if self._trouble is None:
            return
        with suppress(OSError):
            for name in self._failing:
                self._make_ready(name)
            self._set_trouble(None)

    def _set_trouble(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._report(trouble)

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
    except BlockingIOError:
        other = os.read(file, 64).decode(errors="replace").split()
        os.close(file)
        raise BadConfigError(
            f"another resident, pid {other[0] if other else 'unknown'}, has "
            f"{path.rpartition('/')[0]}: stop it, or give another one with --state-dir"
        ) from None
    pid = os.getpid()
    os.fchmod(file, 0o644)
    os.ftruncate(file, 0)
    os.pwrite(file, f"{pid} {Process('/proc', pid).started_ticks()}\n".encode(), 0)
    return file


def set_comm(name: str) -> None:
    """Name this process, as `ps` and /proc/PID/stat show it (proc(5), /proc/PID/comm)."""
    file = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, name.encode())
    finally:
        os.close(file)


def identity(path: str | int) -> tuple[int, ...]:
    """What tells whether a file is the one that it was; nothing of one that is not there."""
    try:
        stat = os.stat(path)
    except OSError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
