"""What a finding is, and how the function that finds it declares it. No I/O.

@finding("KA306", Severity.ERROR, "quorum above quorum_max", "The long explanation.")
def quorum_above_quorum_max(context: Context) -> Iterator[Observation]:
    for definition in context.tracking.of_kind("track_process"):
        ...
        yield at(line, "what happens", "why", "what to do")
"""

import enum
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from kacheck.doctor.context import Context
from kacheck.keepalived import Node


class Severity(enum.IntEnum):
    """How bad a finding is; the worst one's value is the exit code of `kacheck doctor`."""

    NOTE = 0
    WARNING = 1
    """It will bite under some circumstances."""
    ERROR = 2
    """It fails open, or it can never work."""

    @property
    def word(self) -> str:
        """As people and JSON read it."""
        return self.name.lower()


class Code(NamedTuple):
    """One kind of finding. Its name, such as KA301, is stable: it is never used for another one."""

    name: str
    severity: Severity
    title: str
    """A few words: `a name that can never match`."""
    explanation: str
    """The long form for `kacheck doctor --explain` and the manual: what happens, in which versions,
    why (with the source), how to see it, and what to do."""


class Finding(NamedTuple):
    """One thing that is wrong in one place."""

    code: Code
    what: str
    """One sentence: what happens."""
    why: str
    """One sentence: why."""
    cure: str
    """The change that cures it: what to write or run."""
    file: str | None = None
    line: int | None = None
    """None: it is about the machine and not about a line."""


class Observation(NamedTuple):
    """A finding as its function yields it: the declaration adds the code."""

    what: str
    why: str
    cure: str
    file: str | None = None
    line: int | None = None


Look = Callable[[Context], Iterable[Observation]]


class Lint(NamedTuple):
    """A code, and the function that finds it."""

    code: Code
    look: Look

    @property
    def name(self) -> str:
        """The name of the function."""
        return getattr(self.look, "__name__", self.code.name)

    def __call__(self, context: Context) -> Iterator[Finding]:
        """Yield what the function finds."""
        for observation in self.look(context):
            yield Finding(self.code, *observation)


def finding(name: str, severity: Severity, title: str, explanation: str) -> Callable[[Look], Lint]:
    """Declare the finding that the decorated function looks for."""

    def declare(look: Look) -> Lint:
        return Lint(Code(name, severity, title, explanation), look)

    return declare


def at(node: Node, what: str, why: str, cure: str) -> Observation:
    """Return an observation at a statement of the configuration."""
    return Observation(what, why, cure, node.position.file, node.position.line)
