"""`kacheck status`: what the watcher says now."""

import argparse
import os
import sys
from argparse import Namespace
from contextlib import nullcontext, suppress

from kacheck.commands import Edge, options
from kacheck.result import MILDEST_FIRST, Status


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare which checks, and how they are shown."""
    parser.add_argument("names", nargs="*", metavar="CHECK", help="only these; default: all")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one object, as the watcher tells it")
    form.add_argument(
        "--follow",
        action="store_true",
        help="a live view; where the output is no terminal, a line for each transition",
    )
    options.add_state_dir(parser)


def run(args: Namespace, edge: Edge) -> int:
    """Say it once, or go on saying it."""
    from kacheck.status import answer
    from kacheck.terminal import view_of

    if args.follow:
        return follow(args)
    view = view_of(sys.stdout, os.environ)
    found = answer(args.state_dir, args.names, view, as_json=args.json)
    if found.trouble is not None:
        edge.note(found.trouble)
    if found.text:
        edge.answer(found.text)
    return max(found.codes, key=MILDEST_FIRST.index)


def follow(args: Namespace) -> int:
    """Show a live view until a signal, or until nobody reads it."""
    from kacheck import terminal
    from kacheck.status import FOLLOWED, followed

    view = terminal.view_of(sys.stdout, os.environ)
    source = followed(args.state_dir, args.names, view)
    if sys.stdout is not None:
        file = sys.stdout.fileno()
        with suppress(OSError), terminal.full_screen(file) if view.height else nullcontext():
            terminal.write(file, source.news(view))
            while terminal.is_read(file, FOLLOWED):
                terminal.write(file, source.news(terminal.view_of(sys.stdout, os.environ)))
    return int(Status.UNKNOWN)
