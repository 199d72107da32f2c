"""All files are written, or none; each one by a rename, with a backup of what was there.

A run writes a journal beside the main file first. While it runs, that keeps others away; of one
that was killed, the next one takes back by it what was written, and begins again.
"""

import json
import os
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

from kacheck.keepalived.edit import Span
from kacheck.migrate.files import content, naming, persist, write
from kacheck.procfs import Process
from kacheck.result import KacheckError

BACKUP = ".kacheck-backup"


class Change(NamedTuple):
    """A file's content before and after; None: it was not there."""

    path: str
    """As it was given; a symbolic link's file is the one that changes."""
    old: bytes | None
    new: bytes
    spans: Sequence[Span] = ()
    """The lines that differ."""


class Transaction:
    """Changes on their way: `stage()`, `commit()`, and `finish()` or, at any time, `undo()`.

    They are made in order. A file may change more than once, from one content to the next.

    The first two raise KacheckError where a file cannot be written or is not as it was read.
    Whoever calls them then calls `undo()`.
    """

    def __init__(self, changes: list[Change], main: str) -> None:
        self.changes = [change._replace(path=os.path.realpath(change.path)) for change in changes]
        self.backups: dict[str, str] = {}
        """By the path of the file that is changed."""
        self.lost: list[str] = []
        """What new files do not have of the old ones, in words."""
        self._main = main
        self._journal = journal_of(main)
        self._has_journal = False
        self._first = {change.path: change for change in reversed(self.changes)}
        self._staged: dict[int, str] = {}
        """By the place of the change: its new content."""
        self._written: list[str] = []
        self._directories: list[str] = []

    def stage(self) -> None:
        """Write the new contents beside the files, and the backups; nothing has changed yet."""
        for change in self._first.values():
            self._refuse_changed(change)
        names = {path: _free(path) for path, each in self._first.items() if each.old is not None}
        staged = self._names()
        with naming(self._journal):
            self._write_journal(names, staged)
        for index, change in enumerate(self.changes):
            with naming(change.path):
                self._stage(index, change, staged[index])
        for path, backup in names.items():
            with naming(path):
                self.lost += _back_up(path, self._first[path].old or b"", backup)
                self.backups[path] = backup
        for directory in {os.path.dirname(path) for path in (*self._first, self._journal)}:
            with naming(directory):
                persist(directory)

    def commit(self) -> None:
        """Put the new contents into their places, each after the one before is on the disk."""
        for index, change in enumerate(self.changes):
            self._refuse_changed(change)
            with naming(change.path):
                os.rename(self._staged[index], change.path)
                del self._staged[index]
                if change.path not in self._written:
                    self._written.append(change.path)
                persist(os.path.dirname(change.path))

    def finish(self) -> None:
        """Make it stay."""
        with naming(self._journal):
            os.unlink(self._journal)

    def undo(self) -> list[str]:
        """Make everything as it was; what could not be, in words."""
        stuck: list[str] = []
        for path in reversed(self._written):
            backup = self.backups.pop(path, None)
            try:
                _take_back(path, backup)
            except OSError as error:
                before = f"the previous file is {backup}" if backup else "it did not exist before"
                stuck.append(f"{path} cannot be put back ({error.strerror}); {before}")
        self._written = []
        journal = [self._journal] if self._has_journal else []
        for path in (*self._staged.values(), *self.backups.values(), *journal):
            with suppress(OSError):
                os.unlink(path)
        for directory in self._directories:
            with suppress(OSError):
                os.rmdir(directory)
        return stuck

    def _names(self) -> list[str]:
        """Return a name for the content of each change, beside its file."""
        names: list[str] = []
        for place, change in enumerate(self.changes):
            directory, name = os.path.split(change.path)
            temporary = f"{directory}/.{name}.kacheck-new"
            names.append(f"{temporary}.{place}" if temporary in names else temporary)
        return names

    def _stage(self, index: int, change: Change, temporary: str) -> None:
        directory = os.path.dirname(change.path)
        if change.old is None and not os.path.isdir(directory):
            os.mkdir(directory, 0o755)
            self._directories.append(directory)
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # of one that was killed
        self._staged[index] = temporary
        like = None if self._first[change.path].old is None else change.path
        lost = write(temporary, change.new, like)
        self.lost += [text for text in lost if text not in self.lost]

    def _write_journal(self, backups: Mapping[str, str], staged: list[str]) -> None:
        entries = [
            {
                "path": path,
                "old": _digest(first.old),
                "new": [_digest(each.new) for each in self.changes if each.path == path],
                "backup": backups.get(path),
            }
            for path, first in self._first.items()
        ]
        run = [os.getpid(), Process("/proc", os.getpid()).started_ticks()]
        said = {"run": run, "files": entries, "staged": staged}
        self._has_journal = True
        try:
            write(self._journal, json.dumps(said).encode(), None)
        except FileExistsError:
            self._has_journal = False
            raise KacheckError(f"another run on {self._main} is in progress; wait for it") from None

    @staticmethod
    def _refuse_changed(change: Change) -> None:
        """Somebody else may edit the file at the same time."""
        if content(change.path) != change.old:
            raise KacheckError(f"{change.path} has changed meanwhile; try again")


