"""The track files, and each one's failing value, which lies ready to be renamed into place."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from kacheck.files import Stamp, replace, stamp
from kacheck.watch.lock import read


class Written(NamedTuple):
    """What a track file was when its value had been written."""

    value: int
    stamp: Stamp


class TrackFiles:
    """The track files of one state directory; to write one raises OSError where it cannot be."""

    def __init__(self, directory: str, notice: Callable[[str, str], None]) -> None:
        self.failing: dict[str, int] = {}
        """Each check's failing value."""
        self._directory = directory
        self._notice = notice
        """Called with a check's name and what was found and mended."""
        self._written: dict[str, Written] = {}
        self._ready: dict[str, Stamp] = {}

    def expect(self, name: str, failing: int) -> None:
        """Learn the failing value of a check."""
        self.failing[name] = failing
        self._ready.pop(name, None)

    def adopt(self, name: str) -> None:
        """Take a file that has a number for one that was written."""
        path = self._path(name)
        now = stamp(path)
        with suppress(ValueError):
            self._written[name] = Written(int(read(path) or ""), now)

    def forget(self, name: str) -> None:
        """Leave a check's file as it is."""
        for memory in (self._written, self.failing, self._ready):
            memory.pop(name, None)

    def write(self, name: str, value: int) -> None:
        """Write a file, unless it has that value, and see that its failing value is ready."""
        path, before = self._path(name), self._written.get(name)
        now = stamp(path)
        is_changed = False
        if before is not None:
            if is_unchanged(path, before.stamp, now, before.value):
                if before.value == value:
                    if not before.stamp.still_holds(now):
                        self._written[name] = Written(value, now)
                    self.make_ready(name)
                    return
            else:  # but out of descriptors nobody can tell
                is_changed = before.stamp.identity != now.identity or read(path) is not None
        if not (value == self.failing[name] and self._is_ready(name) and self.rename(name)):
            replace(path, f"{value}\n")
        self._written[name] = Written(value, just_written(path))
        if is_changed:
            what = "changed" if now.identity else "deleted"
            self._notice(name, f"{path} was {what} by another program; restored to {value}")
        self.make_ready(name)

    def make_ready(self, name: str) -> None:
        """Write the failing value where it can be renamed from, unless it is there."""
        if not self._is_ready(name):
            path = self._ready_path(name)
            replace(path, f"{self.failing[name]}\n")
            self._ready[name] = just_written(path)

    def rename(self, name: str) -> bool:
        """Put the failing value that lies ready into place: one system call, at any time."""
        try:
            os.rename(self._ready_path(name), self._path(name))
        except OSError:
            return False
        return True

    def fail(self, name: str, value: int) -> bool:
        """Rename the failing value into place, unless the file says that or what it should."""
        path, failing = self._path(name), self.failing[name]
        before, now = self._written.get(name), stamp(path)
        if before is not None and before.stamp.identity != now.identity:
            before = None
        if before is not None and (
            before.value == value != failing
            or (before.value == failing and before.stamp.still_holds(now))
        ):
            return True
        if not self.rename(name):
            return before is not None and before.value == failing
        self._written[name] = Written(failing, just_written(path))
        return True

    def _is_ready(self, name: str) -> bool:
        """Return whether the failing value is in its place, unchanged."""
        path = self._ready_path(name)
        before, now = self._ready.get(name), stamp(path)
        if before is None or not is_unchanged(path, before, now, self.failing[name]):
            return False
        if not before.still_holds(now):
            self._ready[name] = now
        return True

    def _path(self, name: str) -> str:
        return f"{self._directory}/track/{name}"

    def _ready_path(self, name: str) -> str:
        return f"{self._directory}/failing/{name}"


def just_written(path: str) -> Stamp:
    """Return the stamp of a file that nobody has read since it was written: it never holds."""
    return stamp(path)._replace(is_settled=False)


def is_unchanged(path: str, before: Stamp, now: Stamp, value: int) -> bool:
    """Return whether a file is certain to have the value that it had at the earlier stamp."""
    if not now.identity or before.identity != now.identity:
        return False
    return before.still_holds(now) or read(path) == f"{value}\n"
