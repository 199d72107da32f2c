"""`kacheck watch`: the watcher, until SIGTERM, which is its ordinary end."""

import argparse
from argparse import Namespace

from kacheck.commands import Edge, options
from kacheck.render import printable

DESCRIPTION = """Run the watcher, which keeps the verdict of every check in the configuration \
file current.

It looks at every check at its interval, and at once when a process exits or a connection is lost. \
It writes what keepalived's `track_file` and `kacheck-verdict` read. Each state directory can have \
one watcher. As a service it is `kacheck.service`."""


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare the watcher's files and how it logs."""
    parser.description = DESCRIPTION
    options.add_config(parser)
    options.add_state_dir(parser)
    parser.add_argument(
        "--check-config",
        action="store_true",
        help="say whether the configuration is valid, and exit: 0 valid, 3 invalid\n\n"
        "If root runs it, it reads the files as the watcher's user, who must be able to read the "
        "CA files. A valid configuration may have warnings, one line each. The last line is the "
        "command that lets the watcher read it.",
    )
    parser.add_argument(
        "--on-stop",
        choices=("fail", "leave"),
        default="fail",
        help="what happens to the track files when the watcher ends; default fail\n\n"
        "`fail` makes every check fail. `leave` leaves the decision to whatever started the "
        "watcher. kacheck.service uses it: a stop or a refused configuration makes every check "
        "fail. After a crash or a kill, and during a restart, the track files stay, and "
        "kacheck-verdict looks until the watcher is back. If it cannot start again, every check "
        "fails.",
    )
    parser.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="how events are written to stderr, a line each; default text\n\n"
        "Events are transitions, problems, and the reason why the watcher refuses to start.",
    )


def run(args: Namespace, edge: Edge) -> int:
    """Watch, or judge the configuration alone."""
    if args.check_config:
        from kacheck import next_step, statedir
        from kacheck.watch.readable import refuse_unreadable

        is_installed = args.config == options.CONFIGURATION
        good = summary(args.config)
        if args.state_dir == statedir.DEFAULT:
            refuse_unreadable(args.config, is_installed=is_installed)
        edge.answer(good)
        if is_installed and not next_step.is_logged():
            edge.answer(f"next: {next_step.reload_watcher(args.state_dir)}")
        return 0
    from kacheck.watch import watcher

    leaves_files = args.on_stop == "leave"
    watcher.watch(
        args.config, args.state_dir, edge.raw_note, args.log_format, leaves_files=leaves_files
    )
    return 0


def summary(path: str) -> str:
    """Return what `--check-config` says of a good configuration: that it is, and its warnings.

    Raises:
        BadConfigError: it is bad; KacheckError: it needs what is not installed.

    """
    from kacheck import config
    from kacheck.looks import warnings_of
    from kacheck.watch.metrics import require

    loaded = config.load(path)
    require(loaded.metrics)
    names = ", ".join(check.name for check in loaded.checks)
    good = f"{path} is good: {names or 'it has no check, so nothing is watched'}"
    warnings = [
        printable(f"{check.name}: warning: {warning}")
        for check in loaded.checks
        for warning in warnings_of(check.question)
    ]
    return "\n".join([good, *warnings])
