"""`kacheck migrate`: vrrp_track_process rewritten into checks of kacheck."""

import argparse
import os
from argparse import Namespace

from kacheck.commands import Edge, options
from kacheck.commands.options import CONFIGURATION


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare what is migrated, how, and where to write it."""
    parser.add_argument("conf", metavar="CONF", help="such as /etc/keepalived/keepalived.conf")
    parser.add_argument(
        "--mode",
        choices=("watch", "script"),
        default="watch",
        help="watch: the watcher looks, FAULT within milliseconds; script: keepalived starts a "
        "look every 2 seconds; default: watch",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-o", "--output", metavar="FILE", help="write the result there")
    where.add_argument(
        "--in-place",
        action="store_true",
        help="write it where it stands, all files or none, with backups; default: show a diff",
    )
    parser.add_argument(
        "--recipes",
        action="store_true",
        help="replace scripts that are pidof, pgrep, killall -0 or curl of Vault's health, too",
    )
    options.add_config(parser, help=f"where checks are added; default {CONFIGURATION}")
    parser.epilog = "exit codes: 0 migrated, 1 something was left alone, 3 nothing was written"
    options.add_state_dir(parser)


def run(args: Namespace, edge: Edge) -> int:
    """Print the diff, or what was written, apart from what is said about it."""
    from kacheck.migrate.command import migrate
    from kacheck.migrate.equivalents import Paths
    from kacheck.migrate.plan import MigrationOrder

    paths = Paths(os.path.abspath(args.config), os.path.abspath(args.state_dir))
    order = MigrationOrder(args.conf, args.mode, paths, args.output, args.in_place, args.recipes)
    answer = migrate(order)
    if answer.text:
        edge.answer(answer.text)
    for remark in answer.remarks:
        edge.note(remark)
    return answer.code
