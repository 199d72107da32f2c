"""A configured check: what it asks, how often, and what its verdict means to keepalived. No I/O."""

from typing import Literal, NamedTuple, TypeAlias

from kacheck.probes.process import ProcessOptions
from kacheck.probes.vault_settings import VaultOptions
from kacheck.result import Reason, Status
from kacheck.state import Policy, passes


class Combination(NamedTuple):
    """Several questions under one deadline, in this order."""

    mode: Literal["all", "any"]
    members: tuple[tuple[str, "Question"], ...]
    """Name and question; a member that is a check by name stands here with that check's options."""
    inline: bool = False
    """Are the members' names words for people, and no names of checks?"""


Question: TypeAlias = ProcessOptions | VaultOptions | Combination
"""What a check asks; its type says which probe looks."""


class Track(NamedTuple):
    """The number in a check's track file, for keepalived's `track_file`."""

    ok: int = 1
    warning: int = 0
    critical: int = 0
    unknown: int = 0
    reasons: tuple[tuple[Reason, int], ...] = ()
    """Exceptions by reason."""

    def value(self, status: Status, reason: Reason, policy: Policy) -> int:
        """The number for a verdict."""
        exceptions = dict(self.reasons)
        if reason in exceptions:
            return exceptions[reason]
        up = passes(policy, status, reason)
        return self.ok if up else (self.ok, self.warning, self.critical, self.unknown)[status]


class Check(NamedTuple):
    """One `[check.NAME]` of the configuration; times are seconds."""

    name: str
    question: Question
    interval: float = 1.0
    timeout: float = 0.8
    policy: Policy = Policy()
    track: Track = Track()


def drained_by(check: Check) -> tuple[str, ...]:
    """The names whose drain drains the check: its own, and those of members that it needs."""
    return check.name, *needed(check.question)


def needed(question: Question) -> tuple[str, ...]:
    """The names of the checks among the members that all have to be ok."""
    if not isinstance(question, Combination) or question.mode == "any" or question.inline:
        return ()
    return tuple(each for name, member in question.members for each in (name, *needed(member)))


class Configuration(NamedTuple):
    """A whole configuration file."""

    checks: tuple[Check, ...]
    """In the file's order."""
    metrics: str | None = None
    """The file for Prometheus's textfile collector."""
