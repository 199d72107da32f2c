"""One total deadline over everything a look does, kept from outside the look.

A look may block where no timeout reaches: getaddrinfo(3), a server that drips a byte at a time,
a read of /proc that waits for a lock. So it runs in a worker thread, and whoever waits declares
the timeout itself. The worker is left behind, its socket shut down so that it ends soon.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from kacheck.result import Reason, Result, Status


class Deadline:
    """A span of `seconds` from `started` (time.monotonic()), and where in it the look is.

    The look reports each phase as it enters it; a timeout then says what was waited for.
    """

    def __init__(self, seconds: float, started: float | None = None) -> None:
        self.seconds = seconds
        self.started = time.monotonic() if started is None else started
        self.waiting_for = "the check to start"
        self.phases: list[tuple[str, float]] = []
        self._cancel: list[Callable[[], object]] = []

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.seconds - self.elapsed())

    def enter(self, phase: str, waiting_for: str) -> None:
        """The look enters `phase`; `waiting_for` completes "still waiting for …"."""
        self.waiting_for = waiting_for
        self.phases.append((phase, time.monotonic()))

    def phases_ms(self) -> dict[str, float]:
        """Milliseconds spent in each phase; the last one counts up to now."""
        ends = [begun for _, begun in self.phases[1:]] + [time.monotonic()]
        spent: dict[str, float] = {}
        for (phase, begun), end in zip(self.phases, ends, strict=False):
            spent[phase] = round(spent.get(phase, 0.0) + (end - begun) * 1000, 1)
        return spent

    def on_expiry(self, action: Callable[[], object]) -> None:
        """Call `action` when the deadline passes: it must unblock the worker."""
        self._cancel.append(action)

    def timed_out(self) -> Result:
        """End the look: unblock its worker and return the answer in its place."""
        message = f"no answer within {self.seconds:g} s: still waiting for {self.waiting_for}"
        data: dict[str, Any] = {"phases_ms": self.phases_ms()} if self.phases else {}
        for action in self._cancel:
            action()
        return Result(Status.CRITICAL, Reason.TIMEOUT, message, data)


def within(deadline: Deadline, look: Callable[[Deadline], Result]) -> Result:
    """The look's result, or `critical timeout` as soon as the deadline has passed."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(look(deadline))
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            errors.append(error)

    worker = threading.Thread(target=work, name="look", daemon=True)
    worker.start()
    worker.join(deadline.remaining())
    if errors:
        raise errors[0]
    return results[0] if results else deadline.timed_out()
