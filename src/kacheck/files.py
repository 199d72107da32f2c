"""Files that others read while they are written, and whether one is still the same."""

import os
import time
from contextlib import suppress
from typing import NamedTuple

SETTLED = 1.0
"""Seconds after which a change has another time stamp than the last one, in any file system."""
CLOCK_SET = 0.5
"""Seconds by which a clock that was set differs from one that is only adjusted."""


def replace(path: str, text: str) -> None:
    """Write a file so that a reader finds the old text or the new one, readable by all.

    Raises:
        OSError: it is as it was.

    """
    directory, _, name = path.rpartition("/")
    new = f"{directory}/.{name}.new"
    content = text.encode("utf-8", "backslashreplace")
    # Root drains in a directory that may be the resident's user's: follow no link of his.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(new, flags, 0o644)
        try:
            os.fchmod(file, 0o644)
            while content:
                content = content[os.write(file, content) :]
        finally:
            os.close(file)
        os.rename(new, path)
    except OSError:
        with suppress(OSError):
            os.unlink(new)
        raise


def make_directory(directory: str) -> None:
    """Make a directory that all may enter, whatever the umask, unless it is there."""
    if not os.path.isdir(directory):
        os.mkdir(directory)
        os.chmod(directory, 0o755)  # noqa: S103 - who runs a check must see that it is drained


# --- is it still the same? ------------------------------------------------------------------


def identity(path: str | int) -> tuple[int, ...]:
    """What tells whether a file is the one that it was; nothing of one that is not there.

    A directory's own times change when a file in it is replaced by rename, as certificates are.
    Anyone may set a file's mtime, nobody its ctime.
    """
    try:
        found = os.stat(path)
    except OSError:
        return ()
    times = found.st_mtime_ns, found.st_ctime_ns
    return found.st_dev, found.st_ino, found.st_mode, found.st_size, *times


class Stamp(NamedTuple):
    """A file's identity, taken before its content was read or listed.

    Of two changes within a tick of the file system's clock (milliseconds, in some a second) the
    second one leaves no trace. So what was read is only trusted if the last change before it was
    longer ago, and if nobody has set the clock since, which may bring the same time again.
    """

    identity: tuple[int, ...]
    is_settled: bool
    """Whether a change after the reading shows in the identity."""
    clock: float
    """How far the clock that stamps files was ahead of the one that cannot be set."""

    def still_holds(self, now: "Stamp") -> bool:
        """Return whether the content is certain to be what it was."""
        is_same = self.is_settled and self.identity == now.identity
        return is_same and abs(self.clock - now.clock) < CLOCK_SET


def stamp(path: str) -> Stamp:
    """Return the stamp of a file that is about to be read; of a missing one it never holds."""
    now = time.time()
    clock = now - time.monotonic()
    found = identity(path)
    return Stamp(found, bool(found) and now - found[-1] / 1e9 > SETTLED, clock)
