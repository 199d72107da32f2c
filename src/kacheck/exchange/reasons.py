"""The reasons of every check that speaks HTTP: what prevents an answer."""

from kacheck.result import CRITICAL, UNKNOWN, Reason

REFUSED = Reason("refused", CRITICAL, "Nothing listens at the address", confirms_loss=True)
UNREACHABLE = Reason(
    "unreachable", CRITICAL, "The address cannot be reached from here", confirms_loss=True
)
RESET = Reason(
    "reset", CRITICAL, "The connection was closed without a whole answer", confirms_loss=True
)
DNS = Reason("dns", CRITICAL, "The name of the address does not resolve")
TLS = Reason("tls", CRITICAL, "TLS failed; the message says how, and what to do")
REDIRECT = Reason("redirect", CRITICAL, "The answer is a redirect, which a proxy in between gives")
BAD_RESPONSE = Reason(
    "bad-response", CRITICAL, "The answer contradicts itself, is not JSON, or is too long"
)
UNAUTHORIZED = Reason(
    "unauthorized", UNKNOWN, "The answer was 401 or 403: the server wants other credentials"
)
REASONS = (REFUSED, UNREACHABLE, RESET, DNS, TLS, REDIRECT, BAD_RESPONSE)
