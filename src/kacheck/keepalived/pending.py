"""Lines that are still to come of a ~SEQ, a ~LST or a definition of several lines."""

from typing import NamedTuple

from kacheck.keepalived.definitions import Sequence, Variable
from kacheck.keepalived.source import Line


class Rest(NamedTuple):
    """Lines of a definition that are still to come, for the line that refers to it."""

    value: str
    start: int
    line: Line
    depth: int
    """How many sequences were there before: they wait for these lines."""


class Turns:
    """A sequence and how far it is."""

    def __init__(self, sequence: Sequence) -> None:
        self.sequence = sequence
        self._index = 0
        self.next = sequence.at(0)

    def advance(self) -> bool:
        """Advance to the next turn; return whether there is one."""
        self._index += 1
        try:
            self.next = self.sequence.at(self._index)
        except IndexError:
            return False
        return True


class PendingLines:
    """The lines that come before the next one of the files."""

    def __init__(self, names: dict[str, Variable]) -> None:
        self.sequences: list[Turns] = []
        self.rests: list[Rest] = []
        self._names = names
        """The definitions; a sequence sets its own at each turn."""

    def next(self) -> Line | None:
        """Return the next line of a ~SEQ, a ~LST or a definition."""
        depth = self.rests[-1].depth if self.rests else 0
        if len(self.sequences) > depth:
            return self._turn()
        if not self.rests:
            return None
        rest = self.rests.pop()
        end = rest.value.find("\n", rest.start)
        if end >= 0:
            self.rests.append(rest._replace(start=end + 1))
        text = rest.value[rest.start : end if end >= 0 else None]
        at = [rest.line.at[0]] * len(text) + [rest.line.at[len(rest.line.text)]]
        return Line(text, at, rest.line.source, made=True)

    def _turn(self) -> Line:
        """Return the text of the last sequence, once more."""
        turns = self.sequences[-1]
        for name, value in zip(turns.sequence.names, turns.next, strict=False):
            self._set(name, value)
        if not turns.advance():
            self.sequences.pop()
        return turns.sequence.text._replace(made=True)

    def _set(self, name: str, value: str) -> None:
        """set_definition(): one that had several lines still counts as such."""
        old = self._names.get(name)
        several = old is not None and old.multiline
        self._names[name] = Variable(value, multiline=several)
