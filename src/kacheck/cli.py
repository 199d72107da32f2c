"""The edge: the only module that prints, logs and exits.

Under keepalived stdout and stderr lead nowhere and the exit code is all that is heard, so nothing
that happens to the output may change it: not a closed pipe, not a full disk, not a bug in here.
"""

import gc
import os
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from itertools import pairwise
from typing import NoReturn, TextIO

from kacheck import arguments, commands
from kacheck.deadline import Deadline, NoThreadError, start_thread, within
from kacheck.redact import redact
from kacheck.render import Report, line, printable, render
from kacheck.result import MILDEST_FIRST, BadConfigError, Status, bug, exit_code

LOGGER_TIMEOUT = 0.1
"""Seconds that /dev/log may take for a line."""


def run() -> NoReturn:
    """The command `kacheck`: look, answer, exit.

    Signals kill, whatever keepalived's environment said of them: an exit with 0 after its SIGTERM
    would count as success. os._exit() because the interpreter's own end would turn a stdout that
    cannot be flushed into 120, and because a worker that is still blocked must not be waited for.
    """
    gc.disable()  # nothing lives long enough to be collected, and importing httpx is 5 % faster
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:2] != ["watch"]:  # which may have blocked them itself, and handles them
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    code = unknown_code(sys.argv)
    try:
        for stream, is_diff in ((sys.stdout, sys.argv[1:2] == ["migrate"]), (sys.stderr, False)):
            if stream is not None:  # patch(1) wants the bytes as they are
                errors = "surrogateescape" if is_diff else "backslashreplace"
                stream.reconfigure(errors=errors)  # type: ignore[union-attr]
        code = main(sys.argv[1:])
    finally:
        os._exit(code)


def main(argv: Sequence[str]) -> int:
    """One command; prints the answer and returns the exit code."""
    started = time.monotonic()
    try:
        args = arguments.parse(argv)
        return COMMANDS[args.check](args, started)
    except arguments.Shown as shown:
        say(sys.stdout, str(shown))
        return 0
    except BadConfigError as error:
        return refuse(error, argv)
    except Exception as error:  # noqa: BLE001 - the last line of defence
        complain(line(bug(error)), argv)
        return unknown_code(argv)


def unknown_code(argv: Sequence[str]) -> int:
    """The code of `unknown` for a command line that need not have been understood."""
    return 1 if "--misc" in argv else int(Status.UNKNOWN)


def refuse(error: BadConfigError, argv: Sequence[str]) -> int:
    """Say what is wrong with the command line.

    It was not understood, so the options that matter now are looked for as they are.
    """
    complain(str(error), argv)
    if "syslog" in argv or "--log=syslog" in argv:
        to_syslog(Status.UNKNOWN, f"bad usage: {error}")
    return unknown_code(argv)


def complain(message: str, argv: Sequence[str]) -> None:
    """An error of the whole command: a line for people, or as the resident's log is wanted."""
    words = ["", *argv, ""]
    as_json = "--log-format=json" in argv or ("--log-format", "json") in pairwise(words)
    if words[1] == "watch" and as_json:
        from kacheck.watch.journal import ERROR, Journal

        Journal(partial(say, sys.stderr), "json").say(ERROR, message)
    else:
        say(sys.stderr, f"kacheck: {printable(message)}")


def check(args: Namespace, started: float) -> int:
    """`kacheck process`, `vault`, `combined` and `run`."""
    reports = look_and_report(commands.orders(args), args, started)
    for report in reports:
        publish(report, args, named=len(reports) > 1)
    return max((report.exit_code for report in reports), key=MILDEST_FIRST.index)


def look_and_report(
    orders: Mapping[str, commands.Prepare], args: Namespace, started: float
) -> list[Report]:
    """Run all checks at the same time, each under its own deadline; the reports in their order."""
    reports: dict[str, Report] = {}

    def work(name: str, prepare: commands.Prepare) -> None:
        reports[name] = one_report(name, prepare, args, started)

    *others, (name, prepare) = orders.items()
    threads = []
    for order in others:
        try:
            threads.append(start_thread(partial(work, *order), "check"))
        except NoThreadError:
            work(*order)  # which says so, unless there is one for its look by now
    work(name, prepare)
    for thread in threads:
        thread.join()
    return [reports[name] for name in orders]


