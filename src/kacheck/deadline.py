"""One total deadline over everything a look does, kept from outside the look.

A look may block where no timeout reaches: getaddrinfo(3), a server that drips a byte at a time,
a read of /proc that waits for a lock. So it runs in a worker thread, and whoever waits declares
the timeout itself. The worker is left behind, its socket shut down so that it ends soon.
"""

from __future__ import annotations

import _thread  # threading takes 2 ms to import
import time

from kacheck.result import TIMEOUT, KacheckError, Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from typing import Any

    Run = Callable[[Callable[[], None]], object]
    """Has another thread do this work."""
else:
    Run = object


DEFAULT_TIMEOUT = 0.8
"""Seconds; below the 1 s that keepalived waits by default, so that the answer beats its SIGTERM."""


def handled_signals() -> tuple[int, ...]:
    """Return the signals that a program of kacheck's may handle, all in its main thread."""
    import signal  # which takes 2 ms, for its enums

    return signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2


class NoThreadError(KacheckError):
    """No thread can be started; says the cure."""


def start_thread(work: Callable[[], object], name: str) -> threading.Thread:
    """Start a thread that the end of the process does not wait for, and that gets no signals.

    One that the main thread has blocked must wait for it, and not go to another thread.

    Raises:
        NoThreadError: the limit of processes, or memory, is reached.

    """
    import signal
    import threading

    thread = threading.Thread(target=work, name=name, daemon=True)
    # The new thread inherits the mask.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, handled_signals())
    try:
        thread.start()
    except RuntimeError as error:
        raise no_thread(error) from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return thread


def in_new_thread(work: Callable[[], None]) -> None:
    """Do this work in a thread that ends with it; raises NoThreadError."""
    try:
        _thread.start_new_thread(work, ())
    except RuntimeError as error:
        raise no_thread(error) from None


def no_thread(error: RuntimeError) -> NoThreadError:
    """Return what to say of it."""
    return NoThreadError(
        f"cannot start a thread ({error}): the limit of processes and threads is reached; raise "
        "TasksMax= of the unit, pids.max of the container or ulimit -u of the user"
    )


class Deadline:
    """A span of `seconds` from `started` (time.monotonic()), and where in it the look is.

    The look reports each phase as it enters it; a timeout then says what was waited for.
    """

    def __init__(self, seconds: float, started: float | None = None) -> None:
        self.seconds = seconds
        self.started = time.monotonic() if started is None else started
        self.waiting_for = "the check to start"
        self.phases: list[tuple[str, float]] = []
        self.seen: dict[str, Any] = {}
        """What the look has seen so far: the data of a timeout."""
        self.frame: Callable[[Result], Result] = lambda result: result
        """How a look made of others presents the timeout of the one that it is at."""
        self._unblock: list[Callable[[], object]] = []
        self._expired = False
        self._lock = _thread.allocate_lock()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.seconds - self.elapsed())

    def enter(self, phase: str, waiting_for: str) -> None:
        """Enter a phase of the look; `waiting_for` completes "still waiting for …"."""
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
        """Call `action`, which must unblock the worker, when the deadline passes; now if it has."""
        with self._lock:
            self._unblock.append(action)
            expired = self._expired
        if expired:
            action()

    def timed_out(self) -> Result:
        """`critical timeout`, with what was seen until now."""
        message = f"no answer within {self.seconds:g} s: still waiting for {self.waiting_for}"
        data = {**self.seen, "phases_ms": self.phases_ms()} if self.phases else {**self.seen}
        return Result(Status.CRITICAL, TIMEOUT, message, data)

    def expire(self) -> Result:
        """Unblock the worker, which is too late, and answer in its place."""
        result = self.frame(self.timed_out())
        with self._lock:
            self._expired = True
        for action in self._unblock:
            action()
        return result


def within(
    deadline: Deadline, look: Callable[[Deadline], Result], run: Run = in_new_thread
) -> Result:
    """Return the look's result, or `critical timeout` as soon as the deadline has passed.

    Raises:
        NoThreadError: no thread can be started for the look.

    """
    results: list[Result] = []
    errors: list[BaseException] = []
    is_busy = _thread.allocate_lock()
    is_busy.acquire()

    def work() -> None:
        try:
            results.append(look(deadline))
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            errors.append(error)
        is_busy.release()

    run(work)
    is_busy.acquire(timeout=deadline.remaining())
    if errors:
        raise errors[0]
    return results[0] if results else deadline.expire()
