"""KA502 to KA504 and KA507: the watcher, its verdicts, and the guards for when it is gone."""

from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.kacheck.state_files import verdict_trouble, watcher_trouble


@finding(
    "KA502",
    Severity.ERROR,
    "a track file of kacheck that no watcher writes",
    """\
The file keeps the last number that was written. If the watcher was stopped, that is FAULT. If it
was killed, that is mostly healthy, and stays so whatever fails. Or the watcher runs but does not
look, because it is stopped (SIGSTOP) or cannot write (its comm is kacheck-mute then). A guard still
makes the check, slower.

See it: kacheck status; journalctl -u kacheck.
Do: systemctl start kacheck.""",
)
def track_file_without_watcher(context: Context) -> Iterator[Observation]:
    """Find track files of kacheck's that no watcher writes."""
    trouble = watcher_trouble(context.system, context.kacheck.state_dir)
    for check in context.tracked_checks if trouble is not None else ():
        what = f"track/{check.name} is not kept current: {trouble}"
        cure = "systemctl start kacheck; kacheck status"
        yield at(check.line, what, "only the watcher writes it", cure)


@finding(
    "KA503",
    Severity.NOTE,
    "kacheck-verdict without a watcher looks for itself",
    """\
Without a watcher each run of kacheck-verdict becomes `kacheck run`, which is as right, but 30 to 80
times slower.

Do: systemctl enable --now kacheck.""",
)
def verdicts_without_watcher(context: Context) -> Iterator[Observation]:
    """Find scripts that read verdicts where no watcher writes any."""
    trouble = watcher_trouble(context.system, context.kacheck.state_dir)
    if trouble is not None and context.run_checks and not context.tracked_checks:
        _, node = context.run_checks[0]
        what = f"kacheck-verdict looks for itself each time: {trouble}"
        yield at(node, what, "it has no verdicts", "systemctl start kacheck; kacheck status")


@finding(
    "KA504",
    Severity.WARNING,
    "a verdict that is missing or has expired",
    """\
The watcher runs, but a check that keepalived asks for has no valid verdict: the watcher was started
with another configuration or state directory, or cannot write. Meanwhile kacheck-verdict looks for
itself.

See it: kacheck status CHECK; journalctl -u kacheck.
Do: systemctl reload kacheck.""",
)
def stale_verdict(context: Context) -> Iterator[Observation]:
    """Find verdicts that are missing or expired although the watcher runs."""
    state_dir = context.kacheck.state_dir
    if watcher_trouble(context.system, state_dir) is not None:
        return
    tracked = [(check.name, check.line) for check in context.tracked_checks]
    for name, node in dict([*context.run_checks, *tracked]).items():
        trouble = verdict_trouble(context.system, state_dir, name)
        if trouble is not None and name in context.checks:
            what = f"the verdict of {name} {trouble}"
            yield at(node, what, "the watcher does not renew it", "kacheck status")


@finding(
    "KA507",
    Severity.WARNING,
    "a track file of kacheck without a guard",
    """\
If the watcher was killed, or hangs, the number in the file does not change: the VIP stays on a node
whose service dies after that. A guard notices: it is a vrrp_script with kacheck-verdict, which does
not believe a dead watcher and looks for itself.

Do: track kacheck_guard, as in examples/keepalived.conf.d/event-driven.conf.""",
)
def no_guard(context: Context) -> Iterator[Observation]:
    """Find track files of kacheck's that are tracked without a script that asks kacheck."""
    guarded = _guarded(context)
    for check in context.tracked_checks:
        for reference in check.references:
            owner = reference.owner
            nodes = {id(owner.node), id(owner.group.node) if owner.group is not None else 0}
            if guarded.isdisjoint(nodes):
                what = f"{owner.name} tracks {check.name}'s file without a guard"
                why = "the number does not change if the watcher was killed"
                cure = f'track a vrrp_script with "kacheck-verdict {check.name}", too'
                yield at(reference.node, what, why, cure)


def _guarded(context: Context) -> set[int]:
    """Return the id() of instances and sync groups that track a script which calls kacheck."""
    asking = {call.script.name for call in context.calls}
    return {
        id(owner.node)
        for reference in context.tracking.references
        if reference.kind == "track_script" and reference.name in asking
        for owner in (reference.owner, reference.owner.group)
        if owner is not None
    }
