"""From a `[check.NAME]` of the configuration to a Check: its values together, its members. Pure."""

from typing import Any, NamedTuple, TypeAlias

from kacheck import statedir
from kacheck.check import Check, Combination, Question
from kacheck.config.keys import KEYS
from kacheck.config.toml_lines import Path
from kacheck.config.values import WrongError, nearest, suggestion
from kacheck.durations import DEFAULT_TIMEOUT
from kacheck.probes import process
from kacheck.probes.process import ProcessOptions
from kacheck.probes.vault_settings import VaultOptions, settings
from kacheck.result import BadConfigError
from kacheck.state import Policy

Tables: TypeAlias = dict[str, dict[str, Any]]
"""The keys that each check was given, by the check's name; their values as a check has them."""

DEEPEST = 16
"""Combinations of combinations."""
MOST_LOOKS = 256
"""Of a combination, with those of its members' members."""
SHARE = 0.8
"""Of an interval, for the timeout that was not given."""


def values_of(name: str, table: Any) -> dict[str, Any]:
    """The values of a check, each one for itself."""
    path: Path = ("check", name)
    if not statedir.NAME.fullmatch(name) or name.upper() == statedir.ALL:
        raise WrongError(
            path,
            f'"{name}" is no name for a check; give at most 64 of a-z, A-Z, 0-9, _, . and -, '
            f"the first no . or -, and not {statedir.ALL}, which means every check",
        )
    if not isinstance(table, dict):
        raise WrongError(path, f"check.{name} is no table; a check begins with [check.{name}]")
    if "probe" not in table:
        raise without_probe(path, table)
    probe = KEYS["probe"].read((*path, "probe"), table["probe"])
    return {key: read_value((*path, key), probe, value) for key, value in table.items()}


def without_probe(path: Path, table: dict[str, Any]) -> WrongError:
    """The error for a check that does not say what it is."""
    for key in table:
        if nearest(key, ["probe"]):
            return WrongError((*path, key), f"{key} is no key of a check; did you mean probe?")
    return WrongError(
        path, f'check {path[-1]} has no probe; add probe = "process", "vault" or "combined"'
    )


def read_value(path: Path, probe: str, value: Any) -> Any:
    """The value of one key."""
    key = str(path[-1])
    if key == "metrics":
        raise WrongError(path, "metrics is a key of the whole file; put it above the first header")
    if key not in KEYS:
        known = [each for each in KEYS if probe in KEYS[each].probes]
        raise WrongError(
            path, f"{key} is no key of a check of probe {probe}; {suggestion(key, known)}"
        )
    if probe not in KEYS[key].probes:
        owners = " and ".join(KEYS[key].probes)
        raise WrongError(
            path, f"{key} is a key of probe {owners}; leave it out of one of probe {probe}"
        )
    return KEYS[key].read(path, value)


def checks_of(tables: Tables) -> tuple[Check, ...]:
    """All checks, in this order."""
    questions = Questions(tables)
    return tuple(check_of(name, values, questions) for name, values in tables.items())


def check_of(name: str, values: dict[str, Any], questions: "Questions") -> Check:
    """One check, where its values fit together."""
    path: Path = ("check", name)
    interval = values.get("interval", 1.0)
    timeout = values.get("timeout", min(DEFAULT_TIMEOUT, SHARE * interval))
    if timeout > interval:
        raise WrongError(
            (*path, "timeout"),
            f"timeout is {timeout:g} s, longer than interval, {interval:g} s; "
            "lower timeout, or raise interval",
        )
    if "hold_for" in values and values.get("on_unknown") != "hold":
        raise WrongError(
            (*path, "hold_for"),
            'hold_for has no meaning without on_unknown = "hold"; add that, or leave it out',
        )
    policy = Policy(**chosen(values, Policy))
    check = Check(name, questions.of(name).question, interval, timeout, policy)
    return check._replace(track=values["track"]) if "track" in values else check


def chosen(values: dict[str, Any], fields: Any) -> dict[str, Any]:
    """The values that a NamedTuple has fields for."""
    return {key: values[key] for key in fields._fields if key in values}


