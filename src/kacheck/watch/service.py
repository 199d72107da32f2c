"""Notifications to systemd: READY once every check has a verdict, the state, signs of life."""

import time
from collections.abc import Mapping

from kacheck import __version__
from kacheck.result import Status
from kacheck.state import Verdict
from kacheck.watch.journal import INFO, WARNING, Journal
from kacheck.watch.notify import Notifier
from kacheck.watch.timers import Timers
from kacheck.watch.watched import Overview

SLACK = 1.0
"""Seconds that a check may be late before the watchdog is no longer fed."""
MAX_NAMED = 5
"""Failing checks that the status names."""


class Service:
    """The watcher as a service of systemd's."""

    def __init__(
        self, watcher: Overview, notifier: Notifier, timers: Timers, journal: Journal
    ) -> None:
        self._watcher = watcher
        self._notifier = notifier
        self._timers = timers
        self._journal = journal
        self._is_ready = False
        self._status = ""

    def tell_status(self) -> None:
        """Tell READY, once every check has a verdict; and the state of things in words."""
        path = self._watcher.path
        verdicts = {name: each.state.verdict for name, each in self._watcher.watched.items()}
        if not self._is_ready and all(verdicts.values()):
            self._is_ready = True
            self._notifier.tell("READY=1")
            what = f"ready: watching {len(verdicts)} checks of {path}, kacheck {__version__}"
            self._journal.say(INFO if verdicts else WARNING, what)
        status = in_words(verdicts) if verdicts else f"nothing is watched: {path} has no check"
        # Told with each transition, so not waited for: others may have to be published.
        if status != self._status and self._notifier.offer(f"STATUS={status}"):
            self._status = status

    def tell_stopping(self) -> None:
        """Tell that the watcher ends."""
        self._notifier.tell("STOPPING=1")

    def feed_watchdog(self, now: float) -> None:
        """Tell that every check's loop has moved, now and as often as systemd waits for it."""
        interval = self._notifier.watchdog_interval
        if interval is None:
            return
        self.tell_status()  # if it was lost
        if all(
            now - each.decided_at < each.interval + each.check.timeout + SLACK
            for each in self._watcher.watched.values()
        ):
            self._notifier.tell("WATCHDOG=1")
        self._timers.at(now + interval, lambda: self.feed_watchdog(time.monotonic()))


def in_words(verdicts: Mapping[str, Verdict | None]) -> str:
    """Return how many checks there are, and which of them are not ok."""
    failing = [
        f"{name} {verdict.status.word} {verdict.reason}"
        for name, verdict in verdicts.items()
        if verdict is not None and verdict.status is not Status.OK
    ]
    named = ", ".join(failing[:MAX_NAMED]) + (", ..." if len(failing) > MAX_NAMED else "")
    status = f"{len(verdicts)} checks, {len(failing)} not ok" + (f": {named}" if named else "")
    if not all(verdicts.values()):
        status += f"; {len(verdicts) - sum(map(bool, verdicts.values()))} not looked at yet"
    return status
