"""A process that has the name in its executable or script, and calls itself otherwise."""

from __future__ import annotations

import os

from kacheck import procfs

REACH = 4096
"""Bytes of a command line that are looked at."""


def other_name(text: str, proc: str) -> str:
    """Return `; pid 7 runs /x/milvus but calls itself CGO_LOAD: use the path`, or nothing."""
    name = os.fsencode(text)
    try:
        pids = procfs.pids(proc)
        own = procfs.own_pid(proc)
        parents = procfs.ancestors(proc, own)
    except OSError:
        return ""
    for pid in pids:
        if pid == own or pid in parents:
            continue
        try:
            found = path_with_name(procfs.Process(proc, pid), name)
        except (OSError, ValueError):
            continue
        if found is not None:
            path, comm = map(os.fsdecode, found)
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
