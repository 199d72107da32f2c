"""What an agent's answer says of a service. Pure.

Source: hashicorp/consul agent/agent_endpoint.go, AgentHealthServiceByID() and …ByName(): the code
is that of the worst instance; the checks are the service's own and the node's.
"""

from __future__ import annotations

from kacheck.exchange.body import quote
from kacheck.probes.consul.errors import SHOWN, bad_response, body_of, unusable
from kacheck.probes.consul.reasons import (
    MAINTENANCE,
    NO_CHECKS,
    NOT_REGISTERED,
    PASSING,
    SERVICE_CRITICAL,
    SERVICE_WARNING,
    UNTAGGED,
)
from kacheck.result import Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NamedTuple

    from kacheck.exchange.answer import HttpAnswer
    from kacheck.probes.consul.question import ConsulQuestion
    from kacheck.result import Reason
else:
    from kacheck.light import NamedTuple

CODES = {"passing": 200, "warning": 429, "maintenance": 503, "critical": 503}
"""The states of an instance, the best first, and the code of an answer whose worst one it is."""
MAINTENANCE_CHECKS = ("_node_maintenance", "_service_maintenance:")


class Instance(NamedTuple):
    """A service that is registered with the agent."""

    id: str
    name: str
    """Of the service."""
    tags: list[str]
    state: str
    """One of CODES."""
    checks: list[dict[str, Any]]

    @property
    def is_too_good(self) -> bool:
        """Whether one of its checks says worse than its state, which Consul makes of them."""
        said = [str(check.get("Status")) for check in self.checks]
        said = ["maintenance"] if any(map(is_maintenance, self.checks)) else said
        return any(rank(each) > rank(self.state) for each in said)

    @property
    def is_checked(self) -> bool:
        """Whether a check is the service's own, and not the node's."""
        return any(check.get("ServiceID") for check in self.checks)

    def output(self, *states: str) -> str:
        """Return the name and the output of the first check in such a state."""
        for check in self.checks:
            if check.get("Status") in states:
                name, said = (str(check.get(key, "")).encode() for key in ("Name", "Output"))
                return f"check {quote(name)}: {quote(said, SHOWN)}"
        return "no check says why"

    @property
    def maintenance(self) -> str:
        """Why it is in maintenance."""
        for check in self.checks:
            if is_maintenance(check):
                return quote(str(check.get("Notes", "")).encode(), SHOWN)
        return "without a reason"


def rank(state: str) -> int:
    """How bad a state is; one that Consul does not have is the worst."""
    return [*CODES, state].index(state)


def is_maintenance(check: dict[str, Any]) -> bool:
    """Return whether a check stands for maintenance."""
    return str(check.get("CheckID")).startswith(MAINTENANCE_CHECKS)


def judge_service(answer: HttpAnswer, question: ConsulQuestion) -> Result:
    """Return the result for an answer about a service."""
    address, name = question.agent.address, f"service {question.consul_service}"
    if answer.code == 404:
        message = f"{name} is not registered with the agent of this node, {address}"
        return Result(Status.CRITICAL, NOT_REGISTERED, message, {"http_status": 404})
    if answer.code not in CODES.values():
        return unusable(answer, address, policy_of(question))
    instances = instances_of(body_of(answer))
    if not instances:
        if answer.code == 200:
            return bad_response(answer, address, "which does not describe a service")
        return unusable(answer, address, policy_of(question))
    wrong = contradiction(answer.code, instances, question)
    if wrong is not None:
        return bad_response(answer, address, wrong)
    return judge(instances, question, name)._replace(data=data_of(answer.code, instances))


def contradiction(code: int, instances: list[Instance], question: ConsulQuestion) -> str | None:
    """Return what keeps an answer from being believed: its code, its checks, or whose it is."""
    state = worst(instances).state
    if CODES[state] != code:
        return f"but its body says {state}"
    if any(each.is_too_good for each in instances):
        return f"but a check in its body is worse than {state}"
    named = {each.id if question.service_id else each.name for each in instances}
    if named != {question.consul_service}:
        return f"but not about service {question.consul_service}"
    return None


def policy_of(question: ConsulQuestion) -> str:
    """Return the ACL rule that a token needs."""
    if question.service:
        return f'service "{question.service}" {{ policy = "read" }}'
    return 'service_prefix "" { policy = "read" }'


def instances_of(value: Any) -> list[Instance] | None:
    """Return the instances of a body, which is an array by name and an object by ID."""
    values = value if isinstance(value, list) else [value]
    instances = [instance_of(each) for each in values]
    return [each for each in instances if each] if all(instances) else None


def instance_of(value: Any) -> Instance | None:
    """Return one instance; None if it is not described as one."""
    if not isinstance(value, dict):
        return None
    service, state = value.get("Service"), value.get("AggregatedStatus")
    checks = value.get("Checks") or []
    if not isinstance(service, dict) or not isinstance(state, str) or state not in CODES:
        return None
    tags = service.get("Tags") or []
    if not isinstance(tags, list) or not isinstance(checks, list):
        return None
    if not all(isinstance(check, dict) for check in checks):
        return None
    own_id, name = (str(service.get(key)) for key in ("ID", "Service"))
    return Instance(own_id, name, [str(tag) for tag in tags], state, checks)


def worst(instances: Iterable[Instance]) -> Instance:
    """Return the first instance of the worst state."""
    return max(instances, key=lambda each: rank(each.state))


def judge(instances: list[Instance], question: ConsulQuestion, name: str) -> Result:
    """Return the result for the instances that count; its data is filled in later."""
    tagged = [each for each in instances if question.tag in (None, *each.tags)]
    instance = worst(tagged or instances)
    if instance.state != "passing":
        return failure(instance, name)
    unchecked = [each for each in tagged or instances if not each.is_checked]
    if unchecked and not question.allow_no_checks:
        message = (
            f"{name} is registered without a check, so Consul always says passing; "
            "register one, or accept that with --allow-no-checks (allow_no_checks)"
        )
        return of(Status.CRITICAL, NO_CHECKS, message)
    if not tagged:
        tags = ", ".join(instance.tags) or "none"
        message = f"{name} is passing without the tag {question.tag}; it has {tags}"
        return of(Status.WARNING, UNTAGGED, message)
    count = len(instance.checks)
    message = f"{name} is passing, with {count} check{'' if count == 1 else 's'}"
    tag = f" and the tag {question.tag}" if question.tag else ""
    return of(Status.OK, PASSING, f"{message}{tag}")


def failure(instance: Instance, name: str) -> Result:
    """Return the result for an instance that is not passing."""
    if instance.state == "maintenance":
        message = f"{name} is in maintenance, {instance.maintenance}; end it with consul maint"
        return of(Status.CRITICAL, MAINTENANCE, f"{message} -disable")
    if instance.state == "warning":
        message = f"{name} is warning, {instance.output('warning')}"
        return of(Status.WARNING, SERVICE_WARNING, message)
    message = f"{name} is critical, {instance.output('critical')}"
    return of(Status.CRITICAL, SERVICE_CRITICAL, message)


def of(status: Status, reason: Reason, message: str) -> Result:
    """Return a result without data."""
    return Result(status, reason, message, {})


def data_of(code: int, instances: list[Instance]) -> dict[str, Any]:
    """Return what an answer says, for JSON."""
    return {
        "http_status": code,
        "instances": {
            each.id: {
                "state": each.state,
                "tags": each.tags,
                "checks": {str(check.get("CheckID")): check.get("Status") for check in each.checks},
            }
            for each in instances
        },
    }
