"""Errors of connecting and asking, to results."""

import socket
from collections.abc import Iterator

from kacheck.exchange import reasons
from kacheck.result import HIDDEN, Result, Status


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it came from, outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def system_error(error: OSError, address: str) -> Result:
    """The result for an error of the system's."""
    why = error.strerror or str(error)
    if isinstance(error, socket.gaierror):
        return Result(
            Status.CRITICAL, reasons.DNS, f"{address}: its name does not resolve: {why}", {}
        )
    if isinstance(error, PermissionError):
        message = f"{address} may not be connected to by this user: {why}"
        return Result(Status.UNKNOWN, HIDDEN, message, {})
    if isinstance(error, (ConnectionRefusedError, FileNotFoundError)):
        message = f"{address} refuses connections ({why}): nothing listens there"
        return Result(Status.CRITICAL, reasons.REFUSED, message, {})
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        message = f"{address} closed the connection without a whole answer ({why})"
        return Result(Status.CRITICAL, reasons.RESET, message, {})
    return Result(Status.CRITICAL, reasons.UNREACHABLE, f"{address} cannot be reached: {why}", {})
