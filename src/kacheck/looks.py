"""From questions to looks: the one that a one-shot makes, and the one that the watcher repeats."""

from __future__ import annotations

from functools import partial

from kacheck.probe import load
from kacheck.probes import probe
from kacheck.result import Loss

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol

    from kacheck.check import Question
    from kacheck.deadline import Deadline, Run
    from kacheck.result import Result

    Look = Callable[[Deadline], Result]
else:
    Look = Protocol = object


class RepeatedLook(Protocol):
    """A look that is made again and again by one thread, and knows what would make it worth it."""

    def __call__(self, deadline: Deadline) -> Result:
        """Look once."""

    def quick_result(self) -> Result | None:
        """Return what a look would say, if that can be told without waiting; None: make one."""

    def loss(self) -> Loss:
        """Return what the look has found gone, also while it looked; each loss is reported once."""

    def watched(self) -> list[int]:
        """Descriptors that become readable when a process exits or a connection is lost.

        They are its own, and may be closed at the next look.
        """

    def close(self) -> None:
        """Let go of them."""


class OneShotRepeated:
    """A one-shot's look, repeated each time, for a probe that keeps nothing."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def __call__(self, deadline: Deadline) -> Result:
        """Look once."""
        return self._look(deadline)

    def quick_result(self) -> Result | None:
        """Return nothing: only a look can tell."""
        return None

    def loss(self) -> Loss:
        """Return that nothing was lost, since nothing is held."""
        return Loss.NOTHING

    def watched(self) -> list[int]:
        """Return no descriptors."""
        return []

    def close(self) -> None:
        """Do nothing: nothing is held."""


def look_of(question: Question) -> Look:
    """Return the look of a one-shot."""
    return partial(load(probe(question.probe).look), question.asked)


def threads_needed(question: Question) -> int:
    """Return how many threads a repeated look needs beside the one that makes it."""
    declared = probe(question.probe)
    return int(load(declared.threads)(question.asked)) if declared.threads else 0


def repeated_look_of(question: Question, threads: Iterator[Run]) -> RepeatedLook:
    """Return the look that the watcher repeats; it takes as many threads as it needs.

    Raises:
        BadConfigError: it cannot be made; the user does not exist, for example.

    """
    declared = probe(question.probe)
    if not declared.repeated:
        return OneShotRepeated(look_of(question))
    make = load(declared.repeated)
    repeated: RepeatedLook
    repeated = make(question.asked, threads) if declared.threads else make(question.asked)
    return repeated


def warnings_of(question: Question) -> list[str]:
    """Return what is wrong with a question although it can be asked; not its members by name."""
    declared = probe(question.probe)
    return list(load(declared.warnings)(question.asked)) if declared.warnings else []


def preload(questions: Iterable[Question]) -> None:
    """Import what repeated looks need, so that no deadline includes it.

    What cannot be imported fails the looks that need it; they say why.
    """
    from contextlib import suppress

    for question in questions:
        with suppress(Exception):
            declared = probe(question.probe)
            load(declared.repeated or declared.look)
            if declared.preload:
                load(declared.preload)(question.asked)


def detailed(question: Question) -> Question:
    """Return the question that also asks for the details that a person or JSON is shown."""
    declared = probe(question.probe)
    if not declared.detailed:
        return question
    return question._replace(asked=load(declared.detailed)(question.asked))
