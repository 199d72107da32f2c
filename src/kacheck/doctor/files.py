"""KA4: track_file: weights that fail open, files that nobody writes, directories that go away."""

import os
import re
from collections.abc import Iterator, Mapping

from kacheck.check import Check
from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.reading import Definition, Setup, Weight, below_run, found
from kacheck.doctor.system import System
from kacheck.doctor.units import runtime_directories
from kacheck.keepalived import Node

OPEN = Code(
    "KA401",
    Severity.ERROR,
    "weight 0 without reverse: a missing file is healthy",
    """\
With weight 0 any number but 0 is FAULT, and 0 is healthy. A file that is missing, empty or
garbled reads as 0 (process_track_file() in trackers/track_file.c), so everything that can go
wrong with it keeps the VIP; and 1 for healthy, as kacheck writes it, is FAULT.

Do: weight 0 reverse, and 1 in the file for healthy.""",
)
NO_FAULT = Code(
    "KA402",
    Severity.WARNING,
    "a weight by which 0 and 1 change the priority by little",
    """\
Without `weight 0` the number in the file, times the weight, is added to the priority; the
default weight is 1. So 1 or 0 in the file is one point more or less: never FAULT, and no change
of the VIP where the nodes are more than a point apart. A missing file reads as 0, which is no
failure then.

Do: weight 0 reverse for yes or no; weight 1 with graded numbers, such as 50, 0, -100 and -254
for FAULT.""",
)
GRADED = Code(
    "KA403",
    Severity.ERROR,
    "graded numbers with weight 0 reverse",
    """\
With weight 0 reverse only 0 is FAULT. A check whose `track` in kacheck.toml has another number
for critical, such as -254, is healthy to keepalived when it is critical: a dead node keeps the
VIP.

Do: weight 1 for the graded numbers; or leave `track` out of kacheck.toml, which means 1 and 0.""",
)
RECREATED = Code(
    "KA404",
    Severity.WARNING,
    "a directory that a service makes anew",
    """\
systemd removes a RuntimeDirectory= when the service stops and makes another at its start.
keepalived watches the old one with inotify(7): it sees the files go, which reads as 0, and
nothing of the new ones until it is reloaded (init_track_files() in trackers/track_file.c
resolves the path once).

Do: a directory of tmpfiles.d, as kacheck's is; or RuntimeDirectoryPreserve=yes in the unit.""",
)
INIT = Code(
    "KA405",
    Severity.WARNING,
    "init_file overwrites the file at each start",
    """\
keepalived from 2.2.8 to 2.3.2 writes the initial value over a file that is there already,
`overwrite` or not (track_file_end_handler(); 3f386640 changed it in 2.3.3; 2.2.7 leaves it
alone, seen). The file is root's with mode 0600 then. Until its writer writes again, the value
says nothing.

Do: leave init_file out: a missing file reads as 0, which is FAULT with weight 0 reverse.""",
)
UNWRITTEN = Code(
    "KA406",
    Severity.WARNING,
    "a file that is not there",
    """\
A missing file reads as 0: FAULT with weight 0 reverse, healthy with weight 0, and no change of
the priority otherwise. It is not below kacheck's track directory, so the watcher will not write
it.

Do: start what writes it; or correct the path.""",
)
NO_PATH = Code(
    "KA407",
    Severity.ERROR,
    "a track_file without a file",
    """\
keepalived drops the block: "No file set for track_file". Its references are "not found,
ignoring...", and the instances run untracked.

Do: file "/path".""",
)
NO_DIRECTORY = Code(
    "KA408",
    Severity.ERROR,
    "a track_file in a directory that is not there",
    """\
keepalived watches the directory. Where that does not exist when it starts, it removes the
track_file, "Track file directory for NAME does not exist - removing", and the instances run
untracked until it is reloaded: the VIP stays whatever is written later.

Do: make the directory at boot (tmpfiles.d), before keepalived; then reload keepalived.""",
)
FAULT_NOW = Code(
    "KA409",
    Severity.WARNING,
    "the file says FAULT now",
    """\
By its weight the number that is in the file now puts the instances that track it into FAULT.
With kacheck's files `kacheck status` says why.

Do: find out why its writer wrote it.""",
)
CODES = (
    OPEN, NO_FAULT, GRADED, RECREATED, INIT, UNWRITTEN, NO_PATH, NO_DIRECTORY, FAULT_NOW,
)  # fmt: skip
FAULT = -254
Checks = Mapping[str, Check]
"""kacheck's checks by the path of their track files."""


def findings(setup: Setup, checks: Checks) -> Iterator[Finding]:
    """All of them."""
    runtime: dict[str, str] | None = None
    for definition in setup.of_kind("track_file"):
        line = definition.first("file")
        if line is None or not line.arguments:
            what = f"{definition.name} names no file: who tracks it runs untracked"
            yield found(
                NO_PATH, definition.node, what, "keepalived drops the block", 'file "/path"'
            )
            continue
        path = below_run(line.arguments[0])
        for weight in weights(setup, definition):
            yield from weighed(definition, path, weight, checks)
            yield from now(setup.system, definition, line, weight)
        yield from init_file(setup, definition)
        yield from presence(setup.system, definition, line, checks)
        if path.startswith("/run/"):
            runtime = runtime_directories(setup.system) if runtime is None else runtime
            yield from recreated(line, path, runtime)


