"""From what a look has found, or a drain that has begun, to the verdict that is published."""

import time
from collections.abc import Callable
from math import floor

from kacheck.check import drained_by
from kacheck.drain import Drains
from kacheck.looks import warnings_of
from kacheck.result import STOPPED, TIMEOUT, Loss, Result, Status, exit_code
from kacheck.state import State, Verdict, recheck_at, step
from kacheck.statedir import Published
from kacheck.watch.journal import WARNING, Journal
from kacheck.watch.publisher import Publisher
from kacheck.watch.scheduler import Scheduler
from kacheck.watch.troubles import UptimeClock
from kacheck.watch.watched import Transition, Watched
from kacheck.watch.worker import Job

LEAST_REST = 0.1
"""Seconds of a drain that are waited for at least."""


class Decisions:
    """Decides what checks say; in the supervisor's thread."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a watcher
        self,
        drains: Drains,
        publisher: Publisher,
        scheduler: Scheduler,
        uptime: UptimeClock,
        journal: Journal,
        announce: Callable[[], None],
    ) -> None:
        self._drains = drains
        self._publisher = publisher
        self._scheduler = scheduler
        self._uptime = uptime
        self._journal = journal
        self._announce = announce
        """Called when a verdict has changed."""

    def begin(self, watched: Watched, now: float, next_look: float) -> None:
        """Begin a check, where its verdict was if it is still this process's."""
        check = watched.check
        for warning in warnings_of(check.question):
            self._journal.say(WARNING, warning, check.name)
        earlier = self._publisher.expect(check.name, check.track.critical)
        if earlier is not None:
            verdict = Verdict(earlier.status, earlier.reason, earlier.message, now)
            watched.state = State(verdict)
        watched.decided_at = now
        # Exits during a re-execution were not seen.
        self._scheduler.begin(watched, next_look, event=earlier is not None)

    def decide(self, watched: Watched, job: Job, result: Result, loss: Loss) -> None:
        """Decide what the check says after one more look."""
        watched.job = None
        now = time.monotonic()
        watched.decided_at = now
        watched.last_ms = (now - job.deadline.started) * 1000
        watched.last_result = result
        watched.looks[result.status] += 1
        self._adapt_interval(watched, result, now)
        check = watched.check
        drained = watched.drained = self._drains.find(drained_by(check))
        seen = drained.result() if drained else result
        intervals = 1
        if result.reason is TIMEOUT:
            intervals = max(1, round((now - job.deadline.started) // check.interval))
        state = step(
            check.policy,
            watched.state,
            seen,
            now,
            loss,
            triggered=job.event,
            intervals=intervals,
        )
        self._change(watched, state)
        self._scheduler.go_on(watched, self._recheck_at(watched, now))

    def drain(self, watched: Watched) -> None:
        """Drain a check at once; where a drain has ended, look."""
        if watched.state.verdict is None:
            return
        drained = self._drains.find(drained_by(watched.check))
        if drained is None and watched.drained is not None:
            self._scheduler.recheck(watched)
        elif drained is not None and drained != watched.drained:
            watched.drained, now = drained, time.monotonic()
            state = step(watched.check.policy, watched.state, drained.result(), now)
            self._change(watched, state)
            self._scheduler.recheck_at(watched, self._recheck_at(watched, now))

    def retire(self, watched: Watched, why: str) -> None:
        """End a check: it fails from now on."""
        self._scheduler.silence(watched)
        published = Published(Status.CRITICAL, 0, Status.CRITICAL, STOPPED, why)
        self._publisher.forget(watched.check.name, published)

    def _adapt_interval(self, watched: Watched, result: Result, now: float) -> None:
        was_slowed = watched.is_slowed
        watched.adapt_interval(result, now)
        if watched.is_slowed and not was_slowed:
            words = f"{result.message}; for now it is asked every {watched.interval:g} s"
            self._journal.say(WARNING, words, watched.check.name)

    def _change(self, watched: Watched, state: State) -> None:
        """Publish what a check says now, and announce it if that is something else."""
        check, old, new = watched.check, watched.state.verdict, state.verdict
        watched.state = state
        if new is None:
            return  # never: a step always leaves one
        self._publish(watched, new)
        if old is None or (old.status, old.reason) != (new.status, new.reason):
            watched.transition_count += 1
            watched.transitions.append(Transition(time.time(), old, new))
            self._journal.transition(check.name, old, new)
            self._announce()

    def _publish(self, watched: Watched, verdict: Verdict) -> None:
        check = watched.check
        result = Result(verdict.status, verdict.reason, verdict.message, {})
        code = exit_code(result, on_unknown=check.policy.on_unknown)
        track = check.track.value(verdict.status, verdict.reason, check.policy)
        published = None
        if (now := self._uptime.now()) is not None:
            # It is renewed at the next look, or when that one times out.
            expiry = floor(now + watched.interval + check.timeout) + 1
            published = Published(code, expiry, verdict.status, verdict.reason, verdict.message)
        self._publisher.publish(check.name, track, published)

    def _recheck_at(self, watched: Watched, now: float) -> float | None:
        """Return when a delay or a drain ends, that a look is to decide."""
        until = watched.drained.until if watched.drained is not None else 0
        if not until:
            return recheck_at(watched.check.policy, watched.state, now)
        uptime = self._uptime.now()
        return None if uptime is None else now + max(until - uptime, LEAST_REST)
