"""What a person wants to know of a process that matched. Imports psutil: for --verbose and JSON."""

import os
import pwd
import time
from typing import Any

import psutil

from kacheck.probes.procfs import GONE, Process
from kacheck.redact import redact


def describe(pid: int, argv: list[bytes]) -> dict[str, Any]:
    """Pid, user, age in seconds, state and command line; what cannot be read is left out."""
    seen: dict[str, Any] = {"pid": pid}
    try:
        process = psutil.Process(pid)
        seen["user"] = user_name(process.uids().effective)
        seen["age_s"] = age(pid)
        state = process.status()
        # It was counted, so another thread of it runs.
        seen["state"] = "main thread exited" if state == psutil.STATUS_ZOMBIE else state
    except (psutil.Error, *GONE):
        seen["state"] = "gone"
    seen["command"] = redact(os.fsdecode(b" ".join(argv)))
    return seen


def age(pid: int) -> float:
    """Seconds since the process was started.

    Not with psutil's create_time(), which adds the start to the boot time of /proc/stat: lxcfs
    shows a container's own there, and so an age below zero.
    """
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return round(since_boot - Process("/proc", pid).started_ticks() / os.sysconf("SC_CLK_TCK"), 1)


def user_name(uid: int) -> str:
    """The name of a user, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
