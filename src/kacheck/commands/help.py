"""`kacheck help COMMAND`: the same as `kacheck COMMAND --help`."""

import argparse
from argparse import Namespace
from typing import NoReturn

from kacheck.commands import OTHERS, Edge
from kacheck.probes import MODULES

DESCRIPTION = """Show the options of a command, or all commands.

`kacheck help COMMAND` prints the same as `kacheck COMMAND --help`."""


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare the command that is explained."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "topic",
        nargs="?",
        metavar="COMMAND",
        choices=(*MODULES, *OTHERS),
        help="the command; without one, all commands are listed",
    )


def run(args: Namespace, _: Edge) -> NoReturn:
    """Ask for the help of the command.

    Raises:
        TextRequested: always; it has the text.

    """
    from kacheck import arguments

    topic = [args.topic] if args.topic else []
    arguments.parse([*topic, "--help"])
    raise AssertionError  # parse() has raised TextRequested
