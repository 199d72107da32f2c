"""KA01: who tracks what: names, their order, weights. Pure."""

from collections.abc import Iterator

from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.reading import (
    OWNER,
    WEIGHTS,
    Definition,
    Holder,
    Reference,
    Setup,
    found,
    number,
)

UNDEFINED = Code(
    "KA010",
    Severity.ERROR,
    "tracks a name that nothing defines",
    """\
keepalived logs "track script NAME not found, ignoring..." and the instance runs without it: the
VIP stays whatever fails (alloc_track_script() in vrrp_track.c; files and processes alike).

See it: keepalived -t -f FILE, or the log at the start.
Do: correct the name, define it above, or remove the line.""",
)
TOO_LATE = Code(
    "KA011",
    Severity.ERROR,
    "tracked before it is defined",
    """\
keepalived looks the name up while it reads the line. What is defined further down, or in a file
that is included further down, does not exist yet: "not found, ignoring...", and the instance
runs without it. The order of the files that one include matches is that of glob(3), alphabetic.

See it: keepalived -t -f FILE.
Do: move the definition above the instances and sync groups that track it.""",
)
DUPLICATE = Code(
    "KA012",
    Severity.WARNING,
    "a name that is defined twice",
    """\
Both exist; references find the first (find_script_by_name() in vrrp_track.c), and a second
script is dropped as "not used". So a change made to the second one has no effect.

Do: remove one, or give it another name.""",
)
UNTRACKED = Code(
    "KA013",
    Severity.NOTE,
    "defined, and never tracked",
    """\
Nothing refers to it, so it changes nothing: keepalived drops it with "is not used".

Do: name it in the track_script, track_process or track_file of a vrrp_instance or
vrrp_sync_group, or remove it.""",
)
RANGE = Code(
    "KA014",
    Severity.WARNING,
    "a weight that is out of range or no number",
    """\
Definitions: a vrrp_script takes -253 to 253 and uses what it reads all the same;
vrrp_track_process and track_file take -254 to 254 and ignore another line, so that the default
holds (0 is FAULT on failure, 1 for a file). References: 254 becomes 253 for scripts, anything
further out is ignored. keepalived -t calls each an error (read_int_func() in lib/parser.c). A
priority stays in 1 to 254 whatever the weights add up to. A comment belongs behind # or !, or
its words count.

Do: write a number in the range. To take the instance out of the election on failure: weight 0.""",
)
GROUP = Code(
    "KA015",
    Severity.ERROR,
    "a weight inside a sync group that has no sync_group_tracking_weight",
    """\
Members of a vrrp_sync_group must not float their priorities one by one, so keepalived removes a
weighted track_script or track_file from such an instance, "ignoring tracked script NAME with
weights due to SYNC group": the instance runs without it. A track_file with weight 1, the
default, becomes weight 0 instead: then 1 in the file, which meant healthy, is FAULT, and 0 is
healthy (vrrp_complete_instance() in vrrp.c).

Do: sync_group_tracking_weight in the group, or weight 0 (with `reverse` for a file whose 1 is
healthy), or track it in the group itself.""",
)
ADDRESS_OWNER = Code(
    "KA016",
    Severity.ERROR,
    "a weight on an instance with priority 255",
    """\
255 is the address owner's priority (RFC 5798), which never changes: keepalived removes weighted
scripts and files from such an instance, and it runs without them (vrrp_complete_instance()).

Do: a priority of at most 254, or weight 0.""",
)
NOPREEMPT = Code(
    "KA017",
    Severity.WARNING,
    "a weight on an instance with nopreempt",
    """\
With nopreempt a node does not take the VIP from a master with a lower priority. So when a check
fails on the master and lowers its priority, nothing happens: the VIP stays there. Only FAULT or
the end of keepalived moves it.

Do: weight 0, which is FAULT on failure; or leave out nopreempt.""",
)
IGNORED = Code(
    "KA018",
    Severity.ERROR,
    "a line of a track block that keepalived ignores",
    """\
Behind the name only `weight N`, `weight N reverse` or `weight N noreverse` may stand, one name
on a line. Otherwise keepalived reports "unknown track script option" and ignores the whole line,
the name too: the instance runs without it (alloc_track_script() in vrrp_track.c).

Do: one name on each line.""",
)
CODES = (
    UNDEFINED, TOO_LATE, DUPLICATE, UNTRACKED, RANGE, GROUP, ADDRESS_OWNER, NOPREEMPT, IGNORED,
)  # fmt: skip


def findings(setup: Setup) -> Iterator[Finding]:
    """All of them."""
    known: dict[tuple[str, str], Definition] = {}
    for definition in setup.definitions:
        first = known.setdefault((definition.kind, definition.name), definition)
        if first is not definition:
            yield duplicate(first, definition)
        elif not setup.referring(definition) and not is_checkers(setup, definition):
            yield untracked(definition)
        yield from out_of_range(definition)
    for reference in setup.references:
        target = known.get((reference.kind, reference.name))
        yield from named(reference, target, known)
        if target is not None:
            yield from override_out_of_range(reference)
            yield from weighted(reference, target)


