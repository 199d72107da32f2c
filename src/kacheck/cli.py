"""The edge: the only module that prints, logs and exits.

Under keepalived stdout and stderr lead nowhere and the exit code is all that is heard, so nothing
that happens to the output may change it: not a closed pipe, not a full disk, not a bug in here.
"""

import gc
import os
import signal
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn, TextIO

from kacheck import arguments
from kacheck.deadline import Deadline, within
from kacheck.durations import DEFAULT_TIMEOUT
from kacheck.render import Report, line, printable, render
from kacheck.result import BadConfigError, Reason, Result, Status, exit_code

Look = Callable[[Deadline], Result]

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
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    code = unknown_code(sys.argv)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        code = main(sys.argv[1:])
    finally:
        os._exit(code)


def main(argv: Sequence[str]) -> int:
    """One look; prints the answer and returns the exit code."""
    started = time.monotonic()
    try:
        args = arguments.parse(argv)
        report = look_and_report(args, started)
        publish(report, args)
    except arguments.Shown as shown:
        say(sys.stdout, str(shown))
        return 0
    except BadConfigError as error:
        return refuse(error, argv)
    except Exception as error:  # noqa: BLE001 - the last line of defence
        say(sys.stderr, f"kacheck: {line(bug(error))}")
        return unknown_code(argv)
    return report.exit_code


def unknown_code(argv: Sequence[str]) -> int:
    """The code of `unknown` for a command line that need not have been understood."""
    return 1 if "--misc" in argv else int(Status.UNKNOWN)


def refuse(error: BadConfigError, argv: Sequence[str]) -> int:
    """Say what is wrong with the command line.

    It was not understood, so the options that matter now are looked for as they are.
    """
    say(sys.stderr, f"kacheck: {printable(str(error))}")
    if "syslog" in argv or "--log=syslog" in argv:
        to_syslog(Status.UNKNOWN, f"bad usage: {error}")
    return unknown_code(argv)


def look_and_report(args: Namespace, started: float) -> Report:
    """Run the check that `args` ask for; whatever goes wrong with it is a result, too."""
    try:
        timeout, look = CHECKS[args.check](args)
        result = within(Deadline(timeout, started), look)
    except BadConfigError as error:
        result = error.result()
    except Exception as error:  # noqa: BLE001 - a bug must be `unknown`, with its name
        if args.verbose:
            import traceback

            say(sys.stderr, traceback.format_exc().rstrip("\n"))
        result = bug(error)
    duration = round((time.monotonic() - started) * 1000, 1)
    code = exit_code(result, on_unknown=args.on_unknown, misc=args.misc)
    return Report(args.check, result, code, duration)


def bug(error: Exception) -> Result:
    """The result for an exception that nobody expected."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
    message = (
        f"{type(error).__name__}: {error}{place}; please report it with the output of --verbose"
    )
    return Result(Status.UNKNOWN, Reason.BUG, message, {})


def process_look(args: Namespace) -> tuple[float, Look]:
    """`kacheck process`."""
    from kacheck.probes import process

    name, *rest = args.command
    options = process.ProcessOptions(
        name=name,
        args=tuple(rest),
        quorum=args.quorum,
        quorum_max=args.quorum_max,
        param_match=args.param_match,
        full_command=args.full_command,
        user=args.user,
        all_namespaces=args.all_namespaces,
        describe=wants_details(args),
    )
    return args.timeout or DEFAULT_TIMEOUT, partial(process.probe, options)


def vault_look(args: Namespace) -> tuple[float, Look]:
    """`kacheck vault`."""
    from kacheck.probes import vault
    from kacheck.probes.vault_settings import VaultOptions, settings, timeout_from

    given = VaultOptions(
        accept=tuple(args.accept or (Reason.ACTIVE,)),
        ca_cert=args.ca_cert,
        ca_path=args.ca_path,
        client_cert=args.client_cert,
        client_key=args.client_key,
        tls_server_name=args.tls_server_name,
        insecure=args.insecure,
        remote=args.remote,
    )
    options = settings(given, args.address, os.environ)
    return args.timeout or timeout_from(os.environ), partial(vault.probe, options)


def combined_look(args: Namespace) -> tuple[float, Look]:
    """`kacheck combined`."""
    from kacheck.probes import combined, process

    timeout, vault = vault_look(args)
    options = process.ProcessOptions(
        name=args.process,
        user=args.user,
        all_namespaces=args.all_namespaces,
        describe=wants_details(args),
    )
    return timeout, partial(combined.probe, partial(process.probe, options), vault)


CHECKS = {"process": process_look, "vault": vault_look, "combined": combined_look}


def wants_details(args: Namespace) -> bool:
    """Will the answer show each process that matched?"""
    return bool(args.verbose or args.format == "json")


def publish(report: Report, args: Namespace) -> None:
    """Print the answer, and log a failure."""
    result = report.result
    warnings = result.data.get("warnings", [])
    if not args.quiet:
        # What says nothing of the node goes where error messages go, unless a program reads along.
        blind = result.is_blind and args.format == "text"
        text = render(report, args.format, verbose=args.verbose)
        say(sys.stderr if blind else sys.stdout, f"kacheck: {text}" if blind else text)
    if not args.verbose:
        for warning in warnings:
            say(sys.stderr, f"kacheck: warning: {printable(warning)}")
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

    sender = threading.Thread(target=send, name="syslog", daemon=True)
    sender.start()
    sender.join(LOGGER_TIMEOUT)


def say(stream: TextIO | None, text: str) -> None:
    """Print a line; where it cannot be printed the exit code still speaks."""
    if stream is None:  # closed before we began
        return
    with suppress(OSError, ValueError):
        stream.write(text + "\n")
        stream.flush()
