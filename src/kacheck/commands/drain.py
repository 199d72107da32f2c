"""`kacheck drain`: maintenance."""

import argparse
from argparse import Namespace
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kacheck import statedir
from kacheck.check import Check
from kacheck.commands import Edge, options
from kacheck.commands.drain_names import configured, names_of
from kacheck.commands.options import CONFIGURATION
from kacheck.handover import consequences, drained_checks
from kacheck.render import printable
from kacheck.result import KacheckError, Status

if TYPE_CHECKING:
    from kacheck.interruption import Interruption

DESCRIPTION = """Fail checks on purpose with `critical draining`, so that the VIP leaves before \
maintenance; or end such a drain.

A drain of a check also drains every combined check that names it in `all`. A combined check that \
names it in `any` is not drained: drain it by its own name. `status` without a CHECK shows \
everything that is drained. Only root may drain, unless the mode of the state directory's `drain` \
allows others."""


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare what is drained, for how long and why."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "action",
        choices=("on", "off", "status"),
        help="`on`: the checks fail from now on; `off`: they look again; `status`: show what is "
        "drained",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="CHECK",
        help="the name of a check in the configuration file; or the name of a probe, such as "
        "process, for checks on the command line",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="all checks of this machine\n\n"
        "A drain of all checks and one of a single check end independently.",
    )
    parser.add_argument(
        "--for",
        dest="span",
        metavar="TIME",
        type=span_of,
        help="end the drain after a time such as 30m, 2h or 3d, at most 30d; default: at `off`\n\n"
        "It is refused if CHECK is drained for longer. Every drain ends at the next boot.",
    )
    parser.add_argument("--message", metavar="TEXT", help="the reason, shown to everybody who asks")
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="the format of the answer; default text\n\n"
        "`json` is one object: what is drained now, with `until` in seconds of uptime, or null.",
    )
    help_text = (
        "return when the VIP has left this node, and say after how many seconds; fail with 2 after "
        "LIMIT, default 30s\n\n"
        "The VIPs are those of the vrrp_instances that track the checks, in the file of the "
        "keepalived that runs or else /etc/keepalived/keepalived.conf. With --for it also waits "
        "until the VIP is back, which is a rehearsal of a failover: `drain on CHECK --for 20s "
        "--wait`. Interrupted by Ctrl-C or SIGTERM, a rehearsal ends the drain; without --for the "
        "drain stays. If the VIP cannot be followed, the drain is on nevertheless, and the exit "
        "code is 3."
    )
    options.add_wait(parser, default="30s", help=help_text)
    help_text = f"the file whose checks CHECK may name; default {CONFIGURATION}"
    options.add_config(parser, default=None, help=help_text)
    options.add_state_dir(parser)


def span_of(text: str) -> int:
    """Return the value of `--for` in seconds."""
    from kacheck.drain_switch import span

    try:
        return span(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(args: Namespace, edge: Edge) -> int:
    """Do it, and say how things are then; with --wait, what the VIP does."""
    names = names_of(args)
    checks = configured(args)
    if args.wait is None:
        ended = switch(args, names)
        edge.answer(answer(args, names, ended, checks))
        return 0
    return rehearse(args, names, checks, edge)


def switch(args: Namespace, names: list[str]) -> list[str]:
    """Begin or end the drain; return the names whose drain ended.

    Raises:
        KacheckError: it could not be done.

    """
    from kacheck.drain_switch import switch_off, switch_on

    ended: list[str] = []
    if args.action == "on":
        switch_on(args.state_dir, names, args.span, args.message or "")
    elif args.action == "off":
        ended = switch_off(args.state_dir, names)
    if args.action != "status":
        tell_watcher(args.state_dir)
    return ended


def rehearse(args: Namespace, names: list[str], checks: Sequence[Check], edge: Edge) -> int:
    """Drain, and follow the VIP; what keeps it from being followed keeps nobody from draining."""
    from kacheck.departure import Departure, followed_vips

    drained = (
        None if args.all else {*names, *(check.name for check in drained_checks(checks, names))}
    )
    say = edge.answer if args.format == "text" else ignore
    departure, trouble, code = None, None, int(Status.UNKNOWN)
    try:
        departure = Departure(followed_vips(drained, args.state_dir))
    except (KacheckError, OSError) as error:
        trouble = f"the VIP cannot be followed: {error}"
    with interruptible(args, names, edge) as interruption:
        switch(args, names)
        say(answer(args, names, [], checks))
        if departure is not None:
            with interruption.now():
                trouble, code = departure.wait(args.wait, args.span, say), int(Status.CRITICAL)
    if args.format == "json":
        vips = departure.as_data() if departure is not None else None
        edge.answer(answer(args, names, [], checks, vips=vips))
    if trouble is None:
        return 0
    edge.note(f"{trouble}; the drain is on" if departure is None else trouble)
    return code


@contextmanager
def interruptible(args: Namespace, names: list[str], edge: Edge) -> "Iterator[Interruption]":
    """Let Ctrl-C or SIGTERM end a rehearsal, and with it the drain; any other drain stays."""
    from kacheck.interruption import Interruption

    with Interruption() as interruption:
        try:
            yield interruption
        except KeyboardInterrupt:
            if args.span is None or interruption.is_hangup:
                edge.note("interrupted, and the drain is on")
            else:
                from kacheck.drain_switch import switch_off

                switch_off(args.state_dir, names)
                tell_watcher(args.state_dir)
                edge.note("interrupted, so the drain has ended")
            raise


def ignore(_: str) -> None:
    """Say nothing: JSON is one object, at the end."""


def answer(
    args: Namespace,
    names: list[str],
    ended: list[str],
    checks: Sequence[Check],
    vips: list[dict[str, Any]] | None = None,
) -> str:
    """Return how things are now, and what follows from a drain.

    Raises:
        StateDirectoryError: the drains may not be listed.

    """
    from kacheck.drain import all_drains

    everything = not names or names == [statedir.ALL]
    holding = {
        each.name: each
        for each in all_drains(args.state_dir)
        if everything or each.name in (statedir.ALL, *names)
    }
    if args.format == "json":
        import json

        shown: dict[str, Any] = {
            "schema": 1,
            "drained": [each.as_data() for each in holding.values()],
        }
        return json.dumps(shown if args.wait is None else {**shown, "vips": vips})
    lines = [
        f"{name}: {without_own(name, ended, holding)}" for name in names if name not in holding
    ]
    still = "still " if args.action == "off" else ""
    lines += [f"{name}: {still}{each.sentence()}" for name, each in holding.items()]
    if args.action == "on":
        lines += consequences(drained_checks(checks, None if args.all else names))
    return "\n".join(map(printable, lines)) or "nothing is drained"


def tell_watcher(state_dir: str) -> None:
    """Let the watcher act now: before it answers, it looks for drains."""
    from kacheck import status

    with suppress(status.NoWatcherError):
        status.ask(state_dir)


def without_own(name: str, ended: Sequence[str], holding: Container[str]) -> str:
    """Return the state of a check that has no separate drain now."""
    if statedir.ALL in holding:
        return f"drained as {statedir.ALL} are"
    return "no longer drained" if name in ended else "not drained"
