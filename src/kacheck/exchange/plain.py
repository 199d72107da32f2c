"""A request and its answer without a client library: this is what every look costs.

To import httpx takes ten times as long as the request, so a one-shot asks this way first. The
watcher repeats so what httpx has had answered: httpx takes three quarters of a millisecond for a
request on a connection that is kept, and a whole one on a new connection, once a second with cold
caches; this takes a quarter of the one, and two fifths of the other (bench/watcher.py).

Only an answer that can be read in one way counts: HTTP/1.1, a code that is expected, one
Content-Length, and exactly that many bytes. Everything else is asked for again on a new connection,
by httpx; in the watcher from then on, where httpx hides what was strange, as a folded line.
"""

from __future__ import annotations

import socket

from kacheck.exchange.answer import MAX_BODY, HttpAnswer

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import Any

    from kacheck.deadline import Deadline

TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The characters of a header field's name (RFC 9110, 5.6.2)."""
MAX_HEAD = 16 * 1024
"""Bytes; what every release of httpx takes, where h11 has its default."""
CONTROLS = (b"\0", b"\v", b"\f")
"""What neither a reason phrase nor a header field may have in it for httpx."""
CHANGING = (b"transfer-encoding", b"content-encoding")
"""Header fields after which the body is another one."""
ENDINGS = (b"close", b"keep-alive")
"""What a field `connection` may say of a connection that is used once."""


class MisreadError(Exception):
    """An answer that httpx may show as a plain one, although it is not plain on the wire."""


class BrokenOffError(ConnectionResetError):
    """The connection was closed before the answer was whole."""

    def __init__(self, seen: bytes) -> None:
        super().__init__()
        self.seen = seen
        """The answer until then."""


def ask(  # noqa: PLR0913 - a connection, what is asked, and how the answer is read
    sock: socket.socket,
    request: bytes,
    codes: Container[int],
    deadline: Deadline,
    *,
    once: bool = False,
    on_head: Callable[[], None] | None = None,
) -> HttpAnswer | None:
    """Send the request and read its answer; None if that is not a plain one.

    With `once` the connection serves no other request, so that the answer may end it. `on_head` is
    called when the answer's head is whole and its body is not.

    Raises:
        OSError: the connection is lost, or (TimeoutError) the deadline has passed.
        MisreadError: httpx may take the answer for a plain one.

    """
    seen = b""
    code, length, body_at = 0, -1, -1
    set_timeout(sock, deadline)
    sock.sendall(request)
    while True:
        set_timeout(sock, deadline)
        chunk = sock.recv(MAX_BODY)
        if not chunk:
            raise BrokenOffError(seen)
        seen += chunk
        if body_at < 0:
            end, start = end_of_head(seen)
            if (len(seen) if end < 0 else end) > MAX_HEAD:
                raise MisreadError
            if end < 0:
                continue
            code, length = read_head(seen[:end], codes, once=once)
            if length < 0:
                return None
            body_at = start
            if on_head is not None:
                on_head()
        rest = len(seen) - body_at - length
        if rest > 0:
            raise MisreadError
        if rest == 0:
            return HttpAnswer(code, seen[body_at:])


def connect(address: tuple[str, int] | str, deadline: Deadline) -> socket.socket:
    """Return a new connection to a host and port, or to a Unix socket.

    Raises:
        OSError: none can be made, or (TimeoutError) the deadline has passed.

    """
    if not isinstance(address, str):
        host, port = address
        # As bytes: for a str the socket module would import the codec idna, which takes 3 ms.
        destination: Any = (host.encode("ascii"), port)
        return socket.create_connection(destination, time_left(deadline))
    sock = socket.socket(socket.AF_UNIX)
    try:
        set_timeout(sock, deadline)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def set_timeout(sock: socket.socket, deadline: Deadline) -> None:
    """Let the next operation take what is left."""
    sock.settimeout(time_left(deadline))


def time_left(deadline: Deadline) -> float:
    """Seconds, more than 0, which would mean not to wait.

    Raises:
        TimeoutError: none remain.

    """
    left = deadline.remaining()
    if not left:
        raise TimeoutError
    return left


def end_of_head(seen: bytes) -> tuple[int, int]:
    """Return where the first empty line begins, and where it ends; -1 if it is missing.

    A line may end with a line feed alone (RFC 9112, 2.2), as for httpx.
    """
    ends = [(seen.find(mark), len(mark)) for mark in (b"\n\r\n", b"\n\n")]
    feed, length = min((each for each in ends if each[0] >= 0), default=(-1, 0))
    return feed - (seen[feed - 1 : feed] == b"\r" and feed > 0), feed + length


def read_head(head: bytes, codes: Container[int], *, once: bool = False) -> tuple[int, int]:
    """Return the code and the length of the body; -1 if the answer is not plain.

    Raises:
        MisreadError: httpx may take the answer for a plain one.

    """
    *ended, last = head.split(b"\n")
    start, *lines = [*(line.removesuffix(b"\r") for line in ended), last]
    code = start[9:12]
    is_start = start[:9] == b"HTTP/1.1 " and len(code) == 3 and start[12:13] in (b"", b" ")
    if not (is_start and code.isdigit()) or code[:1] == b"1" or b"\r" in start:
        raise MisreadError
    if any(each in head for each in CONTROLS):
        raise MisreadError
    fields = [read_field(line) for line in lines]
    lengths = [value for name, value in fields if name == b"content-length"]
    if len(lengths) > 1 or not all(value.isdigit() and len(value) <= 9 for value in lengths):
        raise MisreadError
    if int(code) not in codes or not lengths or any(changes(*each, once=once) for each in fields):
        return 0, -1
    length = int(lengths[0])
    return int(code), length if length <= MAX_BODY else -1


def read_field(line: bytes) -> tuple[bytes, bytes]:
    """Return the name of a header field, in small letters, and its value.

    Raises:
        MisreadError: the line is not a field, or goes on from the one before.

    """
    name, colon, value = line.partition(b":")
    if not (name and colon) or name.translate(None, TOKEN) or b"\r" in value:
        raise MisreadError
    return name.lower(), value.strip(b" \t")


def changes(name: bytes, value: bytes, *, once: bool) -> bool:
    """Return whether after this field the body, or the connection, is another one."""
    if name == b"connection":
        return not (once and value.lower() in ENDINGS)
    return name in CHANGING
