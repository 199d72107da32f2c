"""`kacheck doctor`: what in this configuration, kernel or container is wrong."""

import argparse
import os
import sys
from argparse import Namespace

from kacheck.commands import Edge, options
from kacheck.result import BadConfigError

DESCRIPTION = """Find out why keepalived is in FAULT, and what else in this configuration, kernel \
or container will fail.

The first lines say for each vrrp_instance whether it is MASTER, BACKUP or in FAULT, its \
effective priority, the cause of a FAULT and the command to type. To find out, doctor runs \
kacheck's own checks once, as keepalived would, and examines the interface. As root it listens for \
adverts, for at most three intervals, to say where the VIP is.

It reads KEEPALIVED_CONF and everything it includes as keepalived would, tests whether process \
events arrive here, and reads kacheck's own files. The most probable cause of a FAULT comes first. \
It changes nothing. Run it as root, where keepalived runs."""


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare what is examined, and the output format."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "conf",
        nargs="?",
        metavar="KEEPALIVED_CONF",
        help="the file to examine; default /etc/keepalived/keepalived.conf, or only the machine if "
        "that is missing",
    )
    parser.add_argument(
        "--explain",
        metavar="CODE",
        help="explain a code such as KA301, and exit\n\n"
        "It says what happens, in which versions, why, how to see it, and what to do.",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="the format of the answer; default text\n\n"
        "`json` is one object whose keys are a contract: `schema` 1, `instances` with `name`, "
        "`state`, `priority`, `causes` and more, `findings` with `code`, `severity`, `file`, "
        "`line`, `what`, `why` and `cure`, and `exit_code`.",
    )
    parser.add_argument(
        "--run",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="run all scripts of the configuration once, as keepalived would; --no-run: none\n\n"
        "Default: kacheck's own entry points, which change nothing, and other scripts only where "
        "a running keepalived with this configuration runs them already.",
    )
    parser.add_argument(
        "--config-id",
        metavar="ID",
        help="keepalived's option of the same name, which selects lines with @ID; default: that of "
        "the keepalived that runs, or else the host's name",
    )
    parser.epilog = "exit codes: 0 notes at most, 1 warnings, 2 errors, 3 nothing was examined"
    options.add_config(parser)
    options.add_state_dir(parser)


def run(args: Namespace, edge: Edge) -> int:
    """Print the findings, or explain a code.

    Raises:
        BadConfigError: a file cannot be read, or the code does not exist.

    """
    from kacheck.doctor import catalogue, examine, text
    from kacheck.terminal import view_of

    if args.explain is not None:
        code = catalogue.CODES.get(args.explain.upper())
        if code is None:
            last = next(reversed(catalogue.CODES))
            raise BadConfigError(f"unknown code {args.explain}; give one from KA001 to {last}")
        edge.answer(text.explained(code))
        return 0
    request = examine.Request(args.conf, args.config, args.state_dir, args.config_id, args.run)
    examined = examine.examine(request)
    if args.format == "json":
        edge.answer(text.as_json(examined))
    else:
        colours = view_of(sys.stdout, os.environ).colours
        edge.answer(text.as_text(examined, colours=colours))
    return text.exit_code(examined)
