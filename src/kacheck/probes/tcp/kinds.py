"""Kinds of values that only tcp checks have: an address, and bytes with escapes."""

from __future__ import annotations

from kacheck.kinds import InvalidValueError, ValueKind, text

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from kacheck.light import NamedTuple

ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
LONGEST = 4096
"""Bytes that are sent, or expected."""


class Place(NamedTuple):
    """Where a service listens: a host and a port, or a Unix socket."""

    host: str
    port: int
    unix_socket: str | None = None


def place_of(address: str) -> Place:
    """Return what an address means.

    Raises:
        ValueError: it is not one.

    """
    if address.startswith("unix:"):
        path = "/" + address.removeprefix("unix:").lstrip("/")
        if path == "/" or not address.removeprefix("unix:").startswith("/"):
            raise ValueError(address)
        return Place("localhost", 0, path)
    host, colon, digits = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(address)
    is_host = host and host.isascii() and host.isprintable() and not set(host) & set(" /@[]")
    is_port = digits.isascii() and digits.isdecimal() and len(digits) <= 5
    if not (is_host and colon and is_port and 0 < int(digits) <= 65535):
        raise ValueError(address)
    return Place(host, int(digits))


def address(value: Any) -> str:
    """Read an address."""
    words = text(value)
    try:
        place_of(words)
    except ValueError:
        raise InvalidValueError(
            "HOST:PORT with an IPv6 address in brackets, or unix:PATH with an absolute path"
        ) from None
    return words


def escaped(value: Any) -> str:
    r"""Read a text in which `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH` stand for bytes."""
    words = value if isinstance(value, str) else text(value)
    try:
        is_short = 0 < len(bytes_of(words)) <= LONGEST
    except ValueError:
        is_short = False
    if not is_short:
        raise InvalidValueError(
            f"1 to {LONGEST} bytes of text, with \\r, \\n, \\t, \\0, \\\\ and \\xHH for others"
        )
    return words


def bytes_of(words: str) -> bytes:
    """Return the bytes of a text with escapes.

    Raises:
        ValueError: an escape is not known.

    """
    first, *pieces = words.split("\\")
    encoded = first.encode()
    rest = iter(pieces)
    for piece in rest:
        if piece[:1] == "x":
            encoded += bytes.fromhex(piece[1:3]) + piece[3:].encode()
            if len(piece) < 3:
                raise ValueError(piece)
        elif piece:
            if piece[0] not in ESCAPES:
                raise ValueError(piece)
            encoded += (ESCAPES[piece[0]] + piece[1:]).encode()
        else:  # two backslashes
            following = next(rest, None)
            if following is None:
                raise ValueError(words)
            encoded += b"\\" + following.encode()
    return encoded


ADDRESS = ValueKind(address, address)
ESCAPED = ValueKind(escaped, escaped)
