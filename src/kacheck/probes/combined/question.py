"""What a combined check asks: a mode and its members."""

from __future__ import annotations

from kacheck.check import Question
from kacheck.looks import detailed as detailed_question
from kacheck.looks import look_of, warnings_of
from kacheck.probe import OptionError
from kacheck.probes import process
from kacheck.probes.combined.look import Member, probe
from kacheck.probes.process import options as process_options
from kacheck.probes.vault import settings as vault_settings

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal, NamedTuple

    from kacheck.deadline import Deadline
    from kacheck.result import Result
else:
    from kacheck.light import NamedTuple

FORMS = ("all", "any", "process")
SCOPE = tuple(option.name for option in process.SCOPE)


class Combination(NamedTuple):
    """Several questions under one deadline, in this order."""

    mode: Literal["all", "any"]
    members: tuple[tuple[str, Question], ...]
    """Name and question; a member that is a check by name has that check's question."""
    inline: bool = False
    """Whether the members' names are words for people, and not names of checks."""

    @property
    def consul_service(self) -> str | None:
        """The first Consul service whose state decides about a member."""
        services = (member.consul_service for _, member in self.members)
        return next((service for service in services if service), None)

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the checks among the members that all have to be ok."""
        if self.mode == "any" or self.inline:
            return ()
        return tuple(each for name, member in self.members for each in (name, *member.needs))


def prepare(values: Mapping[str, Any]) -> Combination:
    """Return what is asked, as the probe's `prepare`.

    Raises:
        OptionError: it combines in two ways, or Vault's options do not fit together.

    """
    form, *others = [name for name in values if name in FORMS]
    if form != "process":
        others += [name for name in values if name not in FORMS]
    if others:
        message = f"{{{others[0]}}} cannot be combined with {{{form}}}; remove one of them"
        raise OptionError(others[0], message)
    if form != "process":
        return Combination("all" if form == "all" else "any", values[form])
    scope = {name: value for name, value in values.items() if name in SCOPE}
    vault = {name: value for name, value in values.items() if name not in (*SCOPE, "process")}
    both = (
        (
            "process",
            Question("process", process_options.prepare({"name": values["process"], **scope})),
        ),
        ("vault", Question("vault", vault_settings.prepare(vault))),
    )
    return Combination("all", both, inline=True)


def detailed(asked: Combination) -> Combination:
    """Return the same, with the details of each member."""
    members = tuple((name, detailed_question(member)) for name, member in asked.members)
    return asked._replace(members=members)


def warnings(asked: Combination) -> list[str]:
    """Return the warnings of inline members; a member by name has its own check."""
    members = asked.members if asked.inline else ()
    return [warning for _, member in members for warning in warnings_of(member)]


def look(asked: Combination, deadline: Deadline) -> Result:
    """Ask the members once.

    Raises:
        KacheckError: as their looks do.

    """
    members = [Member(name, look_of(member)) for name, member in asked.members]
    return probe(asked.mode, members, deadline)
