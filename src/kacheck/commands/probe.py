"""`kacheck process`, `vault` and every other probe: one check, asked on the command line."""

from __future__ import annotations

import os

from kacheck.commands import options, reports
from kacheck.deadline import DEFAULT_TIMEOUT
from kacheck.kinds import InvalidValueError
from kacheck.probe import OptionError, from_environment, load
from kacheck.probes import probe
from kacheck.result import BadConfigError

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    import argparse
    from argparse import Namespace
    from collections.abc import Callable
    from typing import Any

    from kacheck.commands import Edge
    from kacheck.probe import Option, Probe

PREFIX = "option "
"""Of an option's place in the namespace, apart from the command's own."""


def declare(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the probe's options, and those of every one-shot."""
    declared = probe(name)
    parser.description = declared.description or f"{declared.summary}."
    positionals = [option for option in declared.options if option.is_positional]
    if positionals:
        parser.add_argument(
            "words",
            nargs="*",
            metavar=declared.usage.strip(),
            help="; ".join(option.help for option in positionals),
        )
    for option in declared.options:
        if not (option.is_positional or option.names_checks):
            add_option(parser, option)
    group = options.add_common(parser)
    for option in options.LOOK:
        options.add(group, option)


def add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    """Declare one option; where it is not given, the namespace does not have it."""
    import argparse

    settings: dict[str, Any] = {
        "dest": PREFIX + option.name,
        "default": argparse.SUPPRESS,
        "help": help_of(option),
    }
    if option.kind.takes_value:
        settings["type"] = reader(option)
        settings["metavar"] = option.metavar or None
        settings["choices"] = option.kind.choices or None
        settings["action"] = "append" if option.is_repeatable else "store"
    else:
        settings["action"] = "store_true"
    parser.add_argument(option.flag, **settings)


def help_of(option: Option) -> str:
    """Return an option's help, with its variable, its default and its details."""
    default = option.default
    words = ", ".join(default) if isinstance(default, tuple) else default
    again = "; may be given more than once" if option.is_repeatable else ""
    environment = f"; variable {option.environment}" if option.environment else ""
    default = f"; default {words}" if default else ""
    details = f"\n\n{option.details}" if option.details else ""
    return f"{option.help}{again}{environment}{default}{details}"


def reader(option: Option) -> Callable[[str], Any]:
    """Return what reads a word of the command line, for argparse."""
    from argparse import ArgumentTypeError

    def read(word: str) -> Any:
        if option.kind.choices:  # argparse itself names them
            return word
        try:
            return option.kind.from_word(word)
        except InvalidValueError as error:
            shown = "invalid value" if option.is_secret else f'invalid value "{word}"'
            raise ArgumentTypeError(f"{shown}: give {error}") from None

    return read


def run(args: Namespace, edge: Edge) -> int:
    """Ask, and answer."""
    return reports.run_all({args.command: lambda: prepared(args)}, args, edge)


def prepared(args: Namespace) -> reports.Prepared:
    """Return the look that the command line asks for.

    Raises:
        BadConfigError: no look can be made with these options.

    """
    declared = probe(args.command)
    values = completed(declared, args.values, args.timeout)
    timeout = values.pop("timeout", DEFAULT_TIMEOUT)
    try:
        asked = load(declared.prepare)(values)
    except OptionError as error:
        flags = {option.name: option.flag for option in declared.options}
        raise BadConfigError(error.text(flags.__getitem__, flags)) from None
    if declared.detailed and reports.wants_details(args):
        asked = load(declared.detailed)(asked)
    look = load(declared.look)
    return reports.Prepared(timeout, lambda deadline: look(asked, deadline), args.on_unknown)


def values_of(declared: Probe, args: Namespace) -> dict[str, Any]:
    """Return the options that were given, by name.

    Raises:
        BadConfigError: one that is required is missing, or a word is one too many.

    """
    given = {
        option.name: getattr(args, PREFIX + option.name)
        for option in declared.options
        if hasattr(args, PREFIX + option.name)
    }
    words = list(getattr(args, "words", ()))
    for option in declared.options:
        if option.is_positional and words:
            given[option.name] = tuple(words) if option.is_repeatable else words.pop(0)
            words = [] if option.is_repeatable else words
        elif option.is_repeatable and option.name in given:
            given[option.name] = tuple(given[option.name])
        if option.is_required and not given.get(option.name):
            state = "empty" if option.name in given else "missing"
            raise BadConfigError(
                f"{option.flag} is {state}: give {option.help}, such as {option.example}"
            )
    if words:
        raise BadConfigError(
            f"unrecognized arguments: {' '.join(words)}; see kacheck {declared.name} --help"
        )
    return given


def completed(declared: Probe, values: dict[str, Any], timeout: float | None) -> dict[str, Any]:
    """Return the values with what the environment adds.

    Raises:
        BadConfigError: a variable cannot be used.

    """
    if timeout is not None:
        values = {**values, "timeout": timeout}
    if declared.environment:
        complete: dict[str, Any] = load(declared.environment)(values, os.environ)
        return complete
    try:
        return from_environment(declared.options, values, os.environ)
    except ValueError as error:
        raise BadConfigError(str(error)) from None
