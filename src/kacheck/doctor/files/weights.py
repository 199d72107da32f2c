"""KA401 to KA403 and KA409: what the number in a tracked file does."""

from collections.abc import Iterator

from kacheck.check import Check
from kacheck.doctor.context import Context
from kacheck.doctor.files.tracked_file import below_run, value_of
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.keepalived.tracking import Weight

FAULT = -254
"""A change of the priority that is FAULT."""
READ = 127
"""Bytes that keepalived reads of a file."""


@finding(
    "KA401",
    Severity.ERROR,
    "weight 0 without reverse: a missing file is healthy",
    """\
With weight 0 any number but 0 is FAULT, and 0 is healthy. A file that is missing, empty or
garbled reads as 0 (process_track_file() in trackers/track_file.c), so the VIP stays whatever goes
wrong with the file; and 1 for healthy, as kacheck writes it, is FAULT. This finding is only about
kacheck's own track files: in another file, such as a maintenance switch, 0 may well mean good.

Do: write weight 0 reverse, and 1 in the file for healthy.""",
)
def missing_file_is_healthy(context: Context) -> Iterator[Observation]:
    """Find weight 0 without reverse."""
    for file in context.tracked_files:
        for weight in file.weights if file.is_kachecks else ():
            if weight.value == 0 and not weight.reverse:
                what = f"{file.name} has weight 0 without reverse: a missing file is healthy"
                if file.check is not None and file.check.track.ok:
                    what += f", and the {file.check.track.ok} of a healthy {file.check.name}"
                    what += " is FAULT"
                why = "with weight 0 any number but 0 is FAULT, and what cannot be read is 0"
                node = weight.node or file.definition.node
                yield at(node, what, why, "weight 0 reverse")


@finding(
    "KA402",
    Severity.WARNING,
    "a weight too small for 0 and 1 to cause a failover",
    """\
Without `weight 0` keepalived multiplies the number in the file by the weight and adds the result to
the priority; the default weight is 1. So 1 or 0 in the file is one point more or less: never FAULT,
and the VIP does not move if the nodes are more than a point apart. So a missing file, which reads
as 0, does not cause a failure either.

Do: write `weight 0 reverse` if the file says yes or no; or `weight 1` if it has graded numbers,
such as 50, 0 and -100, with -254 for FAULT.""",
)
def weight_without_failover(context: Context) -> Iterator[Observation]:
    """Find weights by which 0 and 1 change the priority too little to move the VIP."""
    for file in context.tracked_files:
        for weight in file.weights:
            is_meant = weight.node is not None if file.check is None else _is_graded(file.check)
            if not weight.value or is_meant or not file.is_tracked:
                continue
            shown = "no weight, which is 1" if weight.node is None else f"weight {weight.value}"
            what = f"{file.name} has {shown}: neither 0 nor 1 in the file means FAULT"
            why = "number times weight is added to the priority, and a missing file reads as 0"
            yield at(weight.node or file.definition.node, what, why, "weight 0 reverse")


def _is_graded(check: Check) -> bool:
    """Return whether a check has other numbers than 0 and 1."""
    track = check.track
    return not {*track[:4], *(number for _, number in track.reasons)} <= {0, 1, None}


@finding(
    "KA403",
    Severity.ERROR,
    "graded numbers with weight 0 reverse",
    """\
With weight 0 reverse only 0 is FAULT. A check whose `track` in kacheck.toml has another number
for critical, such as -254, is healthy to keepalived when it is critical: a dead node keeps the
VIP.

Do: write weight 1 for the graded numbers; or remove `track` from kacheck.toml: the default is 1
and 0.""",
)
def graded_numbers_reversed(context: Context) -> Iterator[Observation]:
    """Find weight 0 reverse where the numbers of a check are not 0 for critical, 1 for healthy."""
    for file in context.tracked_files:
        check = file.check
        if check is None or (not check.track.critical and check.track.ok):
            continue
        for weight in file.weights:
            if weight.value == 0 and weight.reverse:
                number = check.track.critical or check.track.ok
                path = below_run(file.path)
                what = f"{file.name} has weight 0 reverse, and {path} says {number} when "
                what += "it is critical" if check.track.critical else "all is well"
                why = "with weight 0 reverse 0 is FAULT, and any other number is healthy"
                cure = f"write weight 1, or remove track from {check.name}"
                yield at(weight.node or file.definition.node, what, why, cure)


@finding(
    "KA409",
    Severity.WARNING,
    "the file says FAULT now",
    """\
With its weight, the number in the file now puts the instances that track it into FAULT. For
kacheck's files `kacheck status` says why.

Do: find out why the number was written.""",
)
def says_fault_now(context: Context) -> Iterator[Observation]:
    """Find files whose number is FAULT by its weight."""
    for file in context.tracked_files:
        text = context.system.head(file.path)
        value = value_of(text[:READ].decode("ascii", "replace"))
        for weight in file.weights if text and file.is_tracked else ():
            if _is_fault(value, weight):
                reverse = " reverse" if weight.reverse else ""
                what = (
                    f"{file.path} says {value}: instances that track {file.name} are in FAULT now"
                )
                why = f"its weight is {weight.value}{reverse}"
                yield at(file.line, what, why, "kacheck status; or find out what wrote it")


def _is_fault(value: int, weight: Weight) -> bool:
    if weight.value:
        return value * weight.value * (-1 if weight.reverse else 1) <= FAULT
    return (value == 0) == weight.reverse
