"""KA014 to KA017: the weights of what is tracked."""

from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.keepalived.limits import ADDRESS_OWNER, HEAVIEST, whole_number
from kacheck.keepalived.tracking import Definition, Reference, Weight

REMOVED = "keepalived removes it, and the instance runs without it"


@finding(
    "KA014",
    Severity.WARNING,
    "a weight that is out of range or not a number",
    """\
In a definition, a vrrp_script takes -253 to 253, but uses any number that it reads;
vrrp_track_process and track_file take -254 to 254 and ignore a line with another number, so the
default applies (0, which is FAULT on failure; 1 for a file). In a reference, 254 becomes 253 for
scripts, and anything further out is ignored. keepalived -t calls each an error (read_int_func() in
lib/parser.c). A priority stays within 1 to 254 whatever the weights add up to. Begin a comment with
# or !, or its words count.

Do: write a number in the range. To take the instance out of the election on failure: weight 0.""",
)
def weight_out_of_range(context: Context) -> Iterator[Observation]:
    """Find weights that are not a number in the range."""
    for definition in context.tracking.definitions:
        yield from _in_definition(definition)
    definitions = context.tracking.by_name()
    for reference in context.tracking.references:
        if (reference.kind, reference.name) in definitions and not reference.is_ignored:
            yield from _in_reference(reference)


def _in_definition(definition: Definition) -> Iterator[Observation]:
    limit = HEAVIEST[definition.kind]
    for line in definition.node.find("weight"):
        value = whole_number("".join(line.arguments[:1]))
        is_in_range = value is not None and abs(value) <= limit
        if not is_in_range or line.arguments[1:] not in ([], ["reverse"]):
            what = f"{line.line.text} of {definition.name} is not -{limit} to {limit} [reverse]"
            why = f"keepalived takes it for {definition.weight.value}, and keepalived -t fails"
            cure = f"write a weight from -{limit} to {limit}"
            if is_in_range:
                cure = "write each keyword on a separate line"
            yield at(line, what, why, cure)


def _in_reference(reference: Reference) -> Iterator[Observation]:
    options = reference.node.arguments
    value = whole_number(options[1]) if options else 0
    limit = HEAVIEST[reference.kind]
    if value is None or abs(value) > limit:
        what = f"weight {options[1]} of {reference.name} is not -{limit} to {limit}"
        why = "keepalived uses 253 in place of 254 for scripts, else the definition's weight"
        yield at(reference.node, what, why, f"write a weight from -{limit} to {limit}")
    elif options[2:] and options[2] not in ("reverse", "noreverse"):
        what = f"{options[2]} after the weight of {reference.name} is not an option"
        why = "keepalived ignores it, and keepalived -t fails"
        yield at(reference.node, what, why, "write reverse or noreverse, or # before a comment")


def _weighted(context: Context) -> Iterator[tuple[Reference, Weight]]:
    """Yield the references to something that is defined, with a weight that is not 0."""
    definitions = context.tracking.by_name()
    for reference in context.tracking.references:
        definition = definitions.get((reference.kind, reference.name))
        weight = reference.weight(definition.weight) if definition is not None else Weight()
        if weight.value:
            yield reference, weight


def _is_at_address_owner(reference: Reference) -> bool:
    return reference.kind != "track_process" and reference.owner.priority == ADDRESS_OWNER


def _is_lost_to_group(reference: Reference) -> bool:
    is_lost = reference.kind != "track_process" and reference.owner.loses_weights
    return is_lost and not _is_at_address_owner(reference)


@finding(
    "KA015",
    Severity.ERROR,
    "a weight inside a sync group that has no sync_group_tracking_weight",
    """\
Members of a vrrp_sync_group must not change their priorities one by one. So keepalived removes a
weighted track_script or track_file from such an instance, "ignoring tracked script NAME with
weights due to SYNC group", and the instance runs without it. A track_file with weight 1, the
default, gets weight 0 instead: then 1 in the file, which meant healthy, is FAULT, and 0 is
healthy (vrrp_complete_instance() in vrrp.c).

Do: write sync_group_tracking_weight in the group, or weight 0 (with `reverse` for a file whose 1 is
healthy), or track it in the group itself.""",
)
def weight_in_sync_group(context: Context) -> Iterator[Observation]:
    """Find weights that a sync group keeps its members from tracking."""
    for reference, weight in filter(lambda pair: _is_lost_to_group(pair[0]), _weighted(context)):
        what = f"{reference.owner.name} is in a sync group and tracks {reference.name} with a"
        why = REMOVED
        if reference.kind == "track_file" and weight.value == 1:
            why = "keepalived makes it weight 0, so that 1 in the file is FAULT"
        cure = "write sync_group_tracking_weight in the group, or weight 0"
        yield at(reference.node, f"{what} weight", why, cure)


@finding(
    "KA016",
    Severity.ERROR,
    "a weight on an instance with priority 255",
    """\
255 is the address owner's priority (RFC 5798), which never changes: keepalived removes weighted
scripts and files from such an instance, and it runs without them (vrrp_complete_instance()).

Do: write a priority of at most 254, or weight 0.""",
)
def weight_at_address_owner(context: Context) -> Iterator[Observation]:
    """Find weights on instances with priority 255."""
    for reference, _ in _weighted(context):
        if _is_at_address_owner(reference):
            what = f"{reference.owner.name} has priority 255 and tracks {reference.name} with a"
            yield at(reference.node, f"{what} weight", REMOVED, "write a priority of at most 254")


@finding(
    "KA017",
    Severity.WARNING,
    "a weight on an instance with nopreempt",
    """\
With nopreempt a node does not take the VIP from a master with a lower priority. So when a check
fails on the master and lowers its priority, nothing happens: the VIP stays there. Only FAULT or
the end of keepalived moves it.

Do: write weight 0, which is FAULT on failure; or remove nopreempt.""",
)
def weight_with_nopreempt(context: Context) -> Iterator[Observation]:
    """Find weights on instances with nopreempt."""
    for reference, weight in _weighted(context):
        owner = reference.owner
        is_removed = _is_at_address_owner(reference) or _is_lost_to_group(reference)
        if owner.nopreempt and not is_removed:
            what = f"{owner.name} has nopreempt and tracks {reference.name} with weight"
            why = "a lower priority does not make the VIP leave if no node preempts"
            cure = "write weight 0, or remove nopreempt"
            yield at(reference.node, f"{what} {weight.value}", why, cure)
