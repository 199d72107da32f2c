"""The answer: one line per instance, the causes of its FAULT, and what to type."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Finding
from kacheck.doctor.why import evidence, interfaces, wire
from kacheck.doctor.why.instance import VrrpInstance, instances_of
from kacheck.doctor.why.running_keepalived import KeepalivedInUse, running_keepalived
from kacheck.doctor.why.state import FaultCause, PredictedState, predict
from kacheck.doctor.why.wire import HeardHere

NETNS = "/run/netns"
ROLE = " fails: warning "
"""A standby's role, for which a lower priority is meant."""


class InstanceAnswer(NamedTuple):
    """What is known of one instance."""

    name: str
    state: str
    """FAULT, BACKUP or MASTER, as it follows from what was seen."""
    priority: int
    """The effective one."""
    causes: tuple[FaultCause, ...]
    lowered_by: tuple[FaultCause, ...]
    vips: tuple[str, ...]
    is_here: bool
    """Whether the VIP is on this node."""
    heard: HeardHere
    dropped: tuple[str, ...]
    """What keepalived removes, and why: the instance runs without it."""
    not_run: tuple[str, ...]
    """The scripts that were not run, and count as good here."""
    is_running: bool
    """Whether a keepalived runs with this configuration."""


def answer(
    context: Context, findings: Sequence[Finding], *, run: bool | None, is_default: bool
) -> list[InstanceAnswer]:
    """Return the state of each instance, and why.

    `is_default` is whether it is this machine's own configuration: then adverts are listened for
    although no keepalived runs.
    """
    instances = instances_of(context.configuration, context.tracking, context.release)
    if not instances:
        return []
    files = [*context.configuration.files]
    keepalived = running_keepalived(context.system.processes(), context.path, files)
    network = interfaces.look() if _is_our_network(context) else None
    seen = evidence.gather(context, findings, instances, keepalived, network=network, run=run)
    instances = [
        each._replace(tracked=tuple(t for t in each.tracked if t.key not in seen.dropped))
        for each in instances
    ]
    own = {each.name: _own_causes(each, network, keepalived) for each in instances}
    predicted = predict(instances, seen.tracked, own)
    heard: dict[str, HeardHere] = {}
    if network is not None and (keepalived is not None or is_default):
        heard = wire.hear(instances, network)
    before = instances_of(context.configuration, context.tracking, context.release)
    return [
        _one(each, predicted[each.name], seen, heard.get(each.name, HeardHere()), keepalived,
             is_here=network is not None and wire.is_here(each, network), tracked=old)
        for each, old in zip(instances, before, strict=True)
    ]  # fmt: skip


def _is_our_network(context: Context) -> bool:
    """Return whether keepalived's interfaces are those that we see."""
    names = [node.arguments[0] for node in context.configuration.find("net_namespace")
             if node.arguments]  # fmt: skip
    try:
        return not names or os.path.samefile(f"{NETNS}/{names[-1]}", "/proc/self/ns/net")
    except OSError:
        return False


def _own_causes(
    instance: VrrpInstance,
    network: interfaces.LocalNetwork | None,
    keepalived: KeepalivedInUse | None,
) -> list[FaultCause]:
    causes = interfaces.causes_of(network, instance) if network is not None else []
    cure = "give it the capability: CapabilityBoundingSet= of its unit, or cap_add of its container"
    return causes + [FaultCause(what, cure) for what in (keepalived.missing if keepalived else ())]


def _one(  # noqa: PLR0913 - all that is known of an instance
    instance: VrrpInstance,
    predicted: PredictedState,
    seen: evidence.SeenEvidence,
    heard: HeardHere,
    keepalived: KeepalivedInUse | None,
    *,
    is_here: bool,
    tracked: VrrpInstance,
) -> InstanceAnswer:
    state = "FAULT" if predicted.is_fault else "MASTER" if is_here else "BACKUP"
    names = {each.name for each in tracked.tracked if each.kind == "track_script"}
    dropped = [seen.dropped[each.key] for each in tracked.tracked if each.key in seen.dropped]
    return InstanceAnswer(
        name=instance.name,
        state=state,
        priority=predicted.priority,
        causes=predicted.causes,
        lowered_by=predicted.lowered_by,
        vips=instance.vips,
        is_here=is_here,
        heard=heard,
        dropped=tuple(dict.fromkeys(dropped)),
        not_run=tuple(sorted(names & seen.not_run)),
        is_running=keepalived is not None,
    )


# --- in words -------------------------------------------------------------------------------


def lines_of(answer: InstanceAnswer) -> list[tuple[str, str]]:
    """Return the lines of an instance, each with its cure, if there is one. Pure."""
    lines = [_first(answer)]
    lines += [(f"and because {cause.what}", cause.cure) for cause in answer.causes[1:]]
    if answer.state != "FAULT":
        lines += [
            (f"lowered: {cause.what}", cause.cure)
            for cause in answer.lowered_by
            if ROLE not in cause.what
        ]
    lines += [(f"runs without a check: {what}", "") for what in answer.dropped]
    for text in answer.heard.conflicts:
        what, _, cure = text.rpartition("; ")
        lines.append((what, cure))
    if answer.state == "FAULT" and answer.is_here:
        lines.append((f"the VIP {answer.vips[0]} is still here", "journalctl -u keepalived"))
    if answer.not_run:
        lines.append((f"not run: {', '.join(answer.not_run)}", "kacheck doctor --run"))
    if not answer.is_running:
        lines.append(("no keepalived runs with this configuration", ""))
    return lines


def _first(answer: InstanceAnswer) -> tuple[str, str]:
    if answer.state == "FAULT":
        cause = answer.causes[0]
        return f"{answer.name}: FAULT because {cause.what}", cause.cure
    if answer.state == "MASTER":
        return f"{answer.name}: MASTER here, priority {answer.priority}", ""
    would_be = "" if answer.is_running else "would be "
    text = f"{answer.name}: {would_be}BACKUP, priority {answer.priority}"
    if answer.heard.master is not None:
        text += f"; the VIP is on {answer.heard.master}"
    elif answer.heard.listened:
        text += "; no node announces the VIP"
    return text, ""


def as_object(answer: InstanceAnswer) -> dict[str, object]:
    """Return an instance as JSON has it; the keys are a contract. Pure."""
    return {
        "name": answer.name,
        "state": answer.state,
        "priority": answer.priority,
        "causes": [{"what": cause.what, "cure": cause.cure} for cause in answer.causes],
        "lowered_by": [{"what": cause.what, "cure": cause.cure} for cause in answer.lowered_by],
        "vips": list(answer.vips),
        "vip_here": answer.is_here,
        "vip_on": answer.heard.master,
        "conflicts": list(answer.heard.conflicts),
        "dropped": list(answer.dropped),
        "not_run": list(answer.not_run),
        "keepalived_runs": answer.is_running,
    }


def exit_code(answers: Sequence[InstanceAnswer], *, is_default: bool) -> int:
    """Return 2 where an instance of this machine is in FAULT or disagrees with a node, else 0."""
    for each in answers:
        counts = each.is_running or is_default
        if counts and (each.state == "FAULT" or each.heard.conflicts):
            return 2
    return 0
