"""What was true when: values, each with the time from which it held."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from bench.measure import UnexpectedError

T = TypeVar("T")
Condition = Callable[[T], bool]


class Timeline(Generic[T]):
    """A value that changes; times are those of time.monotonic()."""

    def __init__(self, value: T) -> None:
        self._changes: list[tuple[float, T]] = [(time.monotonic(), value)]
        self._news = threading.Condition()

    def add(self, at: float, value: T) -> None:
        """Report that it has had this value since `at`, which is later than the last change."""
        with self._news:
            self._changes.append((at, value))
            self._news.notify_all()

    @property
    def latest(self) -> T:
        """The value that it has."""
        return self._changes[-1][1]

    def first(self, holds: Condition[T], after: float) -> float | None:
        """Return when the condition first held: `after` itself, if it did already then."""
        for at, until, value in self._pieces():
            if until > after and holds(value):
                return max(at, after)
        return None

    def wait(self, holds: Condition[T], after: float, patience: float, what: str) -> float:
        """Wait until the condition has held once since `after`; return when that was first.

        Raises:
            UnexpectedError: it has not within `patience` seconds; says `what` was waited for.

        """
        at = self.wait_a_while(holds, after, patience)
        if at is None:
            raise UnexpectedError(f"{what}: not within {patience:g} s, but {self.latest!r}")
        return at

    def wait_a_while(self, holds: Condition[T], after: float, patience: float) -> float | None:
        """Wait likewise; None if the condition has not held."""
        with self._news:
            self._news.wait_for(lambda: self.first(holds, after) is not None, patience)
            return self.first(holds, after)

    def spans(self, holds: Condition[T], begin: float, end: float) -> list[float]:
        """Return the lengths of the times between `begin` and `end` in which the condition held."""
        spans = [0.0]
        for at, until, value in self._pieces():
            length = min(until, end) - max(at, begin)
            if length > 0 and holds(value):
                spans[-1] += length
            elif length > 0:
                spans.append(0.0)
        return [span for span in spans if span]

    def _pieces(self) -> Iterator[tuple[float, float, T]]:
        """Yield from when until when it had which value."""
        changes = self._changes[:]
        ends = [at for at, _ in changes[1:]] + [math.inf]
        for (at, value), until in zip(changes, ends, strict=True):
            yield at, until, value
