"""Maintenance: checks that fail on purpose, so that the VIP leaves before the work begins.

A file drain/CHECK or drain/ALL in the state directory means drained. It reads `UNTIL MESSAGE`, with
UNTIL in whole seconds of uptime, 0 for no end. Whatever else is in it, or if it cannot be read, it
still means drained: someone put it there.
"""

import errno
import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kacheck import files, statedir
from kacheck.result import DRAINING, Result, Status
from kacheck.statedir import StateDirectoryError

MOST_BYTES = 4096
NEVER = math.inf


class Drain(NamedTuple):
    """A drain that holds now."""

    until: int
    """Whole seconds of uptime; 0: until `kacheck drain off`."""
    message: str
    path: str = f"{statedir.DEFAULT}/drain/{statedir.ALL}"
    """Its file."""

    @property
    def name(self) -> str:
        """The check, or ALL."""
        return self.path.rpartition("/")[2]

    @property
    def end(self) -> float:
        """`until` as a number that compares."""
        return self.until or NEVER

    def remaining(self) -> int | None:
        """Seconds until it ends by itself; None if it does not, or if that cannot be told."""
        try:
            return max(0, int(self.until - statedir.uptime())) if self.until else None
        except OSError:
            return None

    def sentence(self) -> str:
        """`drained for 28 min more: new disks (kacheck drain off vault ends it)`."""
        remaining = self.remaining()
        span = "" if remaining is None else f" for {amount(remaining)} more"
        if self.until and remaining is None:
            span = f" (its end is unknown: {statedir.UPTIME} cannot be read)"
        why = f": {self.message}" if self.message else ""
        return f"drained{span}{why} ({self.cure()} ends it)"

    def cure(self) -> str:
        """Return the command that ends it."""
        what = "--all" if self.name == statedir.ALL else self.name
        state_dir = self.path.rpartition("/drain/")[0]
        where = "" if state_dir == statedir.DEFAULT else f" --state-dir {state_dir}"
        return f"kacheck drain off {what}{where}"

    def result(self) -> Result:
        """Return the answer of every check that is drained."""
        return Result(Status.CRITICAL, DRAINING, self.sentence(), {"drain": self.as_data()})

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "check": self.name,
            "until": self.until or None,
            "remaining_s": self.remaining(),
            "message": self.message,
        }


# --- reading --------------------------------------------------------------------------------


def drained(state_dir: str, name: str) -> Drain | None:
    """Return the drain that holds for a check: its own or everyone's, whichever ends later."""
    drains = [drain for file in (statedir.ALL, name) if (drain := drain_of(state_dir, file))]
    return max(drains, key=lambda drain: drain.end) if drains else None


class Drains:
    """The drains of a state directory, for a caller that asks repeatedly.

    Files are read only where the directory's listing has a name that matters, and it is listed
    only until a listing shows all that the directory's time stamps stand for.
    """

    def __init__(self, state_dir: str) -> None:
        self._state_dir = state_dir
        self._path = f"{state_dir}/drain"
        self._listed: files.Stamp | None = None
        self._names: set[str] = set()

    def find(self, names: Sequence[str]) -> Drain | None:
        """Return the drain that holds for any of these names, as drained() has it."""
        try:
            self._look()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):  # what was known then still holds
                self._names = {*names}  # reading each of them tells
        if self._names.isdisjoint((statedir.ALL, *names)):
            return None
        drains = [drain for name in names if (drain := drained(self._state_dir, name))]
        return max(drains, key=lambda drain: drain.end) if drains else None

    def may_exist(self) -> bool:
        """Return whether there is any; at the cost of one look at the directory."""
        try:
            self._look()
        except OSError:
            return True
        return bool(self._names)

    def _look(self) -> None:
        now = files.stamp(self._path)
        if self._listed is not None and self._listed.still_holds(now):
            return
        try:
            self._names = {*os.listdir(self._path)}
        except FileNotFoundError:
            self._names = set()
        self._listed = now


def drain_of(state_dir: str, name: str) -> Drain | None:
    """Return the drain that a file asks for; None if the file is missing, or its time is over."""
    path = f"{state_dir}/drain/{name}"
    try:
        text = files.head(path, MOST_BYTES).decode("utf-8", "backslashreplace")
    except FileNotFoundError:
        return None
    except OSError as error:
        return Drain(0, f"{path} cannot be read: {error.strerror}", path)
    until, _, message = text.removesuffix("\n").partition(" ")
    if not re.fullmatch(r"\d{1,15}", until, re.ASCII):
        return Drain(0, f"{path} has no UNTIL in it" if text.strip() else "", path)
    drain = Drain(int(until), message, path)
    return None if drain.until and statedir.has_passed(drain.until) else drain


def all_drains(state_dir: str) -> Iterator[Drain]:
    """Every drain that holds, ALL first.

    Raises:
        StateDirectoryError: the directory may not be read.

    """
    try:
        names = os.listdir(f"{state_dir}/drain")
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateDirectoryError(f"{error.filename} cannot be read: {error.strerror}") from None
    for name in sorted(names, key=lambda name: (name != statedir.ALL, name)):
        if statedir.is_name(name) and (drain := drain_of(state_dir, name)):
            yield drain


# --- words ----------------------------------------------------------------------------------


def amount(seconds: int) -> str:
    """Seconds in the units that a person would choose: `45 s`, `28 min`, `1 h 30 min`, `3 days`."""
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    days, hours = divmod(round(hours + minutes / 60), 24)
    return f"{days} days" + (f" {hours} h" if hours else "")
