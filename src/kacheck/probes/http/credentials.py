"""Credentials from a file, which are sent and never shown."""

from __future__ import annotations

import os
import stat

from kacheck.result import BadConfigError

LONGEST = 8192
"""Bytes; a server's limit for a header field is about as much."""
FORM = "it must contain one line, basic USER:PASSWORD or bearer TOKEN, in ASCII"


def authorization(path: str) -> str:
    """Return the value of the header field Authorization.

    Raises:
        BadConfigError: the file cannot be read, others may read it, or it has another form.

    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            refuse_open_mode(path, os.fstat(file))
            content = os.read(file, LONGEST + 1)
        finally:
            os.close(file)
    except OSError as error:
        raise BadConfigError(
            f"the credentials file {path} cannot be read: {error.strerror}"
        ) from None
    return value_of(path, content)


def refuse_open_mode(path: str, state: os.stat_result) -> None:
    """Refuse a file that others may read or change."""
    if not stat.S_ISREG(state.st_mode):
        raise BadConfigError(f"the credentials file {path} is not a regular file")
    if state.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise BadConfigError(
            f"the credentials file {path} is readable by others, or writable by its group: "
            f"chmod o=,g-w {path}"
        )


def value_of(path: str, content: bytes) -> str:
    """Return what is sent for a file's content. Pure."""
    line = content.decode("latin-1").strip(" \t\r\n")
    scheme, _, rest = line.partition(" ")
    rest = rest.strip()
    is_plain = len(content) <= LONGEST and line.isascii() and line.isprintable() and rest
    if is_plain and scheme.lower() == "bearer" and " " not in rest:
        return f"Bearer {rest}"
    if is_plain and scheme.lower() == "basic" and ":" in rest:
        from base64 import b64encode

        return f"Basic {b64encode(rest.encode()).decode()}"
    raise BadConfigError(f"the credentials file {path} is malformed: {FORM}")
