"""KA252: a file that an interpreter, a wrapper or a shell is to run, and that is not there."""

import os
import re
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.scripts.command_line import CommandLine
from kacheck.doctor.scripts.script_file import missing_program, script_operand
from kacheck.doctor.scripts.shell import ShellCommand


@finding(
    "KA252",
    Severity.ERROR,
    "the file that an interpreter should run does not exist",
    """\
keepalived only looks for the first word of the command. sh, bash, python3, env or timeout exists,
so the script is not removed. But each run exits with 2, 126 or 127, since the file that it should
run does not exist: permanent FAULT, or the weight of a failure. A relative path begins at /, where
keepalived runs scripts.

See it: run the command from a shell, in /; echo $?
Do: put the file there, or correct the path.""",
)
def missing_script_file(context: Context) -> Iterator[Observation]:
    """Find files that do not exist, behind a program that does."""
    for command_line in context.command_lines:
        script = command_line.script
        file = _missing(context, command_line)
        if file is not None:
            what = f"{script.name} always fails: {file} does not exist"
            why = f"{os.path.basename(script.argv[0])} exists, but not the file that it should run"
            yield at(script.node, what, why, f"put {file} there, or correct the path")


def _missing(context: Context, command_line: CommandLine) -> str | None:
    argv, system = command_line.script.argv, context.system
    if command_line.program is not None:
        only = command_line.runs[0]
        first = only[0].words[0] if len(only) == 1 and only[0].words else ""
        is_plain = "!" not in command_line.program and re.fullmatch(r"/[\w./+-]+", first)
        if is_plain and system.is_missing(first):
            return first
        return (
            _operand(context, only) if len(only) == 1 and "!" not in command_line.program else None
        )
    operand = script_operand(argv)
    if operand is not None:
        path = os.path.join("/", operand)
        return operand if system.is_missing(path) else None
    return missing_program(argv, system)


def _operand(context: Context, only: list[ShellCommand]) -> str | None:
    operand = script_operand(only[0].words) if only else None
    if operand is None or not re.fullmatch(r"[\w./+-]+", operand):
        return None
    return operand if context.system.is_missing(os.path.join("/", operand)) else None