def one_report(name: str, prepare: commands.Prepare, args: Namespace, started: float) -> Report:
    """Run one check; whatever goes wrong with it is a result, too."""
    on_unknown = "fail"
    try:
        timeout, look, on_unknown = prepare()
        result = within(Deadline(timeout, started), look)
    except BadConfigError as error:
        result = error.result()
    except Exception as error:  # noqa: BLE001 - a bug must be `unknown`, with its name
        if args.verbose:
            import traceback

            say(sys.stderr, redact(traceback.format_exc().rstrip("\n")))
        result = bug(error)
    duration = round((time.monotonic() - started) * 1000, 1)
    code = exit_code(result, on_unknown=on_unknown, misc=args.misc)
    return Report(name, result, code, duration)


def watch(args: Namespace, _: float) -> int:
    """`kacheck watch`: until SIGTERM, which is its ordinary end."""
    if args.check_config:
        say(sys.stdout, commands.configuration_answer(args))
        return 0
    from kacheck.watch import resident

    resident.watch(args.config, args.state_dir, partial(say, sys.stderr), args.log_format)
    return 0


def status(args: Namespace, _: float) -> int:
    """`kacheck status`."""
    from kacheck.status import answer
    from kacheck.terminal import view_of

    if args.follow:
        return follow(args)
    view = view_of(sys.stdout, os.environ)
    told = answer(args.state_dir, args.names, view, as_json=args.json)
    if told.trouble is not None:
        say(sys.stderr, f"kacheck: {printable(told.trouble)}")
    if told.text:
        say(sys.stdout, told.text)
    return max(told.codes, key=MILDEST_FIRST.index)


def follow(args: Namespace) -> int:
    """`kacheck status --follow`: until a signal, or until nobody reads it."""
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


def drain(args: Namespace, _: float) -> int:
    """`kacheck drain`."""
    say(sys.stdout, commands.drain_answer(args))
    return 0


def migrate(args: Namespace, _: float) -> int:
    """`kacheck migrate`: the diff, or what was written, apart from what is said about it."""
    answer = commands.migrate_answer(args)
    if answer.text:
        say(sys.stdout, answer.text)
    for remark in answer.remarks:
        say(sys.stderr, f"kacheck: {printable(redact(remark))}")
    return answer.code


def doctor(args: Namespace, _: float) -> int:
    """`kacheck doctor`."""
    from kacheck.terminal import view_of

    colours = view_of(sys.stdout, os.environ).colours
    text, code = commands.doctor_answer(args, colours=colours)
    say(sys.stdout, text)
    return code


COMMANDS: dict[str, Callable[[Namespace, float], int]] = {
    "process": check,
    "vault": check,
    "combined": check,
    "run": check,
    "watch": watch,
    "status": status,
    "drain": drain,
    "doctor": doctor,
    "migrate": migrate,
}
"""By name: from the arguments and the time of the start to the exit code."""


def publish(report: Report, args: Namespace, *, named: bool) -> None:
    """Print the answer, with the check's name where there are several, and log a failure."""
    result = report.result
    warnings = result.data.get("warnings", [])
    if not args.quiet:
        # What says nothing of the node goes where error messages go, unless a program reads along.
        blind = result.is_blind and args.format == "text"
        text = render(report, args.format, verbose=args.verbose)
        if named and args.format == "text":
            text = f"{report.check}: {text}"
        say(sys.stderr if blind else sys.stdout, f"kacheck: {text}" if blind else text)
    if not args.verbose:
        for warning in warnings:
            about = f"{report.check}: " if named else ""
            say(sys.stderr, f"kacheck: warning: {about}{printable(warning)}")
    if args.log == "syslog":
        for warning in warnings:
            to_syslog(Status.WARNING, f"{report.check}: {warning}")
        if result.status is not Status.OK:
            to_syslog(result.status, f"{report.check}: {line(result)}")


def to_syslog(status: Status, message: str) -> None:
    """One line to syslog, tagged kacheck[PID], facility daemon.

    A logger that is stuck must not keep the answer from keepalived: it is given a moment.
    """
    import syslog

    def send() -> None:
        syslog.openlog("kacheck", syslog.LOG_PID, syslog.LOG_DAEMON)
        level = syslog.LOG_WARNING if status is Status.WARNING else syslog.LOG_ERR
        syslog.syslog(level, printable(message))

    with suppress(NoThreadError):
        start_thread(send, "syslog").join(LOGGER_TIMEOUT)


def say(stream: TextIO | None, text: str) -> None:
    """Print a line; where it cannot be printed the exit code still speaks."""
    if stream is None:  # closed before we began
        return
    with suppress(OSError, ValueError):
        stream.write(text + "\n")
        stream.flush()
