"""What wakes the supervisor's selector: signals, and workers that have an outcome."""

import os
import selectors
import signal
from collections.abc import Callable
from contextlib import suppress

from kacheck.deadline import handled_signals


class Alarm:
    """A pipe that the selector waits for; signals write their numbers to it, `ring` a 0."""

    def __init__(self, selector: selectors.BaseSelector, woken: Callable[[], None]) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        selector.register(self._read, selectors.EVENT_READ, woken)

    def take_signals(self) -> None:
        """Let signals wake the selector."""
        for number in handled_signals():
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the trial's code
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # and those that came while it re-executed

    def ring(self) -> None:
        """Let the selector return; called by any thread."""
        with suppress(BlockingIOError):  # full: it is awake
            os.write(self._write, b"\0")

    def numbers(self) -> set[int]:
        """Empty the pipe; return the numbers of the signals that were in it, and perhaps 0."""
        with suppress(BlockingIOError):
            return {*os.read(self._read, 65536)}  # all that a pipe has room for
        return set()
