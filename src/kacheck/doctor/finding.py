"""What the doctor finds, and how bad it is. No I/O."""

import enum
from typing import NamedTuple


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
    """One thing that is wrong at one place."""

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
