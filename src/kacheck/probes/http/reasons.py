"""The reasons of http checks: what the answer was."""

from kacheck.exchange.reasons import UNAUTHORIZED
from kacheck.result import CRITICAL, Reason, Status

ANSWERED = Reason("answered", (Status.OK,), "The answer is the expected one")
WARNING_STATUS = Reason(
    "warning-status", (Status.WARNING,), "The answer has a code that `warn` lists"
)
CERTIFICATE_EXPIRING = Reason(
    "certificate-expiring",
    (Status.WARNING,),
    "The answer is the expected one, and the server's certificate ends within `cert_days`",
)
UNEXPECTED_STATUS = Reason(
    "unexpected-status", CRITICAL, "The answer has a code that neither `expect` nor `warn` lists"
)
UNEXPECTED_BODY = Reason(
    "unexpected-body", CRITICAL, "The answer lacks what `json` or `contains` asks for"
)
ANSWERS = (
    ANSWERED,
    WARNING_STATUS,
    CERTIFICATE_EXPIRING,
    UNEXPECTED_STATUS,
    UNEXPECTED_BODY,
    UNAUTHORIZED,
)
