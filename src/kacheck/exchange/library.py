"""httpx, the client library: loading it, and reading what it answers."""

import sys
from collections.abc import Container, Iterator
from types import ModuleType
from typing import Any

from kacheck import packages
from kacheck.exchange import plain
from kacheck.result import KacheckError


def load_httpx() -> ModuleType:
    """httpx, which takes 50 to 150 ms to import: only where something is asked."""
    packages.need()
    # Its command line, which takes click, rich and pygments along where they are installed, as with
    # Debian's httpx: 6 MB and 35 ms. httpx goes without where they are not.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    try:
        import httpx
    except ImportError as error:
        raise KacheckError(
            f"httpx cannot be imported ({error}); install it: apt install python3-httpx"
        ) from None
    return httpx


def is_plain(response: Any, codes: Container[int]) -> bool:
    """Return whether plain.py would read this answer of httpx as well."""
    start = b"%s %d" % (response.http_version.encode(), response.status_code)
    fields = b"".join(b"\r\n%s: %s" % field for field in response.headers.raw)
    try:
        _, length = plain.read_head(start + fields, codes)
    except plain.MisreadError:
        return False
    return length >= 0


def read_body(chunks: Iterator[bytes], longest: int) -> bytes:
    """Return the raw body; of one that is too long, just enough to know it."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > longest:
            break
    return bytes(body[: longest + 1])
