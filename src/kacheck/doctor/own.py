"""KA5: kacheck's own part: its configuration, its watcher, and what keepalived asks of them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from kacheck import config, statedir
from kacheck.check import Check
from kacheck.config.values import suggestion
from kacheck.doctor import calls, watcher
from kacheck.doctor.calls import Call
from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.reading import Setup, below_run, found
from kacheck.doctor.watcher import Tracked
from kacheck.keepalived import Node
from kacheck.looks import warnings_of
from kacheck.result import BadConfigError

BAD_CONFIG = Code(
    "KA501",
    Severity.ERROR,
    "kacheck's configuration is not valid",
    """\
The watcher refuses to start with it, or goes on with what it had before; `kacheck run` and a
kacheck-verdict without a fresh verdict exit with 3, which is FAULT.

See it: kacheck watch --check-config.
Do: what the finding says at its line; then systemctl reload kacheck.""",
)
UNKNOWN = Code(
    "KA505",
    Severity.ERROR,
    "a check that kacheck's configuration does not have",
    """\
kacheck-verdict and `kacheck run` exit with 3 for a name that is not configured: FAULT for ever.
A file track/NAME of such a name is written by nobody, and reads as 0.

Do: the name as it stands in kacheck.toml, or [check.NAME] there.""",
)
DRAINED = Code(
    "KA509",
    Severity.WARNING,
    "a check is drained",
    """\
`kacheck drain on` makes checks fail on purpose, so that the VIP leaves this node for
maintenance. It holds until its time is over, `kacheck drain off`, or the next boot.

Do: kacheck drain off, when the work is done.""",
)
UNPROVEN = Code(
    "KA511",
    Severity.WARNING,
    "an answer that any local user could give in Vault's place",
    """\
Over plain http nothing in an answer shows who gave it. While Vault is down, any local user can
listen on a port above 1023, such as 8200, say that the node is active, and get the VIP; a process
with Vault's name is as easily started. The same holds for a certificate that is not verified, and
for a Unix socket in a directory that other users can write to.

See it: ss -ltnp 'sport = :8200' shows who listens.
Do: https:// with --ca-cert (in kacheck.toml: ca_cert); or a Unix socket, unix:///PATH, in a
directory that only Vault's user can write to.""",
)
CODES = tuple(sorted((BAD_CONFIG, UNKNOWN, DRAINED, UNPROVEN, *calls.CODES, *watcher.CODES)))


class Own(NamedTuple):
    """kacheck's side."""

    config: str
    state_dir: str
    checks: Mapping[str, Check] | None = None
    """By name; None: there is no configuration, or it is not valid."""
    error: str | None = None
    """What is wrong with the configuration."""
    is_missing: bool = False
    """Is there none?"""
    drains: tuple[tuple[str, str], ...] = ()
    """What is drained (a check, or ALL), and a sentence."""

    def track_files(self) -> dict[str, Check]:
        """The checks by the path of their track file."""
        directory = below_run(f"{self.state_dir}/track")
        return {f"{directory}/{name}": each for name, each in (self.checks or {}).items()}


def gather(path: str, state_dir: str) -> Own:
    """Look at kacheck's files."""
    from kacheck.drain import all_drains

    drains: tuple[tuple[str, str], ...] = ()
    with suppress(BadConfigError, OSError):
        drains = tuple((drain.name, drain.sentence()) for drain in all_drains(state_dir))
    own = Own(path, state_dir, drains=drains)
    try:
        loaded = config.load(path)
    except BadConfigError as error:
        return own._replace(error=str(error), is_missing=not os.path.exists(path))
    return own._replace(checks={check.name: check for check in loaded.checks})


def findings(setup: Setup, own: Own) -> Iterator[Finding]:
    """All of them."""
    asking = calls.calls_of(setup)
    names = [*named(own, asking)]
    tracked = [*tracked_files(setup, own)]
    yield from configuration(own, needed=bool(names or tracked))
    for call in asking:
        yield from calls.usage(call)
        yield from calls.timeout(call, own.checks or {})
    yield from unproven(own, asking)
    yield from unknown(own, [*names, *((name, node) for name, node, _ in tracked)])
    known = own.checks or {}
    yield from watcher.watcher(setup.system, own.state_dir, known, names, tracked)
    yield from watcher.guards(setup, asking, tracked)
    for name, sentence in own.drains:
        who = "every check" if name == statedir.ALL else name
        cure = sentence[sentence.find("(") + 1 :].partition(" ends it")[0]
        yield Finding(DRAINED, f"{who} is {sentence}", "someone put it there on purpose", cure)


def named(own: Own, asking: list[Call]) -> Iterator[tuple[str, Node]]:
    """The checks of our configuration that scripts ask for."""
    for call in asking:
        if call.args is not None and call.args.command == "run" and call.args.config == own.config:
            for name in call.args.names:
                yield name, call.script.node


def tracked_files(setup: Setup, own: Own) -> Iterator[Tracked]:
    """The checks whose files are tracked, and by whom."""
    for definition in setup.of_kind("track_file"):
        line = definition.first("file")
        path = below_run("".join(line.arguments[:1])) if line is not None else ""
        if line is not None and os.path.dirname(path) == below_run(f"{own.state_dir}/track"):
            yield os.path.basename(path), line, setup.referring(definition)


def configuration(own: Own, *, needed: bool) -> Iterator[Finding]:
    """Is it valid, if there is one or should be one?"""
    if own.error is not None and (needed or not own.is_missing):
        what, _, cure = own.error.partition("; ")
        place, _, rest = what.removeprefix(own.config).lstrip(":").partition(":")
        line = int(place) if place.isdecimal() else None
        what = (rest if line else what.removeprefix(f"{own.config}:")).strip()
        why = "the watcher and `kacheck run` refuse such a configuration"
        yield Finding(BAD_CONFIG, what, why, cure or "write it", own.config, line)


def unproven(own: Own, asking: list[Call]) -> Iterator[Finding]:
    """Could somebody else than Vault answer?"""
    why = "nothing in the answer shows who gave it"
    for name, check in (own.checks or {}).items():
        for warning in warnings_of(check.question):
            what, _, cure = warning.partition("; ")
            yield Finding(UNPROVEN, f"{name}: {what}", why, cure, own.config)
    for call in asking:
        for warning in calls.warnings(call):
            what, _, cure = warning.partition("; ")
            yield found(UNPROVEN, call.script.node, f"{call.script.name}: {what}", why, cure)


def unknown(own: Own, names: list[tuple[str, Node]]) -> Iterator[Finding]:
    """Are the names configured?"""
    known = own.checks
    for name, node in names:
        if known is not None and name not in known:
            what = f"{own.config} has no check {name}"
            why = "nobody looks for it and nobody writes its file"
            yield found(UNKNOWN, node, what, why, suggestion(name, known))
