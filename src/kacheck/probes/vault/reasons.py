"""The reasons of Vault checks: the node's role or state, and what stands in the way of asking."""

from kacheck.result import CRITICAL, Reason, Status

ROLE = (Status.WARNING, Status.OK)

ACTIVE = Reason("active", (Status.OK, Status.WARNING), "Vault is the active node")
STANDBY = Reason("standby", ROLE, "Vault is a standby")
PERFORMANCE_STANDBY = Reason("performance-standby", ROLE, "Vault is a performance standby")
DR_SECONDARY = Reason("dr-secondary", ROLE, "Vault is a disaster recovery secondary")
ROLES = (ACTIVE, STANDBY, PERFORMANCE_STANDBY, DR_SECONDARY)
"""The reasons that `accept` can name."""
SEALED = Reason("sealed", CRITICAL, "Vault is sealed")
UNINITIALIZED = Reason("uninitialized", CRITICAL, "Vault is not initialized")
REMOVED = Reason("removed", CRITICAL, "Vault was removed from its cluster")
HA_UNHEALTHY = Reason(
    "ha-unhealthy", CRITICAL, "Vault is a standby that has lost touch with the active node"
)
REFUSED = Reason("refused", CRITICAL, "Nothing listens at the address", confirms_loss=True)
UNREACHABLE = Reason("unreachable", CRITICAL, "There is no way to the address", confirms_loss=True)
RESET = Reason(
    "reset", CRITICAL, "The connection was closed without a whole answer", confirms_loss=True
)
DNS = Reason("dns", CRITICAL, "The name of the address does not resolve")
TLS = Reason("tls", CRITICAL, "TLS failed; the message says how, and what to do")
REDIRECT = Reason("redirect", CRITICAL, "The answer sends elsewhere, so a proxy gave it")
RATE_LIMITED = Reason(
    "rate-limited", (Status.UNKNOWN,), "The answer was 429 without Vault's word for a standby"
)
BAD_RESPONSE = Reason(
    "bad-response", CRITICAL, "The answer contradicts itself, is not JSON, or is too long"
)
STATES = (SEALED, UNINITIALIZED, REMOVED, HA_UNHEALTHY)
EXCHANGE = (
    REFUSED, UNREACHABLE, RESET, DNS, TLS, REDIRECT, RATE_LIMITED, BAD_RESPONSE,
)  # fmt: skip
