"""The reasons of tcp checks."""

from kacheck.result import CRITICAL, Reason, Status

CONNECTED = Reason(
    "connected", (Status.OK,), "The service accepts connections, and answers as expected"
)
UNEXPECTED_ANSWER = Reason(
    "unexpected-answer", CRITICAL, "What the service sends does not begin with `expect`"
)
