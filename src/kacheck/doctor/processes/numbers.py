"""KA305 to KA307 and KA309: the numbers of a vrrp_track_process."""

from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.keepalived.limits import (
    LONGEST_DELAY,
    MOST_PROCESSES,
    SHORTEST_DELAY,
    whole_number,
)

RANGES = {
    "quorum": (1, MOST_PROCESSES),
    "quorum_max": (0, MOST_PROCESSES),
    "fork_delay": (SHORTEST_DELAY, LONGEST_DELAY),
    "terminate_delay": (SHORTEST_DELAY, LONGEST_DELAY),
    "delay": (SHORTEST_DELAY, LONGEST_DELAY),
}


@finding(
    "KA305",
    Severity.WARNING,
    "too few or too many processes run now",
    """\
The finding says how many processes match now, by keepalived's own rules (zombies and threads do
not count). With weight 0, the default, the instance is in FAULT as long as there are fewer than
quorum or more than quorum_max. In a container only the processes that it can see count.

Do: start the service; or correct the name, the quorum or quorum_max.""",
)
def outside_quorum(context: Context) -> Iterator[Observation]:
    """Find numbers of processes that are outside of the quorum now."""
    for process in context.tracked_processes:
        if not process.is_outside_quorum:
            continue
        pattern, keyword = process.pattern, process.keyword_among_arguments
        if keyword is not None:
            rest = " ".join(pattern.arguments[pattern.arguments.index(keyword) :])
            what = f"{process.name}: no process {pattern.name} runs that has the arguments {rest}"
            why = "the words behind the name are its arguments"
            yield at(process.line, what, why, f"write {keyword} on a separate line")
        elif not process.alike:
            least, most = process.quorum
            what = f"{process.name}: {process.count} processes {pattern.name} run now"
            why = f"the quorum is {least}"
            why += f", quorum_max {most}" if most < MOST_PROCESSES else ""
            yield at(process.line, what, why, "start the service, or correct the name")


@finding(
    "KA306",
    Severity.ERROR,
    "quorum above quorum_max",
    """\
keepalived reads the lines one after the other and ignores the second one: "Quorum is greater than
quorum_max - ignoring", "quorum_max is less than quorum - ignoring". Only the first one applies, so
the range is not what the two lines say.

Do: write a quorum that is at most quorum_max.""",
)
def quorum_above_quorum_max(context: Context) -> Iterator[Observation]:
    """Find a quorum that contradicts quorum_max."""
    for process in context.tracked_processes:
        least, most = process.quorum
        limit = process.definition.last("quorum_max")
        if limit is not None and least > most:
            what = f"quorum {least} of {process.name} is above quorum_max {most}"
            why = "keepalived ignores whichever comes second"
            yield at(limit, what, why, "write a quorum that is at most quorum_max")


@finding(
    "KA307",
    Severity.NOTE,
    "quorum_max 0: the process must not run",
    """\
With quorum_max 0 and no quorum the instance is up while no such process runs, and fails when one
starts. This is for a backup or an upgrade that must not run on the node with the VIP. If the name
can never match, the check never fails.

Do: nothing, if that is intended.""",
)
def must_not_run(context: Context) -> Iterator[Observation]:
    """Find a quorum_max of 0."""
    for process in context.tracked_processes:
        limit = process.definition.last("quorum_max")
        if limit is not None and process.quorum == (0, 0):
            what = f"{process.name} is up while no such process runs"
            yield at(limit, what, "quorum_max is 0", "nothing, if that is intended")


@finding(
    "KA309",
    Severity.WARNING,
    "a number that keepalived ignores",
    """\
quorum takes 1 to 65535, quorum_max 0 to 65535, the delays 0.000001 to 3600 seconds. keepalived
reports and ignores a number out of range, so the default applies: quorum 1, no quorum_max, no
delay.

Do: write a number in the range.""",
)
def ignored_number(context: Context) -> Iterator[Observation]:
    """Find numbers that keepalived ignores."""
    for process in context.tracked_processes:
        for keyword, (least, most) in RANGES.items():
            for line in process.definition.node.find(keyword):
                word = "".join(line.arguments[:1])
                if not _is_number(word, least, most, whole=keyword.startswith("quorum")):
                    what = f"{keyword} {word} of {process.name} is ignored"
                    why = f"it is not a number from {least:g} to {most}"
                    yield at(line, what, why, f"write a number from {least:g} to {most}")


def _is_number(word: str, least: float, most: float, *, whole: bool) -> bool:
    """Return whether a word is a number in the range."""
    try:
        value = float(word)
    except ValueError:
        return False
    return least <= value <= most and not (whole and whole_number(word) is None)
