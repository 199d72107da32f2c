"""`kacheck watch`: the watcher as a program."""

import faulthandler
import gc
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress

from kacheck import config
from kacheck.result import KacheckError
from kacheck.watch.journal import Journal, LineWriter, LogFormat
from kacheck.watch.notify import Notifier
from kacheck.watch.successor import Successor
from kacheck.watch.supervisor import Supervisor

SWITCH_INTERVAL = 0.0005
"""Seconds that a thread may go on while another waits for the interpreter; Python's own 5 ms would
be most of the time from an exit to FAULT."""


def watch(
    path: str,
    directory: str,
    write: Callable[[str], None],
    log_format: LogFormat,
    *,
    leaves_files: bool = False,
) -> None:
    """Keep the verdicts of a configuration current, until SIGTERM.

    Then, and after a crash, every check fails; with `leaves_files`, what started it decides.

    Raises:
        BadConfigError: the configuration is bad; StateDirectoryError: the directory cannot be had;
            KacheckError: metrics or a thread cannot be.

    """
    fill_standard_files()
    faulthandler.enable(2)  # systemd's watchdog ends it with SIGABRT: where was it then?
    raise_file_limit()
    sys.setswitchinterval(SWITCH_INTERVAL)
    writer = LineWriter(write)
    journal = Journal(writer, log_format, levels="JOURNAL_STREAM" in os.environ)
    try:
        successor = Successor(writer.flush)
        loaded = config.load(path)
        supervisor = Supervisor(
            loaded, path, directory, journal, successor, leaves_files=leaves_files
        )
        gc.enable()
        gc.freeze()  # what is loaded now stays
        supervisor.run()
    except KacheckError as error:
        Notifier(os.environ, os.getpid()).tell(f"STATUS={error}")
        raise
    finally:
        writer.close()


def fill_standard_files() -> None:
    """Open /dev/null for closed standard files, so that the lock cannot become the log."""
    while (file := os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)) <= 2:
        pass
    os.close(file)


def raise_file_limit() -> None:
    """Each process and connection that is held is a descriptor: take all that we may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
