"""A thread for each check: it looks on request, and posts what it found.

It may block without end, in getaddrinfo(3) or in a read of /proc; nobody waits for it. All threads
that the looks need are there from the start, so that none has to be had later.
"""

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

from kacheck.check import Question
from kacheck.deadline import Deadline, NoThreadError, start_thread
from kacheck.looks import RepeatedLook, repeated_look_of, threads_needed
from kacheck.result import KacheckError, Loss, Result, bug


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


class LastingThread:
    """A thread that does whatever it is given, one piece of work after the other.

    Raises:
        NoThreadError: it cannot be started.

    """

    def __init__(self, name: str) -> None:
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        start_thread(self._work, name)

    def __call__(self, work: Callable[[], None]) -> None:
        """Do this next; it raises nothing."""
        self._waiting.put(work)

    def end(self) -> None:
        """End, once all that was given is done."""
        self._waiting.put(None)

    def _work(self) -> None:
        while (work := self._waiting.get()) is not None:
            work()


class Worker:
    """Makes the looks of one check, one after the other.

    Raises:
        NoThreadError: its threads cannot be started.

    """

    def __init__(self, name: str, question: Question, post: Callable[[Outcome], None]) -> None:
        self.pending = 0
        """Jobs that were given and have not ended; counted by the thread that starts them."""
        self._question = question
        self._post = post
        self._look: RepeatedLook | None = None
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[LastingThread] = []
        """For looks that it may have to leave behind."""
        try:
            for _ in range(threads_needed(question)):
                self._threads.append(LastingThread(name))
            start_thread(self._work, name)
        except NoThreadError:
            self._end_threads()
            raise

    def quick_result(self) -> Result | None:
        """Return what a look would say, if that is known without one.

        For the thread that starts jobs.

        A worker without a job does not touch its look.
        """
        if self.pending or self._look is None:
            return None
        return self._look.quick_result()

    def start(self, job: Job) -> None:
        """Look, as soon as the look before it has ended, and instead of those that have not begun.

        The queue of a worker that is blocked must not grow.
        """
        with suppress(Empty):
            while True:
                self._jobs.get_nowait()
                self.pending -= 1
        if self.pending:
            job.deadline.waiting_for = "the previous look to end"
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
        self._end_threads()

    def _end_threads(self) -> None:
        for thread in self._threads:
            thread.end()

    def _result(self, deadline: Deadline) -> Result:
        try:
            if self._look is None:
                self._look = repeated_look_of(self._question, iter(self._threads))
            return self._look(deadline)
        except KacheckError as error:
            return error.result()
        except Exception as error:  # noqa: BLE001 - a bug must be `unknown`, with its name
            return bug(error)
