"""What a person wants to know of a process that matched. Imports psutil: for --verbose and JSON."""

import os
from contextlib import suppress
from typing import Any

import psutil

from kacheck.procfs import GONE, Process, age
from kacheck.redact import redact
from kacheck.statedir import user_name

LONGEST_COMMAND = 4096
"""Bytes of a command line that are shown."""


def describe(pid: int) -> dict[str, Any]:
    """Pid, user, age in seconds, state and command line; what cannot be read is left out."""
    seen: dict[str, Any] = {"pid": pid}
    try:
        seen["user"] = user_name(Process("/proc", pid).effective_uid())
        seen["age_s"] = round(age(pid), 1)
        state = psutil.Process(pid).status()
        # It was counted, so another thread of it runs.
        seen["state"] = "main thread exited" if state == psutil.STATUS_ZOMBIE else state
    except (psutil.NoSuchProcess, *GONE):
        seen["state"] = "gone"
    except (psutil.Error, OSError):  # before 5.9.6 psutil reads /proc/stat, which lxcfs may serve
        pass
    with suppress(OSError):
        seen["command"] = redact(command(Process("/proc", pid)))
    return seen


def command(process: Process) -> str:
    """Return the command line; of a long one the beginning, with an ellipsis."""
    line = b" ".join(process.argv(LONGEST_COMMAND))
    return os.fsdecode(line.removesuffix(b"\0")) + ("..." if line.endswith(b"\0") else "")
