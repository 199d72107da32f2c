"""One thread and one selector: takes configurations, decides what checks say, publishes it.

Everything that a check's verdict depends on belongs to this thread; the workers only look. When
they do is the scheduler's business.
"""

import os
import selectors
import signal
import time
from contextlib import ExitStack
from functools import partial

from kacheck.check import Check, CheckConfiguration
from kacheck.deadline import NoThreadError
from kacheck.drain import Drains
from kacheck.looks import preload
from kacheck.result import KacheckError, Loss, Result, bug
from kacheck.statedir import StateDirectoryError
from kacheck.watch.alarm import Alarm
from kacheck.watch.consul_reports import ConsulReporter, ConsulReports, updates
from kacheck.watch.decisions import Decisions
from kacheck.watch.journal import ERROR, NOTICE, WARNING, Journal
from kacheck.watch.metrics import Metrics, MetricsWriter, require, samples
from kacheck.watch.notify import Notifier
from kacheck.watch.overview import describe
from kacheck.watch.publisher import Publisher
from kacheck.watch.reexecution import ReExecution
from kacheck.watch.reloading import load_again
from kacheck.watch.scheduler import Scheduler
from kacheck.watch.service import Service
from kacheck.watch.status_server import StatusServer
from kacheck.watch.successor import Successor
from kacheck.watch.timers import Timers
from kacheck.watch.troubles import Troubles, UptimeClock
from kacheck.watch.watched import Watched
from kacheck.watch.worker import Job, Worker

TOGETHER = 8
"""Checks whose looks fall together: to wake for each of them costs more."""
LOCK_INTERVAL = 5.0
"""Seconds between two checks that the state directory is still ours."""


class Supervisor:
    """The watcher, from its first look to SIGTERM.

    Raises:
        StateDirectoryError: it cannot be had; KacheckError: metrics cannot.

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
        self.consul = ConsulReports(self.timers, partial(updates, self), journal)
        self.watched: dict[str, Watched] = {}
        self.configuration = configuration
        self.started_at = time.time()
        self._is_running = True
        self._leaves_files = leaves_files
        self._alarm = Alarm(self.selector, self._woken)
        self.scheduler = Scheduler(self.selector, self.timers, self._alarm.ring, self._decide)
        self._decisions = Decisions(
            self.drains,
            self.publisher,
            self.scheduler,
            UptimeClock(troubles),
            journal,
            self._announce,
        )
        self._service = Service(self, Notifier(os.environ, os.getpid()), self.timers, journal)
        self._re_execution = ReExecution(
            successor,
            self.publisher.lock,
            self.selector,
            self.timers,
            journal,
            arrived=self._alarm.numbers,
        )

    # --- life ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Look until a signal says stop; then let every check fail, unless the files are left.

        Raises:
            StateDirectoryError: another watcher has taken it; NoThreadError: the configuration
                needs more threads than can be had.

        """
        self._alarm.take_signals()
        preload(check.question for check in self.configuration.checks)
        now = time.monotonic()
        try:
            made, writer, reporter = self._make(self.configuration)
        except NoThreadError:
            self.publisher.end_others()  # those of before re-execution
            raise
        try:
            self._take(self.configuration, made, writer, reporter, now)
            self.publisher.end_others()
            if all(watched.state.verdict for watched in self.watched.values()):
                # No look will: nothing is watched, or it has re-executed.
                self._service.tell_status()
            self._keep_lock(now)
            self._service.feed_watchdog(now)
            while self._is_running:
                self._turn()
        except StateDirectoryError:
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

    def _woken(self) -> None:
        """Do what signals ask for."""
        numbers = self._alarm.numbers()
        if numbers & {signal.SIGTERM, signal.SIGINT}:
            self._is_running = False
            return
        if signal.SIGHUP in numbers:
            self.reload()
        if signal.SIGUSR2 in numbers:
            self._re_execution.begin(self._load)

    def _stop(self, why: str) -> None:
        if self._leaves_files:
            outcome = "the track files stay, and whatever started it decides"
        else:
            outcome = "all checks fail now"
            for name, watched in self.watched.items():
                try:
                    self._decisions.retire(watched, why)
                except Exception as error:  # noqa: BLE001 - the others must fail nevertheless
                    self.journal.say(ERROR, bug(error).message, name)
        self.status.close()
        self.consul.stop(None if self._leaves_files else why)
        self.metrics.stop()
        self.journal.say(NOTICE, f"{why}: {outcome}")

    # --- configuration ------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the configuration again; one that is bad is refused."""
        try:
            configuration = self._load()
            made, writer, reporter = self._make(configuration)
        except KacheckError as error:
            self.journal.say(ERROR, f"configuration not reloaded, the old one stays: {error}")
            return
        self._take(configuration, made, writer, reporter, time.monotonic())
        self.configuration = configuration
        self.status.outdate()
        self.journal.say(NOTICE, f"{self.path} reloaded")
        self._service.tell_status()

    def _load(self) -> CheckConfiguration:
        return load_again(self.path, may_be_empty=not self.watched)

    def _make(
        self, configuration: CheckConfiguration
    ) -> tuple[dict[str, Watched], MetricsWriter | None, ConsulReporter | None]:
        """Start all threads that checks, metrics and reports need and that do not run yet.

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
            reporter = self.consul.reporter_of(configuration)
            if reporter is not None and reporter is not self.consul.reporter:
                undo.callback(reporter.end)
            writer = self.metrics.writer_of(configuration.metrics)
            undo.pop_all()
        return made, writer, reporter

    def _new(self, check: Check) -> Watched:
        worker = Worker(
            check.name, check.question, lambda outcome: self.scheduler.post(watched, outcome)
        )
        watched = Watched(check, worker)
        return watched

    def _take(
        self,
        configuration: CheckConfiguration,
        made: dict[str, Watched],
        writer: MetricsWriter | None,
        reporter: ConsulReporter | None,
        now: float,
    ) -> None:
        """Watch these checks; those that are as before keep their state."""
        configured = {check.name: check for check in configuration.checks}
        for name, watched in [*self.watched.items()]:
            if name not in configured:
                self._decisions.retire(watched, f"{self.path} no longer has this check")
                del self.watched[name]
            elif name in made:
                self.scheduler.silence(watched)
                del self.watched[name]
        for index, check in enumerate(configuration.checks):
            if check.name not in self.watched:
                # Spread over the interval: many looks should not fall together, some may.
                share = (index // TOGETHER + 1) / (len(configured) // TOGETHER + 1)
                watched = self.watched[check.name] = made[check.name]
                self._decisions.begin(watched, now, now + check.interval * share)
        self.metrics.write_with(writer)
        self.consul.report_with(reporter, configuration)

    # --- verdicts -----------------------------------------------------------------------------

    def _decide(self, watched: Watched, job: Job, result: Result, loss: Loss) -> None:
        self._decisions.decide(watched, job, result, loss)

    def _announce(self) -> None:
        """Tell the others that a verdict has changed."""
        self.metrics.hurry()
        self.consul.hurry()
        self.status.outdate()
        self._service.tell_status()

    def _update(self) -> None:
        """Do what signals and drains have asked for until now."""
        self._woken()
        if self.drains.may_exist() or any(each.drained for each in self.watched.values()):
            for watched in self.watched.values():
                self._decisions.drain(watched)

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
