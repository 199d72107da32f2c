"""`kacheck doctor`: what in this configuration, kernel or container is wrong."""

import argparse
import os
import sys
from argparse import Namespace

from kacheck.commands import Edge, options
from kacheck.result import BadConfigError


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare what is examined, and how it is told."""
    parser.add_argument(
        "conf",
        nargs="?",
        metavar="KEEPALIVED_CONF",
        help="default /etc/keepalived/keepalived.conf; without one, the environment alone",
    )
    parser.add_argument("--explain", metavar="CODE", help="the long form of a code such as KA301")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument(
        "--config-id",
        metavar="ID",
        help="keepalived's --config-id, which decides on lines with @ID; default: that of the "
        "keepalived that runs, else the host's name",
    )
    parser.epilog = "exit codes: 0 no more than notes, 1 warnings, 2 errors, 3 it could not look"
    options.add_config(parser)
    options.add_state_dir(parser)


def run(args: Namespace, edge: Edge) -> int:
    """Print the findings, or explain a code.

    Raises:
        BadConfigError: it could not look, or there is no such code.

    """
    from kacheck.doctor import catalogue, examine, text
    from kacheck.terminal import view_of

    if args.explain is not None:
        code = catalogue.CODES.get(args.explain.upper())
        if code is None:
            last = next(reversed(catalogue.CODES))
            raise BadConfigError(f"there is no code {args.explain}; give one from KA001 to {last}")
        edge.answer(text.explained(code))
        return 0
    request = examine.Request(args.conf, args.config, args.state_dir, args.config_id)
    findings = examine.examine(request)
    if args.format == "json":
        edge.answer(text.as_json(findings))
    else:
        colours = view_of(sys.stdout, os.environ).colours
        edge.answer(text.as_text(findings, colours=colours))
    return text.exit_code(findings)
