"""Becoming the program as it is installed now, after an upgrade; the pid stays."""

import os
import selectors
import time
from collections.abc import Callable
from functools import partial

from kacheck import __version__
from kacheck.result import KacheckError
from kacheck.watch.journal import ERROR, NOTICE, Journal
from kacheck.watch.lock import Lock
from kacheck.watch.successor import Successor
from kacheck.watch.timers import Timer, Timers

TRIAL = 10.0
"""Seconds that the program as it is installed now has for its trial."""


class ReExecution:
    """Tries the successor, then executes it.

    The track files stay as they are, and the successor goes on from the verdicts. If it does not
    come up although its trial succeeded, the process has ended, which is what the unit's
    ExecStopPost is for.
    """

    def __init__(  # noqa: PLR0913 - the parts of a watcher
        self,
        successor: Successor,
        lock: Lock,
        selector: selectors.BaseSelector,
        timers: Timers,
        journal: Journal,
        *,
        arrived: Callable[[], set[int]],
    ) -> None:
        self._successor = successor
        self._arrived = arrived
        """Returns the signals that have come and were not acted on."""
        self._lock = lock
        self._selector = selector
        self._timers = timers
        self._journal = journal

    def begin(self, load: Callable[[], object]) -> None:
        """Try the successor, if `load` can read the configuration; execute it when it succeeds."""
        if self._successor.pid:
            return  # it is being tried
        try:
            load()
            trial = self._successor.try_it()
            over = self._timers.at(time.monotonic() + TRIAL, self._successor.give_up)
            end = partial(self._end_trial, trial, over)
            self._selector.register(trial, selectors.EVENT_READ, end)
        except (KacheckError, OSError) as error:
            self._refuse(str(error))

    def _end_trial(self, trial: int, over: Timer) -> None:
        over.cancel()
        self._selector.unregister(trial)
        os.close(trial)
        code = self._successor.exit_code()
        if code:
            ended = f"ends with {code}" if code > 0 else f"dies of signal {-code}"
            self._refuse(f"what is installed now {ended} at watch --check-config")
            return
        self._journal.say(NOTICE, f"re-executing, kacheck {__version__} until now")
        try:
            with self._lock.kept():
                self._successor.execute(self._arrived)
        except OSError as error:
            self._refuse(str(error))

    def _refuse(self, why: str) -> None:
        self._journal.say(ERROR, f"not re-executed, kacheck {__version__} goes on: {why}")
