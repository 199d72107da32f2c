"""One thread and one selector: starts looks, declares timeouts, decides, publishes.

Everything that a check's verdict depends on is here and belongs to this thread; the workers only
look. Nothing here waits for a worker, so none can delay a verdict, its own or another's.
"""

import errno
import os
import selectors
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from math import floor
from queue import Empty, SimpleQueue

from kacheck import __version__, config
from kacheck.check import Check, Configuration, drained_by
from kacheck.deadline import Deadline, NoThreadError
from kacheck.drain import Drains
from kacheck.looks import preload, warnings_of
from kacheck.result import STOPPED, BadConfigError, Loss, Result, Status, bug, exit_code
from kacheck.state import State, Verdict, recheck_at, step
from kacheck.statedir import UPTIME, Published, uptime, uptime_of
from kacheck.watch.journal import ERROR, INFO, NOTICE, WARNING, Journal
from kacheck.watch.metrics import Metrics, Writer, require, samples
from kacheck.watch.notify import Notifier
from kacheck.watch.overview import describe
from kacheck.watch.publisher import Publisher
from kacheck.watch.status import StatusServer
from kacheck.watch.successor import SIGNALS, Successor
from kacheck.watch.timers import Timer, Timers
from kacheck.watch.watched import EVENTS_PER_INTERVAL, Transition, Watched
from kacheck.watch.worker import Job, Outcome, Worker

TOGETHER = 8
"""Checks whose looks fall together: to wake for each of them costs more."""
LOCK_INTERVAL = 5.0
"""Seconds between two checks that the state directory is still ours."""
SLACK = 1.0
"""Seconds that a check may be late before the watchdog is no longer fed."""
TRIAL = 10.0
"""Seconds that the program as it is installed now has for its trial."""


