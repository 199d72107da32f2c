"""KA249: commands that succeed whatever they find."""

import os
import re
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.machine.system import System, which
from kacheck.doctor.scripts.command_line import AWKS, CommandLine
from kacheck.doctor.scripts.script import Script
from kacheck.doctor.scripts.shell import ShellCommand, shell_command

ALWAYS = ("echo", "logger", "true", ":")
FILTERS = ("wc", "cat", "tee", "head", "tail", "sort", "uniq", "cut", "tr")
"""What succeeds at the end of a pipe."""
BACKGROUND = re.compile(r"(&>>?\s*[^\s;&|()]+)\s*(?:\|\|.*)?$")


@finding(
    "KA249",
    Severity.ERROR,
    "a pipeline whose end always succeeds",
    """\
A pipeline's exit code is its last command's. wc, cat, tee, head, awk, echo, true and their like
succeed whatever went before them: the check is always successful. So is `CMD &>FILE` where sh
is dash, as Debian's and Ubuntu's: that is `CMD &`, which nobody waits for, and then `>FILE`.

Do: end it with the command that decides, such as grep -q; and >FILE 2>&1 for &>FILE.""",
)
def always_succeeds(context: Context) -> Iterator[Observation]:
    """Find an end that succeeds whatever went before it."""
    for command_line in context.command_lines:
        script, commands = command_line.script, command_line.runs[0]
        if _may_fail_before_end(script, commands):
            continue
        last = commands[-1] if commands else ShellCommand([])
        if _ends_in_success(commands, last):
            what = f"{script.name} is always successful: it ends with {last.name}"
            why = "the last command's exit code is the script's"
            yield at(script.node, what, why, "end it with the command that decides")
        if command_line.program is not None:
            yield from _background(command_line, context.system)


def _ends_in_success(commands: list[ShellCommand], last: ShellCommand) -> bool:
    if last.name in ALWAYS and last.joint in ("|", "||", ";"):
        return True
    first = next((command for command in reversed(commands) if command.joint != "|"), last)
    is_awk = last.name in AWKS and not _may_exit(last) and first.joint != "&&"
    return (last.name in FILTERS or is_awk) and last.joint == "|"


def _may_exit(awk: ShellCommand) -> bool:
    """Return whether its program has an exit, or is in a file."""
    return any("exit" in word or word.startswith("-f") for word in awk.words)


def _background(command_line: CommandLine, system: System) -> Iterator[Observation]:
    """Find bash's `&>` at the end, which dash reads as `&` and `>`."""
    script, program = command_line.script, command_line.program or ""
    shell = which(shell_command(script.argv)[0], system)
    real = os.path.basename(system.realpath(shell or "/"))
    end = re.split(r"[;\n]", program)[-1]
    match = BACKGROUND.search(re.sub(r"'[^']*'|\"[^\"]*\"", "_", end))
    if real == "dash" and match:  # busybox knows it
        what = f"{script.name} is always successful: {real} reads {match[1]} as & and >"
        why = "the command runs in the background, and nobody asks for its exit code"
        yield at(script.node, what, why, ">FILE 2>&1, or bash -c")


def _may_fail_before_end(script: Script, commands: list[ShellCommand]) -> bool:
    """Return whether it has an exit, `set -e` or pipefail before its end."""
    options = [word for word in script.argv[1:] if re.fullmatch(r"-[a-z]*e[a-z]*", word)]
    return bool(
        options
        or any(command.name in ("exit", "set") for command in commands[:-1])
        or "pipefail" in script.argv
    )
