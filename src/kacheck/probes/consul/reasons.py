"""The reasons of consul checks: what the agent says."""

from kacheck.result import CRITICAL, UNKNOWN, Reason, Status

OK, WARNING = (Status.OK,), (Status.WARNING,)

PASSING = Reason("passing", OK, "Consul's checks of the service are passing")
SERVICE_WARNING = Reason(
    "service-warning", WARNING, "One of Consul's checks of the service is a warning"
)
SERVICE_CRITICAL = Reason(
    "service-critical",
    CRITICAL,
    "One of Consul's checks of the service is critical; the message has its output",
)
MAINTENANCE = Reason(
    "maintenance",
    CRITICAL,
    "The service or the node is in Consul's maintenance mode, `consul maint`",
    is_intended=True,
)
NOT_REGISTERED = Reason(
    "not-registered", CRITICAL, "The service is not registered with this node's agent"
)
NO_CHECKS = Reason(
    "no-checks",
    CRITICAL,
    "The service is registered without a check, so Consul does not know its state",
)
UNTAGGED = Reason("untagged", WARNING, "The service is passing, but does not have the tag")
LEADER = Reason("leader", OK, "The agent is the server that leads")
FOLLOWER = Reason("follower", WARNING, "The agent is a server that does not lead")
CLIENT_AGENT = Reason("client-agent", CRITICAL, "The agent is a client, which never leads")
LOCK_HELD = Reason("lock-held", OK, "A session of this node holds the lock")
LOCK_ELSEWHERE = Reason("lock-elsewhere", WARNING, "A session of another node holds the lock")
LOCK_FREE = Reason("lock-free", WARNING, "No session holds the lock")
NO_LEADER = Reason(
    "no-leader", UNKNOWN, "Consul has no leader, or the agent cannot reach it, so it cannot tell"
)
AGENT_ERROR = Reason(
    "agent-error", UNKNOWN, "The agent answered with an error, which the message quotes"
)
ANSWERS = (
    PASSING,
    SERVICE_WARNING,
    SERVICE_CRITICAL,
    MAINTENANCE,
    NOT_REGISTERED,
    NO_CHECKS,
    UNTAGGED,
    LEADER,
    FOLLOWER,
    CLIENT_AGENT,
    LOCK_HELD,
    LOCK_ELSEWHERE,
    LOCK_FREE,
    NO_LEADER,
    AGENT_ERROR,
)
