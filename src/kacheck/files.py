"""Files that others read while they are written, or change while they are read.

Where another user may own the directory, nothing here follows a link or waits for a FIFO.
"""

import errno
import os
import stat
import time
from contextlib import suppress
from typing import NamedTuple

SETTLED = 1.0
"""Seconds after which a change has another time stamp than the last one, in any file system."""
CLOCK_SET = 0.5
"""Seconds by which a clock that was set differs from one that is only adjusted."""


def replace(path: str, text: str, dir_fd: int | None = None) -> None:
    """Write a file so that a reader finds the old text or the new one, readable by all.

    Raises:
        OSError: it is as it was.

    """
    directory, slash, name = path.rpartition("/")
    new = f"{directory}{slash}.{name}.new"
    content = text.encode("utf-8", "backslashreplace")
    file = create(new, dir_fd)
    try:
        try:
            os.fchmod(file, 0o644)
            while content:
                content = content[os.write(file, content) :]
        finally:
            os.close(file)
        os.rename(new, path, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except OSError:
        with suppress(OSError):
            os.unlink(new, dir_fd=dir_fd)
        raise


def create(path: str, dir_fd: int | None = None) -> int:
    """Open a file that did not exist before, for writing.

    What has the name already is removed, not opened: a writer that was killed left it, or another
    user put a link or a FIFO there.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o644, dir_fd=dir_fd)
    except FileExistsError:
        os.unlink(path, dir_fd=dir_fd)
        return os.open(path, flags, 0o644, dir_fd=dir_fd)


def open_file(path: str, dir_fd: int | None = None) -> int:
    """Open a regular file for reading.

    Raises:
        OSError: it is something else, a symbolic link included.

    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(path, flags, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a symbolic link", path) from None
        raise
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        raise OSError(errno.EINVAL, "it is not a regular file", path)
    return file


def head(path: str, most: int, dir_fd: int | None = None) -> bytes:
    """Return the first bytes of a regular file.

    Raises:
        OSError: it cannot be read, or is something else.

    """
    file = open_file(path, dir_fd)
    try:
        return os.read(file, most)
    finally:
        os.close(file)


def open_directory(path: str, dir_fd: int | None = None) -> int:
    """Open a directory, only to name what is in it.

    Raises:
        OSError: it is something else, a symbolic link included.

    """
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, dir_fd=dir_fd)


def make_directory(path: str, dir_fd: int | None = None) -> None:
    """Make a directory that all may enter, whatever the umask, unless it exists."""
    try:
        os.mkdir(path, dir_fd=dir_fd)
    except FileExistsError:
        return
    directory = open_directory(path, dir_fd)
    try:
        os.chmod(f"/proc/self/fd/{directory}", 0o755)  # noqa: S103 - all must see what is drained
    finally:
        os.close(directory)


# --- is it still the same? ------------------------------------------------------------------


def identity(path: str | int) -> tuple[int, ...]:
    """Return what tells whether a file is the one that it was; nothing of one that is not there.

    A directory's own times change when a file in it is replaced by rename, as certificates are.
    Anyone may set a file's mtime, nobody its ctime.
    """
    try:
        status = os.stat(path)
    except OSError:
        return ()
    times = status.st_mtime_ns, status.st_ctime_ns
    return status.st_dev, status.st_ino, status.st_mode, status.st_size, *times


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
    current = identity(path)
    return Stamp(current, bool(current) and now - current[-1] / 1e9 > SETTLED, clock)
