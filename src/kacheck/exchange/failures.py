"""Errors of connecting and asking, to results."""

from __future__ import annotations

import socket
import sys
from errno import ENOTCONN

from kacheck.exchange import reasons
from kacheck.result import HIDDEN, Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kacheck.deadline import Deadline
    from kacheck.exchange.target import Target


def with_seen(result: Result, deadline: Deadline) -> Result:
    """Return the result of an exchange with all that was seen on the way to it."""
    data = {**deadline.seen, "phases_ms": deadline.phases_ms(), **result.data}
    return result._replace(data=data)


def failure_of(
    error: OSError, target: Target, peer: tuple[str, int] | None, deadline: Deadline
) -> Result:
    """Return the result for an exchange that ended with this error."""
    if isinstance(error, TimeoutError):
        return deadline.timed_out()
    ssl = sys.modules.get("ssl")  # an error of ssl's only where it was imported
    if ssl is not None and isinstance(error, ssl.SSLError):
        from kacheck.exchange import tls

        # Half of what is left: the answer must still be in time.
        why = tls.explain(error, target, peer, deadline.remaining() / 2)
        return Result(Status.CRITICAL, reasons.TLS, f"{target.address}: {why}", {})
    return system_error(error, place_of(target))


def place_of(target: Target) -> str:
    """Return the address, with the Unix socket if the address does not name it."""
    path = target.unix_socket
    is_named = path is None or path in target.address
    return target.address if is_named else f"{target.address} (Unix socket {path})"


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it came from, outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def reset(address: str) -> Result:
    """Return the result for a connection that was closed in place of an answer."""
    message = f"{address} closed the connection without a whole answer"
    return Result(Status.CRITICAL, reasons.RESET, message, {})


def system_error(error: OSError, address: str) -> Result:
    """Return the result for an error of the system's."""
    why = error.strerror or str(error)
    if isinstance(error, socket.gaierror):
        return Result(
            Status.CRITICAL, reasons.DNS, f"{address}: its name does not resolve: {why}", {}
        )
    if isinstance(error, PermissionError):
        message = f"this user may not connect to {address}: {why}"
        return Result(Status.UNKNOWN, HIDDEN, message, {})
    if isinstance(error, (ConnectionRefusedError, FileNotFoundError)):
        message = f"{address} refuses connections ({why}): nothing listens there"
        return Result(Status.CRITICAL, reasons.REFUSED, message, {})
    # ENOTCONN: it was accepted, and gone before anything else was done.
    if isinstance(error, (ConnectionResetError, BrokenPipeError)) or error.errno == ENOTCONN:
        message = f"{address} closed the connection without a whole answer ({why})"
        return Result(Status.CRITICAL, reasons.RESET, message, {})
    return Result(Status.CRITICAL, reasons.UNREACHABLE, f"{address} cannot be reached: {why}", {})
