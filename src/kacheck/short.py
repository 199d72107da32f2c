"""The short way to read a command line: words as a configuration writes them.

It takes `--option VALUE`, flags and words of a probe that its declaration has, and gives what
`arguments.parse()` would give. Everything else is left to that, errors included: argparse takes
longer to import than a look at /proc.
"""

from __future__ import annotations

from kacheck.commands import options
from kacheck.commands.probe import PREFIX, values_of
from kacheck.probes import MODULES, probe

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from typing import Any

    from kacheck.probe import Option, Probe

COMMON = (*options.COMMON, *options.LOOK)


class GivenOptions:
    """A command line; as argparse's Namespace, it has what was given as its attributes."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


def parse(argv: Sequence[str]) -> Namespace | None:
    """Return the command line of a probe; None where argparse has to read it.

    Raises:
        BadConfigError: as values_of() does.

    """
    if not argv or argv[0] not in MODULES:
        return None
    declared = probe(argv[0])
    values = read(argv[1:], declared)
    if values is None or (values["verbose"] and values["quiet"]):
        return None
    args: Any = GivenOptions({"command": declared.name, **values})
    args.values = values_of(declared, args)
    namespace: Namespace = args
    return namespace


def read(words: Sequence[str], declared: Probe) -> dict[str, Any] | None:
    """Return what these words give, by its place in the namespace; None for argparse's."""
    flags = {option.flag: (option, PREFIX + option.name) for option in declared.options}
    flags |= {option.flag: (option, option.name) for option in COMMON}
    has_words = any(option.is_positional for option in declared.options)
    values: dict[str, Any] = {option.name: option.default for option in COMMON}
    names: list[str] = []
    may_go_on = True  # argparse takes words in one place alone
    rest = iter(words)
    for word in rest:
        if word == "--":
            names += rest
        elif not word.startswith("-"):
            if not may_go_on:
                return None
            names.append(word)
        else:
            option, key = flags.get(word, (None, ""))
            if option is None or not add(values, key, option, rest):
                return None
            may_go_on = not names
    if has_words:
        values["words"] = names
    elif names or "--" in words:
        return None
    return values


def add(values: dict[str, Any], key: str, option: Option, rest: Any) -> bool:
    """Add what an option gives; return whether it is given in the short way."""
    if option.is_positional or option.names_checks:
        return False
    if not option.kind.takes_value:
        values[key] = True
        return True
    word = next(rest, "-")
    if word.startswith("-"):
        return False
    try:
        value = option.kind.from_word(word)
    except ValueError:
        return False
    values[key] = [*values.get(key, ()), value] if option.is_repeatable else value
    return True
