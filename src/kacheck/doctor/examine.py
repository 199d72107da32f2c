"""All lints over one configuration and this machine."""

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from kacheck.doctor import (
    commands,
    environment,
    executables,
    files,
    installed,
    own,
    problems,
    processes,
    reading,
    references,
    scripts,
)
from kacheck.doctor.finding import Code, Finding
from kacheck.doctor.own import Own
from kacheck.doctor.readable import refuse_hidden, refuse_unreadable
from kacheck.doctor.reading import Setup
from kacheck.doctor.system import Machine
from kacheck.doctor.uses import script_user, uses
from kacheck.keepalived import DEFAULT as DEFAULT_RELEASE
from kacheck.keepalived import load

DEFAULT = "/etc/keepalived/keepalived.conf"
MODULES = (
    *(problems, references, environment, scripts, executables, commands, processes),
    *(files, own, installed),
)
CODES: dict[str, Code] = {
    code.name: code for code in sorted(code for module in MODULES for code in module.CODES)
}
"""The catalogue, in the order of the codes."""
Lint = Callable[[], Iterable[Finding]]


class Request(NamedTuple):
    """What is to be examined."""

    conf: str | None
    """None: the default, if it is there."""
    config: str
    """kacheck.toml."""
    state_dir: str
    config_id: str | None = None
    """None: that of the keepalived that runs, else the host's name."""


def examine(request: Request) -> list[Finding]:
    """All findings.

    Raises:
        BadConfigError: there is no such file, or it or one that it includes cannot be read.

    """
    path = request.conf or DEFAULT
    if request.conf is None and not os.path.exists(path):
        found: list[Finding] = []
        facts = gather(found)
        if facts is not None:
            found += guarded("environment", partial(environment.findings, facts, set()))
        found += guarded("installed", partial(installed.findings, Machine()))
        return [*found, problems.no_file(path)]
    refuse_unreadable(path)
    machine = Machine()
    found = []
    facts = gather(found)
    release = facts.keepalived.version if facts is not None and facts.keepalived else None
    config_id = request.config_id or machine.config_id
    configuration = load(path, config_id=config_id, release=release or DEFAULT_RELEASE)
    refuse_hidden(configuration)
    setup = reading.read(configuration, machine, release)
    if facts is not None:
        facts = environment.run_by(facts, script_user(setup))
        found += guarded("environment", partial(environment.findings, facts, uses(setup)))
    return found + in_configuration(setup, own.gather(request.config, request.state_dir))


def gather(found: list[Finding]) -> environment.Facts | None:
    """What there is to know of the machine; None, and a finding more, where that crashed."""
    try:
        return environment.gather()
    except Exception as error:  # noqa: BLE001 - the other lints must run
        found.append(problems.bug("environment", error))
        return None


def in_configuration(setup: Setup, kacheck: Own) -> list[Finding]:
    """What all lints but the environment's find."""
    found: list[Finding] = []
    for module in (problems, references, scripts, executables, commands, processes):
        name = module.__name__.rpartition(".")[2]
        found += guarded(name, partial(module.findings, setup))
    found += guarded("files", partial(files.findings, setup, kacheck.track_files()))
    found += guarded("own", partial(own.findings, setup, kacheck))
    found = without_guesses(setup, found)
    return found + guarded("installed", partial(installed.findings, setup.system, setup))


def without_guesses(setup: Setup, found: list[Finding]) -> list[Finding]:
    """Return what is found where all is known: of other lines their problems alone."""
    unknown = {each.position[:2] for each in setup.configuration.unevaluated}
    return [
        each for each in found
        if each.code in problems.CODES or (each.file, each.line) not in unknown
    ]  # fmt: skip


def guarded(name: str, lint: Lint) -> list[Finding]:
    """What a lint finds; a crash is a finding, too, and what it found before that stays."""
    found: list[Finding] = []
    try:
        for finding in lint():
            found.append(finding)  # noqa: PERF402 - so that nothing is lost in a crash
    except Exception as error:  # noqa: BLE001 - the other lints must run
        found.append(problems.bug(name, error))
    return found
