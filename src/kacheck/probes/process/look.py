"""Is the process alive? What vrrp_track_process asks, without the process connector."""

from __future__ import annotations

from kacheck.probes.process.reasons import MISSING, RUNNING, TOO_FEW, TOO_MANY
from kacheck.probes.process.scan import scan
from kacheck.result import HIDDEN, Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any

    from kacheck.deadline import Deadline
    from kacheck.probes.process.options import ProcessOptions
    from kacheck.probes.process.scan import Match, ScanResult


def probe(options: ProcessOptions, deadline: Deadline) -> Result:
    """Count the processes that match, and hold the number against quorum and quorum_max.

    Raises:
        BadConfigError: the user does not exist.

    """
    what = f"a process {description(options)}"
    deadline.enter("scan", f"{options.proc} to be read in search of {what}")
    found = scan(options)
    result = answer(options, found)
    if result.reason == MISSING and result.status == Status.CRITICAL and not found.not_counted:
        from kacheck.probes.process.other_names import other_name

        result = result._replace(message=result.message + other_name(options, deadline))
    return result


def answer(options: ProcessOptions, scan: ScanResult) -> Result:
    """Return the result of a scan."""
    data: dict[str, Any] = {"count": len(scan.counted), "pids": [m.pid for m in scan.counted]}
    if scan.not_counted:
        data["not_counted"] = [{"pid": m.pid, "why": m.objection} for m in scan.not_counted]
    if options.describe:
        data |= described(scan.counted)
    return judge(options, scan, data)


def described(matches: list[Match]) -> dict[str, Any]:
    """Return more about each match; a warning without psutil, which no verdict needs."""
    import io
    from contextlib import redirect_stderr

    try:
        with redirect_stderr(io.StringIO()):  # psutil prints a traceback where /proc/stat is dead
            from kacheck.probes.process.describe import describe
    except ImportError as error:
        return {"warnings": [f"no details: {error}; install it: apt install python3-psutil"]}
    return {"matches": [describe(match.pid) for match in matches]}


def judge(options: ProcessOptions, scan: ScanResult, data: dict[str, Any]) -> Result:
    """Return the result for what a scan found."""
    count = len(scan.counted)
    most = options.quorum_max
    least = 0 if most == 0 else options.quorum  # as vrrp_parser.c has it for quorum_max 0
    what = description(options)
    some = f"{plural(count)} {what} ({pid_list(scan.counted)})" if count else f"no process {what}"
    if most is not None and count > most:
        return Result(Status.CRITICAL, TOO_MANY, f"{some}, at most {most} wanted", data)
    if scan.hidden and (count < least or most is not None):
        message = f"cannot tell whether a process {what} runs: {scan.hidden}"
        return Result(Status.UNKNOWN, HIDDEN, message, data)
    if count < least:
        reason = TOO_FEW if count else MISSING
        need = f", at least {least} wanted" if count else ""
        return Result(Status.CRITICAL, reason, some + need + aside(scan.not_counted), data)
    return Result(Status.OK, RUNNING if count else MISSING, some, data)


def plural(count: int) -> str:
    """`1 process`, `2 processes`."""
    return "1 process" if count == 1 else f"{count} processes"


def pid_list(matches: list[Match]) -> str:
    """Return the first pids, for a message."""
    shown = ", ".join(str(match.pid) for match in matches[:5])
    return f"pid {shown}, ..." if len(matches) > 5 else f"pid {shown}"


def aside(not_counted: list[Match]) -> str:
    """Return what matched and did not count: what a person asks next when told `missing`."""
    notes = "; ".join(f"pid {match.pid} is {match.objection}" for match in not_counted[:3])
    return f" (not counted: {notes})" if notes else ""


def description(options: ProcessOptions) -> str:
    """Return the pattern in words, such as `named vault with arguments server`."""
    words = f"named {options.name}"
    if options.args:
        words += f" with arguments {' '.join(options.args)}"
    elif options.param_match == "exact":
        words += " without arguments"
    return words if options.user is None else f"{words} of user {options.user}"
