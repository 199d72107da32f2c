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
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

from kacheck import files, statedir
from kacheck.durations import UNITS, parsed
from kacheck.result import DRAINING, KacheckError, Result, Status
from kacheck.statedir import StateDirectoryError

MOST_BYTES = 4096
LONGEST = 30 * 86400
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
            return max(0, math.ceil(self.until - statedir.uptime())) if self.until else None
        except OSError:
            return None

    def sentence(self) -> str:
        """`drained for 28 min more: new disks (kacheck drain off vault ends it)`."""
        remaining = self.remaining()
        span = "" if remaining is None else f" for {amount(remaining)} more"
        if self.until and remaining is None:
            span = f" (its end cannot be told: {statedir.UPTIME} cannot be read)"
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


# --- writing --------------------------------------------------------------------------------


def switch_on(state_dir: str, names: Sequence[str], span: int | None, message: str) -> None:
    """Drain `names` for `span` seconds, or without an end.

    Raises:
        StateDirectoryError: it cannot be written; some of the names may be drained.

    """
    from kacheck.render import printable

    try:
        until = math.ceil(statedir.uptime() + span) if span else 0
    except OSError as error:
        raise KacheckError(
            f"cannot tell when the drain would end: {statedir.UPTIME}: {error.strerror}; "
            "leave out --for, and end it with kacheck drain off"
        ) from None
    text = f"{until} {printable(message)}".rstrip(" ")
    what = "cannot drain"
    with opened(state_dir, what, make=True) as directory:
        for name in names:
            try:
                files.replace(name, text + "\n", directory)
            except OSError as error:
                raise refusal(what, f"{state_dir}/drain/{name}", state_dir, error) from None


def switch_off(state_dir: str, names: Sequence[str]) -> list[str]:
    """End the drain of `names`; those that were drained.

    Raises:
        StateDirectoryError: a file cannot be removed; some may have been.

    """
    were: list[str] = []
    with suppress(FileNotFoundError), opened(state_dir, "cannot end a drain") as directory:
        for name in names:
            held = drain_of(state_dir, name) is not None
            try:
                os.unlink(name, dir_fd=directory)
            except FileNotFoundError:
                continue
            except OSError as error:
                what = f"cannot end the drain of {name}"
                raise refusal(what, f"{state_dir}/drain/{name}", state_dir, error) from None
            were += [name] * held
    return were


@contextmanager
def opened(state_dir: str, what: str, *, make: bool = False) -> Iterator[int]:
    """Open drain/ to write there, and make it if it is missing.

    Raises:
        StateDirectoryError: it cannot be had; or this is root, and another user decides what the
            names in it lead to.
        FileNotFoundError: it is missing, and is not to be made.

    """
    with ExitStack() as stack:
        directory = None
        for name, path in ((state_dir, state_dir), ("drain", f"{state_dir}/drain")):
            try:
                if make:
                    files.make_directory(name, directory)
                directory = files.open_directory(name, directory)
                stack.callback(os.close, directory)
                owner = os.fstat(directory).st_uid
            except OSError as error:
                if isinstance(error, FileNotFoundError) and not make:
                    raise
                raise refusal(what, path, state_dir, error) from None
            if os.geteuid() == 0 != owner:
                user = statedir.user_name(owner)
                raise StateDirectoryError(
                    f"{what}: {path} belongs to {user}, and root only writes to a directory of "
                    f"root's; run the command as {user}: put runuser -u {user} -- before it"
                )
        if directory is not None:  # always: it is to please the type checker
            yield directory


def refusal(what: str, path: str, state_dir: str, error: OSError) -> StateDirectoryError:
    """Return a system error with its cure."""
    cures = {
        errno.EACCES: "run it as root",
        errno.EPERM: "run it as root",
        errno.EROFS: "give a --state-dir that can be written, to the checks and the watcher too",
        errno.ENOENT: f"make the state directory first: mkdir -p {state_dir}",
        errno.ENOSPC: "make room",
        errno.EISDIR: "remove that directory by hand: it counts as drained",
    }
    cure = cures.get(error.errno or 0, "put that right, or give another --state-dir")
    return StateDirectoryError(f"{what}: {path}: {error.strerror}; {cure}")


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


def span(text: str) -> int:
    """Whole seconds of `--for`, rounded up: a number, a Go duration such as `1h30m`, or `3d`.

    Raises:
        ValueError: it is not a duration, not above 0, or above LONGEST; says what to give.

    """
    value = parsed(text, {**UNITS, "d": 86400.0}) or 0.0
    if not 0 < value <= LONGEST:
        raise ValueError(f'invalid drain time "{text}": give one such as 30m or 2h, at most 30d')
    return math.ceil(value)
