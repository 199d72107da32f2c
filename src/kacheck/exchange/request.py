"""The request of an exchange, and where it goes, without a client library.

Only for addresses that can be read in one way, such as https://vault-1.example:8200: every other
one is left to httpx, which knows what is equal to what, and refuses what is invalid.
"""

from __future__ import annotations

import socket

from kacheck import __version__

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from kacheck.exchange.target import Target

HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": f"kacheck/{__version__}",
}
CLOSING = {**HEADERS, "connection": "close"}
"""Of a request whose connection is not kept."""
PORTS = {"http": 80, "https": 443}
NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
"""The characters of a label of a host's name."""
UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/.")
PATH = UNRESERVED | frozenset(":")
QUERY = UNRESERVED | frozenset("=&")


def plain_request(target: Target, content: bytes = b"") -> tuple[str, int, bytes] | None:
    """Return the host, the port and the bytes of the request; None where httpx has to say.

    The bytes are those that httpx sends.

    Raises:
        BadConfigError: as the target's `fields` does.

    """
    parts = plain_parts(target.url)
    # The answer to HEAD has the length of a body that does not come.
    if parts is None or target.method == "HEAD":
        return None
    scheme, host, port, path = parts
    name = host if port == PORTS[scheme] else f"{host}:{port}"
    given = dict(target.fields())
    fields = {"Host": given.pop("host", name), **CLOSING, **given}
    if content:
        fields["Content-Length"] = str(len(content))
    start = f"{target.method} /{path} HTTP/1.1"
    lines = (start, *(f"{name}: {value}" for name, value in fields.items()))
    text = "".join(f"{line}\r\n" for line in (*lines, ""))
    return host.strip("[]"), port, text.encode("ascii") + content


def plain_parts(url: str) -> tuple[str, str, int, str] | None:
    """Return the scheme, host, port and path (without its first slash) of a plain URL, or None."""
    scheme, _, rest = url.partition("://")
    netloc, _, path = rest.partition("/")
    bracket = netloc.rfind("]") + 1
    host, colon, digits = netloc[bracket:].partition(":")
    host = netloc[:bracket] + host
    usual = PORTS.get(scheme)
    if usual is None or not is_plain_path(path) or not is_plain_host(host):
        return None
    if not colon:
        return scheme, host, usual, path
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= 5 and digits[0] != "0"
    return (scheme, host, int(digits), path) if is_number and int(digits) <= 65535 else None


def is_plain_path(path: str) -> bool:
    """Return whether a path, perhaps with a query, is sent as it is written."""
    path, mark, query = path.partition("?")
    segments = path.split("/")
    if not QUERY.issuperset(query) or bool(mark) != bool(query):
        return False
    return PATH.issuperset(path) and not any(segment in (".", "..") for segment in segments)


def is_plain_host(host: str) -> bool:
    """Return whether a host is an address of the usual form, or a name in small ASCII letters."""
    if host.startswith("["):
        return is_address(socket.AF_INET6, host[1:-1]) and host == host.lower()
    labels = host.split(".")
    if labels[-1].isdecimal():
        return is_address(socket.AF_INET, host)
    return len(host) <= 253 and all(is_plain_label(label) for label in labels)


def is_plain_label(label: str) -> bool:
    """Return whether a label needs no encoding (RFC 5890) and is not an encoded one."""
    is_name = 0 < len(label) <= 63 and NAME.issuperset(label) and label[0] != "-" != label[-1]
    return is_name and label[2:4] != "--"


def is_address(family: int, text: str) -> bool:
    """Return whether this is an address as the system's library reads it."""
    try:
        socket.inet_pton(family, text)
    except (OSError, ValueError):
        return False
    return True
