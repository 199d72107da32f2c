"""Files as they are read and written: their errors in words, their owners and attributes."""

import errno
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kacheck.result import BadConfigError, KacheckError

ACLS = frozenset({"system.posix_acl_access", "system.nfs4_acl", "system.richacl", "security.NTACL"})
"""Attributes that say who may read and write the file."""
BOM = "\ufeff"
"""The byte order mark that some editors begin a file with."""
CURES = {
    errno.EBUSY: "it is a mount, which no other file can replace: migrate the one mounted there",
    errno.ENOSPC: "make room there",
    errno.EPERM: "see lsattr: it may be immutable",
    errno.EROFS: "mount it for writing",
}


def content(path: str) -> bytes | None:
    """Return the content of a regular file; None if it does not exist.

    Raises:
        BadConfigError: it is something else; KacheckError: it cannot be read.

    """
    with naming(path), suppress(FileNotFoundError):
        _refuse_other(path, os.stat(path).st_mode)  # some devices act when they are opened
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(file, "rb") as stream:
            _refuse_other(path, os.fstat(file).st_mode)
            return stream.read()
    return None


def _refuse_other(path: str, mode: int) -> None:
    """Refuse anything but a regular file: reading a pipe blocks, and a rename replaces a device."""
    if stat.S_ISDIR(mode):
        raise BadConfigError(f"{path} is a directory; give the path of a file")
    if not stat.S_ISREG(mode):
        raise BadConfigError(f"{path} is not a regular file; give the path of one")


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Raise KacheckError, with the file that it is about, where there is an OSError."""
    try:
        yield
    except OSError as error:
        cure = CURES.get(error.errno or 0)
        if error.errno in (errno.EACCES, errno.EPERM) and os.geteuid() != 0:
            cure = "run it as root"
        text = f"{path}: {error.strerror}; nothing was written"
        raise KacheckError(f"{text}; {cure}" if cure else text) from None


def write(path: str, data: bytes, like: str | None) -> list[str]:
    """Write a new file, with the owner, mode and attributes of another one.

    Return what could not be copied, in words. Whatever it may be read by comes last.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    with open(file, "wb") as stream:
        stream.write(data)
        stream.flush()
        lost: list[str] = []
        if like is None:
            os.fchmod(file, 0o644)
        else:
            status = os.stat(like)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file, status.st_uid, status.st_gid)
            lost = copy_attributes(like, file)
            os.fchmod(file, stat.S_IMODE(status.st_mode))
        os.fsync(file)
    return lost


def copy_attributes(like: str, file: int) -> list[str]:
    """Give a new file the extended attributes of another one; what could not be copied, in words.

    Raises:
        KacheckError: one that could not be is an access control list.

    """
    lost = []
    names = _attributes(like)
    for name in names:
        try:
            os.setxattr(file, name, os.getxattr(like, name))
        except OSError as error:
            if name in ACLS:
                raise KacheckError(
                    f"{like}: its access control list, {name}, cannot be kept ({error.strerror});"
                    f" nothing was written; remove it first: setfacl -b {shlex.quote(like)}"
                ) from None
            lost.append(f"{like}: its attribute {name} could not be kept ({error.strerror})")
    for name in ACLS & set(_attributes(file)) - set(names):
        os.removexattr(file, name)  # the directory's default
    return lost


def _attributes(file: str | int) -> list[str]:
    """Return the names of a file's extended attributes; not every file system has them."""
    try:
        return os.listxattr(file)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENOSYS):
            raise
        return []


def persist(directory: str) -> None:
    """Wait until the names in a directory are on the disk."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
