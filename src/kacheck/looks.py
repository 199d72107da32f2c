"""From questions to looks: the one that a one-shot makes, and the one that the resident repeats."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from kacheck.check import Question
from kacheck.deadline import Deadline
from kacheck.probe import load
from kacheck.probes import probe
from kacheck.result import Loss, Result

Look = Callable[[Deadline], Result]


class RepeatedLook(Protocol):
    """A look that is made again and again by one thread, and knows what would make it worth it."""

    def __call__(self, deadline: Deadline) -> Result:
        """Look once."""

    def glance(self) -> Result | None:
        """What a look would say, if that can be told without waiting; None: make one."""

    def loss(self) -> Loss:
        """What the look has found gone, be it while it looked; it is told once."""

    def watched(self) -> list[int]:
        """Descriptors that become readable when a process exits or a connection is lost.

        They are its own, and may be closed at the next look.
        """

    def close(self) -> None:
        """Let go of them."""


class OneShotRepeated:
    """A one-shot's look, made anew each time, for a probe that has nothing to keep."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def __call__(self, deadline: Deadline) -> Result:
        """Look once."""
        return self._look(deadline)

    def glance(self) -> Result | None:
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


def repeated_look_of(question: Question) -> RepeatedLook:
    """Return the look that the watcher repeats.

    Raises:
        BadConfigError: it cannot be made, such as of a user who does not exist.

    """
    declared = probe(question.probe)
    if not declared.repeated:
        return OneShotRepeated(look_of(question))
    repeated: RepeatedLook = load(declared.repeated)(question.asked)
    return repeated


def detailed(question: Question) -> Question:
    """Return the question that also asks for the details that a person or JSON is shown."""
    declared = probe(question.probe)
    if not declared.detailed:
        return question
    return question._replace(asked=load(declared.detailed)(question.asked))
