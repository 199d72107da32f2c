"""From questions to looks: the one that a one-shot makes, and the one that the resident repeats."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Protocol

from kacheck.check import Combination, Question
from kacheck.deadline import Deadline, Run, in_new_thread
from kacheck.probes.process import ProcessOptions
from kacheck.probes.vault_settings import VaultOptions, unproven
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


def look_of(question: Question) -> Look:
    """The look of a one-shot."""
    if isinstance(question, Combination):
        from kacheck.probes import combined

        members = [combined.Member(name, look_of(member)) for name, member in question.members]
        return partial(combined.probe, question.mode, members)
    if isinstance(question, ProcessOptions):
        from kacheck.probes import process

        return partial(process.probe, question)
    from kacheck.probes import vault

    return partial(vault.probe, question)


def threads_needed(question: Question) -> int:
    """Return how many threads a repeated look needs beside the one that makes it."""
    if not isinstance(question, Combination):
        return 0
    members = [member for _, member in question.members]
    return len(members) * (question.mode == "any") + sum(map(threads_needed, members))


def repeated_look_of(question: Question, threads: Iterator[Run]) -> RepeatedLook:
    """The look of the resident; it takes as many threads as it needs.

    Raises:
        BadConfigError: no process could ever satisfy the options.

    """
    if isinstance(question, Combination):
        return RepeatedCombination(question, threads)
    if isinstance(question, ProcessOptions):
        from kacheck.probes.tracker import Tracker

        return Tracker(question)
    from kacheck.probes.vault import Client

    return Client(question, keep=True)


def warnings_of(question: Question) -> list[str]:
    """Return what is wrong with a question although it can be asked; not its members by name."""
    if isinstance(question, Combination):
        members = question.members if question.inline else ()
        return [warning for _, member in members for warning in warnings_of(member)]
    warning = unproven(question) if isinstance(question, VaultOptions) else None
    return [] if warning is None else [warning]


def load(questions: Iterable[Question]) -> None:
    """Import what repeated looks need, so that no deadline includes it.

    What cannot be imported fails the looks that need it; they say why.
    """
    for question in questions:
        with suppress(Exception):
            if isinstance(question, Combination):
                from kacheck.probes import combined  # noqa: F401 - loaded here, used by the look

                load(member for _, member in question.members)
            elif isinstance(question, ProcessOptions):
                from kacheck.probes import tracker  # noqa: F401 - loaded here, used by the look
            else:
                from kacheck.probes import vault

                vault.load()


class RepeatedCombination:
    """A combination of repeated looks."""

    def __init__(self, question: Combination, threads: Iterator[Run]) -> None:
        from kacheck.probes import combined

        self._members: list[tuple[combined.Member, RepeatedLook]] = []
        for name, each in question.members:
            look = repeated_look_of(each, threads)
            run = next(threads) if question.mode == "any" else in_new_thread
            self._members.append((combined.Member(name, partial(self._ask, look), run), look))
        members = [member for member, _ in self._members]
        self._probe = partial(combined.probe, question.mode, members)
        self._asked: set[RepeatedLook] = set()
        """Those that the last look has come to."""
        self._told: set[int] = set()
        """The descriptors that had something to tell before it began."""

    def __call__(self, deadline: Deadline) -> Result:
        """Look once."""
        self._asked = set()
        self._told = readable([file for look in self._idle() for file in look.watched()])
        return self._probe(deadline)

    def _ask(self, look: RepeatedLook, deadline: Deadline) -> Result:
        self._asked.add(look)
        return look(deadline)

    def glance(self) -> Result | None:
        """Of several looks one always waits."""
        return None

    def loss(self) -> Loss:
        """The worst of its members' losses."""
        return max([look.loss() for look in self._idle()], default=Loss.NOTHING)

    def watched(self) -> list[int]:
        """The members' descriptors, but what one that was not asked had told already.

        That has called for a look which did not come to it, and would call for one after the other.
        """
        return [
            file
            for look in self._idle()
            for file in look.watched()
            if look in self._asked or file not in self._told
        ]

    def _idle(self) -> list[RepeatedLook]:
        """Members' looks but those that were left behind: what these have may go at any time."""
        return [look for member, look in self._members if not member.lock.locked()]

    def close(self) -> None:
        """Let go of them, when those that were left behind have ended."""
        for member, look in self._members:
            with member.lock:
                look.close()


def readable(files: list[int]) -> set[int]:
    """Those of these descriptors that have something to tell."""
    from select import POLLIN, poll

    descriptors = poll()
    for file in files:
        descriptors.register(file, POLLIN)
    return {file for file, _ in descriptors.poll(0)}
