"""What a configuration uses, in plain words that faults of keepalived are looked up by. Pure.

a keyword that the configuration has        vrrp_script, track_process (vrrp_track_process too),
track_file (vrrp_track_file too), fork_delay,
terminate_delay, quorum_max, param_match,
use_symlink_paths
acting_fork_delay                           a fork_delay or delay that can act: one process
does not decide alone, so that another may fork
track_file_block, vrrp_track_file_block     under which name the block is written
weight_reverse                              any `weight N reverse`
track_file_weight                           a track_file with a weight that is not 0
unweighted_track_file_at_fixed_priority     tracked by an instance with priority 255, or in a
sync group without sync_group_tracking_weight
unweighted_track_script_at_fixed_priority   the same of a script
track_process_in_sync_group                 tracked by a vrrp_sync_group itself
foreign_script                              any that is not kacheck's, and may overrun its
timeout
process_with_parenthesis                    a `)` in the name of a process
large_pids                                  of the machine: pid_max is above 32768
"""

from collections.abc import Iterator

from kacheck.keepalived import Configuration
from kacheck.keepalived.limits import leading_number, whole_number
from kacheck.keepalived.tracking import Definition, Tracking


def features_of(configuration: Configuration, tracking: Tracking, *, foreign: bool) -> set[str]:
    """Return the keywords, and what they are combined to.

    `foreign` is whether there is a script that does not call kacheck.
    """
    features = {node.keyword for node in configuration.root.walk()}
    for block in ("track_file", "vrrp_track_file"):
        if configuration.find(block):
            features |= {f"{block}_block", "track_file"}
    if "vrrp_track_process" in features:
        features.add("track_process")
    for definition in tracking.definitions:
        features |= {*_of_definition(definition)}
    features |= {*_of_references(tracking)}
    if foreign:
        features.add("foreign_script")
    return features


def _of_definition(definition: Definition) -> Iterator[str]:
    weight = definition.weight
    if weight.reverse:
        yield "weight_reverse"
    if definition.kind == "track_file" and weight.value:
        yield "track_file_weight"
    if definition.kind == "track_process" and ")" in (definition.value("process") or ""):
        yield "process_with_parenthesis"
    if definition.kind == "track_process":
        if leading_number(definition.value("delay") or ""):
            yield from ("fork_delay", "terminate_delay")
        if _has_fork_delay(definition) and not _decides_alone(definition):
            yield "acting_fork_delay"


def _has_fork_delay(definition: Definition) -> bool:
    return any(definition.value(keyword) for keyword in ("delay", "fork_delay"))


def _decides_alone(definition: Definition) -> bool:
    """Return whether the first process, or none, decides: its fork_delay never acts.

    check_process_fork() delays what a tracked process forks, and here no process is tracked yet. A
    process that begins to match by execve(2) counts at once.
    """
    quorum, most = (definition.value(keyword) for keyword in ("quorum", "quorum_max"))
    if most is not None and whole_number(most) is not None:
        return whole_number(most) == 0
    return (whole_number(quorum or "1") or 1) == 1


def _of_references(tracking: Tracking) -> Iterator[str]:
    """Yield what sync groups track, and what instances with a fixed priority do."""
    definitions = tracking.by_name()
    for reference in tracking.references:
        definition = definitions.get((reference.kind, reference.name))
        if definition is None:
            continue
        if reference.owner.is_group:
            yield f"{reference.kind}_in_sync_group"
        elif reference.owner.is_fixed and not reference.weight(definition.weight).value:
            yield f"unweighted_{reference.kind}_at_fixed_priority"


def script_user(configuration: Configuration) -> str | None:
    """Return the user who runs the checks, if the configuration names one; the first one counts."""
    users = (
        *configuration.find("vrrp_script", "user"),
        *configuration.find("global_defs", "script_user"),
    )
    return next((user.arguments[0] for user in users if user.arguments), None)
