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
        "-v",
        "--verbose",
        action="store_true",
        help="print everything that was seen\n\n"
        "This includes pids, users and command lines; the fields of the answer, the end of the "
        "certificate, and the milliseconds of each phase.",
    )
    volume.add_argument(
        "-q", "--quiet", action="store_true", help="print nothing; the answer is the exit code"
    )
    group.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="a line of text, a JSON object, or a Nagios line with performance data; default "
        "text\n\n"
        "The keys of the JSON object are a contract: `schema` 1, `check`, `status`, `reason`, "
        "`message`, `exit_code`, `duration_ms` and `data`.",
    )
    group.add_argument(
        "--misc",
        action="store_true",
        help="exit with 1 on every failure, for keepalived's MISC_CHECK\n\n"
        'MISC_CHECK with `misc_dynamic` reads 2 to 255 as "up, with this weight".',
    )
    group.add_argument(
        "--log",
        choices=("syslog",),
        help="send one line for each failure and warning to syslog as well\n\n"
        "keepalived throws away what a script prints.",
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
        help=f"where drains and the watcher's verdicts are; default {statedir.DEFAULT}\n\n"
        "Give the same directory to the checks and to the watcher.",
    )


def add_config(parser: argparse._ActionsContainer, **options: Any) -> None:
    """Declare where checks are configured."""
    help_text = f"the configuration file; default {CONFIGURATION}"
    options = {"default": CONFIGURATION, "help": help_text} | options
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
