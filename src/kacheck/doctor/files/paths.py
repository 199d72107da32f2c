"""KA404 to KA408: the paths of tracked files."""

import os
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.files.runtime_directories import runtime_directories
from kacheck.doctor.files.tracked_file import below_run
from kacheck.doctor.finding import Observation, Severity, at, finding


@finding(
    "KA404",
    Severity.WARNING,
    "a directory that a service recreates",
    """\
systemd removes a RuntimeDirectory= when the service stops, and makes a new one when it starts.
keepalived watches the old one with inotify(7): it sees that the files disappear, which reads as 0,
and does not see the new ones until it is reloaded (init_track_files() in trackers/track_file.c
resolves the path once).

Do: use a directory of tmpfiles.d, as kacheck does; or RuntimeDirectoryPreserve=yes in the unit.""",
)
def recreated_directory(context: Context) -> Iterator[Observation]:
    """Find directories that a service recreates at each start."""
    files = [file for file in context.tracked_files if below_run(file.path).startswith("/run/")]
    directories = runtime_directories(context.system) if files else {}
    for file in files:
        for directory, unit in directories.items():
            if below_run(file.path).startswith(f"{directory}/"):
                what = f"{directory} is recreated at each start of {os.path.basename(unit)}"
                why = f"{unit} has it as RuntimeDirectory=; keepalived keeps watching the old one"
                yield at(file.line, what, why, "use a directory of tmpfiles.d")


@finding(
    "KA405",
    Severity.WARNING,
    "init_file overwrites the file at each start",
    """\
keepalived from 2.2.8 to 2.3.2 writes the initial value over an existing file, with or without
`overwrite` (track_file_end_handler(); 3f386640 changed it in 2.3.3; 2.2.7 leaves the file alone,
seen). The file then belongs to root and has mode 0600. Until its writer writes again, the value
means nothing.

Do: leave init_file out: a missing file reads as 0, which is FAULT with weight 0 reverse.""",
)
def overwritten_at_start(context: Context) -> Iterator[Observation]:
    """Find files that keepalived overwrites at each start."""
    for file in context.tracked_files:
        line = file.definition.last("init_file")
        is_affected = context.is_from(2, 2, 8) and context.is_before(2, 3, 3)
        if line is not None and is_affected and "overwrite" not in line.arguments:
            what = f"{file.name}: init_file overwrites the file at each start of keepalived"
            why = "keepalived from 2.2.8 to 2.3.2 does so, with or without `overwrite`"
            yield at(line, what, why, "leave init_file out")


@finding(
    "KA406",
    Severity.WARNING,
    "a tracked file that does not exist",
    """\
A missing file reads as 0: FAULT with weight 0 reverse, healthy with weight 0, and no change of
the priority otherwise. The file is not in kacheck's track directory, so the watcher will not write
it. There is no finding if init_file creates the file, if only a FILE_CHECK reads it, or if 0 is
healthy.

Do: start what writes it; or correct the path.""",
)
def missing_file(context: Context) -> Iterator[Observation]:
    """Find files that are missing, and that kacheck does not write."""
    for file in context.tracked_files:
        is_missing = context.system.is_missing(file.path) and file.check is None
        is_meant = file.definition.last("init_file") is not None or not file.is_tracked
        if file.weights and all(not weight.value and not weight.reverse for weight in file.weights):
            is_meant = is_meant or not file.is_kachecks  # a switch: no file is its 0
        if is_missing and not is_meant and not context.system.is_missing(_directory(file.path)):
            what = f"{file.path} does not exist, and is not a track file of kacheck"
            yield at(file.line, what, "it reads as 0", "start what writes it")


@finding(
    "KA407",
    Severity.ERROR,
    "a track_file without a file",
    """\
keepalived drops the block: "No file set for track_file". Its references are "not found,
ignoring...", and the instances run unmonitored.

Do: file "/path".""",
)
def no_file(context: Context) -> Iterator[Observation]:
    """Find blocks that name no file."""
    named = {file.definition.order for file in context.tracked_files}
    for definition in context.tracking.of_kind("track_file"):
        if definition.order not in named and definition.node.children is not None:
            what = f"{definition.name} names no file: instances that track it run unmonitored"
            yield at(definition.node, what, "keepalived drops the block", 'file "/path"')


@finding(
    "KA408",
    Severity.ERROR,
    "a track_file in a directory that does not exist",
    """\
keepalived watches the directory. If it does not exist when keepalived starts, keepalived removes
the track_file, "Track file directory for NAME does not exist - removing". The instances run
unmonitored until a reload: the VIP stays whatever is written later.

Do: make the directory at boot (tmpfiles.d), before keepalived; then reload keepalived.""",
)
def missing_directory(context: Context) -> Iterator[Observation]:
    """Find files in a directory that does not exist."""
    for file in context.tracked_files:
        directory = _directory(file.path)
        if context.system.is_missing(directory) and file.is_tracked:
            what = f"{directory} does not exist: instances that track {file.name} run unmonitored"
            why = "keepalived removes a track_file whose directory is missing when it starts"
            yield at(file.line, what, why, "make it at boot, then reload keepalived")


def _directory(path: str) -> str:
    return os.path.dirname(path) or "/"