def one_form(path: Path, values: dict[str, Any]) -> str:
    """Which of the forms of a combined check it is: `all`, `any` or `process`."""
    forms = [key for key in values if key in ("all", "any", "process")]
    if not forms:
        raise WrongError(
            path,
            f"check {path[-1]} combines nothing; add all or any with names of checks, such as "
            'all = ["a", "b"], or process = "NAME" with Vault\'s keys',
        )
    form, *others = forms
    if form != "process":
        others += [key for key in values if KEYS[key].probes != KEYS["probe"].probes]
        others = [key for key in others if key != form]
    if others:
        raise WrongError(
            (*path, others[0]), f"{others[0]} does not go with {form}; leave out one of them"
        )
    return form


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
        """By name and depth. What is in here is no part of a circle, and not too deep there."""

    def of(self, name: str, chain: tuple[str, ...] = ()) -> Asked:
        """What a check asks; `chain` is what led here."""
        place = name, len(chain)
        if place not in self._known:
            self._known[place] = self._asked(name, chain)
        return self._known[place]

    def _asked(self, name: str, chain: tuple[str, ...]) -> Asked:
        values, path = self._tables[name], ("check", name)
        if values["probe"] == "process":
            return Asked(process_question(path, values))
        if values["probe"] == "vault":
            return Asked(vault_question(path, values))
        mode = one_form(path, values)
        if mode == "process":
            return Asked(inline_question(path, values), 2)
        members = [
            (member, self._member((*path, mode, index), member, (*chain, name)))
            for index, member in enumerate(values[mode])
        ]
        looks = sum(asked.looks for _, asked in members)
        if looks > MOST_LOOKS:
            raise WrongError(
                (*path, mode),
                f"check {name} makes {looks} looks, with those of its members' members; "
                f"name fewer, for {MOST_LOOKS} at most",
            )
        questions = tuple((member, asked.question) for member, asked in members)
        return Asked(Combination("all" if mode == "all" else "any", questions), looks)

    def _member(self, path: Path, name: str, chain: tuple[str, ...]) -> Asked:
        """What a check asks that is part of another one."""
        tables = self._tables
        if name not in tables:
            others = [each for each in tables if each not in chain]
            hint = suggestion(name, others) if others else "write it"
            raise WrongError(path, f"there is no check {name}; {hint}")
        if name in chain:
            circle = " -> ".join((*chain[chain.index(name) :], name))
            raise WrongError(path, f"{circle} is a circle; leave out one of them")
        if len(chain) >= DEEPEST:
            raise WrongError(path, f"combined checks are {DEEPEST} deep here; name their members")
        return self.of(name, chain)


def inline_question(path: Path, values: dict[str, Any]) -> Combination:
    """The process, and then Vault."""
    both = (
        ("process", process_question(path, {**values, "name": values["process"]})),
        ("vault", vault_question(path, values)),
    )
    return Combination("all", both, inline=True)


def process_question(path: Path, values: dict[str, Any]) -> ProcessOptions:
    """The options of a process check."""
    if "name" not in values:
        raise WrongError(path, f'check {path[-1]} has no name; add name = "vault", the process')
    options = ProcessOptions(**chosen(values, ProcessOptions))
    try:
        process.check(options)
    except BadConfigError as error:
        words = str(error).replace("--quorum-max", "quorum_max").replace("--quorum", "quorum")
        raise WrongError((*path, "quorum_max"), words.replace(": ", "; ")) from None
    return options


def vault_question(path: Path, values: dict[str, Any]) -> VaultOptions:
    """The options of a Vault check."""
    for have, lack in (("client_cert", "client_key"), ("client_key", "client_cert")):
        if have in values and lack not in values:
            raise WrongError((*path, have), f"{have} is of no use without {lack}; add {lack}")
    given = VaultOptions(**chosen(values, VaultOptions))
    try:
        return settings(given, values.get("address"), {}, source="address")
    except BadConfigError as error:
        raise WrongError((*path, "address"), str(error)) from None
