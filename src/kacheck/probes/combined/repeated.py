"""The repeated look of a combination: its members' repeated looks, each with what it holds."""

from collections.abc import Iterator
from functools import partial

from kacheck.deadline import Deadline, Run, in_new_thread
from kacheck.looks import RepeatedLook, preload, repeated_look_of, threads_needed
from kacheck.probes.combined import look as combined
from kacheck.probes.combined.question import Combination
from kacheck.result import Loss, Result


def threads(asked: Combination) -> int:
    """Return how many threads its members need: with `any` one each, and what is theirs."""
    members = [member for _, member in asked.members]
    return len(members) * (asked.mode == "any") + sum(map(threads_needed, members))


def preload_members(asked: Combination) -> None:
    """Import what the members' looks need."""
    preload(member for _, member in asked.members)


class RepeatedCombination:
    """A combination of repeated looks."""

    def __init__(self, asked: Combination, threads: Iterator[Run]) -> None:
        self._members: list[tuple[combined.Member, RepeatedLook]] = []
        for name, question in asked.members:
            look = repeated_look_of(question, threads)
            run = next(threads) if asked.mode == "any" else in_new_thread
            self._members.append((combined.Member(name, partial(self._ask, look), run), look))
        members = [member for member, _ in self._members]
        self._probe = partial(combined.probe, asked.mode, members)
        self._asked: set[RepeatedLook] = set()
        """Those that the last look has come to."""
        self._readable: set[int] = set()
        """The descriptors that were readable before it began."""

    def __call__(self, deadline: Deadline) -> Result:
        """Look once."""
        self._asked = set()
        self._readable = readable([file for look in self._idle() for file in look.watched()])
        return self._probe(deadline)

    def _ask(self, look: RepeatedLook, deadline: Deadline) -> Result:
        self._asked.add(look)
        return look(deadline)

    def quick_result(self) -> Result | None:
        """Of several looks one always waits."""
        return None

    def loss(self) -> Loss:
        """Return the worst of its members' losses."""
        return max([look.loss() for look in self._idle()], default=Loss.NOTHING)

    def watched(self) -> list[int]:
        """Return the members' descriptors, but what one that was not asked had ready already.

        That has called for a look which did not come to it, and would call for one after the other.
        """
        return [
            file
            for look in self._idle()
            for file in look.watched()
            if look in self._asked or file not in self._readable
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
    """Return those of these descriptors that can be read."""
    from select import POLLIN, poll

    descriptors = poll()
    for file in files:
        descriptors.register(file, POLLIN)
    return {file for file, _ in descriptors.poll(0)}
