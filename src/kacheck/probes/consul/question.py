"""What a consul check asks."""

from __future__ import annotations

from kacheck.consul.agent import Agent, agent_of
from kacheck.exchange.place import unproven
from kacheck.probe import OptionError

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NamedTuple
else:
    from kacheck.light import NamedTuple

FORMS = ("service", "service_id", "leader", "lock")
OF_SERVICE = ("tag", "allow_no_checks")


class ConsulQuestion(NamedTuple):
    """One question to an agent; exactly one of FORMS is given."""

    agent: Agent
    service: str | None = None
    service_id: str | None = None
    tag: str | None = None
    allow_no_checks: bool = False
    leader: bool = False
    lock: str | None = None
    in_detail: bool = False
    """Show each phase of the exchange, which takes httpx (0.1 s)."""

    @property
    def consul_service(self) -> str | None:
        """The Consul service whose state it is, by name or ID."""
        return self.service or self.service_id


def prepare(values: Mapping[str, Any]) -> ConsulQuestion:
    """Return what is asked, as the probe's `prepare`.

    Raises:
        OptionError: it asks nothing, or for two things, or the agent's options are invalid.

    """
    given = [name for name in FORMS if values.get(name)]
    if not given:
        raise OptionError("", "a check of Consul needs {service}, {service_id}, {leader} or {lock}")
    if len(given) > 1:
        message = f"{{{given[1]}}} does not go with {{{given[0]}}}; leave out one of them"
        raise OptionError(given[1], message)
    for name in OF_SERVICE:
        if values.get(name) and given[0] not in FORMS[:2]:
            raise OptionError(name, f"{{{name}}} needs {{service}} or {{service_id}}")
    if str(values.get("lock", "")).startswith("/"):
        raise OptionError("lock", "{lock} begins with /, as no key of Consul does; leave it out")
    asked = {name: values[name] for name in (*FORMS, *OF_SERVICE) if values.get(name)}
    return ConsulQuestion(agent_of(values), **asked)


def detailed(question: ConsulQuestion) -> ConsulQuestion:
    """Return the same, with the details that httpx shows."""
    return question._replace(in_detail=True)


def warnings(question: ConsulQuestion) -> list[str]:
    """Return the warnings of the probe."""
    warning = unproven(question.agent)
    return [] if warning is None else [warning]
