"""A track_file as keepalived reads it, and kacheck's check that writes the file. Pure."""

import os
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from kacheck.check import Check
from kacheck.keepalived import Node
from kacheck.keepalived.tracking import Definition, Tracking, Weight


class TrackedFile(NamedTuple):
    """A track_file that names a file."""

    definition: Definition
    line: Node
    """Its `file` statement."""
    weights: list[Weight]
    """The different weights by which it counts."""
    check: Check | None
    """The check whose verdicts kacheck's watcher writes to it."""
    is_kachecks: bool = False
    """Whether it is in kacheck's track directory, where 1 is healthy; others have own meanings."""
    is_tracked: bool = True
    """Whether VRRP tracks it; a FILE_CHECK of a virtual server may be its only reader."""

    @property
    def name(self) -> str:
        """The name by which it is tracked."""
        return self.definition.name

    @property
    def path(self) -> str:
        """The path of the file, as it is configured."""
        return self.line.arguments[0]


def read_tracked_files(
    tracking: Tracking,
    checks: Mapping[str, Check],
    directory: str,
    file_checks: AbstractSet[str],
) -> list[TrackedFile]:
    """Return the track_file blocks that name a file.

    `checks` are kacheck's, by track file in its `directory`; `file_checks` are the names that
    FILE_CHECKs of virtual servers have.
    """
    definitions = tracking.of_kind("track_file")
    lines = [(definition, definition.first("file")) for definition in definitions]
    return [
        TrackedFile(
            definition,
            line,
            _weights(tracking, definition),
            checks.get(below_run(line.arguments[0])),
            os.path.dirname(below_run(line.arguments[0])) == directory,
            definition.name not in file_checks or bool(tracking.referring(definition)),
        )
        for definition, line in lines
        if line is not None and line.arguments
    ]


def _weights(tracking: Tracking, definition: Definition) -> list[Weight]:
    used = [reference.weight(definition.weight) for reference in tracking.referring(definition)]
    return [*{weight[:2]: weight for weight in used or [definition.weight]}.values()]


def below_run(path: str) -> str:
    """Return `/run/x` for `/var/run/x`, which is the same directory everywhere."""
    return path.removeprefix("/var") if path.startswith("/var/run/") else path


def value_of(text: str) -> int:
    """Return what strtol(3) with base 0 makes of a file's content; 0 if it is not a number."""
    match = re.match(r"\s*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))", text)
    if match is None:
        return 0
    sign, hexadecimal, octal, decimal = match.groups()
    value = int(hexadecimal or octal or decimal, 16 if hexadecimal else 8 if octal else 10)
    return -value if sign == "-" else value
