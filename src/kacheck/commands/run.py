"""`kacheck run`: configured checks by name."""

import argparse
import threading
from argparse import Namespace
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

from kacheck.commands import Edge, options
from kacheck.commands.check import Prepared, answered, run_all, wants_details
from kacheck.result import BadConfigError

if TYPE_CHECKING:
    from kacheck.check import CheckConfiguration

DESCRIPTION = """Run checks from the configuration file by their names, all at the same time.

Each check has its own timeout and prints one line. The exit code is the worst one, in the order \
0, 1, 3, 2. `on_unknown = "hold"` fails here, because a single look has nothing to hold."""
Load = Callable[[], "CheckConfiguration"]


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare checks by name, and where they are configured."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "names", nargs="*", metavar="CHECK", help="the name of a check in the configuration file"
    )
    options.add_config(parser)
    options.add_common(parser)


def run(args: Namespace, edge: Edge) -> int:
    """Look, and answer."""
    if not args.names:
        raise BadConfigError(f"CHECK is missing: give the name of a check in {args.config}")
    load = once(args.config)
    return run_all({name: partial(prepared, load, name, args) for name in args.names}, args, edge)


def prepared(load: Load, name: str, args: Namespace) -> Prepared:
    """Return the look of one check of the configuration file.

    There is no verdict yet that an unknown could leave as it is, so `hold` fails.

    Raises:
        BadConfigError: there is no such check, or the configuration is bad.

    """
    from kacheck.check import drained_by
    from kacheck.config.values import suggestion
    from kacheck.drain import Drains
    from kacheck.looks import detailed, look_of

    known = {check.name: check for check in load().checks}
    if name not in known:
        raise BadConfigError(f"{args.config} has no check {name}; {suggestion(name, known)}")
    check = known[name]
    found = Drains(args.state_dir).find(drained_by(check))
    if found is not None:
        return answered(found.result())
    question = detailed(check.question) if wants_details(args) else check.question
    on_unknown = "ok" if check.policy.on_unknown == "ok" else "fail"
    return Prepared(check.timeout, look_of(question), on_unknown)


def once(path: str) -> Load:
    """Return what loads a configuration for several threads: one loads, the others wait for it."""
    from kacheck import config

    lock, cached = threading.Lock(), cache(partial(config.load, path))

    def loaded() -> "CheckConfiguration":
        with lock:
            return cached()

    return loaded
