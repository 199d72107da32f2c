"""The program as it is installed now: tried first, then executed in this process's place."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from kacheck.deadline import handled_signals


class Successor:
    """What this process becomes; `flush` writes what is still to be written."""

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._argv = [sys.executable, *sys.orig_argv[1:]]
        self.pid = 0
        """The process that tries it, if there is one."""

    def try_it(self) -> int:
        """Start it with --check-config: a descriptor that is readable when that has ended.

        It shows that the program starts, and that it takes this configuration; its complaints go
        where the watcher's go.

        Raises:
            OSError: it cannot be started.

        """
        argv = [*self._argv, "--check-config"]
        silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        self.pid = os.posix_spawn(self._argv[0], argv, os.environ, file_actions=silent)
        try:
            return os.pidfd_open(self.pid)
        except OSError:
            self.abandon()
            raise

    def abandon(self) -> None:
        """End the trial, whose end nobody waits for."""
        self.give_up()
        self.exit_code()

    def give_up(self) -> None:
        """Have the trial end."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def exit_code(self) -> int:
        """Return the trial's, which has ended; negative: the signal that it died of."""
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def execute(self, arrived: Callable[[], set[int]]) -> None:
        """Become it; `arrived` returns the signals that have come and were not acted on.

        Raises:
            OSError: it cannot be executed.

        """
        self._flush()
        # A signal that comes before its handler would end the process; so it waits.
        signal.pthread_sigmask(signal.SIG_BLOCK, handled_signals())
        try:
            for number in arrived().intersection(handled_signals()):
                os.kill(os.getpid(), number)  # to wait, too
            os.execv(self._argv[0], self._argv)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, handled_signals())
