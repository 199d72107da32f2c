"""KA010 to KA013 and KA018: the names that instances and sync groups track."""

from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.keepalived.limits import HEAVIEST
from kacheck.keepalived.tracking import Reference

DEFINED_BY = {
    "track_script": "vrrp_script",
    "track_process": "vrrp_track_process",
    "track_file": "track_file",
}


def _untracked(reference: Reference) -> str:
    return f"keepalived ignores the line, and {reference.owner.name} runs without it"


@finding(
    "KA010",
    Severity.ERROR,
    "tracks a name that nothing defines",
    """\
keepalived logs "track script NAME not found, ignoring..." and the instance runs without it: the
VIP stays whatever fails (alloc_track_script() in vrrp_track.c). The same is true of files and
processes.

See it: keepalived -t -f FILE, or the log at the start.
Do: correct the name, define it above, or remove the line.""",
)
def undefined_name(context: Context) -> Iterator[Observation]:
    """Find names that nothing defines."""
    definitions = context.tracking.by_name()
    for reference in context.tracking.references:
        if reference.is_ignored or (reference.kind, reference.name) in definitions:
            continue
        keyword = DEFINED_BY[reference.kind]
        what = f"{reference.owner.name} tracks {reference.name}, which no {keyword} defines"
        cure = f"correct the name or define it above the {reference.owner.node.keyword}"
        others = [kind for kind in HEAVIEST if (kind, reference.name) in definitions]
        if others:
            cure = f"track it in {others[0]}: its definition is a {DEFINED_BY[others[0]]}"
        yield at(reference.node, what, _untracked(reference), cure)


@finding(
    "KA011",
    Severity.ERROR,
    "tracked before it is defined",
    """\
keepalived looks the name up while it reads the line. What is defined further down, or in a file
that is included further down, does not exist yet: "not found, ignoring...", and the instance
runs without it. Files that one include matches are read in alphabetical order, that of glob(3).

See it: keepalived -t -f FILE.
Do: move the definition above the instances and sync groups that track it.""",
)
def defined_below(context: Context) -> Iterator[Observation]:
    """Find names that are defined only after the line that tracks them."""
    definitions = context.tracking.by_name()
    for reference in context.tracking.references:
        definition = definitions.get((reference.kind, reference.name))
        if reference.is_ignored or definition is None or definition.order <= reference.order:
            continue
        line = definition.node.position
        what = f"{reference.owner.name} tracks {reference.name}, which is defined only further down"
        what += f", at {line.file}:{line.line}"
        cure = f"move the definition above the {reference.owner.node.keyword}"
        yield at(reference.node, what, _untracked(reference), cure)


@finding(
    "KA012",
    Severity.WARNING,
    "a name that is defined twice",
    """\
References find the first one (find_script_by_name() in vrrp_track.c), and a second script is
dropped as "not used". So a change made to the second one has no effect.

Do: remove one, or give it another name.""",
)
def defined_twice(context: Context) -> Iterator[Observation]:
    """Find names that are defined twice."""
    definitions = context.tracking.by_name()
    for definition in context.tracking.definitions:
        first = definitions[definition.kind, definition.name]
        if first is not definition:
            line = first.node.position
            what = f"{definition.name} is defined already, at {line.file}:{line.line}"
            why = "references find the first one, and this one has no effect"
            yield at(definition.node, what, why, "remove one of them, or give it another name")


@finding(
    "KA013",
    Severity.NOTE,
    "defined, but never tracked",
    """\
Nothing refers to the definition, so it has no effect: keepalived drops it with "is not used".

Do: name it in the track_script, track_process or track_file of a vrrp_instance or
vrrp_sync_group, or remove it.""",
)
def never_tracked(context: Context) -> Iterator[Observation]:
    """Find definitions that nothing tracks; a virtual server tracks files, too."""
    definitions = context.tracking.by_name()
    has_servers = bool(context.configuration.find("virtual_server"))
    for definition in context.tracking.definitions:
        is_first = definitions[definition.kind, definition.name] is definition
        is_tracked = bool(context.tracking.referring(definition))
        if is_first and not is_tracked and not (definition.kind == "track_file" and has_servers):
            what = f"no instance or sync group tracks {definition.name}"
            cure = f"name it in a {definition.kind} block, or remove it"
            yield at(definition.node, what, "a definition alone does nothing", cure)


@finding(
    "KA018",
    Severity.ERROR,
    "a line of a track block that keepalived ignores",
    """\
After the name keepalived accepts only `weight N`, `weight N reverse` or `weight N noreverse`, and
it wants each name on a separate line. Otherwise it reports "unknown track script option" and
ignores the whole line with its name: the instance runs without it (alloc_track_script() in
vrrp_track.c).

Do: write one name on each line.""",
)
def ignored_line(context: Context) -> Iterator[Observation]:
    """Find lines with an option that keepalived does not know."""
    for reference in context.tracking.references:
        if reference.is_ignored:
            option = reference.node.arguments[0]
            what = f"{reference.owner.name} tracks {reference.name}, and {option} after it is not"
            what += " an option of keepalived"
            yield at(reference.node, what, _untracked(reference), "write one name on each line")
