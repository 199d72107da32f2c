"""Credentials from a file, which are sent and never shown."""

from __future__ import annotations

from kacheck.exchange.secret_file import line_of, read_secret
from kacheck.result import BadConfigError

WHAT = "the credentials file"
FORM = "it must contain one line, basic USER:PASSWORD or bearer TOKEN, in ASCII"


def authorization(path: str) -> str:
    """Return the value of the header field Authorization.

    Raises:
        BadConfigError: the file cannot be read, others may read it, or it has another form.

    """
    return value_of(path, read_secret(path, WHAT))


def value_of(path: str, content: bytes) -> str:
    """Return what is sent for a file's content. Pure."""
    scheme, _, rest = line_of(content).partition(" ")
    rest = rest.strip()
    if rest and scheme.lower() == "bearer" and " " not in rest:
        return f"Bearer {rest}"
    if rest and scheme.lower() == "basic" and ":" in rest:
        from base64 import b64encode

        return f"Basic {b64encode(rest.encode()).decode()}"
    raise BadConfigError(f"{WHAT} {path} is malformed: {FORM}")
