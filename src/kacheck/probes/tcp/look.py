"""Does a port or a Unix socket accept connections? One connection, and what is said on it."""

from __future__ import annotations

from functools import partial

from kacheck.exchange import plain
from kacheck.exchange.connection import Connection
from kacheck.exchange.failures import failure_of, reset, with_seen
from kacheck.probes.tcp.reasons import CONNECTED, UNEXPECTED_ANSWER
from kacheck.result import Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    import socket
    import ssl

    from kacheck.deadline import Deadline
    from kacheck.probes.tcp.settings import TcpOptions

CHUNK = 4096


def look(options: TcpOptions, deadline: Deadline) -> Result:
    """Connect once.

    Raises:
        BadConfigError: a certificate file cannot be used.

    """
    connection = Connection(options, deadline)
    deadline.seen["address"] = options.address
    try:
        return with_seen(connect(connection, options), deadline)
    finally:
        connection.close()


def connect(connection: Connection, options: TcpOptions) -> Result:
    """Connect, and say what is to be said.

    Raises:
        BadConfigError: a certificate file cannot be used.

    """
    try:
        host = options.host
        sock = connection.connect(host, options.port, partial(context, options))
        if not (options.send or options.expect):
            message = f"{options.address} accepts connections"
            return Result(Status.OK, CONNECTED, message, {})
        connection.enter("response")
        return converse(sock, options, connection.deadline)
    except OSError as error:
        return failure_of(error, options, connection.peer, connection.deadline)


def context(options: TcpOptions) -> ssl.SSLContext:
    """Return the TLS context, which asks for no protocol above TLS."""
    from kacheck.exchange import tls

    tls_context = tls.context(options)
    tls_context.set_alpn_protocols([])
    return tls_context


def converse(sock: socket.socket, options: TcpOptions, deadline: Deadline) -> Result:
    """Send what is to be sent, and read as much as decides.

    Raises:
        OSError: the connection is lost, or (TimeoutError) the deadline has passed.

    """
    if options.send:
        plain.set_timeout(sock, deadline)
        sock.sendall(options.send)
    expected, seen = options.expect, b""
    while len(seen) < len(expected) and expected.startswith(seen):
        plain.set_timeout(sock, deadline)
        chunk = sock.recv(CHUNK)
        if not chunk:
            break
        seen += chunk
    if seen.startswith(expected):
        said = "answers as expected" if expected else "accepts connections and what was sent"
        return Result(Status.OK, CONNECTED, f"{options.address} {said}", {})
    if not seen:
        return reset(options.address)
    from kacheck.exchange.body import quote_exactly

    message = f"{options.address} sent {quote_exactly(seen)} (wanted: {quote_exactly(expected)})"
    return Result(Status.CRITICAL, UNEXPECTED_ANSWER, message, {})


def preload(options: TcpOptions) -> None:
    """Import all that a look needs, whatever it finds."""
    import encodings.idna  # noqa: F401 - with which the socket module encodes a host
    import ipaddress  # noqa: F401 - where the address may be another machine

    from kacheck.exchange import body  # noqa: F401

    if options.tls:
        from kacheck.exchange import tls

        tls.iso("Jan  1 00:00:00 2020 GMT")  # time.strptime() imports, too
