"""Which watcher has a state directory: a lock, and the pid file that says whose it is."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kacheck.files import head, identity, replace
from kacheck.procfs import Process
from kacheck.statedir import DEFAULT, PID, StateDirectoryError, user_name

LOCK = "watcher/lock"
"""Whoever can open a file can lock it, and keep the watcher from coming back from an upgrade. So
this one is for its user alone, and what others read is in another file."""


class Lock:
    """The lock of a state directory, and its pid file."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = f"{directory}/{LOCK}"
        self._file = -1
        self._owner = owner()
        self.was_ours = self._names_us()
        """Whether this process has had it before it re-executed."""

    def take(self) -> None:
        """Lock the directory's file, and say so, unless that is done.

        Raises:
            StateDirectoryError: another watcher has it.
            OSError: a file cannot be made.

        """
        if not is_same(self._path, self._file):
            file = lock_file(self._directory)
            if self._file >= 0:
                os.close(self._file)
            self._file = file
        if not self._names_us():
            replace(f"{self._directory}/{PID}", self._owner)

    def holds(self) -> bool:
        """Return whether this process still has the lock and is in the pid file."""
        return is_same(self._path, self._file) and self._names_us()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep it through an exec: the next program finds it, and no other can take it."""
        fcntl.fcntl(self._file, fcntl.F_SETFD, 0)
        try:
            yield
        finally:
            fcntl.fcntl(self._file, fcntl.F_SETFD, fcntl.FD_CLOEXEC)

    def close(self) -> None:
        """Let another watcher have it."""
        os.close(self._file)

    def _names_us(self) -> bool:
        return read(f"{self._directory}/{PID}") == self._owner


def lock_file(directory: str) -> int:
    """Open and lock the file of a state directory.

    Raises:
        StateDirectoryError: another watcher has it.
        OSError: it cannot be made.

    """
    path = f"{directory}/{LOCK}"
    file = inherited(path)
    if file is None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(path, flags, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(file, 0o600)
    except BlockingIOError:
        os.close(file)
        other = (read(f"{directory}/{PID}") or "").split()
        raise StateDirectoryError(
            f"another watcher, pid {other[0] if other else 'unknown'}, uses {directory}: stop it, "
            "or give another directory with --state-dir"
        ) from None
    except OSError:
        os.close(file)  # the lock with it, or the next attempt would find it taken
        raise
    return file


def inherited(path: str) -> int | None:
    """Return the descriptor of this file that the program before this one left open."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the listing's own descriptor is closed by now
            if os.get_inheritable(file := int(name)) and is_same(path, file):
                fcntl.fcntl(file, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
                return file
    return None


def refuse_foreign(path: str, state_dir: str, *users: int) -> None:
    """Refuse a directory in which another user decides what a name leads to.

    Raises:
        StateDirectoryError: it belongs to none of these users.
        OSError: it is something else than a directory, a symbolic link included.

    """
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    if status.st_uid in users:
        return
    theirs, ours = user_name(status.st_uid), user_name(os.geteuid())
    cure = f"as root run chown {ours}: {path}"
    if os.geteuid() == 0:
        where = "" if state_dir == DEFAULT else f" --state-dir {state_dir}"
        cure = f"runuser -u {theirs} -- kacheck watch{where}"
    raise StateDirectoryError(
        f"{path} belongs to {theirs}, and this watcher runs as {ours}: {cure}, or give another "
        "directory with --state-dir"
    )


def owner() -> str:
    """Return the pid file's line for this process, whatever program it has become."""
    pid = os.getpid()
    return f"{pid} {Process('/proc', pid).started_ticks()}\n"


def read(path: str) -> str | None:
    """Return the beginning of a file; None if it cannot be read."""
    try:
        return head(path, 64).decode("utf-8", "replace")
    except OSError:
        return None


def is_same(path: str, file: int) -> bool:
    """Return whether the path leads to this open file; to none if it is negative."""
    return file >= 0 and identity(path)[:2] == identity(file)[:2]
