"""The vocabulary: status, reason, result, and the exit code of each. No I/O.

The exit codes serve keepalived's vrrp_script (0 is up, all else failed), the Nagios plugin API
and Consul's script checks alike, so that "now returning N" in keepalived's log is a diagnosis.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from enum import IntEnum
    from typing import Any, NamedTuple, Self
else:
    from kacheck.light import IntEnum, NamedTuple


class Status(IntEnum):
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


class Reason(str):
    """Why, in one stable word, and what follows from it. Each is declared once, beside its probe.

    Scripts and dashboards key on the words: a change needs a changelog entry.
    """

    __slots__ = (
        "confirms_arrival", "confirms_loss", "describes_kacheck", "includes_failure",
        "is_intended", "is_role", "limits_rate", "meaning", "statuses",
    )  # fmt: skip
    statuses: tuple[Status, ...]
    """Every status that it may come with, the usual one first."""
    meaning: str
    """What it says, for the manual: a sentence without its full stop."""
    confirms_loss: bool
    """It confirms that a process exited, or that a connection was lost: no second look is needed
    after such an event, and `terminate_delay` applies."""
    confirms_arrival: bool
    """It confirms that a process too many was started: `fork_delay` applies."""
    describes_kacheck: bool
    """It says nothing of the node, so it always fails, whatever `on_unknown` says."""
    includes_failure: bool
    """A part of what was asked is known to be down, so it always fails, too."""
    is_intended: bool
    """Somebody asked for it, so it acts at once, without `rise` and `fall`."""
    is_role: bool
    """It is a role that an answer's code and body agree on: one look is enough to gain it."""
    limits_rate: bool
    """The server wants to be asked less often."""

    def __new__(  # noqa: PLR0913 - the columns of a row
        cls,
        word: str,
        statuses: tuple[Status, ...],
        meaning: str,
        *,
        confirms_loss: bool = False,
        confirms_arrival: bool = False,
        describes_kacheck: bool = False,
        includes_failure: bool = False,
        is_intended: bool = False,
        is_role: bool = False,
        limits_rate: bool = False,
    ) -> Self:
        """Make a row."""
        row = super().__new__(cls, word)
        row.statuses, row.meaning = statuses, meaning
        row.confirms_loss, row.confirms_arrival = confirms_loss, confirms_arrival
        row.describes_kacheck, row.includes_failure = describes_kacheck, includes_failure
        row.is_intended = is_intended
        row.is_role, row.limits_rate = is_role, limits_rate
        return row

    @property
    def always_fails(self) -> bool:
        """Whether it fails as an unknown, whatever `on_unknown` says."""
        return self.describes_kacheck or self.includes_failure

    @property
    def may_pass(self) -> bool:
        """Whether a healthy node can have it, so that it may have a healthy node's number."""
        return not self.always_fails and Status.CRITICAL not in self.statuses


CRITICAL, UNKNOWN = (Status.CRITICAL,), (Status.UNKNOWN,)
TIMEOUT = Reason(
    "timeout",
    CRITICAL,
    "There was no answer within the deadline; the message says what the check waited for",
)
DRAINING = Reason(
    "draining",
    CRITICAL,
    "`kacheck drain on` made the check fail; the message says until when, why, and how to end it",
    is_intended=True,
)
STOPPED = Reason(
    "stopped",
    CRITICAL,
    "The watcher was stopped, or its configuration no longer has the check",
    is_intended=True,
)
BAD_CONFIG = Reason(
    "bad-config",
    UNKNOWN,
    "An option, a variable or a file cannot be used; the message names it",
    describes_kacheck=True,
)
HIDDEN = Reason(
    "hidden",
    UNKNOWN,
    "This user may not see what the check needs: another user's processes, executable or socket. "
    "Run it as root",
)
BUG = Reason(
    "bug",
    UNKNOWN,
    "kacheck itself failed; please report it with the output of `--verbose`",
    describes_kacheck=True,
)
COMMON_REASONS = (TIMEOUT, HIDDEN, DRAINING, STOPPED, BAD_CONFIG, BUG)
"""The reasons that every check may have."""


class Loss(IntEnum):
    """How much of what a repeated look held was lost since the look before."""

    NOTHING = 0
    SOME = 1
    """A process, or the connection."""
    ALL = 2
    """Every process: those that are seen now were started since."""


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
        """Whether it describes kacheck's own configuration or bug, and not the node."""
        return self.reason.describes_kacheck


class KacheckError(Exception):
    """What kacheck cannot do, in words for a person: what failed, why, and the cure.

    The message may quote any value; what is secret in an address is hidden here, for all outputs.
    """

    def __init__(self, message: str) -> None:
        from kacheck.redact import redact

        super().__init__(redact(message))

    def result(self) -> Result:
        """Return the error as the answer of the check."""
        return Result(Status.UNKNOWN, BAD_CONFIG, str(self), {})


class BadConfigError(KacheckError):
    """What somebody wrote cannot be used.

    That is an option, an environment variable, kacheck.toml or keepalived.conf, or a file that one
    of these names.
    """


def reasons_of(result: Result) -> list[str]:
    """Return every reason of a result; several warnings of a combination have more than one."""
    reasons = result.data.get("reasons")  # or the data of a check of this name
    return reasons if isinstance(reasons, list) else [str(result.reason)]


def bug(error: Exception) -> Result:
    """Return the result for an exception that nobody expected."""
    from kacheck.redact import redact

    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
    message = (
        f"{type(error).__name__}: {redact(str(error))}{place}; "
        "please report it with the output of --verbose"
    )
    return Result(Status.UNKNOWN, BUG, message, {})


def exit_code(result: Result, *, on_unknown: str = "fail", misc: bool = False) -> int:
    """Return the exit code for a result: its status, but for two policies.

    `on_unknown="ok"` passes what could not be told about the node; never a bad configuration or
    a bug, which say nothing about it, nor what is known to be down in part. `misc` maps every
    failure to 1, because keepalived's MISC_CHECK with misc_dynamic reads 2..255 as "up, with this
    weight".
    """
    passes = on_unknown == "ok" and not result.reason.always_fails
    if result.status is Status.UNKNOWN and passes:
        return 0
    return min(result.status, 1) if misc else int(result.status)
