"""What the watcher leaves in its state directory, read without trusting it."""

import os
import stat
from typing import NamedTuple

from kacheck import statedir
from kacheck.doctor.files.tracked_file import below_run
from kacheck.doctor.machine.system import System
from kacheck.keepalived import Node
from kacheck.keepalived.tracking import Reference, Tracking

MUTE = "kacheck-mute"
"""kacheck.watch.publisher.MUTE, without all that it imports."""


class TrackedCheck(NamedTuple):
    """A check whose track file a configuration tracks."""

    name: str
    line: Node
    """The line that names the file."""
    references: list[Reference]


def tracked_checks(tracking: Tracking, directory: str) -> list[TrackedCheck]:
    """Return the checks whose files in kacheck's track directory are tracked."""
    tracked = []
    for definition in tracking.of_kind("track_file"):
        line = definition.first("file")
        path = below_run("".join(line.arguments[:1])) if line is not None else ""
        if line is not None and os.path.dirname(path) == directory:
            name = os.path.basename(path)
            tracked.append(TrackedCheck(name, line, tracking.referring(definition)))
    return tracked


def watcher_trouble(system: System, state_dir: str) -> str | None:
    """Return why no watcher can be relied on, by the pid file, as kacheck-verdict decides it."""
    words = _head(system, f"{state_dir}/{statedir.PID}").decode("ascii", "replace").split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return "no watcher runs"
    text = system.head(f"/proc/{words[0]}/stat").decode("utf-8", "replace")
    comm, _, rest = text.partition("(")[2].rpartition(") ")
    fields = rest.split()
    if len(fields) < 20 or fields[19] != words[1] or fields[0] in "ZX":
        return f"the watcher, pid {words[0]}, has ended"
    if fields[0] in "Tt":
        return f"the watcher, pid {words[0]}, is stopped (SIGSTOP)"
    return f"the watcher, pid {words[0]}, cannot write its files" if comm == MUTE else None


def verdict_trouble(system: System, state_dir: str, name: str) -> str | None:
    """Return why the verdict of a check is not to be believed."""
    text = _head(system, f"{state_dir}/verdict/{name}").decode("utf-8", "replace")
    published = statedir.parse(text) if text else None
    if published is None:
        return "cannot be read" if text else "is missing"
    return "has expired" if published.expiry <= system.uptime() else None


def _head(system: System, path: str) -> bytes:
    """Return the beginning of a file; nothing of a symbolic link, which another user may set."""
    status = system.status(path)
    return system.head(path) if status is not None and stat.S_ISREG(status.mode) else b""
