"""The reasons of Vault checks: the node's role or state."""

from kacheck.result import CRITICAL, Reason, Status

ROLE = (Status.WARNING, Status.OK)

ACTIVE = Reason("active", (Status.OK, Status.WARNING), "Vault is the active node", is_role=True)
STANDBY = Reason("standby", ROLE, "Vault is a standby", is_role=True)
PERFORMANCE_STANDBY = Reason(
    "performance-standby", ROLE, "Vault is a performance standby", is_role=True
)
DR_SECONDARY = Reason("dr-secondary", ROLE, "Vault is a disaster recovery secondary", is_role=True)
ROLES = (ACTIVE, STANDBY, PERFORMANCE_STANDBY, DR_SECONDARY)
"""The reasons that `accept` can name."""
SEALED = Reason("sealed", CRITICAL, "Vault is sealed")
UNINITIALIZED = Reason("uninitialized", CRITICAL, "Vault is not initialized")
REMOVED = Reason("removed", CRITICAL, "Vault was removed from its cluster")
HA_UNHEALTHY = Reason(
    "ha-unhealthy", CRITICAL, "Vault is a standby that has lost touch with the active node"
)
RATE_LIMITED = Reason(
    "rate-limited",
    (Status.UNKNOWN,),
    "The answer was 429 without Vault's field `standby`",
    limits_rate=True,
)
STATES = (SEALED, UNINITIALIZED, REMOVED, HA_UNHEALTHY)