def named(
    reference: Reference,
    target: Definition | None,
    known: dict[tuple[str, str], Definition],
) -> Iterator[Finding]:
    """Does keepalived find it, and take the line?"""
    who = f"{reference.holder.name} tracks {reference.name}"
    untracked = f"keepalived ignores the line, and {reference.holder.name} runs without it"
    if reference.is_ignored:
        option = reference.node.arguments[0]
        what = f"{who}, and {option} behind it is no option that keepalived knows"
        yield found(IGNORED, reference.node, what, untracked, "one name on each line")
    elif target is None:
        others = [kind for kind in WEIGHTS if (kind, reference.name) in known]
        what = f"{who}, which no {DEFINED_BY[reference.kind]} defines"
        cure = f"correct the name or define it above the {reference.holder.node.keyword}"
        if others:
            cure = f"track it in {others[0]}, as its definition is one of {DEFINED_BY[others[0]]}"
        yield found(UNDEFINED, reference.node, what, untracked, cure)
    elif target.place > reference.place:
        line = target.node.position
        what = f"{who}, which is defined only further down, at {line.file}:{line.line}"
        cure = f"move the definition above the {reference.holder.node.keyword}"
        yield found(TOO_LATE, reference.node, what, untracked, cure)


DEFINED_BY = {
    "track_script": "vrrp_script",
    "track_process": "vrrp_track_process",
    "track_file": "track_file",
}


def duplicate(first: Definition, second: Definition) -> Finding:
    """A name that is there already."""
    line = first.node.position
    return found(
        DUPLICATE,
        second.node,
        f"{second.name} is defined already, at {line.file}:{line.line}",
        "references find the first one, and this one has no effect",
        "remove one of them, or give it another name",
    )


def is_checkers(setup: Setup, definition: Definition) -> bool:
    """Might a virtual server use it? Those track files, too."""
    return definition.kind == "track_file" and bool(setup.configuration.find("virtual_server"))


def untracked(definition: Definition) -> Finding:
    """Nobody refers to it."""
    return found(
        UNTRACKED,
        definition.node,
        f"no instance or sync group tracks {definition.name}",
        "a definition alone does nothing",
        f"name it in a {definition.kind} block, or remove it",
    )


def out_of_range(definition: Definition) -> Iterator[Finding]:
    """A weight that the definition should not have."""
    limit = WEIGHTS[definition.kind]
    for line in definition.node.find("weight"):
        word = "".join(line.arguments[:1])
        value = number(word)
        if value is None or abs(value) > limit or line.arguments[1:] not in ([], ["reverse"]):
            what = f"{line.line.text} of {definition.name} is not -{limit} to {limit} [reverse]"
            why = f"it is {definition.weight.value} to keepalived, and keepalived -t fails"
            cure = f"write a weight from -{limit} to {limit}"
            if value is not None and abs(value) <= limit:
                cure = "each keyword on a line of its own"
            yield found(RANGE, line, what, why, cure)


def override_out_of_range(reference: Reference) -> Iterator[Finding]:
    """A weight that the reference should not have."""
    options = reference.node.arguments
    if reference.is_ignored or not options:
        return
    value = number(options[1])
    limit = 253 if reference.kind == "track_script" else 254
    if value is None or abs(value) > limit:
        what = f"weight {options[1]} of {reference.name} is not -{limit} to {limit}"
        why = "keepalived uses 253 in place of 254 for scripts, else the definition's weight"
        cure = f"write a weight from -{limit} to {limit}"
        yield found(RANGE, reference.node, what, why, cure)
    elif options[2:] and options[2] not in ("reverse", "noreverse"):
        what = f"{options[2]} behind the weight of {reference.name} is no option"
        why = "keepalived ignores it, and keepalived -t fails"
        cure = "reverse or noreverse, or # before a comment"
        yield found(RANGE, reference.node, what, why, cure)


def weighted(reference: Reference, target: Definition) -> Iterator[Finding]:
    """A weight that does not do what it should where it is used."""
    weight = reference.weight(target.weight)
    holder = reference.holder
    if not weight.value:
        return
    removed = "keepalived removes it, and the instance runs without it"
    if reference.kind != "track_process" and holder.priority == OWNER:
        what = f"{holder.name} has priority 255 and tracks {reference.name} with a weight"
        yield found(ADDRESS_OWNER, reference.node, what, removed, "a priority of at most 254")
    elif reference.kind != "track_process" and is_removed(holder):
        what = f"{holder.name} is in a sync group and tracks {reference.name} with a weight"
        if reference.kind == "track_file" and weight.value == 1:
            removed = "keepalived makes it weight 0, so that 1 in the file is FAULT"
        cure = "sync_group_tracking_weight in the group, or weight 0"
        yield found(GROUP, reference.node, what, removed, cure)
    elif holder.nopreempt:
        what = f"{holder.name} has nopreempt and tracks {reference.name} with weight {weight.value}"
        why = "a lower priority does not make the VIP leave when nobody preempts"
        yield found(NOPREEMPT, reference.node, what, why, "weight 0, or leave out nopreempt")


def is_removed(holder: Holder) -> bool:
    """Does the instance lose its weighted trackers?"""
    return holder.group is not None and not holder.group.tracks_weights
