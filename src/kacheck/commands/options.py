"""Options that several commands take, and how their values are read."""

import argparse
from typing import Any

from kacheck import statedir
from kacheck.durations import seconds
from kacheck.render import FORMATS

CONFIGURATION = "/etc/kacheck/kacheck.toml"


def add_common(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Declare what every check takes."""
    group = parser.add_argument_group("common options")
    volume = group.add_mutually_exclusive_group()
    volume.add_argument(
        "-v", "--verbose", action="store_true", help="print everything that was seen"
    )
    volume.add_argument(
        "-q", "--quiet", action="store_true", help="print no answer, only exit with it"
    )
    group.add_argument("--format", choices=FORMATS, default="text", help="default: text, one line")
    group.add_argument(
        "--misc",
        action="store_true",
        help="exit with 1 on every failure, for MISC_CHECK with misc_dynamic",
    )
    group.add_argument(
        "--log", choices=("syslog",), help="send one line for each failure to syslog as well"
    )
    add_state_dir(group)
    return group


def add_state_dir(parser: argparse._ActionsContainer) -> None:
    """Declare where drains and the watcher's files are."""
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        type=directory,
        default=statedir.DEFAULT,
        help=f"where drains and the watcher's verdicts are; default {statedir.DEFAULT}",
    )


def add_config(parser: argparse._ActionsContainer, **options: Any) -> None:
    """Declare where checks are configured."""
    options = {"default": CONFIGURATION, "help": f"default {CONFIGURATION}"} | options
    parser.add_argument("--config", metavar="FILE", **options)


def directory(text: str) -> str:
    """Return the value of `--state-dir`, without slashes at its end."""
    if not text:
        raise argparse.ArgumentTypeError(
            f"it is empty: give a directory such as {statedir.DEFAULT}"
        )
    return text.rstrip("/") or "/."


def timeout(text: str) -> float:
    """Return the value of `--timeout`."""
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
