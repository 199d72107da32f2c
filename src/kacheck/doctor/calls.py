"""KA5: the scripts that call kacheck: their options and timeouts. Pure."""

import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from kacheck import arguments
from kacheck.check import Check
from kacheck.commands import TextRequested
from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.reading import Setup, found
from kacheck.doctor.scripts import Script, scripts
from kacheck.doctor.shell import unwrapped
from kacheck.probe import OptionError, load
from kacheck.probes import MODULES, probe
from kacheck.result import BadConfigError

USAGE = Code(
    "KA506",
    Severity.ERROR,
    "options that the entry point does not take",
    """\
Bad usage exits with 3: FAULT for ever. --help and --version alone exit with 0: healthy for ever.

See it: run the command from a shell.
Do: what the finding says; kacheck COMMAND --help has all options.""",
)
TIMEOUT = Code(
    "KA508",
    Severity.WARNING,
    "a check's timeout that is not below keepalived's",
    """\
keepalived ends the check with SIGTERM at its own timeout, before the check could say what it
waited for: the log has "timed_out" and no reason.

Do: --timeout (in kacheck.toml: timeout) below the timeout of the vrrp_script.""",
)
CODES = (USAGE, TIMEOUT)
COMMANDS = {
    **{f"kacheck-{name}": [name] for name in MODULES},
    "kacheck-verdict": ["run"],
    "kacheck": [],
}


class Call(NamedTuple):
    """A script that calls kacheck."""

    script: Script
    args: Namespace | None
    trouble: str | None = None


def calls_of(setup: Setup) -> list[Call]:
    """The scripts that call kacheck, with what they ask for."""
    calls = []
    for script in scripts(setup):
        words, _ = unwrapped(script.argv)
        command = COMMANDS.get(os.path.basename(words[0])) if words else None
        if command is not None:
            calls.append(call_of(script, [*command, *words[1:]]))
    return calls


def call_of(script: Script, words: list[str]) -> Call:
    """What its words ask for."""
    try:
        return Call(script, arguments.parse(words))
    except TextRequested:
        return Call(script, None, "it only prints a text, and is healthy for ever")
    except BadConfigError as error:
        return Call(script, None, str(error))


def usage(call: Call) -> Iterator[Finding]:
    """Are its options understood?"""
    if call.trouble is not None:
        what, _, cure = call.trouble.partition("; ")
        what = f"{call.script.name}: {what}"
        why = "the check exits with 3 each time, or shows a text"
        yield found(USAGE, call.script.node, what, why, cure or "correct the options")


def warnings(call: Call) -> list[str]:
    """Return what is wrong with what it asks, as far as its options say."""
    args = call.args
    declared = probe(args.command) if args is not None and args.command in MODULES else None
    if args is None or declared is None or not declared.warnings:
        return []
    with suppress(OptionError):
        return list(load(declared.warnings)(load(declared.prepare)(args.values)))
    return []


def timeout(call: Call, checks: Mapping[str, Check]) -> Iterator[Finding]:
    """Can the check say why before keepalived ends it?"""
    limits: dict[str, float] = {}
    if call.args is not None and call.args.timeout is not None:
        limits = {"--timeout": call.args.timeout}
    elif call.args is not None and call.args.command == "run":
        limits = {name: checks[name].timeout for name in call.args.names if name in checks}
    for name, limit in limits.items():
        if limit >= call.script.timeout:
            has = f"--timeout {limit:g}" if name == "--timeout" else f"{name}, timeout {limit:g},"
            what = f"{call.script.name}: {has} is not below keepalived's {call.script.timeout:g}"
            why = "keepalived ends the check before it can say what it waited for"
            yield found(TIMEOUT, call.script.node, what, why, "a longer timeout for keepalived")
