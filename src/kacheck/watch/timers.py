"""What is due, and when: times of one clock, in seconds."""

import heapq
from collections.abc import Callable
from itertools import count


class Timer:
    """Something to do later, unless it is cancelled."""

    __slots__ = ("action", "is_cancelled", "when")

    def __init__(self, when: float, action: Callable[[], object]) -> None:
        self.when = when
        self.action = action
        self.is_cancelled = False

    def cancel(self) -> None:
        """Cancel it."""
        self.is_cancelled = True


FEW = 64
"""Cancelled timers that may remain in the heap."""


class Timers:
    """All that is to be done later."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._most = FEW
        """When there are more than these, those that are cancelled are thrown out."""
        self._order = count()

    def at(self, when: float, action: Callable[[], object]) -> Timer:
        """Do it then."""
        timer = Timer(when, action)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        if len(self._heap) > self._most:
            self._heap = [entry for entry in self._heap if not entry[2].is_cancelled]
            heapq.heapify(self._heap)
            self._most = FEW + 2 * len(self._heap)
        return timer

    def next(self) -> float | None:
        """Return when the next one is due; None without one."""
        while self._heap and self._heap[0][2].is_cancelled:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Do all that is due."""
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            if not timer.is_cancelled:
                timer.action()
