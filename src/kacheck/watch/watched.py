"""One check of the watcher, and all that is known of it."""

from collections import deque
from math import inf
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kacheck.check import Check, CheckConfiguration
from kacheck.result import Loss, Result, Status
from kacheck.state import State, Verdict
from kacheck.watch.worker import Job, Worker

if TYPE_CHECKING:
    from kacheck.drain import Drain
    from kacheck.watch.timers import Timer

EVENTS_PER_INTERVAL = 20
"""Looks for the sake of events between two regular ones: what lies or flaps must not spin."""
REMEMBERED = 10
"""Transitions of a check that `kacheck status` shows."""


SLOW = 1.0
"""The least seconds between two looks at a server that limits how often it is asked."""
SLOW_FOR = 60.0
"""Seconds for which this lasts after the server has answered that."""


class Transition(NamedTuple):
    """A verdict that changed."""

    at: float
    """Unix time."""
    old: Verdict | None
    new: Verdict


class Watched:
    """One check, and all that is known of it."""

    def __init__(self, check: Check, worker: Worker) -> None:
        self.check = check
        self.worker = worker
        self.state = State()
        self.job: Job | None = None
        """The look under way, until it is answered or timed out."""
        self.armed: list[int] = []
        self.is_ended = False
        """Whether it is looked at no longer; a worker may still have something to say."""
        self.is_look_due = False
        """Is a regular look due, that waits for the end of the one under way?"""
        self.interval = check.interval
        """Seconds from look to look now."""
        self._slow_until = -inf
        self.unreported_loss = Loss.NOTHING
        """What a look found gone whose answer was too late: for the next one that answers."""
        self.events_left = EVENTS_PER_INTERVAL
        self.timers: dict[str, Timer] = {}
        self.decided_at = 0.0
        self.last_result: Result | None = None
        self.drained: Drain | None = None
        self.last_ms = 0.0
        self.looks = dict.fromkeys(Status, 0)
        self.transition_count = 0
        self.transitions: deque[Transition] = deque(maxlen=REMEMBERED)

    @property
    def is_slowed(self) -> bool:
        """Whether the check looks less often than configured, as the server limits the rate."""
        return self.interval > self.check.interval

    def adapt_interval(self, result: Result, now: float) -> None:
        """Look less often for a while, if the server has asked for that."""
        if result.reason.limits_rate:
            self._slow_until = now + SLOW_FOR
        interval = self.check.interval
        self.interval = max(interval, SLOW) if now < self._slow_until else interval


class Overview(Protocol):
    """What a supervisor lets others read."""

    path: str
    """The configuration file."""
    directory: str
    configuration: CheckConfiguration
    watched: dict[str, Watched]
    started_at: float
    """Unix time."""

    @property
    def trouble(self) -> str | None:
        """What keeps verdicts from being published."""
