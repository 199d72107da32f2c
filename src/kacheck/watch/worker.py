"""A thread for each check: it looks when it is told to, and posts what it found.

It may block for ever, in getaddrinfo(3) or in a read of /proc; nobody waits for it.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

from kacheck.check import Question
from kacheck.deadline import Deadline
from kacheck.looks import RepeatedLook, repeated_look_of
from kacheck.result import BadConfigError, Loss, Result, bug


class Job:
    """One look to be made; `event`: because a process exited or a connection was lost."""

    __slots__ = ("deadline", "event")

    def __init__(self, deadline: Deadline, *, event: bool) -> None:
        self.deadline = deadline
        self.event = event


class Outcome(NamedTuple):
    """What a job has found."""

    job: Job
    result: Result | None
    """None: it was too late to begin."""
    loss: Loss
    watched: list[int]
    """Descriptors whose readability is an event; the worker's, until its next job."""


class Worker:
    """Makes the looks of one check, one after the other."""

    def __init__(self, name: str, question: Question, post: Callable[[Outcome], None]) -> None:
        self.pending = 0
        """Jobs that were given and have not ended; counted by the thread that starts them."""
        self._question = question
        self._post = post
        self._look: RepeatedLook | None = None
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def glance(self) -> Result | None:
        """What a look would say, if that can be told without one; for the thread that starts jobs.

        A worker without a job does not touch its look.
        """
        if self.pending or self._look is None:
            return None
        return self._look.glance()

    def start(self, job: Job) -> None:
        """Look, as soon as the look before it has ended, and instead of those that have not begun.

        A worker that is blocked for ever must not have ever more to do.
        """
        with suppress(Empty):
            while True:
                self._jobs.get_nowait()
                self.pending -= 1
        if self.pending:
            job.deadline.waiting_for = "the look before it to end"
        self.pending += 1
        self._jobs.put(job)

    def stop(self) -> None:
        """Let go of everything and end, as soon as the look before has ended."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            result = self._result(job.deadline) if job.deadline.remaining() > 0 else None
            look = self._look
            loss, files = (look.loss(), look.watched()) if look else (Loss.NOTHING, [])
            self._post(Outcome(job, result, loss, files))
        if self._look is not None:
            self._look.close()

    def _result(self, deadline: Deadline) -> Result:
        try:
            if self._look is None:
                self._look = repeated_look_of(self._question)
            return self._look(deadline)
        except BadConfigError as error:
            return error.result()
        except Exception as error:  # noqa: BLE001 - a bug must be `unknown`, with its name
            return bug(error)
