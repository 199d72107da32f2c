"""Verdicts reported to Consul, so that discovery and the VIP agree: `consul_check`.

The supervisor takes what the checks say, at each transition and every third of the TTL, and never
waits; a separate thread reports it. What that has not got round to is replaced by what is newer. A
verdict that is not renewed, because its check or the whole watcher hangs, is not reported, so that
Consul's TTL ends it.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, Full, Queue
from typing import NamedTuple

from kacheck.check import CheckConfiguration
from kacheck.consul.ttl_check import REPORTED, Reporting, TtlUpdate, judge_update, request
from kacheck.deadline import Deadline, start_thread, within
from kacheck.exchange.answer import CODES_WITH_BODY
from kacheck.exchange.once import ask_once
from kacheck.result import STOPPED, KacheckError, Result, Status, bug, exit_code
from kacheck.watch.journal import NOTICE, WARNING, Journal
from kacheck.watch.timers import Timer, Timers
from kacheck.watch.watched import Overview, Watched
from kacheck.watch.worker import LastingThread

PATIENCE = 2.0
"""Seconds that an agent has to answer."""
LAST = 1.0
"""Seconds that the last reports may take."""
SLACK = 1.0
"""Seconds that a look may be late before its verdict is no longer reported."""


def updates(watcher: Overview) -> list[TtlUpdate]:
    """Return what Consul's checks are to say; without those whose verdict is not kept current."""
    now = time.monotonic()
    fresh = [each for each in watcher.watched.values() if is_fresh(each, now)]
    return [update for watched in fresh if (update := update_of(watched)) is not None]


def is_fresh(watched: Watched, now: float) -> bool:
    """Return whether a check's last look is no older than one may be."""
    return now - watched.decided_at < watched.interval + watched.check.timeout + SLACK


def update_of(watched: Watched) -> TtlUpdate | None:
    """Return the state of Consul's check; None without such a check, or without a verdict."""
    check, verdict = watched.check, watched.state.verdict
    if check.consul_check is None or verdict is None:
        return None
    result = Result(verdict.status, verdict.reason, verdict.message, {})
    code = exit_code(result, on_unknown=check.policy.on_unknown)
    return TtlUpdate(check.name, check.consul_check, code, verdict.reason, verdict.message)


class ConsulReports:
    """Decides when verdicts are reported; in the supervisor's thread."""

    def __init__(
        self, timers: Timers, take: Callable[[], list[TtlUpdate]], journal: Journal
    ) -> None:
        self._timers = timers
        self._take = take
        self._journal = journal
        self.reporter: ConsulReporter | None = None
        self._ids: frozenset[str] = frozenset()
        self._timer: Timer | None = None

    def reporter_of(self, configuration: CheckConfiguration) -> "ConsulReporter | None":
        """Return what reports for this configuration, which may be what reports now.

        Raises:
            NoThreadError: a new one is needed, and cannot be started.

        """
        if not ids_of(configuration):
            return None
        reporting = configuration.consul or Reporting()
        if self.reporter is not None and self.reporter.reporting == reporting:
            return self.reporter
        from kacheck.exchange import client

        with suppress(KacheckError):  # without httpx most answers can be read nevertheless
            client.load()  # now: the files of a program may be replaced while it runs
        return ConsulReporter(reporting, self._journal)

    def report_with(
        self, reporter: "ConsulReporter | None", configuration: CheckConfiguration
    ) -> None:
        """Report with it from now on; None: not at all. What is reported no more fails."""
        ids = ids_of(configuration)
        if self.reporter is not None and self.reporter is not reporter:
            is_same = reporter is not None and reporter.place == self.reporter.place
            self.reporter.end(ids if is_same else frozenset())
        self.reporter, self._ids = reporter, ids
        self._renew()

    def hurry(self) -> None:
        """Report what has changed."""
        if self.reporter is not None:
            self.reporter.put(Round(self._take(), self._ids))

    def stop(self, why: str | None) -> None:
        """Report that every check fails, and why; None: leave them as they are."""
        self._cancel()
        if self.reporter is not None:
            failing = [] if why is None else [failed(update, why) for update in self._take()]
            self.reporter.put(Round(failing, self._ids, is_last=True))
            self.reporter.thread.join(LAST)

    def _renew(self) -> None:
        self._cancel()
        if self.reporter is not None:
            self.reporter.put(Round(self._take(), self._ids, renews=True))
            following = time.monotonic() + self.reporter.reporting.ttl / 3
            self._timer = self._timers.at(following, self._renew)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def ids_of(configuration: CheckConfiguration) -> frozenset[str]:
    """Return the IDs of the checks in Consul that a configuration reports to."""
    return frozenset(check.consul_check for check in configuration.checks if check.consul_check)


