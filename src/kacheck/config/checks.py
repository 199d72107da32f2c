"""From a `[check.NAME]` of the configuration to a Check: its values together, its members. Pure."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from kacheck import statedir
from kacheck.check import Check, Question, Track
from kacheck.config.keys import OPTIONS, PROBE, refuse_unknown_as_ok, track
from kacheck.config.toml_lines import Path
from kacheck.config.values import WrongError, read
from kacheck.deadline import DEFAULT_TIMEOUT
from kacheck.kinds import nearest, suggestion
from kacheck.probe import OptionError, Probe, load
from kacheck.probes import MODULES, probe
from kacheck.state import Policy

Tables: TypeAlias = dict[str, dict[str, Any]]
"""The keys that each check was given, by the check's name; their values as a check has them."""

MAX_DEPTH = 16
"""Combinations of combinations."""
MAX_LOOKS = 256
"""Of a combination, with those of its members' members."""


def values_of(name: str, table: Any) -> dict[str, Any]:
    """Return the values of a check, each one read for itself."""
    path: Path = ("check", name)
    if not statedir.is_name(name) or name.upper() == statedir.ALL:
        raise WrongError(
            path,
            f'"{name}" is not a valid name for a check; give at most 64 of a-z, A-Z, 0-9, _, . '
            f"and -, not beginning with . or -, and not {statedir.ALL}, which means every check",
        )
    if not isinstance(table, dict):
        raise WrongError(path, f"check.{name} must be a table; a check begins with [check.{name}]")
    if "probe" not in table:
        raise without_probe(path, table)
    declared = probe(read((*path, "probe"), PROBE, table["probe"]))
    return {key: read_value((*path, key), declared, value) for key, value in table.items()}


def without_probe(path: Path, table: dict[str, Any]) -> WrongError:
    """Return the error for a check that does not say what it asks."""
    for key in table:
        if nearest(key, ("probe",)):
            return WrongError((*path, key), f"unknown key {key} of a check; did you mean probe?")
    *most, last = (f'"{name}"' for name in MODULES)
    return WrongError(
        path, f"check {path[-1]} has no probe; add probe = {', '.join(most)} or {last}"
    )


def read_value(path: Path, declared: Probe, value: Any) -> Any:
    """Return the value of one key."""
    key = str(path[-1])
    if key == "track":
        return track(path, value)
    option = next((each for each in (*OPTIONS, *declared.options) if each.name == key), None)
    if option is None:
        raise WrongError(path, unknown_key(key, declared))
    return read(path, option, value)


def unknown_key(key: str, declared: Probe) -> str:
    """Return why the probe does not have the key, and the cure."""
    if key == "metrics":
        return "metrics is a key of the whole file; put it above the first header"
    others = (probe(name) for name in MODULES)
    owners = [other.name for other in others if key in (each.name for each in other.options)]
    if owners:
        return (
            f"{key} is a key of probe {' and '.join(owners)}; "
            f"remove it from this check of probe {declared.name}"
        )
    known = [each.name for each in (*OPTIONS, *declared.options)]
    return f"unknown key {key} for probe {declared.name}; {suggestion(key, known)}"


def checks_of(tables: Tables) -> tuple[Check, ...]:
    """All checks, in this order."""
    questions = Questions(tables)
    checks = tuple(check_of(name, values, questions) for name, values in tables.items())
    refuse_same_report(checks)
    return checks


def refuse_same_report(checks: Iterable[Check]) -> None:
    """Refuse two checks that report to one of Consul's."""
    owners: dict[str, str] = {}
    for check in checks:
        if check.consul_check and owners.setdefault(check.consul_check, check.name) != check.name:
            raise WrongError(
                ("check", check.name, "consul_check"),
                f"checks {owners[check.consul_check]} and {check.name} both report to "
                f"{check.consul_check}; combine them in a third check that reports",
            )


def check_of(name: str, values: dict[str, Any], questions: "Questions") -> Check:
    """One check, where its values fit together."""
    path: Path = ("check", name)
    interval = values.get("interval", 1.0)
    timeout = values.get("timeout", DEFAULT_TIMEOUT)
    if "hold_for" in values and values.get("on_unknown") != "hold":
        raise WrongError(
            (*path, "hold_for"),
            'hold_for has no meaning without on_unknown = "hold"; add that, or leave it out',
        )
    policy = Policy(**chosen(values, Policy))
    numbers = values.get("track", Track())
    if policy.on_unknown != "ok":
        refuse_unknown_as_ok((*path, "track"), numbers)
    asked, report = questions.of(name).question, values.get("consul_check")
    check = Check(name, asked, interval, timeout, policy, numbers, report)
    refuse_echo(check)
    return check


