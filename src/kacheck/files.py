"""Files that others read while they are written, and whether one is still the same."""

import os
from contextlib import suppress

TICK = 1.0
"""Seconds within which a file system may give two changes the same time: some milliseconds, or,
where it stores whole seconds, all of that."""


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


def identity(path: str | int) -> tuple[int, ...]:
    """What tells whether a file is the one that it was; nothing of one that is not there.

    A directory's own times change when a file in it is replaced by rename, as certificates are.
    Anyone may set a file's mtime, nobody its ctime.
    """
    try:
        stat = os.stat(path)
    except OSError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def is_settled(seen: tuple[int, ...], now: float) -> bool:
    """Return whether a change after `now`, a Unix time, would show in this identity.

    One in the same clock tick as the change before it leaves the same times.
    """
    return not seen or seen[-1] + TICK * 1e9 < now * 1e9
