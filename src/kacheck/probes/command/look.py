"""Does a program succeed? It is run, and its end is judged."""

from __future__ import annotations

import errno
import os

from kacheck.probe import OptionError
from kacheck.probes.command.program import Ended, run
from kacheck.probes.command.reasons import (
    CODES,
    KILLED,
    NOT_EXECUTABLE,
    NOT_FOUND,
    NOT_STARTED,
    UNEXPECTED_EXIT,
)
from kacheck.redact import redact
from kacheck.render import printable
from kacheck.result import Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NamedTuple

    from kacheck.deadline import Deadline
    from kacheck.looks import RepeatedLook
else:
    from kacheck.light import NamedTuple

SHOWN = 300
"""Characters of the program's line in a message."""
MAX_PERFORMANCE = 4096
"""Characters of performance data."""
NO_INTERPRETER = "or the interpreter in its #! line is missing"


class CommandOptions(NamedTuple):
    """A program and its arguments."""

    argv: tuple[str, ...]


def prepare(values: Mapping[str, Any]) -> CommandOptions:
    """Return what is asked, as the probe's `prepare`.

    Raises:
        OptionError: the program's name is empty, or its path is relative.

    """
    argv = tuple(values["argv"])
    if not argv or not argv[0]:
        raise OptionError("argv", "{argv} has no program; begin it with the program's path")
    if "/" in argv[0] and not argv[0].startswith("/"):
        raise OptionError(
            "argv",
            '{argv} begins with the relative path "{path}"; give an absolute one: keepalived and '
            "the watcher run it in /",
            path=argv[0],
        )
    return CommandOptions(argv)


def warnings(options: CommandOptions) -> list[str]:
    """Return the warnings of the probe: a program that this user cannot execute."""
    program = options.argv[0]
    if not program.startswith("/") or os.access(program, os.X_OK):
        return []
    if not os.path.exists(program):
        return [f"{program} does not exist: the check fails; install it, or correct the path"]
    import shlex

    cure = f"chmod a+rx {shlex.quote(program)}"
    return [f"{program} is not executable by this user: the check fails; {cure}"]


def look(options: CommandOptions, deadline: Deadline) -> Result:
    """Run the program once."""
    return run_and_judge(options, deadline, lambda *_: None)


def repeated(options: CommandOptions) -> RepeatedLook:
    """Return a look that runs the program without the watcher's own privileges."""
    from kacheck.looks import OneShotRepeated

    return OneShotRepeated(lambda deadline: run_and_judge(options, deadline, make_ordinary))


def make_ordinary(pid: int, group: int) -> None:
    """Take from a program what the unit gives the watcher: its priority, and its OOM score.

    The watcher must be the last to go when memory is short, and not its programs.
    """
    try:
        if os.getpriority(os.PRIO_PROCESS, pid) < 0:
            os.setpriority(os.PRIO_PGRP, group, 0)
        with open(f"/proc/{pid}/oom_score_adj", "r+", encoding="utf-8") as file:
            if int(file.read()) < 0:
                file.seek(0)
                file.write("0")
    except OSError:  # it has exited already, or nobody may change it
        pass


def run_and_judge(
    options: CommandOptions, deadline: Deadline, started: Callable[[int, int], None]
) -> Result:
    """Run the program; what becomes of that is the result."""
    program = options.argv[0]
    deadline.seen["program"] = program
    deadline.enter("run", f"{program} to exit; it and what it has started are killed")
    try:
        ended = run(options.argv, deadline, started)
    except OSError as error:
        return not_started(program, error)
    if deadline.remaining() == 0:  # it was killed for that
        return deadline.timed_out()
    result = judge(program, ended)
    return result._replace(data={**deadline.seen, **result.data, "phases_ms": deadline.phases_ms()})


def not_started(program: str, error: OSError) -> Result:
    """Return the result for a program that the system did not start."""
    why = error.strerror or str(error)
    data = {"program": program}
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        where = "does not exist" if "/" in program else "is not in PATH"
        message = f"{program} {where}, {NO_INTERPRETER} ({why})"
        return Result(Status.CRITICAL, NOT_FOUND, message, data)
    if error.errno in (errno.EACCES, errno.EPERM):
        message = f"{program} cannot be executed by this user ({why})"
        return Result(Status.CRITICAL, NOT_EXECUTABLE, message, data)
    if error.errno == errno.ENOEXEC:
        message = (
            f"{program} cannot be executed ({why}): begin a script with a line such as #!/bin/sh"
        )
        return Result(Status.CRITICAL, NOT_EXECUTABLE, message, data)
    return Result(Status.CRITICAL, NOT_STARTED, f"{program} cannot be started: {why}", data)


def judge(program: str, ended: Ended) -> Result:
    """Return what the end of a program means. Pure."""
    text, performance = parts(ended.output)
    line = text or parts(ended.errors)[0]
    data: dict[str, Any] = {"exit_code": ended.code}
    if performance:
        data["performance_data"] = performance
    if ended.code is not None and ended.code in range(4):
        message = line or f"{program} exited with {ended.code} and wrote nothing"
        return Result(Status(ended.code), CODES[ended.code], message, data)
    tail = f": {line}" if line else ""
    if ended.code is None:
        message = f"the exit code of {program} is not known: SIGCHLD is ignored{tail}"
        return Result(Status.CRITICAL, UNEXPECTED_EXIT, message, data)
    if ended.code < 0:
        name = signal_name(-ended.code)
        data = {**data, "exit_code": None, "signal": name}
        message = f"{program} died of {name}{tail}"
        return Result(Status.CRITICAL, KILLED, message, data)
    reason = CODES.get(ended.code, UNEXPECTED_EXIT)
    return Result(Status.CRITICAL, reason, f"{program} exited with {ended.code}{tail}", data)


def parts(output: bytes) -> tuple[str, str]:
    """Return the first line of an output without its performance data, and all of that.

    As in Nagios's plugin API: what follows a `|` in the first line, and a `|` in the others.
    """
    first, _, rest = output.decode(errors="replace").strip().partition("\n")
    text, _, numbers = first.partition("|")
    _, _, more = rest.partition("|")
    performance = " ".join(f"{numbers} {more}".split())
    if len(performance) > MAX_PERFORMANCE:
        performance = performance[:MAX_PERFORMANCE].rpartition(" ")[0]
    return bounded(printable(redact(text.strip()))), printable(redact(performance))


def bounded(text: str) -> str:
    """Return a text that is not too long for a message."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def signal_name(number: int) -> str:
    """Return the name of a signal."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
