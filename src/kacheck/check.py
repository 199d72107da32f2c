"""A configured check: what it asks, how often, and what its verdict means to keepalived. No I/O."""

from __future__ import annotations

from kacheck.state import Policy, passes

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    from kacheck.consul.ttl_check import Reporting
    from kacheck.result import Reason, Status
else:
    from kacheck.light import NamedTuple


class Question(NamedTuple):
    """What a check asks."""

    probe: str
    """The probe's name."""
    asked: Any
    """What the probe's `prepare` made of its options."""

    @property
    def consul_service(self) -> str | None:
        """The Consul service whose state decides about this, by name or ID."""
        service: str | None = getattr(self.asked, "consul_service", None)
        return service

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of other checks that must be ok for this one; their drain drains it."""
        needs: tuple[str, ...] = getattr(self.asked, "needs", ())
        return needs


class Track(NamedTuple):
    """The number in a check's track file, for keepalived's `track_file`."""

    ok: int = 1
    warning: int = 0
    critical: int = 0
    unknown: int | None = None
    """None: that of `ok` where `on_unknown` lets it pass, otherwise that of `critical`."""
    reasons: tuple[tuple[Reason, int], ...] = ()
    """Exceptions by reason."""

    def value(self, status: Status, reason: Reason, policy: Policy) -> int:
        """Return the number for a verdict."""
        exceptions = dict(self.reasons)
        if reason in exceptions:
            return exceptions[reason]
        given = (self.ok, self.warning, self.critical, self.unknown)[status]
        if given is not None:
            return given
        return self.ok if passes(policy, status, reason) else self.critical


class Check(NamedTuple):
    """One `[check.NAME]` of the configuration; times are seconds."""

    name: str
    question: Question
    interval: float = 1.0
    timeout: float = 0.8
    policy: Policy = Policy()
    track: Track = Track()
    consul_check: str | None = None
    """The ID of the TTL check of Consul's that its verdict is reported to."""


def drained_by(check: Check) -> tuple[str, ...]:
    """Return the names whose drain drains the check: its own, and those of members it needs."""
    return check.name, *check.question.needs


class CheckConfiguration(NamedTuple):
    """A whole configuration file."""

    checks: tuple[Check, ...]
    """In the file's order."""
    metrics: str | None = None
    """The file for Prometheus's textfile collector."""
    consul: Reporting | None = None
    """Where the verdicts of checks with `consul_check` are reported; None: to the usual agent."""
