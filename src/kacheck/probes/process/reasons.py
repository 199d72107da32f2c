"""The reasons of process checks."""

from kacheck.result import CRITICAL, Reason, Status

RUNNING = Reason("running", (Status.OK,), "Enough processes match, and not too many")
MISSING = Reason(
    "missing",
    (Status.CRITICAL, Status.OK),
    "No process matches; ok if `quorum_max` is 0",
    confirms_loss=True,
)
TOO_FEW = Reason("too-few", CRITICAL, "Fewer processes match than `quorum`", confirms_loss=True)
TOO_MANY = Reason(
    "too-many", CRITICAL, "More processes match than `quorum_max`", confirms_arrival=True
)
