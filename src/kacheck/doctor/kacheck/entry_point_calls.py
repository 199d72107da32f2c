"""The scripts that call kacheck, and what they ask for. Pure."""

import os
from argparse import Namespace
from contextlib import suppress
from typing import NamedTuple

from kacheck import arguments
from kacheck.commands import TextRequested
from kacheck.commands.run import require_reasons
from kacheck.doctor.scripts.script import Script
from kacheck.doctor.scripts.shell import unwrapped
from kacheck.probe import OptionError, load
from kacheck.probes import MODULES, probe
from kacheck.result import BadConfigError

COMMANDS = {
    **{f"kacheck-{name}": [name] for name in MODULES},
    "kacheck-verdict": ["run"],
    "kacheck": [],
}


class Call(NamedTuple):
    """A script that calls kacheck."""

    script: Script
    args: Namespace | None
    """None: its options are not understood, or it only prints a text."""
    trouble: str | None = None
    """Why it has no arguments."""
    cure: list[str] | None = None
    """The command that was probably meant, if only `--` is missing."""

    def names(self, config: str) -> list[str]:
        """Return the checks of a configuration that it runs."""
        if self.args is None or self.args.command != "run" or self.args.config != config:
            return []
        return list(self.args.names)


def calls_of(scripts: list[Script]) -> list[Call]:
    """Return the scripts that call kacheck, with what they ask for."""
    calls = []
    for script in scripts:
        words, _ = unwrapped(script.argv)
        command = COMMANDS.get(os.path.basename(words[0])) if words else None
        if command is not None:
            calls.append(_call_of(script, command, words))
    return calls


def _call_of(script: Script, command: list[str], words: list[str]) -> Call:
    """Return a call, with the meaning of its words."""
    meaning = [*command, *words[1:]]
    try:
        args = arguments.parse(meaning)
        if args.command == "run":
            require_reasons(args.accept)
        return Call(script, args)
    except TextRequested:
        return Call(script, None, "it only prints a text, and is always healthy")
    except BadConfigError as error:
        better = arguments.with_dashes(meaning)
        is_direct = better is not None and words == script.argv
        cure = [words[0], *better[len(command) :]] if better and is_direct else None
        return Call(script, None, str(error), cure)


def warnings(call: Call) -> list[str]:
    """Return the warnings about what a call asks, as far as its options say."""
    args = call.args
    declared = probe(args.command) if args is not None and args.command in MODULES else None
    if args is None or declared is None or not declared.warnings:
        return []
    with suppress(OptionError):
        return list(load(declared.warnings)(load(declared.prepare)(args.values)))
    return []
