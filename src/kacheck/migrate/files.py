"""All files are written, or none; each one by a rename, with a backup of what was there."""

import errno
import os
import signal
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Self

from kacheck.keepalived.edit import Span
from kacheck.result import BadConfigError

BACKUP = ".kacheck-backup"
BOM = "\ufeff"
"""The byte order mark that some editors begin a file with."""
CURES = {
    errno.EBUSY: "it is a mount, which no other file can replace: migrate the one mounted there",
    errno.ENOSPC: "make room there",
    errno.EPERM: "see lsattr: it may be immutable",
    errno.EROFS: "mount it for writing",
}
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Change(NamedTuple):
    """A file's content before and after; None: it was not there."""

    path: str
    """As it was given; a symbolic link's file is the one that changes."""
    old: bytes | None
    new: bytes
    spans: Sequence[Span] = ()
    """The lines that differ."""


class Transaction:
    """Changes on their way: `stage()`, `commit()`, and `undo()` at any time.

    The first two raise BadConfigError where a file cannot be written or is not as it was read.
    Whoever calls them then calls `undo()`.
    """

    def __init__(self, changes: list[Change]) -> None:
        self.changes = [change._replace(path=os.path.realpath(change.path)) for change in changes]
        self.backups: dict[str, str] = {}
        """By the path of the file that is changed."""
        self._staged: dict[str, str] = {}
        self._written: list[str] = []
        self._directories: list[str] = []

    def stage(self) -> None:
        """Write the new contents beside the files, and the backups; nothing has changed yet."""
        for change in self.changes:
            self._refuse_changed(change)
            with naming(change.path):
                self._stage(change)
        for change in self.changes:
            if change.old is not None:
                with naming(change.path):
                    self.backups[change.path] = _back_up(change.path, change.old)

    def commit(self) -> None:
        """Put the new contents into their places."""
        for change in self.changes:
            self._refuse_changed(change)
            with naming(change.path):
                os.rename(self._staged[change.path], change.path)
            del self._staged[change.path]
            self._written.append(change.path)

    def undo(self) -> list[str]:
        """Make everything as it was; what could not be, in words."""
        stuck: list[str] = []
        for path in self._written:
            backup = self.backups.pop(path, None)
            try:
                if backup is None:
                    with suppress(FileNotFoundError):
                        os.unlink(path)
                else:
                    os.rename(backup, path)
            except OSError as error:
                there = f"what was there is {backup}" if backup else "nothing was there before"
                stuck.append(f"{path} is as it was written ({error.strerror}), {there}")
        self._written = []
        for path in (*self._staged.values(), *self.backups.values()):
            with suppress(OSError):
                os.unlink(path)
        for directory in self._directories:
            with suppress(OSError):
                os.rmdir(directory)
        return stuck

    def _stage(self, change: Change) -> None:
        directory, name = os.path.split(change.path)
        if change.old is None and not os.path.isdir(directory):
            os.mkdir(directory, 0o755)
            self._directories.append(directory)
        temporary = f"{directory}/.{name}.kacheck-new"
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # of one that was killed
        self._staged[change.path] = temporary
        _write(temporary, change.new, like=change.path if change.old is not None else None)

    @staticmethod
    def _refuse_changed(change: Change) -> None:
        """Somebody else may edit the file at the same time."""
        if content(change.path) != change.old:
            raise BadConfigError(f"{change.path} has changed meanwhile; try again")


class Interruption:
    """Signals that end a program wait for `now()`, and are a KeyboardInterrupt there.

    Between any two steps they would leave what `undo()` does not know of. The program dies of
    them at the end of the `with`, unless that ends with something to say.
    """

    def __init__(self) -> None:
        self._handlers: dict[signal.Signals, Any] = {}
        self._came: int | None = None
        self._is_now = False

    def __enter__(self) -> Self:
        for number in ENDINGS:
            if signal.getsignal(number) not in (None, signal.SIG_IGN):  # nohup's
                self._handlers[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._came is not None and kind is not BadConfigError:
            os.kill(os.getpid(), self._came)

    @contextmanager
    def now(self) -> Iterator[None]:
        """Be interrupted, also by what has come already."""
        self._is_now = True
        try:
            if self._came is not None:
                self._interrupt()
            yield
        finally:
            self._is_now = False

    def _handle(self, number: int, _: object) -> None:
        self._came = number
        if self._is_now:
            self._interrupt()

    def _interrupt(self) -> None:
        self._is_now = False  # a second one shall not interrupt what this one has begun
        raise KeyboardInterrupt


def content(path: str) -> bytes | None:
    """What is in a regular file; None if there is none.

    Raises:
        BadConfigError: it is something else, or cannot be read.

    """
    with naming(path), suppress(FileNotFoundError):
        _refuse_other(path, os.stat(path).st_mode)  # some devices act when they are opened
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(file, "rb") as stream:
            _refuse_other(path, os.fstat(file).st_mode)
            return stream.read()
    return None


def _refuse_other(path: str, mode: int) -> None:
    """A pipe would be waited for, and a device replaced by a file."""
    if stat.S_ISDIR(mode):
        raise BadConfigError(f"{path} is a directory; give the path of a file")
    if not stat.S_ISREG(mode):
        raise BadConfigError(f"{path} is no regular file; give the path of one")


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Raise BadConfigError, with the file that it is about, where there is an OSError."""
    try:
        yield
    except OSError as error:
        cure = CURES.get(error.errno or 0)
        if error.errno in (errno.EACCES, errno.EPERM) and os.geteuid() != 0:
            cure = "run it as root"
        text = f"{path}: {error.strerror}; nothing was written"
        raise BadConfigError(f"{text}; {cure}" if cure else text) from None


def _write(path: str, data: bytes, like: str | None) -> None:
    """Write a new file, with the owner, mode and attributes of another one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    with open(file, "wb") as stream:
        if like is None:
            os.fchmod(file, 0o644)
        else:
            status = os.stat(like)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file, status.st_uid, status.st_gid)
            os.fchmod(file, stat.S_IMODE(status.st_mode))
            with suppress(OSError):  # not every file system has them
                for name in os.listxattr(like):
                    os.setxattr(file, name, os.getxattr(like, name))
        stream.write(data)
        stream.flush()
        os.fsync(file)


def _back_up(path: str, data: bytes) -> str:
    """Keep what is in a file under a name that no file has; the name."""
    for backup in _names(path):
        try:
            os.link(path, backup)
        except FileExistsError:
            continue
        except OSError:  # a file system without links, or one of another user's files
            with suppress(FileExistsError):
                _write(backup, data, like=path)
                return backup
            continue
        return backup
    raise AssertionError


def _names(path: str) -> Iterator[str]:
    yield path + BACKUP
    number = 1
    while True:
        yield f"{path}{BACKUP}.{number}"
        number += 1


def written(changes: list[Change], backups: Mapping[str, str]) -> list[str]:
    """What to say of files that were written."""
    return [
        f"wrote {path}" + (f", what was there is {backups[path]}" if path in backups else "")
        for path in (os.path.realpath(change.path) for change in changes)
    ]
