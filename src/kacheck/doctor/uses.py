"""What a configuration uses, in the words of versions.py. Pure."""

from collections.abc import Iterator

from kacheck.doctor.reading import Definition, Setup, leading


def uses(setup: Setup) -> set[str]:
    """Keywords, and what they are combined to."""
    keywords = {node.keyword for node in setup.configuration.root.walk()}
    words = set(keywords)
    for block in ("track_file", "vrrp_track_file"):
        if setup.configuration.find(block):
            words |= {f"{block}_block", "track_file"}
    if "vrrp_track_process" in words:
        words.add("track_process")
    for definition in setup.definitions:
        words |= {*of_definition(definition)}
    words |= {*in_sync_groups(setup)}
    return words


def of_definition(definition: Definition) -> Iterator[str]:
    """What a definition has."""
    weight = definition.weight
    if weight.reverse:
        yield "weight_reverse"
    if definition.kind == "track_file" and weight.value:
        yield "track_file_weight"
    if definition.kind == "track_script" and definition.last("timeout") is not None:
        yield "script_timeout"
    if definition.kind == "track_process" and ")" in (definition.value("process") or ""):
        yield "process_with_parenthesis"
    if definition.kind == "track_process" and leading(definition.value("delay") or ""):
        yield from ("fork_delay", "terminate_delay")


def in_sync_groups(setup: Setup) -> Iterator[str]:
    """Unweighted trackers of instances that are in a sync group."""
    weights = {(each.kind, each.name): each.weight for each in reversed(setup.definitions)}
    for reference in setup.references:
        default = weights.get((reference.kind, reference.name))
        if reference.holder.group is None or default is None:
            continue
        if not reference.weight(default).value:
            yield f"unweighted_{reference.kind}_in_sync_group"


def script_user(setup: Setup) -> str | None:
    """Whom the checks run as, where the configuration says so; the first one does for all."""
    users = (
        *setup.configuration.find("vrrp_script", "user"),
        *setup.configuration.find("global_defs", "script_user"),
    )
    return next((user.arguments[0] for user in users if user.arguments), None)
