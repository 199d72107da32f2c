"""The subcommands: each is one module, which declares its options and runs.

A module has `declare(parser)` and `run(args, edge)`, which returns the exit code. Every probe is a
command too, by its own name.
"""

from __future__ import annotations

from kacheck.probe import load

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable
    from typing import Protocol

    from kacheck.result import Status
else:
    Protocol = object


class Edge(Protocol):
    """What a command may do to the world outside, and when it was started."""

    started: float
    """Of time.monotonic()."""

    def answer(self, text: str) -> None:
        """Print the answer to standard output."""

    def note(self, text: str) -> None:
        """Print a remark or an error to standard error, made printable and marked as ours."""

    def raw_note(self, text: str) -> None:
        """Print lines to standard error as they are: a log, a traceback."""

    def to_syslog(self, status: Status, text: str) -> None:
        """Send a line to syslog."""


class TextRequested(Exception):  # noqa: N818 - no error
    """The user asked for the text of --help or --version, not for a look."""


class Command:
    """A subcommand."""

    def __init__(self, usage: str, summary: str, module: str) -> None:
        self.usage = usage
        """The words of its command line that have no name."""
        self.summary = summary
        """What it does, for `kacheck --help`: a sentence without its full stop."""
        self.module = module

    def declare(self, parser: ArgumentParser, name: str) -> None:
        """Declare its options."""
        load(f"{self.module}:declare")(parser, name)

    def run(self, args: Namespace, edge: Edge) -> int:
        """Do it; return the exit code."""
        run: Callable[[Namespace, Edge], int] = load(f"{self.module}:run")
        return run(args, edge)


def command(name: str) -> Command:
    """Return one of them.

    Raises:
        KeyError: the command does not exist.

    """
    if name in OTHERS:
        return OTHERS[name]
    from kacheck.probes import probe

    declared = probe(name)
    return Command(declared.usage, declared.summary, "kacheck.commands.probe")


OTHERS = {
    "run": Command(
        " CHECK...", "Run checks from the configuration file once", "kacheck.commands.run"
    ),
    "watch": Command(
        "", "Run the watcher, which keeps every check current", "kacheck.commands.watch"
    ),
    "status": Command(
        " [CHECK...]", "Show what the watcher reports for each check", "kacheck.commands.status"
    ),
    "drain": Command(
        " on|off|status [CHECK...]",
        "Fail checks on purpose, so that the VIP leaves before maintenance",
        "kacheck.commands.drain",
    ),
    "init": Command(
        " --vip ADDRESS/LENGTH",
        "Write a working configuration for this node",
        "kacheck.commands.init",
    ),
    "doctor": Command(
        " [KEEPALIVED_CONF]",
        "Find out why keepalived is in FAULT, and what else is wrong",
        "kacheck.commands.doctor",
    ),
    "migrate": Command(
        " CONF",
        "Replace vrrp_track_process in keepalived.conf with checks of kacheck",
        "kacheck.commands.migrate",
    ),
    "help": Command(" [COMMAND]", "Show the help of a command", "kacheck.commands.help"),
}
"""The commands that are not probes."""
