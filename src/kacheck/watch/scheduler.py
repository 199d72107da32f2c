"""When each check is looked at: regularly, after an event, after a delay; and until when."""

import selectors
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import floor
from queue import Empty, SimpleQueue

from kacheck.deadline import Deadline
from kacheck.result import Loss, Result
from kacheck.watch.timers import Timers
from kacheck.watch.watched import EVENTS_PER_INTERVAL, Watched
from kacheck.watch.worker import Job, Outcome

Decide = Callable[[Watched, Job, Result, Loss], None]


class Scheduler:
    """Starts looks and hands what they find to `decide`, which all happens in one thread.

    Nothing here waits for a worker, so none can delay a verdict, its own or another's.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        timers: Timers,
        wake: Callable[[], None],
        decide: Decide,
    ) -> None:
        self._selector = selector
        self._timers = timers
        self._wake = wake
        """Called by workers: has the selector return."""
        self._decide = decide
        self._outcomes: SimpleQueue[tuple[Watched, Outcome]] = SimpleQueue()

    def begin(self, watched: Watched, first_tick: float, *, event: bool) -> None:
        """Look at once, and regularly from then on."""
        self._look(watched, event=event)
        self._set_timer(watched, "tick", first_tick, self._tick)

    def silence(self, watched: Watched) -> None:
        """End a check's looks."""
        watched.is_ended = True
        self._disarm(watched)
        if watched.job is not None:
            watched.job.deadline.expire()  # nobody else ends what the worker is blocked in
        watched.job = None
        for timer in watched.timers.values():
            timer.cancel()
        watched.worker.stop()

    def go_on(self, watched: Watched, recheck_at: float | None) -> None:
        """Go on after a decision: recheck then, and make the regular look that had to wait."""
        self.recheck_at(watched, recheck_at)
        if watched.is_slowed:
            watched.is_look_due = False
            self._set_timer(watched, "tick", time.monotonic() + watched.interval, self._tick)
        if watched.is_look_due:
            watched.is_look_due = False
            self._look(watched, event=False)

    def post(self, watched: Watched, outcome: Outcome) -> None:
        """Hand over what a worker has found; called by the worker."""
        self._outcomes.put((watched, outcome))
        self._wake()

    def decide_outcomes(self) -> None:
        """Decide on what workers have handed over."""
        with suppress(Empty):
            while True:
                watched, outcome = self._outcomes.get_nowait()
                watched.worker.pending -= 1
                if outcome.job is watched.job and outcome.result is not None:
                    watched.timers["timeout"].cancel()
                    loss = max(outcome.loss, watched.unreported_loss)
                    watched.unreported_loss = Loss.NOTHING
                    self._decide(watched, outcome.job, outcome.result, loss)
                elif outcome.loss is Loss.ALL:  # a connection may be lost by its very timeout
                    watched.unreported_loss = outcome.loss
                # An answer that was too late leaves descriptors, too.
                if watched.worker.pending == 0 and not watched.is_ended:
                    self._arm(watched, outcome.watched)

    def _tick(self, watched: Watched) -> None:
        """Make the regular look."""
        now = time.monotonic()
        interval = watched.interval
        planned = watched.timers["tick"].when
        # What was missed, while the machine slept, is not made up for.
        following = planned + interval * (1 + floor(max(0.0, now - planned) / interval))
        self._set_timer(watched, "tick", following, self._tick)
        watched.events_left = EVENTS_PER_INTERVAL
        if watched.job is not None:
            # Else a look that hangs would take the place of the next one.
            watched.is_look_due = True
            return
        result = watched.worker.quick_result()
        if result is None:
            self._look(watched, event=False)
        else:
            loss, watched.unreported_loss = watched.unreported_loss, Loss.NOTHING
            job = Job(Deadline(watched.check.timeout, now), event=False)
            self._decide(watched, job, result, loss)

    def _look(self, watched: Watched, *, event: bool) -> None:
        self._disarm(watched)
        deadline = Deadline(watched.check.timeout)
        job = watched.job = Job(deadline, event=event)
        end = deadline.started + deadline.seconds
        self._set_timer(watched, "timeout", end, partial(self._expire, job=job))
        watched.worker.start(job)

    def _expire(self, watched: Watched, job: Job) -> None:
        """Answer in the worker's place."""
        self._decide(watched, job, job.deadline.expire(), Loss.NOTHING)

    def _event(self, watched: Watched) -> None:
        """Look at once: a process has exited, or a connection was lost."""
        if not watched.armed:
            return  # another of its descriptors has told the same, or the check has ended
        if watched.events_left == 0:
            self._disarm(watched)
        else:
            watched.events_left -= 1
            self._look(watched, event=True)

    def recheck_at(self, watched: Watched, when: float | None) -> None:
        """Look once more at that time."""
        if when is not None:
            self._set_timer(watched, "recheck", when, self.recheck)

    def recheck(self, watched: Watched) -> None:
        """Look at the end of a delay or of a drain; a look under way will do as well."""
        if watched.job is None:
            self._look(watched, event=False)

    def _arm(self, watched: Watched, files: list[int]) -> None:
        self._disarm(watched)
        for file in files:
            # It may have been closed, or have the number of one that was: then the look tells.
            with suppress(OSError, ValueError, KeyError):
                self._selector.register(file, selectors.EVENT_READ, partial(self._event, watched))
                watched.armed.append(file)

    def _disarm(self, watched: Watched) -> None:
        for file in watched.armed:
            with suppress(KeyError):
                self._selector.unregister(file)
        watched.armed = []

    def _set_timer(
        self, watched: Watched, name: str, when: float, action: Callable[[Watched], None]
    ) -> None:
        """Set the one timer of a name that a check has."""
        if name in watched.timers:
            watched.timers[name].cancel()
        watched.timers[name] = self._timers.at(when, partial(action, watched))
