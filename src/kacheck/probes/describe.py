"""What a person wants to know of a process that matched. Imports psutil: for --verbose and JSON."""

import os
import pwd
import time
from typing import Any

import psutil


def describe(pid: int, argv: list[bytes]) -> dict[str, Any]:
    """Pid, user, age in seconds, command line and state; what cannot be read is left out."""
    seen: dict[str, Any] = {"pid": pid}
    try:
        process = psutil.Process(pid)
        seen["user"] = user_name(process.uids().effective)
        seen["age_s"] = round(time.time() - process.create_time(), 1)
        seen["state"] = process.status()
    except psutil.Error:
        seen["state"] = "gone"
    seen["command"] = os.fsdecode(b" ".join(argv))
    return seen


def user_name(uid: int) -> str:
    """The name of a user, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
