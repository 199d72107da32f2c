"""All findings in one configuration and on this machine."""

import os
from typing import NamedTuple

from kacheck.doctor import catalogue
from kacheck.doctor.context import Context
from kacheck.doctor.crash import Crashes
from kacheck.doctor.features import script_user
from kacheck.doctor.finding import Finding
from kacheck.doctor.kacheck import installation
from kacheck.doctor.keepalived import problems
from kacheck.doctor.machine import facts
from kacheck.doctor.machine.facts import Facts
from kacheck.doctor.machine.system import Machine
from kacheck.doctor.permissions import refuse_hidden, refuse_unreadable
from kacheck.doctor.why import answer
from kacheck.doctor.why.answer import InstanceAnswer
from kacheck.keepalived import DEFAULT as DEFAULT_RELEASE
from kacheck.keepalived import Configuration, load
from kacheck.keepalived.running import DEFAULT_FILE

DEFAULT = DEFAULT_FILE


class Request(NamedTuple):
    """What is to be examined."""

    conf: str | None
    """None: the default, if it exists."""
    config: str
    """kacheck.toml."""
    state_dir: str
    config_id: str | None = None
    """None: that of the keepalived that runs, else the host's name."""
    run: bool | None = None
    """Whether all scripts are run, or none; None: kacheck's, and what keepalived runs already."""


class Examined(NamedTuple):
    """All that there is to say."""

    findings: list[Finding]
    instances: list[InstanceAnswer]
    """Why each instance is in its state."""
    is_default: bool
    """Whether it is this machine's own configuration."""


def examine(request: Request) -> Examined:
    """Return all findings, and the state of each instance.

    Raises:
        BadConfigError: the file, or one that it includes, does not exist or cannot be read.

    """
    crashes = Crashes()
    context = _context(request, crashes)
    has_configuration = bool(context.configuration.files)
    lints = catalogue.LINTS if has_configuration else catalogue.lints(*catalogue.MACHINE)
    findings = [finding for lint in lints for finding in crashes.guard(lint, context)]
    findings = _in_order(context.configuration, findings)
    is_default = request.conf is None or os.path.realpath(request.conf) == os.path.realpath(DEFAULT)
    instances: list[InstanceAnswer] = []
    try:
        instances = answer.answer(context, findings, run=request.run, is_default=is_default)
    except Exception as error:  # noqa: BLE001 - the findings must be shown
        crashes.add("why", error)
    return Examined([*crashes.findings(), *findings], instances, is_default)


def _context(request: Request, crashes: Crashes) -> Context:
    """Look at the machine, read the configuration, and read what kacheck's files say."""
    path = request.conf or DEFAULT
    if request.conf is not None or os.path.exists(path):
        refuse_unreadable(path)
    machine = Machine()
    known = _gather(crashes)
    release = known.keepalived.version if known is not None and known.keepalived else None
    config_id = request.config_id or machine.config_id
    configuration = load(path, config_id=config_id, release=release or DEFAULT_RELEASE)
    refuse_hidden(configuration)
    if known is not None:
        known = facts.run_by(known, script_user(configuration))
    kacheck = installation.gather(request.config, request.state_dir)
    return Context(path, configuration, machine, release, known, kacheck)


def _gather(crashes: Crashes) -> Facts | None:
    """Return what is known of the machine; None where gathering it crashed."""
    try:
        return facts.gather()
    except Exception as error:  # noqa: BLE001 - the configuration must be examined
        crashes.add("environment", error)
        return None


def _in_order(configuration: Configuration, findings: list[Finding]) -> list[Finding]:
    """Return findings by group, such as KA22, and in the order in which keepalived reads lines.

    Of a line that cannot be evaluated only the parser's problems are certain: others are left out.
    """
    lines = [node.position[:2] for node in configuration.root.walk()]
    ranks = {line: rank for rank, line in reversed([*enumerate(lines)])}
    unknown = {problem.position[:2] for problem in configuration.unevaluated}
    certain = {lint.code for lint in catalogue.lints(problems)}
    kept = [each for each in findings if each.code in certain or each[4:] not in unknown]

    def order(finding: Finding) -> tuple[str, int]:
        return finding.code.name[:4], ranks.get(finding[4:], len(ranks))

    return sorted(kept, key=order)
