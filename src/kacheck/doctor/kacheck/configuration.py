"""KA501, KA505, KA509, KA511 and KA512: kacheck's configuration, its checks and its drains."""

from collections.abc import Iterator

from kacheck import statedir
from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.kacheck.entry_point_calls import warnings
from kacheck.kinds import suggestion
from kacheck.looks import warnings_of
from kacheck.probes import command


@finding(
    "KA501",
    Severity.ERROR,
    "kacheck's configuration is not valid",
    """\
The watcher refuses to start with it, or keeps the previous configuration. `kacheck run`, and a
kacheck-verdict without a valid verdict, exit with 3, which is FAULT.

See it: kacheck watch --check-config.
Do: correct the line that the finding names; then systemctl reload kacheck. If the file is missing,
`kacheck init` writes it.""",
)
def invalid_configuration(context: Context) -> Iterator[Observation]:
    """Find a configuration that is not valid, or missing where it is needed."""
    kacheck = context.kacheck
    is_needed = bool(context.run_checks or context.tracked_checks)
    if kacheck.error is None or (kacheck.is_missing and not is_needed):
        return
    error, _, cure = kacheck.error.partition("; ")
    number, _, rest = error.removeprefix(kacheck.config).lstrip(":").partition(":")
    line = int(number) if number.isdecimal() else None
    what = (rest if line else error.removeprefix(f"{kacheck.config}:")).strip()
    why = "the watcher and `kacheck run` refuse such a configuration"
    yield Observation(what, why, cure or "write it", kacheck.config, line)


@finding(
    "KA505",
    Severity.ERROR,
    "a check that kacheck's configuration does not have",
    """\
kacheck-verdict and `kacheck run` exit with 3 for a name that is not configured: permanent FAULT.
Nothing writes a file track/NAME for such a name, so it reads as 0.

Do: use a name from kacheck.toml, or add [check.NAME] there.""",
)
def unknown_check(context: Context) -> Iterator[Observation]:
    """Find names of checks that kacheck's configuration does not have."""
    checks = context.kacheck.checks
    tracked = [(check.name, check.line) for check in context.tracked_checks]
    for name, node in [*context.run_checks, *tracked] if checks is not None else ():
        if name not in context.checks:
            what = f"{context.kacheck.config} has no check {name}"
            why = "nothing runs such a check, and nothing writes its file"
            yield at(node, what, why, suggestion(name, context.checks))


@finding(
    "KA509",
    Severity.WARNING,
    "a check is drained",
    """\
`kacheck drain on` makes checks fail on purpose, so that the VIP leaves this node for
maintenance. It holds until its time is over, `kacheck drain off`, or the next boot.

Do: kacheck drain off, when the work is done.""",
)
def drained(context: Context) -> Iterator[Observation]:
    """Find checks that are drained."""
    for name, sentence in context.kacheck.drains:
        subject = "every check" if name == statedir.ALL else name
        cure = sentence[sentence.find("(") + 1 :].partition(" ends it")[0]
        yield Observation(f"{subject} is {sentence}", "someone drained it on purpose", cure)


@finding(
    "KA511",
    Severity.WARNING,
    "an answer that any local user could give in Vault's place",
    """\
Over plain http nothing in an answer shows which program gave it. While Vault is down, any local
user can listen on a port above 1023, such as 8200, say that the node is active, and get the VIP. A
process with Vault's name is as easy to start. The same is true if the certificate is not verified,
and for a Unix socket in a directory that other users can write to.

See it: ss -ltnp 'sport = :8200' shows which process listens.
Do: use https:// with --ca-cert (in kacheck.toml: ca_cert); or a Unix socket, unix:///PATH, in a
directory that only Vault's user can write to.""",
)
def unproven_answer(context: Context) -> Iterator[Observation]:
    """Find answers that any local user could give in Vault's place."""
    yield from warned(context, "nothing in the answer shows which program gave it")


@finding(
    "KA512",
    Severity.ERROR,
    "a command check whose program cannot be executed",
    """\
A check of probe command fails while its program is missing or not executable, as a plugin is
whose package is not installed. An instance that depends on the check is in FAULT.

See it: kacheck run CHECK, or the command of the vrrp_script, by hand.
Do: install the program, correct its path, or make it executable.""",
)
def unfit_program(context: Context) -> Iterator[Observation]:
    """Find programs of command checks that cannot be executed."""
    yield from warned(context, "the check fails, and its instances are in FAULT", of_programs=True)


def warned(context: Context, why: str, *, of_programs: bool = False) -> Iterator[Observation]:
    """Yield the probes' own warnings: those about programs, or all others."""
    for name, check in context.checks.items():
        if (check.question.probe == command.PROBE.name) is of_programs:
            for warning in warnings_of(check.question):
                what, _, cure = warning.partition("; ")
                yield Observation(f"{name}: {what}", why, cure, context.kacheck.config)
    for call in context.calls:
        if (call.args is not None and call.args.command == command.PROBE.name) is of_programs:
            for warning in warnings(call):
                what, _, cure = warning.partition("; ")
                yield at(call.script.node, f"{call.script.name}: {what}", why, cure)