def refuse_echo(check: Check) -> None:
    """Refuse to report to Consul what Consul itself has said."""
    service = check.question.consul_service
    if check.consul_check and service:
        raise WrongError(
            ("check", check.name, "consul_check"),
            f"check {check.name} asks Consul about service {service} and would report to Consul: "
            "once critical, each would keep the other so; leave out consul_check, or ask the "
            "service itself",
        )


def chosen(values: dict[str, Any], fields: Any) -> dict[str, Any]:
    """Return the values that a NamedTuple has fields for."""
    return {key: values[key] for key in fields._fields if key in values}


class Asked(NamedTuple):
    """What a check asks, and how many looks that takes."""

    question: Question
    looks: int = 1


class Questions:
    """What the checks ask, with their members' questions in it.

    A few lines can lead to a check in millions of ways, so it is put together once for each depth.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._known: dict[tuple[str, int], Asked] = {}
        """By name and depth: the checks that are known to be free of cycles at that depth."""

    def of(self, name: str, chain: tuple[str, ...] = ()) -> Asked:
        """Return what a check asks; `chain` is what led here."""
        place = name, len(chain)
        if place not in self._known:
            self._known[place] = self._asked(name, chain)
        return self._known[place]

    def _asked(self, name: str, chain: tuple[str, ...]) -> Asked:
        declared, path = probe(self._tables[name]["probe"]), ("check", name)
        given = self._tables[name]
        own = {option.name for option in declared.options}
        values = {key: value for key, value in given.items() if key in own}
        looks = 0
        for option in declared.options:
            if option.names_checks and option.name in values:
                members = self._members((*path, option.name), values[option.name], (*chain, name))
                values[option.name] = tuple((each, asked.question) for each, asked in members)
                looks += sum(asked.looks for _, asked in members)
            if looks > MAX_LOOKS:
                raise WrongError(
                    (*path, option.name),
                    f"check {name} makes {looks} looks, nested members included; "
                    f"name fewer members: {MAX_LOOKS} looks are the most",
                )
        return Asked(question(path, declared, values), looks or 1)

    def _members(
        self, path: Path, names: Iterable[str], chain: tuple[str, ...]
    ) -> list[tuple[str, Asked]]:
        """Return the members' names, and what each of them asks."""
        return [
            (name, self._member((*path, index), name, chain)) for index, name in enumerate(names)
        ]

    def _member(self, path: Path, name: str, chain: tuple[str, ...]) -> Asked:
        """Return what a check asks that is part of another one."""
        tables = self._tables
        if name not in tables:
            others = [each for each in tables if each not in chain]
            hint = suggestion(name, others) if others else "write it"
            raise WrongError(path, f"unknown check {name}; {hint}")
        if name in chain:
            cycle = " -> ".join((*chain[chain.index(name) :], name))
            raise WrongError(path, f"the checks form a cycle, {cycle}; remove one")
        if len(chain) >= MAX_DEPTH:
            raise WrongError(
                path,
                f"combined checks are nested more than {MAX_DEPTH} deep; name their members here",
            )
        return self.of(name, chain)


def question(path: Path, declared: Probe, values: dict[str, Any]) -> Question:
    """Return what a check asks, if its values fit together."""
    in_its_place = [option.name for option in declared.options if option.names_checks]
    for option in declared.options:
        if option.is_required and not values.keys() & {option.name, *in_its_place}:
            others = "".join(f", or {name} with names of checks" for name in in_its_place)
            example = f'["{option.example}"]' if option.is_repeatable else f'"{option.example}"'
            raise WrongError(
                path,
                f"check {path[-1]} has no {option.name}; "
                f"add {option.name} = {example}, {option.help}{others}",
            )
    try:
        return Question(declared.name, load(declared.prepare)(values))
    except OptionError as error:
        names = [option.name for option in declared.options]
        key_path = (*path, error.option) if error.option else path
        raise WrongError(key_path, error.text(str, names)) from None
