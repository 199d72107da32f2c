"""All files are written, or none; each one by a rename, with a backup of what was there."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from kacheck.result import BadConfigError

BACKUP = ".kacheck-backup"


class Change(NamedTuple):
    """A file's content before and after; None: it was not there."""

    path: str
    """As it was given; a symbolic link's file is the one that changes."""
    old: bytes | None
    new: bytes


class Transaction:
    """Changes on their way: `stage()`, `commit()`, and `undo()` at any time.

    Each raises OSError, or BadConfigError where a file is not as it was read. Whoever calls them
    then calls `undo()`.
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
            directory = os.path.dirname(change.path)
            if change.old is None and not os.path.isdir(directory):
                os.mkdir(directory, 0o755)
                self._directories.append(directory)
            temporary = f"{directory}/.{os.path.basename(change.path)}.kacheck-new"
            with suppress(FileNotFoundError):
                os.unlink(temporary)  # of one that was killed
            self._staged[change.path] = temporary
            _write(temporary, change.new, like=change.path if change.old is not None else None)
        for change in self.changes:
            if change.old is not None:
                self.backups[change.path] = _back_up(change.path, change.old)

    def commit(self) -> None:
        """Put the new contents into their places."""
        for change in self.changes:
            self._refuse_changed(change)
            os.rename(self._staged[change.path], change.path)
            del self._staged[change.path]
            self._written.append(change.path)

    def undo(self) -> None:
        """Make everything as it was."""
        for path in self._written:
            if path in self.backups:
                os.rename(self.backups.pop(path), path)
            else:
                os.unlink(path)
        self._written = []
        for path in (*self._staged.values(), *self.backups.values()):
            with suppress(OSError):
                os.unlink(path)
        for directory in self._directories:
            with suppress(OSError):
                os.rmdir(directory)

    @staticmethod
    def _refuse_changed(change: Change) -> None:
        """Somebody else may edit the file at the same time."""
        if content(change.path) != change.old:
            raise BadConfigError(f"{change.path} has changed meanwhile; try again")


def content(path: str) -> bytes | None:
    """What is in a file; None if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


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
