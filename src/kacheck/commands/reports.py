"""What every command that looks has in common: drains, looking side by side, and the answer."""

from __future__ import annotations

import os
import time

from kacheck import packages, statedir
from kacheck.deadline import DEFAULT_TIMEOUT, Deadline, NoThreadError, start_thread, within
from kacheck.packages import PackagesNeededError
from kacheck.render import Report, line, printable, render
from kacheck.result import (
    MILDEST_FIRST,
    BadConfigError,
    KacheckError,
    Result,
    Status,
    bug,
    exit_code,
)

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping

    from kacheck.commands import Edge

    Preparation = Callable[[], "Prepared"]
    """Raises KacheckError where no look can be made."""


class Prepared:
    """A look that is ready to be made."""

    def __init__(
        self,
        timeout: float,
        look: Callable[[Deadline], Result],
        on_unknown: str = "fail",
        started: float | None = None,
    ) -> None:
        self.timeout = timeout
        self.look = look
        self.on_unknown = on_unknown
        self.started = started
        """When its time began (time.monotonic()); None: when the command was started."""


def run_all(checks: Mapping[str, Preparation], args: Namespace, edge: Edge) -> int:
    """Look, print the answers, and return the exit code of the worst."""
    reports = look_and_report(checks, args, edge)
    for report in reports:
        publish(report, args, edge, named=len(reports) > 1)
    return max((report.exit_code for report in reports), key=MILDEST_FIRST.index)


def look_and_report(checks: Mapping[str, Preparation], args: Namespace, edge: Edge) -> list[Report]:
    """Run all checks at the same time, each under its own deadline; the reports in their order."""
    reports: dict[str, Report] = {}
    needs: list[PackagesNeededError] = []

    def work(name: str, prepare: Preparation) -> None:
        try:
            reports[name] = one_report(name, prepare, args, edge)
        except PackagesNeededError as error:
            needs.append(error)

    *others, (name, prepare) = checks.items()
    threads = []
    for other in others:
        try:
            threads.append(start_thread(worker(work, *other), "check"))
        except NoThreadError:
            work(*other)  # which reports it, unless a thread can be started by then
    work(name, prepare)
    for thread in threads:
        thread.join()
    if needs:
        raise needs[0]
    return [reports[name] for name in checks]


def worker(
    work: Callable[[str, Preparation], None], name: str, prepare: Preparation
) -> Callable[[], None]:
    """Return what does this work; functools would cost 1 ms of the start-up."""
    return lambda: work(name, prepare)


def one_report(name: str, prepare: Preparation, args: Namespace, edge: Edge) -> Report:
    """Run one check; whatever goes wrong with it is a result, too."""
    on_unknown = "fail"
    try:
        prepared = unless_drained(args.state_dir, name, prepare)
        on_unknown = prepared.on_unknown
        started = edge.started if prepared.started is None else prepared.started
        result = within(Deadline(prepared.timeout, started), prepared.look)
    except KacheckError as error:
        result = error.result()
    except Exception as error:  # noqa: BLE001 - a bug must be `unknown`, with its name
        if args.verbose:
            import traceback

            from kacheck.redact import redact

            edge.raw_note(redact(traceback.format_exc().rstrip("\n")))
        result = bug(error)
    duration = round((time.monotonic() - edge.started) * 1000, 1)
    code = exit_code(result, on_unknown=on_unknown, misc=args.misc)
    return Report(name, result, code, duration)


def publish(report: Report, args: Namespace, edge: Edge, *, named: bool) -> None:
    """Print the answer, with the check's name where there are several, and log a failure."""
    result = report.result
    warnings = result.data.get("warnings", [])
    if not args.quiet:
        text = render(report, args.format, verbose=args.verbose)
        if named and args.format == "text":
            text = f"{report.check}: {text}"
        # What says nothing of the node goes where errors go, unless a program reads along.
        if result.is_blind and args.format == "text":
            edge.raw_note(f"kacheck: {text}")
        else:
            edge.answer(text)
    if not args.verbose:
        for warning in warnings:
            about = f"{report.check}: " if named else ""
            edge.note(f"warning: {about}{warning}")
    if args.log == "syslog":
        for warning in warnings:
            edge.to_syslog(Status.WARNING, f"{report.check}: {warning}")
        if result.status is not Status.OK:
            edge.to_syslog(result.status, f"{report.check}: {line(result)}")


def wants_details(args: Namespace) -> bool:
    """Return whether the answer shows what costs more to find out, and takes packages.

    Raises:
        PackagesNeededError: it does, and Python was started without them.

    """
    if not (args.verbose or args.format == "json"):
        return False
    packages.need()
    return True


# --- drains ---------------------------------------------------------------------------------


def unless_drained(state_dir: str, name: str, prepare: Preparation) -> Prepared:
    """Return the look; when the check is drained, one that has its answer already."""
    if may_be_drained(state_dir, checked(name)):
        from kacheck.drain import drained

        drain = drained(state_dir, name)
        if drain is not None:
            return answered(drain.result())
    return prepare()


def answered(result: Result) -> Prepared:
    """Return a look whose answer is known."""
    return Prepared(DEFAULT_TIMEOUT, lambda _: result)


def may_be_drained(state_dir: str, name: str) -> bool:
    """Return whether there may be a drain's file; most checks have none, and need no import."""
    for file in (statedir.ALL, name):
        try:
            os.lstat(f"{state_dir}/drain/{file}")
        except FileNotFoundError:
            continue
        except OSError:
            pass
        return True
    return False


def checked(name: str) -> str:
    """Return the name, if a check can have it."""
    if not statedir.is_name(name) or name.upper() == statedir.ALL:
        raise BadConfigError(
            f"{printable(name)!r} is not a valid name for a check: use letters, digits, _, . and "
            f"-, 64 at most, no . or - at the beginning, and not {statedir.ALL}"
        )
    return name
