"""What a configuration uses, in the words of versions.py. Pure."""

from collections.abc import Iterator

from kacheck.doctor.calls import calls_of
from kacheck.doctor.reading import Definition, Setup, leading
from kacheck.doctor.scripts import scripts


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
    words |= {*of_holders(setup)}
    if len(calls_of(setup)) < len(scripts(setup)):
        words.add("foreign_script")
    return words


def of_definition(definition: Definition) -> Iterator[str]:
    """What a definition has."""
    weight = definition.weight
    if weight.reverse:
        yield "weight_reverse"
    if definition.kind == "track_file" and weight.value:
        yield "track_file_weight"
    if definition.kind == "track_process" and ")" in (definition.value("process") or ""):
        yield "process_with_parenthesis"
    if definition.kind == "track_process" and leading(definition.value("delay") or ""):
        yield from ("fork_delay", "terminate_delay")


def of_holders(setup: Setup) -> Iterator[str]:
    """Yield what sync groups track, and what instances with a fixed priority do."""
    weights = {(each.kind, each.name): each.weight for each in reversed(setup.definitions)}
    for reference in setup.references:
        default = weights.get((reference.kind, reference.name))
        if default is None:
            continue
        if reference.holder.is_group:
            yield f"{reference.kind}_in_sync_group"
        elif reference.holder.is_fixed and not reference.weight(default).value:
            yield f"unweighted_{reference.kind}_at_fixed_priority"


def script_user(setup: Setup) -> str | None:
    """Whom the checks run as, where the configuration says so; the first one does for all."""
    users = (
        *setup.configuration.find("vrrp_script", "user"),
        *setup.configuration.find("global_defs", "script_user"),
    )
    return next((user.arguments[0] for user in users if user.arguments), None)
