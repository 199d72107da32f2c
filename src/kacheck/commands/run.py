"""`kacheck run`: configured checks by name."""

import argparse
import threading
import time
from argparse import Namespace
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

from kacheck.commands import Edge, options
from kacheck.commands.reports import Prepared, answered, run_all, wants_details
from kacheck.result import BadConfigError, Result, Status, reasons_of

if TYPE_CHECKING:
    from kacheck.check import CheckConfiguration
    from kacheck.deadline import Deadline

DESCRIPTION = """Run checks from the configuration file by their names, all at the same time.

Each check has its timeout from the file, and prints one line. The exit code is the worst one, \
in the order 0, 1, 3, 2. `on_unknown = "hold"` fails here, because a single look has no verdict \
to hold."""
Load = Callable[[], "CheckConfiguration"]


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare checks by name, and where they are configured."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "names", nargs="*", metavar="CHECK", help="the name of a check in the configuration file"
    )
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="REASON",
        help="count a warning with this reason, such as standby, as ok; may be given more than "
        "once\n\nIf several members of a combination have a warning, name each of the reasons.",
    )
    parser.add_argument(
        "--timeout",
        type=options.whole_message(options.timeout),
        metavar="SECONDS",
        help="the deadline of each check, instead of the timeout in the file",
    )
    options.add_config(parser)
    options.add_common(parser)


def run(args: Namespace, edge: Edge) -> int:
    """Look, and answer."""
    if not args.names:
        raise BadConfigError(f"CHECK is missing: give the name of a check in {args.config}")
    require_reasons(args.accept)
    load = once(args.config)
    return run_all({name: partial(prepared, load, name, args) for name in args.names}, args, edge)


def prepared(load: Load, name: str, args: Namespace) -> Prepared:
    """Return the look of one check of the configuration file.

    A one-shot has no earlier verdict for `hold` to keep, so it fails.

    Raises:
        BadConfigError: a check does not exist, or the configuration is bad.

    """
    from kacheck.check import drained_by
    from kacheck.drain import Drains
    from kacheck.kinds import suggestion
    from kacheck.looks import detailed, look_of

    known = {check.name: check for check in load().checks}
    if name not in known:
        raise BadConfigError(f"{args.config} has no check {name}; {suggestion(name, known)}")
    check = known[name]
    drain = Drains(args.state_dir).find(drained_by(check))
    if drain is not None:
        return answered(drain.result())
    question = detailed(check.question) if wants_details(args) else check.question
    on_unknown = "ok" if check.policy.on_unknown == "ok" else "fail"
    look = look_of(question)

    def accepting(deadline: "Deadline") -> Result:
        return with_accepted(look(deadline), args)

    # The file's timeout is for a look of the watcher's, to which nothing has to be loaded.
    return Prepared(args.timeout or check.timeout, accepting, on_unknown, time.monotonic())


def with_accepted(result: Result, args: Namespace) -> Result:
    """Return the result, as ok where it is a warning and each of its reasons is accepted."""
    if result.status is Status.WARNING and {*reasons_of(result)}.issubset(args.accept):
        return result._replace(status=Status.OK)
    return result


def require_reasons(words: list[str]) -> None:
    """Require that each word is the reason of a warning.

    Raises:
        BadConfigError: one is not.

    """
    if not words:
        return
    from kacheck.kinds import suggestion
    from kacheck.probes import reasons

    known = [word for word, reason in reasons().items() if Status.WARNING in reason.statuses]
    for word in words:
        if word not in known:
            raise BadConfigError(
                f'invalid value "{word}" for --accept: it is not the reason of a warning; '
                f"{suggestion(word, known)}"
            )


def once(path: str) -> Load:
    """Return what loads a configuration for several threads: one loads, the others wait for it."""
    from kacheck import config

    lock, cached = threading.Lock(), cache(partial(config.load, path))

    def loaded() -> "CheckConfiguration":
        with lock:
            return cached()

    return loaded