def weights(setup: Setup, definition: Definition) -> list[Weight]:
    """The different ones by which it counts."""
    used = [each.weight(definition.weight) for each in setup.referring(definition)]
    return [*{weight[:2]: weight for weight in used or [definition.weight]}.values()]


def weighed(definition: Definition, path: str, weight: Weight, checks: Checks) -> Iterator[Finding]:
    """Does the weight do what the numbers mean?"""
    node = weight.node or definition.node
    check = checks.get(path)
    if weight.value == 0 and not weight.reverse:
        what = f"{definition.name} has weight 0 without reverse: a missing file is healthy"
        if check is not None and check.track.ok:
            what += f", and the {check.track.ok} of a healthy {check.name} is FAULT"
        why = "with weight 0 any number but 0 is FAULT, and what cannot be read is 0"
        yield found(OPEN, node, what, why, "weight 0 reverse")
    elif weight.value == 0 and check is not None and (check.track.critical or not check.track.ok):
        number = check.track.critical or check.track.ok
        what = f"{definition.name} has weight 0 reverse, and {path} says {number} when "
        what += "it is critical" if check.track.critical else "all is well"
        why = "with weight 0 reverse 0 is FAULT, and any other number is healthy"
        yield found(GRADED, node, what, why, f"weight 1, or no track for {check.name}")
    elif weight.value and (weight.node is None if check is None else is_binary(check)):
        shown = "no weight, which is 1" if weight.node is None else f"weight {weight.value}"
        what = f"{definition.name} has {shown}: 0 and 1 in the file are no FAULT"
        why = "number times weight is added to the priority, and a missing file reads as 0"
        yield found(NO_FAULT, node, what, why, "weight 0 reverse")


def is_binary(check: Check) -> bool:
    """Are 0 and 1 all of its numbers?"""
    track = check.track
    numbers = (*track[:4], *(number for _, number in track.reasons))
    return {*numbers} <= {0, 1}


def now(system: System, definition: Definition, line: Node, weight: Weight) -> Iterator[Finding]:
    """What the file says as it is."""
    path = line.arguments[0]
    text = system.head(path)
    if not text:
        return
    value = value_of(text[:127].decode("ascii", "replace"))
    if weight.value:
        is_fault = value * weight.value * (-1 if weight.reverse else 1) <= FAULT
    else:
        is_fault = (value == 0) == weight.reverse
    if is_fault:
        reverse = " reverse" if weight.reverse else ""
        what = f"{path} says {value}: who tracks {definition.name} is in FAULT now"
        why = f"its weight is {weight.value}{reverse}"
        yield found(FAULT_NOW, line, what, why, "kacheck status, or ask whoever writes it")


def value_of(text: str) -> int:
    """strtol(3) with base 0; 0 for what is no number."""
    match = re.match(r"\s*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))", text)
    if match is None:
        return 0
    sign, hexadecimal, octal, decimal = match.groups()
    value = int(hexadecimal or octal or decimal, 16 if hexadecimal else 8 if octal else 10)
    return -value if sign == "-" else value


def init_file(setup: Setup, definition: Definition) -> Iterator[Finding]:
    """Is the file overwritten?"""
    line = definition.last("init_file")
    if line is None or not (setup.is_from(2, 2, 8) and setup.is_before(2, 3, 3)):
        return
    if "overwrite" not in line.arguments:
        what = f"{definition.name}: init_file overwrites the file at each start of keepalived"
        why = "keepalived from 2.2.8 to 2.3.2 does so, with or without `overwrite`"
        yield found(INIT, line, what, why, "leave init_file out")


def presence(
    system: System, definition: Definition, line: Node, checks: Checks
) -> Iterator[Finding]:
    """Are the file and its directory there?"""
    path = line.arguments[0]
    directory = os.path.dirname(path) or "/"
    if system.is_missing(directory):
        what = f"{directory} does not exist: who tracks {definition.name} runs untracked"
        why = "keepalived removes a track_file whose directory is not there at the start"
        yield found(NO_DIRECTORY, line, what, why, "make it at boot, then reload keepalived")
    elif system.is_missing(path) and below_run(path) not in checks:
        what = f"{path} does not exist, and is no track file of kacheck's"
        yield found(UNWRITTEN, line, what, "it reads as 0", "start what writes it")


def recreated(line: Node, path: str, runtime: Mapping[str, str]) -> Iterator[Finding]:
    """Does the directory end with a service?"""
    for directory, unit in runtime.items():
        if path.startswith(f"{directory}/"):
            what = f"{directory} is made anew at each start of {os.path.basename(unit)}"
            why = f"{unit} has it as RuntimeDirectory=; keepalived goes on watching the old one"
            yield found(RECREATED, line, what, why, "a directory of tmpfiles.d")
