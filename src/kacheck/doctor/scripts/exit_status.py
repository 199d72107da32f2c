"""KA249 and KA253: commands that succeed whatever they find."""

import os
import re
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.machine.system import System, which
from kacheck.doctor.scripts.command_line import AWKS, CommandLine
from kacheck.doctor.scripts.script import Script
from kacheck.doctor.scripts.script_file import (
    BLOCK_END,
    BRANCH,
    file_commands,
    script_operand,
    shell_file,
)
from kacheck.doctor.scripts.shell import ShellCommand, shell_command

KILLERS = ("kill", "killall", "pkill")
ALWAYS = ("echo", "logger", "true", ":", "printf")
STARTS = ("start", "restart", "reload", "try-restart")
"""What succeeds for systemctl and service, and says nothing of the service's health."""
FILTERS = ("wc", "cat", "tee", "head", "tail", "sort", "uniq", "cut", "tr")
"""What succeeds at the end of a pipe."""
BACKGROUND = re.compile(r"(&>>?\s*[^\s;&|()]+)\s*(?:\|\|.*)?$")


@finding(
    "KA249",
    Severity.ERROR,
    "a pipeline whose end always succeeds",
    """\
A pipeline's exit code is its last command's. Commands such as wc, cat, tee, head, awk, echo and
true succeed whatever precedes them: the check is always successful. So is `CMD &>FILE` where sh is
dash, as in Debian and Ubuntu: dash reads it as `CMD &`, which nothing waits for, and `>FILE`.

Do: end it with the command that decides, such as grep -q; write exit 1 instead of echo 1, and
>FILE 2>&1 instead of &>FILE.""",
)
def always_succeeds(context: Context) -> Iterator[Observation]:
    """Find an end that succeeds whatever went before it."""
    for command_line in context.command_lines:
        script, commands = command_line.script, command_line.runs[0]
        if _may_fail_before_end(script, commands):
            continue
        last = commands[-1] if commands else ShellCommand([])
        branch = _branch_success(command_line.program)
        if branch is not None or _ends_in_success(commands, last):
            what = f"{script.name} is always successful: it ends with {branch or last.name}"
            why = "the last command's exit code is the script's"
            yield at(script.node, what, why, "end it with the command that decides")
        if command_line.program is not None:
            yield from _background(command_line, context.system)


def _branch_success(program: str | None) -> str | None:
    """Return what a program ends with whose `if` succeeds on every way; None for another one."""
    found = file_commands(program) if program is not None else None
    return _last_success(found) if found and found[-1].name == "fi" else None


def _ends_in_success(commands: list[ShellCommand], last: ShellCommand) -> bool:
    if _succeeds(last) and last.joint in ("|", "||", ";"):
        return True
    first = next((command for command in reversed(commands) if command.joint != "|"), last)
    is_awk = last.name in AWKS and not _may_exit(last) and first.joint != "&&"
    return (last.name in FILTERS or is_awk) and last.joint == "|"


def _succeeds(command: ShellCommand) -> bool:
    """Return whether a command succeeds whatever the service does."""
    words = command.words[1:]
    if command.name == "exit":
        return words[:1] == ["0"]
    is_start = command.name in ("systemctl", "service") and not {*words}.isdisjoint(STARTS)
    return command.name in ALWAYS or is_start


@finding(
    "KA253",
    Severity.ERROR,
    "a shell file that always succeeds",
    """\
The exit code of a shell file is its last command's, and keepalived reads nothing else: it discards
what the file prints. The check is always successful if no line can fail, by exit, return, set -e or
exec, and the file ends with echo, exit 0, true or a start of the service. The doctor reads small
files of sh and bash, and reports only what is certain.

See it: sh FILE >/dev/null; echo $?, with the service stopped.
Do: write exit 1 where the service is down, and exit 0 only at the end.""",
)
def file_always_succeeds(context: Context) -> Iterator[Observation]:
    """Find shell files that end in success on every way."""
    for program in context.programs:
        text = shell_file(program, context.system) if program.is_executable else None
        commands = file_commands(text) if text is not None else None
        last = _last_success(commands) if commands else None
        if last is not None:
            operand = script_operand(program.script.argv)
            file = operand or program.real
            what = f"{program.script.name} is always successful: {file} ends with {last}"
            why = "keepalived reads the exit code, which is the last command's; no line fails"
            cure = f"write exit 1 in {file} where the service is down"
            yield at(program.script.node, what, why, cure)


def _last_success(commands: list[ShellCommand]) -> str | None:
    """Return the last command of a file that succeeds on every way; None where one may fail."""
    leaves = ("return", "set", "trap", "exec", "kill", "source", ".", "case")
    for command in commands:
        is_failing_exit = command.name == "exit" and command.words[1:] != ["0"]
        stops = command.name in KILLERS or "stop" in command.words  # keepalived itself, mostly
        if is_failing_exit or stops or any(word in leaves for word in command.words[:1]):
            return None
    names = [command.name for command in commands]
    if names[-1] not in BLOCK_END:
        last = commands[-1]
        return " ".join(last.words[:3]) if _succeeds(last) and last.joint != "&&" else None
    ends = [
        commands[index - 1]
        for index, name in enumerate(names)
        if index and name in BRANCH and names[index - 1] not in BRANCH
    ]
    is_sure = all(_succeeds(end) and end.joint != "&&" for end in ends)
    if names[-1] != "fi" or not ends or not is_sure:
        return None
    return " ".join(ends[-1].words[:3])


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
        why = "the command runs in the background, and its exit code is lost"
        yield at(script.node, what, why, "write >FILE 2>&1, or use bash -c")


def _may_fail_before_end(script: Script, commands: list[ShellCommand]) -> bool:
    """Return whether it has an exit, `set -e` or pipefail before its end."""
    options = [word for word in script.argv[1:] if re.fullmatch(r"-[a-z]*e[a-z]*", word)]
    return bool(
        options
        or any(command.name in ("exit", "set") for command in commands[:-1])
        or "pipefail" in script.argv
    )
