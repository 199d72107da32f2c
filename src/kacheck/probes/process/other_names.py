"""A process that has the name in its executable or script, and calls itself otherwise."""

from __future__ import annotations

import os

from kacheck import procfs

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from kacheck.deadline import Deadline
    from kacheck.probes.process.options import ProcessOptions

REACH = 4096
"""Bytes of a command line that are read."""
SPARE = 0.2
"""Seconds of the deadline that the search leaves, since the answer is known already."""


def other_name(options: ProcessOptions, deadline: Deadline) -> str:
    """Return `; pid 7 runs /x/milvus but calls itself CGO_LOAD: use the path`, or nothing."""
    name = os.fsencode(options.name)
    if b"/" in name or options.args or options.full_command or options.user is not None:
        return ""
    try:
        pids = procfs.pids(options.proc)
        own = procfs.own_pid(options.proc)
        parents = procfs.ancestors(options.proc, own)
    except OSError:
        return ""
    for pid in pids:
        if deadline.remaining() < SPARE:
            break
        if pid == own or pid in parents:
            continue
        try:
            executable = path_with_name(procfs.Process(options.proc, pid), name)
        except (OSError, ValueError):
            continue
        if executable is not None:
            path, comm = map(os.fsdecode, executable)
            return f"; pid {pid} runs {path} but calls itself {comm}: use the path"
    return ""


def path_with_name(process: procfs.Process, name: bytes) -> tuple[bytes, bytes] | None:
    """Return the path of a living process whose program or script has a name, and its comm."""
    argv = [word for word in process.argv(REACH)[:4] if word]
    if not argv or process.status()["State"][0] in procfs.DEAD:
        return None
    for index, word in enumerate(argv):
        is_script = index > 0 and word[:1] == b"/"
        if word.rpartition(b"/")[2] == name and (index == 0 or is_script):
            path = word
            if b"/" not in word or word[:1] == b".":
                path = process.executable()
            return path, process.comm()
    return None
