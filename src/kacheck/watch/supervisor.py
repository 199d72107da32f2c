"""One thread and one selector: takes configurations, decides what checks say, publishes it.

Everything that a check's verdict depends on belongs to this thread; the workers only look. When
they do is the scheduler's business.
"""

import os
import selectors
import signal
import time
from contextlib import ExitStack, suppress
from functools import partial
from math import floor

from kacheck import config
from kacheck.check import Check, CheckConfiguration, drained_by
from kacheck.deadline import NoThreadError, handled_signals
from kacheck.drain import Drains
from kacheck.looks import preload, warnings_of
from kacheck.result import STOPPED, TIMEOUT, BadConfigError, Loss, Result, Status, bug, exit_code
from kacheck.state import State, Verdict, recheck_at, step
from kacheck.statedir import Published
from kacheck.watch.journal import ERROR, NOTICE, WARNING, Journal
from kacheck.watch.metrics import Metrics, MetricsWriter, require, samples
from kacheck.watch.notify import Notifier
from kacheck.watch.overview import describe
from kacheck.watch.publisher import Publisher
from kacheck.watch.reexecution import ReExecution
from kacheck.watch.scheduler import Scheduler
from kacheck.watch.service import Service
from kacheck.watch.status import StatusServer
from kacheck.watch.successor import Successor
from kacheck.watch.timers import Timers
from kacheck.watch.troubles import Troubles, UptimeClock
from kacheck.watch.watched import Transition, Watched
from kacheck.watch.worker import Job, Worker

TOGETHER = 8
"""Checks whose looks fall together: to wake for each of them costs more."""
LEAST_REST = 0.1
"""Seconds of a drain that are waited for at least."""
LOCK_INTERVAL = 5.0
"""Seconds between two checks that the state directory is still ours."""


