"""`kacheck watch`: the resident as a program."""

import faulthandler
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from kacheck import config
from kacheck.result import BadConfigError
from kacheck.watch.journal import Journal, LogFormat, Writer
from kacheck.watch.notify import Notifier
from kacheck.watch.supervisor import SIGNALS, Supervisor

SWITCH_INTERVAL = 0.0005
"""Seconds that a thread may go on while another waits for the interpreter; Python's own 5 ms would
be most of the time from an exit to FAULT."""


def watch(path: str, directory: str, write: Callable[[str], None], log_format: LogFormat) -> None:
    """Keep the verdicts of a configuration current, until SIGTERM.

    Raises:
        BadConfigError: the configuration is bad, or the state directory cannot be had.

    """
    faulthandler.enable()  # systemd's watchdog ends it with SIGABRT: where was it then?
    raise_file_limit()
    sys.setswitchinterval(SWITCH_INTERVAL)
    writer = Writer(write)
    journal = Journal(writer, log_format, levels="JOURNAL_STREAM" in os.environ)
    try:
        execute = partial(re_execute, writer)
        supervisor = Supervisor(config.load(path), path, directory, journal, execute)
        gc.enable()
        gc.freeze()  # what is loaded now stays
        supervisor.run()
    except BadConfigError as error:
        Notifier(os.environ, os.getpid()).tell(f"STATUS={error}")
        raise
    finally:
        writer.close()


def re_execute(writer: Writer) -> None:
    """Run the same command line in this process, as the program is installed now.

    Raises:
        OSError: it cannot be run.

    """
    writer.flush()
    # A signal that comes before its handler would end the process; so it waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def raise_file_limit() -> None:
    """Each process and connection that is held is a descriptor: take all that we may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
