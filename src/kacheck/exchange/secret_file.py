"""A secret in a file, which only its owner and group may read."""

from __future__ import annotations

import os
import stat

from kacheck.result import BadConfigError

LONGEST = 8192
"""Bytes; a server's limit for a header field is about as much."""


def read_secret(path: str, what: str) -> bytes:
    """Return the content of a file, one byte more than LONGEST at most.

    `what` is what the file holds, for an error.

    Raises:
        BadConfigError: the file cannot be read, or others may read or change it.

    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            refuse_open_mode(path, os.fstat(file), what)
            return os.read(file, LONGEST + 1)
        finally:
            os.close(file)
    except PermissionError:
        from kacheck.permission import refused

        raise BadConfigError(f"{what} {path} cannot be read: {refused(path)}") from None
    except OSError as error:
        raise BadConfigError(f"{what} {path} cannot be read: {error.strerror}") from None


def refuse_open_mode(path: str, state: os.stat_result, what: str) -> None:
    """Refuse a file that others may read or change."""
    if not stat.S_ISREG(state.st_mode):
        raise BadConfigError(f"{what} {path} is not a regular file")
    if state.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise BadConfigError(
            f"{what} {path} is readable by others, or writable by its group: chmod o=,g-w {path}"
        )


def line_of(content: bytes) -> str:
    """Return the one line of a content; an empty one if it is not printable ASCII. Pure."""
    line = content.decode("latin-1").strip(" \t\r\n")
    is_plain = len(content) <= LONGEST and line.isascii() and line.isprintable()
    return line if is_plain else ""
