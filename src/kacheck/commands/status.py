"""`kacheck status`: what the watcher says now."""

import argparse
import os
import sys
from argparse import Namespace
from contextlib import nullcontext, suppress

from kacheck.commands import Edge, options
from kacheck.result import MILDEST_FIRST, Status

DESCRIPTION = """Show what the watcher reports now, a row for each check.

A row has the verdict, its reason, since when, the last look and the last transitions. The message \
of a check that is not ok follows. If the last look differs from the verdict, a line says why the \
verdict has not changed. The last lines say whether each VIP in keepalived.conf is here, if that \
file can be read.

Without a watcher it shows what the verdict files still say and how old they are, and exits with \
3. Otherwise the exit code is that of the worst verdict, in the order 0, 1, 3, 2."""


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare which checks, and how they are shown."""
    parser.description = DESCRIPTION
    parser.add_argument("names", nargs="*", metavar="CHECK", help="show only these; default: all")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        action="store_true",
        help="print the watcher's answer as it is, one JSON object\n\n"
        "Its keys are a contract: `schema` 1. Without a watcher it prints nothing.",
    )
    form.add_argument(
        "--follow",
        action="store_true",
        help="show a live view; without a terminal, print a line for each transition\n\n"
        "`q` or Ctrl-C ends it. It survives a restart of the watcher.",
    )
    help_text = (
        "wait until every check shown has a verdict, for LIMIT at most; default 10s\n\n"
        "It also waits for a watcher that does not answer yet. At the limit it shows what there "
        "is, and names the checks without a verdict."
    )
    options.add_wait(parser, default="10s", help=help_text)
    options.add_state_dir(parser)


def run(args: Namespace, edge: Edge) -> int:
    """Say it once, or go on saying it."""
    from kacheck.status import answer, wait
    from kacheck.terminal import view_of

    if args.follow:
        return follow(args)
    if args.wait is not None and (missing := wait(args.state_dir, args.names, args.wait)):
        edge.note(missing)
    view = view_of(sys.stdout, os.environ)
    shown = answer(args.state_dir, args.names, view, as_json=args.json)
    if shown.trouble is not None:
        edge.note(shown.trouble)
    if shown.text:
        edge.answer(shown.text)
    if not args.json and not args.names:
        for line in vips():
            edge.answer(line)
    return max(shown.codes, key=MILDEST_FIRST.index)


def vips() -> list[str]:
    """Return where the VIPs are, if keepalived.conf can be read."""
    with suppress(OSError, ValueError, ImportError):
        from kacheck.doctor.why.vip_lines import vip_lines

        return vip_lines()
    return []


def follow(args: Namespace) -> int:
    """Show a live view until a signal or a key, or until nobody reads it."""
    from kacheck import terminal
    from kacheck.status_follow import FOLLOWED, followed

    view = terminal.view_of(sys.stdout, os.environ)
    source = followed(args.state_dir, args.names, view)
    if sys.stdout is not None:
        file = sys.stdout.fileno()
        screen = terminal.full_screen(file) if view.height else nullcontext()
        try:
            with suppress(OSError), screen as keyboard:
                terminal.write(file, source.news(view))
                while terminal.is_read(file, FOLLOWED, keyboard):
                    terminal.write(file, source.news(terminal.view_of(sys.stdout, os.environ)))
        except terminal.QuitError:
            return 0
    return int(Status.UNKNOWN)