class Supervisor:
    """The watcher, from its first look to SIGTERM.

    Raises:
        BadConfigError: the state directory cannot be had.

    """

    def __init__(  # noqa: PLR0913 - what watcher.py reads or is given
        self,
        configuration: CheckConfiguration,
        path: str,
        directory: str,
        journal: Journal,
        successor: Successor,
        *,
        leaves_files: bool = False,
    ) -> None:
        require(configuration.metrics)
        self.path = path
        self.directory = directory
        self.journal = journal
        self._troubles = troubles = Troubles(directory, journal)
        self.publisher = Publisher(directory, troubles.report_files, self._notice)
        self.drains = Drains(directory)
        self.selector = selectors.DefaultSelector()
        self.timers = Timers()
        self.status = StatusServer(
            directory,
            self.selector,
            self.timers,
            partial(describe, self),
            troubles.report_status,
            update=self._update,
        )
        self.metrics = Metrics(self.timers, partial(samples, self), troubles.report_metrics)
        self.watched: dict[str, Watched] = {}
        self.configuration = configuration
        self.started_at = time.time()
        self._is_running = True
        self._leaves_files = leaves_files
        self._uptime = UptimeClock(troubles)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        self.scheduler = Scheduler(self.selector, self.timers, self._wake, self._decide)
        self._service = Service(self, Notifier(os.environ, os.getpid()), self.timers, journal)
        self._re_execution = ReExecution(
            successor,
            self.publisher.lock,
            self.selector,
            self.timers,
            journal,
            arrived=self._arrived,
        )

    # --- life ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Look until a signal says stop; then let every check fail, unless the files are left.

        Raises:
            BadConfigError: another watcher has taken the state directory; NoThreadError: the
                configuration needs more threads than can be had.

        """
        self._take_signals()
        preload(check.question for check in self.configuration.checks)
        now = time.monotonic()
        try:
            made, writer = self._make(self.configuration)
        except NoThreadError:
            self.publisher.end_others()  # those of before re-execution
            raise
        try:
            self._take(self.configuration, made, writer, now)
            self.publisher.end_others()
            if all(watched.state.verdict for watched in self.watched.values()):
                # No look will: nothing is watched, or it has re-executed.
                self._service.tell_status()
            self._keep_lock(now)
            self._service.feed_watchdog(now)
            while self._is_running:
                self._turn()
        except BadConfigError:
            self._is_running = False
            raise
        except BaseException:
            self._stop("the watcher has crashed")
            raise
        self._service.tell_stopping()
        self._stop("the watcher was stopped")

    def _turn(self) -> None:
        """Wait for the next thing to happen, and do all that there is to do."""
        due = self.timers.next()
        wait = None if due is None else max(0.0, due - time.monotonic())
        for key, _ in self.selector.select(wait):
            key.data()
        self.scheduler.decide_outcomes()
        self.timers.run(time.monotonic())

    def _take_signals(self) -> None:
        """Let signals wake the selector: the pipe has their numbers."""
        for number in handled_signals():
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the trial's code
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # and those that came while it re-executed

    def _wake(self) -> None:
        """Let the selector return; called by any thread."""
        with suppress(BlockingIOError):  # full: it is awake
            os.write(self._wake_write, b"\0")

    def _arrived(self) -> set[int]:
        """Empty the pipe; return the numbers of the signals that were in it, and perhaps 0."""
        with suppress(BlockingIOError):
            return {*os.read(self._wake_read, 65536)}  # all that a pipe has room for
        return set()

    def _woken(self) -> None:
        """Do what signals ask for."""
        numbers = self._arrived()
        if numbers & {signal.SIGTERM, signal.SIGINT}:
            self._is_running = False
            return
        if signal.SIGHUP in numbers:
            self.reload()
        if signal.SIGUSR2 in numbers:
            self._re_execution.begin(self._load)

    def _stop(self, why: str) -> None:
        if self._leaves_files:
            outcome = "the track files are left to what started it"
        else:
            outcome = "all checks fail now"
            for name, watched in self.watched.items():
                try:
                    self._retire(watched, why)
                except Exception as error:  # noqa: BLE001 - the others must fail nevertheless
                    self.journal.say(ERROR, bug(error).message, name)
        self.status.close()
        self.metrics.stop()
        self.journal.say(NOTICE, f"{why}: {outcome}")

    # --- configuration ------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the configuration again; one that is bad is refused."""
        try:
            configuration = self._load()
            made, writer = self._make(configuration)
        except BadConfigError as error:
            self.journal.say(ERROR, f"configuration not reloaded, the old one stays: {error}")
            return
        self._take(configuration, made, writer, time.monotonic())
        self.configuration = configuration
        self.status.outdate()
        self.journal.say(NOTICE, f"{self.path} reloaded")
        self._service.tell_status()

    def _load(self) -> CheckConfiguration:
        """Return the configuration as it is now.

        Raises:
            BadConfigError: it is bad, or has no check, which is not taken for a wish to end all.

        """
        try:
            configuration = config.load(self.path)
        except BadConfigError:
            raise
        except Exception as error:
            raise BadConfigError(f"{self.path}: {bug(error).message}") from error
        require(configuration.metrics)
        if self.watched and not configuration.checks:
            cure = "add one, which begins with [check.NAME], or stop the watcher"
            raise BadConfigError(f"{self.path} has no check; {cure}")
        preload(check.question for check in configuration.checks)
        return configuration

    def _make(
        self, configuration: CheckConfiguration
    ) -> tuple[dict[str, Watched], MetricsWriter | None]:
        """Start all threads that these checks and their metrics need and that do not run yet.

        Raises:
            NoThreadError: one cannot be started; none of the others is left.

        """
        made: dict[str, Watched] = {}
        with ExitStack() as undo:
            for check in configuration.checks:
                old = self.watched.get(check.name)
                if old is None or old.check != check:
                    watched = made[check.name] = self._new(check)
                    undo.callback(watched.worker.stop)
            writer = self.metrics.writer_of(configuration.metrics)
            undo.pop_all()
        return made, writer

    def _new(self, check: Check) -> Watched:
        watched = Watched(
            check,
            Worker(
                check.name, check.question, lambda outcome: self.scheduler.post(watched, outcome)
            ),
        )
        return watched

    def _take(
        self,
        configuration: CheckConfiguration,
        made: dict[str, Watched],
        writer: MetricsWriter | None,
        now: float,
    ) -> None:
        """Watch these checks; those that are as before keep their state."""
        wanted = {check.name: check for check in configuration.checks}
        for name, watched in [*self.watched.items()]:
            if name not in wanted:
                self._retire(watched, f"{self.path} no longer has it")
                del self.watched[name]
            elif name in made:
                self.scheduler.silence(watched)
                del self.watched[name]
        for place, check in enumerate(configuration.checks):
            if check.name not in self.watched:
                # Spread over the interval: many looks should not fall together, some may.
                share = (place // TOGETHER + 1) / (len(wanted) // TOGETHER + 1)
                self._begin(made[check.name], now, now + check.interval * share)
        self.metrics.write_with(writer)

    def _begin(self, watched: Watched, now: float, next_look: float) -> None:
        check = watched.check
        self.watched[check.name] = watched
        for warning in warnings_of(check.question):
            self.journal.say(WARNING, warning, check.name)
        earlier = self.publisher.expect(check.name, check.track.critical)
        if earlier is not None:
            told = Verdict(earlier.status, earlier.reason, earlier.message, now)
            watched.state = State(told)
        watched.decided_at = now
        # Exits during a re-execution were not seen.
        self.scheduler.begin(watched, next_look, event=earlier is not None)

    def _retire(self, watched: Watched, why: str) -> None:
        """End a check: it fails from now on."""
        self.scheduler.silence(watched)
        published = Published(Status.CRITICAL, 0, Status.CRITICAL, STOPPED, why)
        self.publisher.forget(watched.check.name, published)

    # --- verdicts -----------------------------------------------------------------------------

    def _decide(self, watched: Watched, job: Job, result: Result, loss: Loss) -> None:
        """Decide what the check says after one more look."""
        watched.job = None
        now = time.monotonic()
        watched.decided_at = now
        watched.last_ms = (now - job.deadline.started) * 1000
        watched.last_result = result
        watched.looks[result.status] += 1
        self._adapt_interval(watched, result, now)
        check = watched.check
        drained = watched.drained = self.drains.find(drained_by(check))
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
        self.scheduler.go_on(watched, self._recheck_at(watched, now))

    def _change(self, watched: Watched, state: State) -> None:
        """Publish what a check says now, and tell it if that is something else."""
        check, old, new = watched.check, watched.state.verdict, state.verdict
        watched.state = state
        if new is None:
            return  # never: a step always leaves one
        self._publish(watched, new)
        if old is None or (old.status, old.reason) != (new.status, new.reason):
            watched.transition_count += 1
            watched.transitions.append(Transition(time.time(), old, new))
            self.journal.transition(check.name, old, new)
            self.metrics.hurry()
            self.status.outdate()
            self._service.tell_status()

    def _update(self) -> None:
        """Do what signals and drains have asked for until now."""
        self._woken()
        if self.drains.may_exist() or any(each.drained for each in self.watched.values()):
            for watched in self.watched.values():
                self._take_drain(watched)

    def _take_drain(self, watched: Watched) -> None:
        """Drain a check at once; where a drain has ended, look."""
        if watched.state.verdict is None:
            return
        drained = self.drains.find(drained_by(watched.check))
        if drained is None and watched.drained is not None:
            self.scheduler.recheck(watched)
        elif drained is not None and drained != watched.drained:
            watched.drained, now = drained, time.monotonic()
            state = step(watched.check.policy, watched.state, drained.result(), now)
            self._change(watched, state)
            self.scheduler.recheck_at(watched, self._recheck_at(watched, now))

    def _recheck_at(self, watched: Watched, now: float) -> float | None:
        """Return when a delay or a drain ends, that a look is to decide."""
        until = watched.drained.until if watched.drained is not None else 0
        if not until:
            return recheck_at(watched.check.policy, watched.state, now)
        uptime = self._uptime.now()
        return None if uptime is None else now + max(until - uptime, LEAST_REST)

    def _adapt_interval(self, watched: Watched, result: Result, now: float) -> None:
        was_slowed = watched.is_slowed
        watched.adapt_interval(result, now)
        if watched.is_slowed and not was_slowed:
            words = f"{result.message}; until then it is asked every {watched.interval:g} s"
            self.journal.say(WARNING, words, watched.check.name)

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
        self.publisher.publish(check.name, track, published)

    @property
    def trouble(self) -> str | None:
        """What keeps verdicts from being published."""
        return self._troubles.of_publishing

    def _notice(self, check: str, message: str) -> None:
        """Log what the publisher has mended."""
        self.journal.say(WARNING, message, check)

    def _keep_lock(self, now: float) -> None:
        self.publisher.check_lock()
        self.status.check()
        following = now + LOCK_INTERVAL
        self.timers.at(following, lambda: self._keep_lock(time.monotonic()))
