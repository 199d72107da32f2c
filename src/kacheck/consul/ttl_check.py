"""A verdict as the update of one of Consul's TTL checks: the request, and what its answer means.

Source: hashicorp/consul agent/agent_endpoint.go, AgentCheckUpdate(); agent/acl.go,
vetCheckUpdateWithAuthorizer(): 404 for a check that is not registered, since 1.9; before, and for
one that has no TTL, 500 with words. The agent writes each update to its disk.
"""

from __future__ import annotations

from kacheck.consul.agent import Agent, segment
from kacheck.exchange.body import quote
from kacheck.result import Reason, Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import NamedTuple

    from kacheck.exchange.answer import HttpAnswer
else:
    from kacheck.light import NamedTuple

STATUSES = ("passing", "warning")
"""What Consul calls the exit codes 0 and 1; all others are critical."""
UNKNOWN_CHECK = (b"does not have associated TTL", b"Unknown check")
SERVICE = "service:"
"""What an ID begins with that Consul itself has made of a service's."""
SHOWN = 200
"""Characters of an error that a message quotes."""
REPORTED = Reason(
    "reported", (Status.OK, Status.CRITICAL), "What the agent answered to a report; no verdict"
)


class Reporting(NamedTuple):
    """Where verdicts are reported, and how often."""

    agent: Agent = Agent()
    ttl: float = 15.0
    """Seconds after which a check is critical that is not updated."""


class TtlUpdate(NamedTuple):
    """What a TTL check is to say."""

    check: str
    """The check of kacheck."""
    id: str
    """Of the TTL check."""
    code: int
    """The check's exit code."""
    reason: str
    message: str

    @property
    def status(self) -> str:
        """What Consul calls it."""
        return STATUSES[self.code] if self.code < len(STATUSES) else "critical"


def request(agent: Agent, update: TtlUpdate) -> tuple[Agent, bytes]:
    """Return the request of an update, and its body."""
    import json  # which takes 5 ms

    output = f"{update.reason}: {update.message}"
    content = json.dumps({"Status": update.status, "Output": output}).encode()
    return agent.put(f"/v1/agent/check/update/{segment(update.id, '/')}"), content


def judge_update(answer: HttpAnswer, reporting: Reporting, update: TtlUpdate) -> Result:
    """Return whether the agent has taken an update; if not, why, and what to paste."""
    if answer.code == 200:
        return Result(Status.OK, REPORTED, "", {})
    said = f"{reporting.agent.address} answered {answer.code}"
    said += f", {reporting.agent.hide(quote(answer.body, SHOWN))}" if answer.body else ""
    if answer.code in (401, 403):
        said += f"; the token needs the rule {rule(update.id)}"
    elif answer.code == 404 or any(words in answer.body for words in UNKNOWN_CHECK):
        said += f"; register the check: {registration(reporting, update)}"
    return Result(Status.CRITICAL, REPORTED, said, {})


def rule(check_id: str) -> str:
    """Return the ACL rule that a token needs."""
    name = service_of(check_id) or "NAME"
    return f'service "{name}" {{ policy = "write" }}, with the name of the check\'s service'


def registration(reporting: Reporting, update: TtlUpdate) -> str:
    """Return the command that registers a TTL check."""
    import json

    definition = {
        "ID": update.id,
        "Name": f"kacheck {update.check}",
        "ServiceID": service_of(update.id) or "SERVICE-ID",
        "TTL": f"{reporting.ttl:g}s",
    }
    agent, words = reporting.agent, ["curl", "-X", "PUT"]
    if agent.token_file:
        words += ["-H", f'"X-Consul-Token: $(cat {agent.token_file})"']
    if agent.unix_socket:
        words += ["--unix-socket", agent.unix_socket]
    if agent.trust.ca_cert:
        words += ["--cacert", agent.trust.ca_cert]
    words += ["-d", f"'{json.dumps(definition)}'", f"{agent.base}/v1/agent/check/register"]
    return " ".join(words)


def service_of(check_id: str) -> str:
    """Return the ID of the service that Consul has made a check's ID of; empty: another ID."""
    service, _, number = check_id.removeprefix(SERVICE).rpartition(":")
    if not check_id.startswith(SERVICE):
        return ""
    return service if service and number.isdecimal() else check_id.removeprefix(SERVICE)
