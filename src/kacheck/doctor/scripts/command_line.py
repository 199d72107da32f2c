"""What a vrrp_script's command runs, taken apart as a shell would. Pure."""

import re
from typing import NamedTuple

from kacheck.doctor.scripts.script import Script
from kacheck.doctor.scripts.shell import ShellCommand, commands, programs, shell_program

OPERATOR = re.compile(r"\|\|?|&|;|.*(?:&&|\|\|).*|(?:[0-9]|&)?>>?(?:&[0-9-]|\S+)?|<(?:/.*)?|.*;")
"""A word that a shell would take for an operator."""
GREPS = ("grep", "egrep", "fgrep")
AWKS = ("awk", "gawk", "mawk")
"""They succeed at the end of a pipe, unless their program has an exit."""


class CommandLine(NamedTuple):
    """A script's command."""

    script: Script
    program: str | None
    """What `sh -c` is given; None where no shell runs it."""
    runs: list[list[ShellCommand]]
    """The simple commands: of the command itself, then of what is substituted in it."""

    @property
    def commands(self) -> list[ShellCommand]:
        """All of the simple commands."""
        return [command for run in self.runs for command in run]


def command_lines(scripts: list[Script]) -> list[CommandLine]:
    """Return the command lines of the scripts that run a program."""
    return [_command_line(script) for script in scripts if script.is_executed]


def _command_line(script: Script) -> CommandLine:
    program = shell_program(script.argv)
    if program is None:
        return CommandLine(script, None, [commands(script.argv, None)])
    return CommandLine(script, program, [commands([], part) for part in programs(program)])
