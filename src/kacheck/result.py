"""The vocabulary: status, reason, result, and the exit code of each. No I/O.

The exit codes serve keepalived's vrrp_script (0 is up, all else failed), the Nagios plugin API
and Consul's script checks alike, so that "now returning N" in keepalived's log is a diagnosis.
"""

import enum
from typing import Any, NamedTuple

from kacheck.redact import redact


class Status(enum.IntEnum):
    """What a look found; the value is the exit code."""

    OK = 0
    WARNING = 1
    """Alive, but not in the wanted role, such as a standby."""
    CRITICAL = 2
    """Down."""
    UNKNOWN = 3
    """Could not be told: no permission, bad usage, bad configuration, a bug."""

    @property
    def word(self) -> str:
        """The status as people and JSON read it, such as `critical`."""
        return self.name.lower()


MILDEST_FIRST = (Status.OK, Status.WARNING, Status.UNKNOWN, Status.CRITICAL)
"""What is known to be down is worse than what could not be told."""


class Reason(enum.StrEnum):
    """Why, in one stable word. Scripts key on these: a change needs a changelog entry."""

    # process
    RUNNING = "running"
    MISSING = "missing"
    TOO_FEW = "too-few"
    TOO_MANY = "too-many"
    HIDDEN = "hidden"
    # Vault's roles and states
    ACTIVE = "active"
    STANDBY = "standby"
    PERFORMANCE_STANDBY = "performance-standby"
    DR_SECONDARY = "dr-secondary"
    SEALED = "sealed"
    UNINITIALIZED = "uninitialized"
    REMOVED = "removed"
    HA_UNHEALTHY = "ha-unhealthy"
    # the way to Vault
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    REDIRECT = "redirect"
    RATE_LIMITED = "rate-limited"
    BAD_RESPONSE = "bad-response"
    # kacheck itself
    DRAINING = "draining"
    STOPPED = "stopped"
    BAD_CONFIG = "bad-config"
    BUG = "bug"


class Loss(enum.IntEnum):
    """What a repeated look found gone of what it held since the look before."""

    NOTHING = 0
    SOME = 1
    """A process, or the connection."""
    EVENT = 2
    """The same, and it has called for the look."""
    ALL = 3
    """Every process: whoever is seen now has come since."""


class Result(NamedTuple):
    """What one look found.

    `message` is one sentence for a person; `data` is what else was seen, ready for JSON.
    """

    status: Status
    reason: Reason
    message: str
    data: dict[str, Any]

    @property
    def is_blind(self) -> bool:
        """Does it speak of kacheck's own configuration or bug, and not of the node?"""
        return self.reason in (Reason.BAD_CONFIG, Reason.BUG)


class BadConfigError(Exception):
    """An option or environment variable that no look can be made with; says which and the cure.

    The message may quote any value; what is secret in an address is hidden here, for all outputs.
    """

    def __init__(self, message: str) -> None:
        super().__init__(redact(message))

    def result(self) -> Result:
        """The error as the answer of the check."""
        return Result(Status.UNKNOWN, Reason.BAD_CONFIG, str(self), {})


def bug(error: Exception) -> Result:
    """The result for an exception that nobody expected."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
    message = (
        f"{type(error).__name__}: {redact(str(error))}{place}; "
        "please report it with the output of --verbose"
    )
    return Result(Status.UNKNOWN, Reason.BUG, message, {})


def exit_code(result: Result, *, on_unknown: str = "fail", misc: bool = False) -> int:
    """The exit code for a result: its status, but for two policies.

    `on_unknown="ok"` passes what could not be told about the node; never a bad configuration or
    a bug, which say nothing about it. `misc` maps every failure to 1, because keepalived's
    MISC_CHECK with misc_dynamic reads 2..255 as "up, with this weight".
    """
    if result.status is Status.UNKNOWN and on_unknown == "ok" and not result.is_blind:
        return 0
    return min(result.status, 1) if misc else int(result.status)
