"""`kacheck migrate`: vrrp_track_process rewritten into checks of kacheck."""

import argparse
import os
import shlex
from argparse import Namespace

from kacheck.commands import Edge, options
from kacheck.commands.options import CONFIGURATION

DESCRIPTION = """Replace every vrrp_track_process, and every line that tracks one, in CONF and all \
files that it includes.

It prints a diff; comments and all other lines stay as they are. A block that cannot be translated \
exactly is left alone, and stderr says why.

It writes for the release of keepalived that is installed: 2.1.0 to 2.2.1 drop what a member of a \
`vrrp_sync_group` tracks with weight 0, so there the group tracks it instead. The result is tested \
with `keepalived -t`. If that has a new complaint, everything is put back. The same happens on \
SIGINT, SIGTERM and SIGHUP. After SIGKILL or a power failure everything tracked is still defined: \
run the same command again.

Owner, mode and ACL of a file are kept; if an ACL cannot be kept, nothing is written. keepalived \
2.2.7 cannot test scripts whose user is not root: then the files are written untested, with a \
note."""


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare what is migrated, how, and where to write it."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "conf", metavar="CONF", help="the file, such as /etc/keepalived/keepalived.conf"
    )
    parser.add_argument(
        "--mode",
        choices=("watch", "script"),
        default="watch",
        help="`watch`: the watcher runs the checks, FAULT within milliseconds; `script`: "
        "keepalived starts a check every 2 seconds; default watch",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write the result to FILE, if CONF is the only file that changes\n\n"
        "FILE must be in the directory of CONF, because includes are relative.",
    )
    where.add_argument(
        "--in-place",
        action="store_true",
        help="change the files, all or none, with backups; default: print a diff\n\n"
        "Each backup is FILE.kacheck-backup. A file that is a mount is not replaced.",
    )
    parser.add_argument(
        "--recipes",
        action="store_true",
        help="also replace scripts that are one-liners: curl, wget, nc, pidof, pgrep, killall, "
        "systemctl is-active, monitoring plugins\n\n"
        "Each becomes a check that means the same, or that fails where the one-liner passed "
        "wrongly. A script without such an equivalent is left alone.",
    )
    options.add_config(parser, help=f"the file to which checks are added; default {CONFIGURATION}")
    parser.epilog = (
        "exit codes: 0 migrated or nothing to do, 1 something was left alone, 3 nothing was written"
    )
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
    if answer.text:
        edge.note(next_of(args))
    elif answer.code == 0:
        edge.note("nothing to migrate")
    return answer.code


def next_of(args: Namespace) -> str:
    """Return what comes after the diff, or after what was written."""
    from kacheck import next_step

    conf = shlex.quote(args.conf)
    if args.output is not None:
        steps = [f"mv {shlex.quote(args.output)} {conf}"]
    elif not args.in_place:
        return "next: the same command with --in-place"
    else:
        steps = []
    if args.mode == "watch":
        steps += [next_step.reload_watcher(args.state_dir), next_step.see_status(args.state_dir)]
    return f"next: {'; '.join([*steps, next_step.reload_keepalived()])}"