class Supervisor:
    """The watcher, from its first look to SIGTERM.

    Raises:
        BadConfigError: the state directory cannot be had.

    """

    def __init__(
        self,
        configuration: Configuration,
        path: str,
        directory: str,
        journal: Journal,
        successor: Successor,
    ) -> None:
        require(configuration.metrics)
        self.path = path
        self.directory = directory
        self.journal = journal
        self._successor = successor
        self._troubles: dict[str, str | None] = {}
        """What keeps verdicts from being published: of the files, and of the uptime."""
        self.publisher = Publisher(directory, self._report, self._notice)
        self.drains = Drains(directory)
        self.notifier = Notifier(os.environ, os.getpid())
        self.selector = selectors.DefaultSelector()
        self.timers = Timers()
        self.status = StatusServer(
            directory, self.selector, self.timers, partial(describe, self), self._report_status
        )
        self.metrics = Metrics(self.timers, partial(samples, self), self._report_metrics)
        self.watched: dict[str, Watched] = {}
        self.configuration = configuration
        self.started_at = time.time()
        self._outcomes: SimpleQueue[tuple[Watched, Outcome]] = SimpleQueue()
        self._is_running = True
        self._is_ready = False
        self._status = ""
        self._uptime = -1
        with suppress(OSError):
            self._uptime = os.open(UPTIME, os.O_RDONLY | os.O_CLOEXEC)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.selector.register(self._wake_read, selectors.EVENT_READ, self._woken)

    # --- life ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Look until a signal says stop; then leave the failing values behind.

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
                self._tell_status()  # no look will: nothing is watched, or it has re-executed
            self._keep_lock(now)
            self._feed_watchdog(now)
            while self._is_running:
                self._turn()
        except BadConfigError:
            self._is_running = False
            raise
        except BaseException:
            self._stop("the watcher has crashed")
            raise
        self.notifier.tell("STOPPING=1")
        self._stop("the watcher was stopped")

    def _turn(self) -> None:
        """Wait for the next thing to happen, and do all that there is to do."""
        due = self.timers.next()
        wait = None if due is None else max(0.0, due - time.monotonic())
        for key, _ in self.selector.select(wait):
            key.data()
        self._decide_outcomes()
        self.timers.run(time.monotonic())

    def _take_signals(self) -> None:
        """Let signals wake the selector: the pipe has their numbers."""
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the trial's code
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # and those that came while it re-executed

    def _woken(self) -> None:
        """Empty the pipe; do what signals ask for."""
        with suppress(BlockingIOError):
            numbers = {*os.read(self._wake_read, 4096)}
            if numbers & {signal.SIGTERM, signal.SIGINT}:
                self._is_running = False
                return
            if signal.SIGHUP in numbers:
                self.reload()
            if signal.SIGUSR2 in numbers:
                self.re_execute()

    def _stop(self, why: str) -> None:
        for name, watched in self.watched.items():
            try:
                self._retire(watched, why)
            except Exception as error:  # noqa: BLE001 - the others must fail all the same
                self.journal.say(ERROR, bug(error).message, name)
        self.status.close()
        self.metrics.stop()
        self.journal.say(NOTICE, f"{why}: all checks fail now")

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
        self.journal.say(NOTICE, f"{self.path} reloaded")
        self._tell_status()

    def re_execute(self) -> None:
        """Become the program as it is installed now, after an upgrade; the pid stays.

        The track files stay as they are, and whoever comes goes on from the verdicts. It is tried
        first. If it does not come up all the same, the process has ended, which is what the unit's
        ExecStopPost is for.
        """
        if self._successor.pid:
            return  # it is being tried
        try:
            self._load()
            trial = self._successor.try_it()
            over = self.timers.at(time.monotonic() + TRIAL, self._successor.give_up)
            tried = partial(self._tried, trial, over)
            self.selector.register(trial, selectors.EVENT_READ, tried)
        except (BadConfigError, OSError) as error:
            self._not_re_executed(str(error))

    def _tried(self, trial: int, over: Timer) -> None:
        """The trial has ended."""
        over.cancel()
        self.selector.unregister(trial)
        os.close(trial)
        code = self._successor.exit_code()
        if code:
            ended = f"ends with {code}" if code > 0 else f"dies of signal {-code}"
            self._not_re_executed(f"what is installed now {ended} at watch --check-config")
            return
        self.journal.say(NOTICE, f"re-executing, kacheck {__version__} until now")
        try:
            with self.publisher.lock.kept():
                self._successor.execute()
        except OSError as error:
            self._not_re_executed(str(error))

    def _not_re_executed(self, why: str) -> None:
        self.journal.say(ERROR, f"not re-executed, kacheck {__version__} goes on: {why}")

    def _load(self) -> Configuration:
        """The configuration as it is now.

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

    def _make(self, configuration: Configuration) -> tuple[dict[str, Watched], Writer | None]:
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
            check, Worker(check.name, check.question, lambda outcome: self._post(watched, outcome))
        )
        return watched

    def _take(
        self,
        configuration: Configuration,
        made: dict[str, Watched],
        writer: Writer | None,
        now: float,
    ) -> None:
        """Watch these checks; those that are as before keep their state."""
        wanted = {check.name: check for check in configuration.checks}
        for name, watched in [*self.watched.items()]:
            if name not in wanted:
                self._retire(watched, f"{self.path} no longer has it")
                del self.watched[name]
            elif name in made:
                self._silence(watched)
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
        self._look(watched, event=earlier is not None)  # who has gone meanwhile, was seen by nobody
        self._set_timer(watched, "tick", next_look, self._tick)

    def _silence(self, watched: Watched) -> None:
        """End a check's looks."""
        self._disarm(watched)
        if watched.job is not None:
            watched.job.deadline.expire()  # nobody else ends what the worker is blocked in
        watched.job = None
        for timer in watched.timers.values():
            timer.cancel()
        watched.worker.stop()

    def _retire(self, watched: Watched, why: str) -> None:
        """End a check: it fails from now on."""
        self._silence(watched)
        published = Published(Status.CRITICAL, 0, Status.CRITICAL, STOPPED, why)
        self.publisher.forget(watched.check.name, published)

    # --- looks --------------------------------------------------------------------------------

    def _tick(self, watched: Watched) -> None:
        """The regular look."""
        now = time.monotonic()
        interval = watched.check.interval
        planned = watched.timers["tick"].when
        # What was missed, while the machine slept, is not made up for.
        following = planned + interval * (1 + floor(max(0.0, now - planned) / interval))
        self._set_timer(watched, "tick", following, self._tick)
        watched.events_left = EVENTS_PER_INTERVAL
        if watched.job is not None:
            watched.is_look_due = (
                True  # else a look that hangs would take the place of the next one
            )
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
        self._decide(watched, job, job.deadline.expire())

    def _event(self, watched: Watched) -> None:
        """A process has exited, or a connection was lost: look at once."""
        if not watched.armed:
            return  # another of its descriptors has told the same, or the check has ended
        if watched.events_left == 0:
            self._disarm(watched)
        else:
            watched.events_left -= 1
            self._look(watched, event=True)

    def _recheck(self, watched: Watched) -> None:
        """A delay has ended."""
        if watched.job is None:
            self._look(watched, event=False)

    def _post(self, watched: Watched, outcome: Outcome) -> None:
        """Called by a worker: hand over what it has found."""
        self._outcomes.put((watched, outcome))
        with suppress(BlockingIOError):  # full: it is awake
            os.write(self._wake_write, b"\0")

    def _decide_outcomes(self) -> None:
        with suppress(Empty):
            while True:
                watched, outcome = self._outcomes.get_nowait()
                watched.worker.pending -= 1
                if outcome.job is watched.job and outcome.result is not None:
                    watched.timers["timeout"].cancel()
                    loss, watched.unreported_loss = (
                        max(outcome.loss, watched.unreported_loss),
                        Loss.NOTHING,
                    )
                    self._decide(watched, outcome.job, outcome.result, loss)
                elif outcome.loss is Loss.ALL:  # a connection may be lost by its very timeout
                    watched.unreported_loss = outcome.loss
                # An answer that was too late leaves descriptors, too.
                if watched.worker.pending == 0 and self.watched.get(watched.check.name) is watched:
                    self._arm(watched, outcome.watched)

    def _arm(self, watched: Watched, files: list[int]) -> None:
        self._disarm(watched)
        for file in files:
            # It may have been closed, or have the number of one that was: then the look tells.
            with suppress(OSError, ValueError, KeyError):
                self.selector.register(file, selectors.EVENT_READ, partial(self._event, watched))
                watched.armed.append(file)

    def _disarm(self, watched: Watched) -> None:
        for file in watched.armed:
            with suppress(KeyError):
                self.selector.unregister(file)
        watched.armed = []

    def _set_timer(
        self, watched: Watched, name: str, when: float, action: Callable[[Watched], None]
    ) -> None:
        """One timer of a name for each check."""
        if name in watched.timers:
            watched.timers[name].cancel()
        watched.timers[name] = self.timers.at(when, partial(action, watched))

    # --- verdicts -----------------------------------------------------------------------------

    def _decide(
        self, watched: Watched, job: Job, result: Result, loss: Loss = Loss.NOTHING
    ) -> None:
        """One more look: what does the check say now?"""
        watched.job = None
        now = time.monotonic()
        watched.decided_at = now
        watched.last_ms = (now - job.deadline.started) * 1000
        watched.last_result = result
        watched.looks[result.status] += 1
        check, old = watched.check, watched.state.verdict
        drained = watched.drained = self.drains.find(drained_by(check))
        seen = drained.result() if drained else result
        watched.state = step(check.policy, watched.state, seen, now, loss, triggered=job.event)
        if (new := watched.state.verdict) is None:
            return  # never: a step always leaves one
        self._publish(watched, new)
        if old is None or (old.status, old.reason) != (new.status, new.reason):
            watched.transition_count += 1
            watched.transitions.append(Transition(time.time(), old, new))
            self.journal.transition(check.name, old, new)
            self.metrics.hurry()
            self._tell_status()
        recheck = recheck_at(check.policy, watched.state, now)
        if recheck is not None:
            self._set_timer(watched, "recheck", recheck, self._recheck)
        if watched.is_look_due:
            watched.is_look_due = False
            self._look(watched, event=False)

    def _publish(self, watched: Watched, verdict: Verdict) -> None:
        check = watched.check
        result = Result(verdict.status, verdict.reason, verdict.message, {})
        code = exit_code(result, on_unknown=check.policy.on_unknown)
        track = check.track.value(verdict.status, verdict.reason, check.policy)
        published = None
        if (now := self._uptime_now()) is not None:
            # It is renewed at the next look, or when that one times out.
            expiry = floor(now + check.interval + check.timeout) + 1
            published = Published(code, expiry, verdict.status, verdict.reason, verdict.message)
        self.publisher.publish(check.name, track, published)

    def _uptime_now(self) -> float | None:
        """Return what readers will compare with; None, and say so, if it cannot be read.

        It is opened again each time, since lxcfs may cache what is kept open.
        """
        trouble, now = None, None
        try:
            try:
                now = uptime()
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE):
                    raise
                now = uptime_of(self._uptime)
        except OSError as error:
            trouble = (
                f"{UPTIME}: {error.strerror}: verdict files are withdrawn, and kacheck-verdict "
                f"looks for itself. If lxcfs has died: umount -l {UPTIME} in this container, "
                "or start lxcfs and restart the container"
            )
        if trouble != self._troubles.get("uptime"):
            self._troubles["uptime"] = trouble
            self._say(trouble, f"{UPTIME} can be read again")
        return now

    @property
    def trouble(self) -> str | None:
        """What keeps verdicts from being published."""
        return "; ".join(filter(None, self._troubles.values())) or None

    def _report(self, trouble: str | None) -> None:
        """The publisher's troubles, to the journal and to systemd."""
        self._troubles["files"] = trouble
        self._say(trouble, f"{self.directory} can be written again")

    def _notice(self, check: str, message: str) -> None:
        """What the publisher has mended."""
        self.journal.say(WARNING, message, check)

    def _report_status(self, trouble: str | None) -> None:
        wrong = trouble and f"{trouble}: kacheck status is not answered"
        self._say(wrong, "kacheck status is answered again")

    def _report_metrics(self, trouble: str | None) -> None:
        """Called by the thread that writes them."""
        wrong = trouble and f"{trouble}: metrics are not written"
        self._say(wrong, "metrics are written again")

    def _say(self, wrong: str | None, well: str) -> None:
        """What is wrong, or that it is well again."""
        if wrong is None:
            self.journal.say(NOTICE, well)
        else:
            self.journal.say(WARNING, wrong)

    # --- systemd ------------------------------------------------------------------------------

    def _tell_status(self) -> None:
        """READY, once every check has a verdict; and the state of things in words."""
        states = {name: watched.state.verdict for name, watched in self.watched.items()}
        if not self._is_ready and all(states.values()):
            self._is_ready = True
            self.notifier.tell("READY=1")
            what = f"ready: watching {len(states)} checks of {self.path}, kacheck {__version__}"
            self.journal.say(INFO if states else WARNING, what)
        failing = [
            f"{name} {verdict.status.word} {verdict.reason}"
            for name, verdict in states.items()
            if verdict is not None and verdict.status is not Status.OK
        ]
        shown = ", ".join(failing[:5]) + (", ..." if len(failing) > 5 else "")
        status = f"{len(states)} checks, {len(failing)} not ok" + (f": {shown}" if shown else "")
        if not all(states.values()):
            status += f"; {len(states) - sum(map(bool, states.values()))} not looked at yet"
        if not states:
            status = f"nothing is watched: {self.path} has no check"
        if status != self._status:
            self._status = status
            self.notifier.tell(f"STATUS={status}")

    def _feed_watchdog(self, now: float) -> None:
        """Tell systemd that every check's loop has moved."""
        if self.notifier.watchdog_interval is None:
            return
        if all(
            now - watched.decided_at < watched.check.interval + watched.check.timeout + SLACK
            for watched in self.watched.values()
        ):
            self.notifier.tell("WATCHDOG=1")
        following = now + self.notifier.watchdog_interval
        self.timers.at(following, lambda: self._feed_watchdog(time.monotonic()))

    def _keep_lock(self, now: float) -> None:
        self.publisher.check_lock()
        self.status.check()
        following = now + LOCK_INTERVAL
        self.timers.at(following, lambda: self._keep_lock(time.monotonic()))
