"""The state directory: where the watcher, the one-shots and keepalived meet.

    track/CHECK          one integer, for keepalived's track_file
    verdict/CHECK        EXITCODE EXPIRY STATUS REASON MESSAGE, for kacheck-verdict and people
    failing/CHECK        the track file's failing value, ready to be renamed to track/CHECK
    watcher/pid          PID STARTTIME of the watcher, in clock ticks as /proc/PID/stat has it
    watcher/lock         locked by the watcher, and closed to other users: to open is to lock
    watcher/status.sock  the watcher's answers to `kacheck status`
    drain/CHECK          UNTIL MESSAGE: present means drained; drain/ALL is for every check

The directory and drain/ belong to root, the other four to the watcher's user; elsewhere than in
/run/kacheck all of it may. Root writes only where root owns the directory, and follows no link.

Times are seconds of /proc/uptime's first field, read as a file: lxcfs gives a container its own.
"""

from __future__ import annotations

import os
import time

from kacheck.result import KacheckError

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NamedTuple

    from kacheck.result import Reason, Status
else:
    from kacheck.light import NamedTuple

DEFAULT = "/run/kacheck"
UPTIME = "/proc/uptime"
NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
"""The characters of a check's name: it is a file's name, and a word for sh."""
LONGEST_NAME = 64
PID = "watcher/pid"
SOCKET = "watcher/status.sock"
MOST_BYTES = 65536
"""Of a verdict file."""
ALL = "ALL"
"""Of the names in drain/, the one that means every check; no check may be called so."""


class StateDirectoryError(KacheckError):
    """The state directory cannot be had, read or written; another watcher may have it."""


def uptime() -> float:
    """Return the seconds since boot, as this container sees them.

    Raises:
        OSError: they cannot be read, such as after the death of lxcfs, or are not a number.

    """
    file = os.open(UPTIME, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return uptime_of(file)
    finally:
        os.close(file)


def uptime_of(file: int) -> float:
    """Return the same, from a descriptor of UPTIME; raises OSError, too."""
    text = os.pread(file, 64, 0)
    number = text.split(maxsplit=1)[0] if text[:1].isdigit() else b""
    whole, dot, fraction = number.partition(b".")
    if not whole.isdigit() or (dot and not fraction.isdigit()) or number == text:
        import errno

        raise OSError(errno.EINVAL, f"not a number of seconds: {text!r}")
    return float(number)


def is_name(text: str) -> bool:
    """Return whether a check can have this name."""
    return 0 < len(text) <= LONGEST_NAME and NAME.issuperset(text) and text[0] not in ".-"


def has_passed(second: int) -> bool:
    """Return whether this second of uptime has come, as far as that can be told.

    PID 1 has run for at most the uptime, and in LXC for exactly as long: lxcfs computes it so.
    """
    from kacheck import procfs

    try:
        return uptime() >= second
    except OSError:
        try:
            return procfs.age(1) >= second
        except OSError:
            return False


class Published(NamedTuple):
    """A line of verdict/CHECK."""

    exit_code: int
    expiry: int
    """The whole second of uptime from which on it is not to be believed."""
    status: Status
    reason: Reason
    message: str

    def line(self) -> str:
        """Return the line, its message made printable and kept on it."""
        from kacheck.render import printable

        words = (self.exit_code, self.expiry, self.status.word, self.reason)
        return " ".join(map(str, words)) + f" {printable(self.message)}\n"


def parse(text: str) -> Published | None:
    """Return the verdict of a line; None if it is malformed."""
    code, expiry, status, reason, message = (*text.removesuffix("\n").split(" ", 4), *[""] * 5)[:5]
    if not text.endswith("\n") or not (code.isdecimal() and expiry.isdecimal()):
        return None
    from kacheck.probes import reasons
    from kacheck.result import Status

    try:
        return Published(int(code), int(expiry), Status[status.upper()], reasons()[reason], message)
    except (KeyError, ValueError):
        return None


def verdicts(
    state_dir: str, names: Sequence[str] | None = None
) -> dict[str, tuple[Published, float]]:
    """Return the verdicts of all checks, or of those named, each with its age in seconds."""
    from kacheck.files import open_directory

    path = f"{state_dir}/verdict"
    try:
        directory = open_directory(path)
    except OSError:
        return {}
    try:
        there = names_in(path)
        chosen = there if names is None else [name for name in names if name in there]
        by_name = {name: published(name, directory) for name in chosen}
    finally:
        os.close(directory)
    return {name: verdict for name, verdict in by_name.items() if verdict is not None}


def published(name: str, directory: int) -> tuple[Published, float] | None:
    """Return the verdict in a file of an open directory, and its age; None without one."""
    from kacheck.files import open_file

    try:
        file = open_file(name, directory)
    except OSError:
        return None
    try:
        verdict = parse(os.read(file, MOST_BYTES).decode("utf-8", "backslashreplace"))
        age = time.time() - os.fstat(file).st_mtime
    except OSError:
        return None
    finally:
        os.close(file)
    return None if verdict is None else (verdict, age)


def names_in(directory: str) -> list[str]:
    """Return the checks that have a file there, in order."""
    try:
        return sorted(filter(is_name, os.listdir(directory)))
    except OSError:
        return []


def user_name(uid: int) -> str:
    """Return a user's name; the number, if it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
