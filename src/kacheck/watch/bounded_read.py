"""A read that may block without end, as of a file of lxcfs: a separate thread makes it."""

import errno
from collections.abc import Callable
from queue import Empty, SimpleQueue

from kacheck.deadline import start_thread

PATIENCE = 0.05
"""Seconds that a read may take; a thread that is kept waiting has them only once."""


class BoundedRead:
    """A function that reads a number, called in another thread.

    Raises:
        NoThreadError: the thread cannot be started.

    """

    def __init__(self, read: Callable[[], float], name: str) -> None:
        self._read = read
        self._asked: SimpleQueue[None] = SimpleQueue()
        self._answers: SimpleQueue[float | OSError] = SimpleQueue()
        self._is_late = False
        """Whether an answer is still to come that nobody waits for any more."""
        start_thread(self._work, name)

    def __call__(self) -> float:
        """Return what the function returns.

        Raises:
            OSError: as the function does; or it has not returned yet.

        """
        if self._is_late:
            self._answer(0)  # of a time that is over
        self._asked.put(None)
        return self._answer(PATIENCE)

    def _answer(self, patience: float) -> float:
        self._is_late = True
        try:
            answer = self._answers.get(timeout=patience) if patience else self._answers.get_nowait()
        except Empty:
            raise OSError(errno.ETIMEDOUT, "no answer") from None
        self._is_late = False
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _work(self) -> None:
        while True:
            self._asked.get()
            try:
                self._answers.put(self._read())
            except OSError as error:
                self._answers.put(error)


def is_mounted(path: str) -> bool:
    """Return whether something is mounted at this path, as lxcfs is; also where nobody can tell."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return any(line.split(" ", 5)[4] == path for line in file)
    except (OSError, IndexError):
        return True
