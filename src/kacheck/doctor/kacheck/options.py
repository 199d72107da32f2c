"""KA506 and KA508: the options of scripts that call kacheck."""

from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.kacheck.entry_point_calls import Call
from kacheck.migrate.equivalents import script_word


@finding(
    "KA506",
    Severity.ERROR,
    "options that the entry point does not take",
    """\
Bad usage exits with 3: permanent FAULT. --help and --version alone exit with 0: always healthy.

See it: run the command from a shell.
Do: correct the options as the finding says; kacheck COMMAND --help lists them.""",
)
def unknown_options(context: Context) -> Iterator[Observation]:
    """Find options that the entry point does not take."""
    for call in context.calls:
        if call.trouble is not None:
            what, _, cure = call.trouble.partition("; ")
            if call.cure is not None:
                release = context.configuration.release
                cure = f"script {script_word(call.cure, release)}"
            why = "the check exits with 3 each time, or only prints a text"
            what = f"{call.script.name}: {what}"
            yield at(call.script.node, what, why, cure or "correct the options")


@finding(
    "KA508",
    Severity.WARNING,
    "a check's timeout that is not below keepalived's",
    """\
keepalived ends the check with SIGTERM at its own timeout, before the check could say what it
waited for: the log has "timed_out" and no reason.

Do: give a --timeout (in kacheck.toml: timeout) below the timeout of the vrrp_script.""",
)
def timeout_not_below_keepaliveds(context: Context) -> Iterator[Observation]:
    """Find timeouts that leave a check no time to say why."""
    for call in context.calls:
        for option, timeout in _timeouts(context, call).items():
            if timeout >= call.script.timeout:
                what = f"{call.script.name}: {option} is not below keepalived's"
                what += f" {call.script.timeout:g}"
                why = "keepalived ends the check before it can say what it waited for"
                yield at(call.script.node, what, why, "give the vrrp_script a longer timeout")


def _timeouts(context: Context, call: Call) -> dict[str, float]:
    """Return the timeouts that hold for a call, by what sets them."""
    if call.args is None:
        return {}
    limit = call.args.timeout
    if limit is None and call.args.command == "run":
        checks = {name: context.checks.get(name) for name in call.args.names}
        limits = {name: check.timeout for name, check in checks.items() if check is not None}
        return {f"{name}, timeout {limit:g},": limit for name, limit in limits.items()}
    return {} if limit is None else {f"--timeout {limit:g}": limit}
