"""A request that was answered before, once more. No client library: this is what every look costs.

httpx takes three quarters of a millisecond for it on a connection that is kept, and a whole one on
a new connection, once a second with cold caches; this takes a quarter of the one, and two fifths of
the other (bench/watcher.py). Only an answer that can be read in one way counts: HTTP/1.1, a code
that is expected, one Content-Length, and exactly that many bytes. Everything else is asked again on
a new connection, by httpx; from then on, where httpx hides what was strange, as a folded line.
"""

import re
import socket
from collections.abc import Container

from kacheck.deadline import Deadline
from kacheck.exchange.answer import MAX_BODY, HttpAnswer

END = re.compile(rb"\r?\n\r?\n")
"""Where a head ends. A line may end with a line feed alone (RFC 9112, 2.2), as for httpx."""
HEAD = re.compile(
    rb"HTTP/1\.1 (\d{3})(?: [^\r\n]*)?((?:\r?\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*)*)"
)
"""RFC 9112: a status line and header fields."""
MAX_HEAD = 16 * 1024
"""Bytes; what every release of httpx takes, where h11 has its default."""
LENGTH = re.compile(rb"\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?=\r?\n|\Z)")
CHANGING = (b"\ntransfer-encoding:", b"\nconnection:", b"\ncontent-encoding:")
"""Header fields after which the body, or the connection, is another one."""


class MisreadError(Exception):
    """An answer that httpx may show as a plain one, although it is not plain on the wire."""


def ask(
    sock: socket.socket, request: bytes, codes: Container[int], deadline: Deadline
) -> HttpAnswer | None:
    """Send the request and read its answer; None if that is not a plain one.

    Raises:
        OSError: the connection is lost, or (TimeoutError) the deadline has passed.
        MisreadError: httpx may take the answer for a plain one.

    """
    seen = b""
    answer = None
    set_timeout(sock, deadline)
    sock.sendall(request)
    while answer is None:
        set_timeout(sock, deadline)
        chunk = sock.recv(MAX_BODY)
        if not chunk:
            raise ConnectionResetError
        seen += chunk
        end = END.search(seen)
        if (len(seen) if end is None else end.start()) > MAX_HEAD:
            raise MisreadError
        if end is not None:
            code, length = read_head(seen[: end.start()], codes)
            if length < 0:
                return None
            body = seen[end.end() :]
            if length < len(body):
                raise MisreadError
            if length == len(body):
                answer = HttpAnswer(code, body)
    return answer


def connect(address: tuple[str, int] | str, deadline: Deadline) -> socket.socket:
    """A new connection to a host and port, or to a Unix socket.

    Raises:
        OSError: there is none to be had, or (TimeoutError) the deadline has passed.

    """
    if not isinstance(address, str):
        return socket.create_connection(address, time_left(deadline))
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
        TimeoutError: there are none.

    """
    left = deadline.remaining()
    if not left:
        raise TimeoutError
    return left


def read_head(head: bytes, codes: Container[int]) -> tuple[int, int]:
    """Return the code and the length of the body; -1 if the answer is not plain.

    Raises:
        MisreadError: httpx may take the answer for a plain one.

    """
    match = HEAD.fullmatch(head)
    if match is None or match[1].startswith(b"1"):
        raise MisreadError
    fields = match[2].lower()
    lengths = LENGTH.findall(fields)
    if not fields.count(b"\ncontent-length:") == len(lengths) <= 1:
        raise MisreadError
    if int(match[1]) not in codes or not lengths or any(name in fields for name in CHANGING):
        return 0, -1
    length = int(lengths[0])
    return int(match[1]), length if length <= MAX_BODY else -1