# --- a run that was killed ------------------------------------------------------------------


def journal_of(main: str) -> str:
    """Return where a run says what it is about to write."""
    directory, name = os.path.split(os.path.realpath(main))
    return f"{directory}/.{name}.kacheck-journal"


def recover(main: str) -> None:
    """Take back what a run has written that was killed.

    Raises:
        KacheckError: it runs; or that cannot be, since a file has been changed since.

    """
    journal = journal_of(main)
    if not os.path.lexists(journal):
        return
    said = _said(main)
    states = []
    for entry in said["files"]:
        now = _digest(content(entry["path"]))
        if now != entry["old"] and now not in entry["new"]:
            raise KacheckError(
                f"an earlier run on {main} was killed, and {entry['path']} has changed since;"
                f" compare it with {entry['backup'] or 'what you want'}, and then:"
                f" rm {shlex.quote(journal)}"
            )
        states.append((entry, now != entry["old"]))
    for entry, is_written in reversed(states):
        path, backup = entry["path"], entry["backup"]
        with naming(path):
            if is_written:
                _take_back(path, backup)
                persist(os.path.dirname(path))
            elif backup is not None and _digest(content(backup)) == entry["old"]:
                os.unlink(backup)
    for path in (*said["staged"], journal):
        with naming(path), suppress(FileNotFoundError):
            os.unlink(path)


def _said(main: str) -> Any:
    """Return what the journal says of a run that was killed.

    Raises:
        KacheckError: the run is under way, or another user may have written the journal.

    """
    journal = journal_of(main)
    _refuse_foreign(journal)
    try:
        said = json.loads(content(journal) or b"")
    except ValueError:  # killed while it was written, before anything else
        return {"files": [], "staged": []}
    pid, started = said["run"]
    with suppress(OSError):
        if Process("/proc", pid).started_ticks() == started:
            raise KacheckError(f"another run on {main} is in progress, pid {pid}; wait for it")
    return said


def _refuse_foreign(journal: str) -> None:
    """Believe only what this user has written: a result may go to a directory such as /tmp."""
    with naming(journal):
        status = os.lstat(journal)
    shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or shared:
        raise KacheckError(
            f"{journal} may have been written by another user; rm {shlex.quote(journal)}"
        )


def refuse_killed(main: str) -> None:
    """Refuse to look at what a run has left that was killed."""
    if os.path.lexists(journal_of(main)):
        _said(main)
        raise KacheckError(
            f"an earlier run on {main} was killed; run it with --in-place again, which takes that"
            " back first"
        )


def _digest(data: bytes | None) -> str | None:
    return None if data is None else sha256(data).hexdigest()


def _take_back(path: str, backup: str | None) -> None:
    """Put the backup into its place; without one there was no file."""
    if backup is not None:
        os.rename(backup, path)
        return
    with suppress(FileNotFoundError):
        os.unlink(path)


def _back_up(path: str, data: bytes, backup: str) -> list[str]:
    """Keep what is in a file under a new name; what could not be copied, in words."""
    try:
        os.link(path, backup)
    except OSError:  # a file system without links, or one of another user's files
        return write(backup, data, like=path)
    return []


def _free(path: str) -> str:
    """Return a name for a backup that no file has."""
    return next(name for name in _names(path) if not os.path.lexists(name))


def _names(path: str) -> Iterator[str]:
    yield path + BACKUP
    number = 1
    while True:
        yield f"{path}{BACKUP}.{number}"
        number += 1


def written(changes: list[Change], backups: Mapping[str, str]) -> list[str]:
    """Return what to say of files that were written."""
    return [
        f"wrote {path}" + (f"; the previous file is {backups[path]}" if path in backups else "")
        for path in (os.path.realpath(change.path) for change in changes)
    ]