def failed(update: TtlUpdate, why: str) -> TtlUpdate:
    """Return that a check fails because nobody looks any more."""
    return update._replace(code=int(Status.CRITICAL), reason=STOPPED, message=why)


class Round(NamedTuple):
    """What is to be reported together."""

    updates: list[TtlUpdate]
    ids: frozenset[str]
    """The TTL checks that are reported at all, now or later."""
    renews: bool = False
    """Whether those are reported as well that have not changed."""
    is_last: bool = False


class ConsulReporter:
    """Reports to one agent, in two separate threads: one may be blocked in a request.

    Raises:
        NoThreadError: a thread cannot be started.

    """

    def __init__(self, reporting: Reporting, journal: Journal) -> None:
        self.reporting = reporting
        self._journal = journal
        self._waiting: Queue[Round] = Queue(1)
        self._reported: dict[str, TtlUpdate] = {}
        """What the agent has taken last, by the TTL check's ID."""
        self._troubles: dict[str | None, str | None] = {}
        """What is wrong, by the check's name; None: with the agent."""
        self._run = LastingThread("consul request")
        try:
            self.thread = start_thread(self._work, "consul")
        except KacheckError:
            self._run.end()
            raise

    def put(self, new: Round) -> None:
        """Report this, instead of what still waits; it never waits."""
        with suppress(Empty):
            waiting = self._waiting.get_nowait()
            new = new._replace(renews=new.renews or waiting.renews)
        with suppress(Full):  # never: nobody else puts
            self._waiting.put_nowait(new)

    @property
    def place(self) -> tuple[str, str | None]:
        """Where the agent listens."""
        return self.reporting.agent.base, self.reporting.agent.unix_socket

    def end(self, ids: frozenset[str] = frozenset()) -> None:
        """Report that all checks fail that were reported, without those IDs, and end."""
        self.put(Round([], ids, is_last=True))

    def _work(self) -> None:
        is_last = False
        while not is_last:
            each = self._waiting.get()
            is_last = each.is_last
            self._report_all(each)
        self._run.end()

    def _report_all(self, each: Round) -> None:
        """Report until the agent does not answer, since the others would wait in vain."""
        for update in each.updates:
            if (each.renews or self._is_changed(update)) and not self._report(update):
                return
        for check_id in self._reported.keys() - each.ids:
            update = self._reported[check_id]
            if not self._report(failed(update, "the watcher reports this check no more")):
                return
            self._reported.pop(check_id, None)

    def _is_changed(self, update: TtlUpdate) -> bool:
        before = self._reported.get(update.id)
        return before is None or (before.code, before.reason) != (update.code, update.reason)

    def _report(self, update: TtlUpdate) -> bool:
        """Report one verdict; return whether the agent has answered."""
        self._reported.pop(update.id, None)
        result = self._ask(update)
        if result.reason is not REPORTED:
            self._note(None, f"verdicts are not reported to Consul: {result.message}")
            return False
        self._note(None, None)
        if result.status is Status.OK:
            self._reported[update.id] = update
            self._note(update.check, None)
        else:
            self._note(update.check, f"not reported to Consul: {result.message}")
        return True

    def _ask(self, update: TtlUpdate) -> Result:
        target, content = request(self.reporting.agent, update)
        judge = partial(judge_update, reporting=self.reporting, update=update)
        deadline = Deadline(PATIENCE)
        deadline.waiting_for = f"{target.address} to answer"
        try:
            ask = partial(ask_once, target, judge, CODES_WITH_BODY, content=content)
            return within(deadline, ask, self._run)
        except KacheckError as error:
            return error.result()
        except Exception as error:  # noqa: BLE001 - the next report may succeed
            return bug(error)

    def _note(self, check: str | None, trouble: str | None) -> None:
        """Log what is wrong once, and once more when it is well again."""
        before, self._troubles[check] = self._troubles.get(check), trouble
        if trouble == before:
            return
        if trouble is not None:
            self._journal.say(WARNING, trouble, check)
        elif check is None:
            self._journal.say(NOTICE, "verdicts are reported to Consul again")
        else:
            self._journal.say(NOTICE, "reported to Consul again", check)
