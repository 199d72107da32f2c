"""The edge: the only module that prints, logs and exits.

Under keepalived stdout and stderr lead nowhere and the exit code is all that is heard, so nothing
that happens to the output may change it: not a closed pipe, not a full disk, not a bug in here.
"""

from __future__ import annotations

import gc
import os
import sys
from itertools import pairwise

from kacheck import packages, short
from kacheck.commands import TextRequested, command
from kacheck.probes import MODULES
from kacheck.render import line, printable
from kacheck.result import KacheckError, Status, bug

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from typing import NoReturn, TextIO

SIGNALS = 1 << 14 | 1 << 1
"""SIGTERM and SIGINT, as /proc/PID/status has them (proc(5)): signal N is bit N - 1."""
CRASHED = 1
"""The exit code of a watcher; to its unit 3 is a refused configuration, and the checks fail."""
LOGGER_TIMEOUT = 0.1
"""Seconds that /dev/log may take for a line."""


def run() -> NoReturn:
    """Run the command `kacheck`: look, answer, exit.

    Signals kill, whatever keepalived's environment said of them: an exit with 0 after its SIGTERM
    would count as success. os._exit() because the interpreter's own end would turn a stdout that
    cannot be flushed into 120, and because a worker that is still blocked must not be waited for.
    """
    gc.disable()  # nothing lives long enough to be collected, and importing httpx is 5 % faster
    if sys.argv[1:2] not in ([name] for name in MODULES) or not has_usual_signals():
        reset_signals()
    code = unknown_code(sys.argv)
    try:
        for stream, is_diff in ((sys.stdout, sys.argv[1:2] == ["migrate"]), (sys.stderr, False)):
            if stream is not None:  # patch(1) wants the bytes as they are
                errors = "surrogateescape" if is_diff else "backslashreplace"
                stream.reconfigure(errors=errors)  # type: ignore[union-attr]
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        die_of_sigint()
    finally:
        os._exit(code)


def has_usual_signals() -> bool:
    """Return whether no signal is ignored or blocked that ends a check.

    To ask the kernel takes no import; `signal`, which makes enums of them all, takes 6 ms.
    """
    try:
        file = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
        try:
            lines = os.read(file, 65536).splitlines()
        finally:
            os.close(file)
        fields = dict(line.split(b":\t", 1) for line in lines if b":\t" in line)
        held = int(fields[b"SigBlk"], 16) | int(fields[b"SigIgn"], 16) & SIGNALS
    except (OSError, KeyError, ValueError):
        return False
    return not held


def reset_signals() -> None:
    """Let signals end the process, whatever it was started with."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:2] != ["watch"]:  # which may have blocked them itself, and handles them
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def die_of_sigint() -> None:
    """End as SIGINT ends a process that does not handle it."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def main(argv: Sequence[str]) -> int:
    """One command; prints the answer and returns the exit code."""
    started = packages.start()
    try:
        try:
            args = parse(argv)
            return command(args.command).run(args, ProcessEdge(started))
        except packages.PackagesNeededError:
            packages.start_again(argv, started)
    except TextRequested as requested:
        say(sys.stdout, str(requested))
        return 0
    except KacheckError as error:
        return refuse(error, argv)
    except Exception as error:  # noqa: BLE001 - the last line of defence
        complain(line(bug(error)), argv)
        return CRASHED if argv[:1] == ["watch"] else unknown_code(argv)


def parse(argv: Sequence[str]) -> Namespace:
    """Return the command line, as `arguments.parse()` does; argparse takes 15 ms to import."""
    args = short.parse(argv)
    if args is None:
        from kacheck import arguments

        args = arguments.parse(argv)
    return args


class ProcessEdge:
    """The world outside, for a command; the `Edge` of kacheck.commands."""

    def __init__(self, started: float) -> None:
        self.started = started

    def answer(self, text: str) -> None:
        """Print the answer to standard output."""
        say(sys.stdout, text)

    def note(self, text: str) -> None:
        """Print a remark or an error to standard error, made printable and marked as ours."""
        from kacheck.redact import redact

        say(sys.stderr, f"kacheck: {printable(redact(text))}")

    def raw_note(self, text: str) -> None:
        """Print lines to standard error as they are: a log, a traceback."""
        say(sys.stderr, text)

    def to_syslog(self, status: Status, text: str) -> None:
        """Send a line to syslog."""
        to_syslog(status, text)


def unknown_code(argv: Sequence[str]) -> int:
    """Return the code of `unknown` for a command line that need not have been understood."""
    own = argv[: argv.index("--")] if "--" in argv else argv
    return 1 if "--misc" in own else int(Status.UNKNOWN)


def refuse(error: KacheckError, argv: Sequence[str]) -> int:
    """Say what is wrong with the command line.

    It was not understood, so the options that matter now are looked for as they are.
    """
    complain(str(error), argv)
    if "syslog" in argv or "--log=syslog" in argv:
        to_syslog(Status.UNKNOWN, f"bad usage: {error}")
    return unknown_code(argv)


def complain(message: str, argv: Sequence[str]) -> None:
    """Report an error of the whole command to people, or in the format of the watcher's log."""
    words = ["", *argv, ""]
    as_json = "--log-format=json" in argv or ("--log-format", "json") in pairwise(words)
    if words[1] == "watch" and as_json:
        from kacheck.watch.journal import ERROR, Journal

        Journal(lambda text: say(sys.stderr, text), "json").say(ERROR, message)
    else:
        say(sys.stderr, f"kacheck: {printable(message)}")


def to_syslog(status: Status, message: str) -> None:
    """One line to syslog, tagged kacheck[PID], facility daemon.

    A logger that is stuck must not keep the answer from keepalived: it is given a moment.
    """
    import syslog

    from kacheck.deadline import NoThreadError, start_thread

    def send() -> None:
        syslog.openlog("kacheck", syslog.LOG_PID, syslog.LOG_DAEMON)
        level = syslog.LOG_WARNING if status is Status.WARNING else syslog.LOG_ERR
        syslog.syslog(level, printable(message))

    try:  # contextlib would cost 0.4 ms of the start-up
        start_thread(send, "syslog").join(LOGGER_TIMEOUT)
    except NoThreadError:
        return


def say(stream: TextIO | None, text: str) -> None:
    """Print a line; where it cannot be printed the exit code still speaks."""
    if stream is None:  # closed before we began
        return
    try:  # contextlib would cost 0.4 ms of the start-up
        stream.write(text + "\n")
        stream.flush()
    except (OSError, ValueError):
        pass
