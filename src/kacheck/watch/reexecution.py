"""Becoming the program as it is installed now, after an upgrade; the pid stays."""

import os
import selectors
import time
from collections.abc import Callable
from functools import partial

from kacheck import __version__
from kacheck.check import CheckConfiguration
from kacheck.result import KacheckError
from kacheck.watch.journal import ERROR, NOTICE, Journal
from kacheck.watch.lock import Lock
from kacheck.watch.successor import Successor
from kacheck.watch.timers import Timer, Timers

TRIAL = 10.0
"""Seconds that the program as it is installed now has for its trial."""
Load = Callable[[], CheckConfiguration]


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

    def begin(self, load: Load) -> None:
        """Try the successor, if `load` can read the configuration; execute it when it succeeds."""
        if self._successor.pid:
            return  # it is being tried
        try:
            tried = load()
            self._await_trial(self._successor.try_it(), load, tried)
        except (KacheckError, OSError) as error:
            self._refuse(str(error))

    def _await_trial(self, trial: int, load: Load, tried: CheckConfiguration) -> None:
        """Go on when the trial has ended, or give it up when its time is over."""
        over = self._timers.at(time.monotonic() + TRIAL, self._successor.give_up)
        end = partial(self._end_trial, trial, over, load, tried)
        try:
            self._selector.register(trial, selectors.EVENT_READ, end)
        except OSError:
            over.cancel()
            os.close(trial)
            self._successor.abandon()
            raise

    def _end_trial(self, trial: int, over: Timer, load: Load, tried: CheckConfiguration) -> None:
        over.cancel()
        self._selector.unregister(trial)
        os.close(trial)
        code = self._successor.exit_code()
        if code:
            ended = f"exits with {code}" if code > 0 else f"dies of signal {-code}"
            self._refuse(f"the installed program {ended} at watch --check-config")
            return
        try:
            if load() != tried:
                self.begin(load)  # what was tried is not what it would find
            else:
                self._execute()
        except (KacheckError, OSError) as error:
            self._refuse(str(error))

    def _execute(self) -> None:
        self._journal.say(NOTICE, f"re-executing, kacheck {__version__} until now")
        with self._lock.kept():
            self._successor.execute(self._arrived)

    def _refuse(self, why: str) -> None:
        self._journal.say(ERROR, f"not re-executed, kacheck {__version__} continues: {why}")
