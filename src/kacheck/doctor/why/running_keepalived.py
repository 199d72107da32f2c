"""The keepalived that runs with a configuration: its environment and what it may do."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from typing import NamedTuple

from kacheck import procfs
from kacheck.doctor.machine.system import SYSTEMD_PATH, RunningProcess, is_trusted
from kacheck.keepalived import load
from kacheck.keepalived.running import DEFAULT_FILE, FILE_OPTIONS, option

TICK = 0.05
"""Seconds by which the start of a process is not known."""
CAP_NET_ADMIN, CAP_NET_RAW = 12, 13
CAPABILITIES = {
    CAP_NET_ADMIN: ("CAP_NET_ADMIN", "it may not set addresses"),
    CAP_NET_RAW: ("CAP_NET_RAW", "it may not send adverts"),
}


class KeepalivedInUse(NamedTuple):
    """A keepalived, its first process."""

    pid: int
    environment: dict[str, str]
    missing: tuple[str, ...]
    """The capabilities that it lacks, in words."""
    is_current: bool
    """Whether no file of the configuration has changed since it started."""


def running_keepalived(
    processes: Sequence[RunningProcess], conf: str, files: Sequence[str]
) -> KeepalivedInUse | None:
    """Return the keepalived that runs with a configuration; None: none does, or it is hidden."""
    uses = cache(partial(_uses, conf))  # a keepalived is several processes
    for process in processes:
        if process.comm != "keepalived" or not is_trusted(process.pid):
            continue
        if not uses(option(process.argv[1:], FILE_OPTIONS) or DEFAULT_FILE):
            continue
        return KeepalivedInUse(
            process.pid,
            _environment(process.pid),
            tuple(_missing(process.pid)),
            all(_changed(path) <= _started(process.pid) for path in files),
        )
    return None


def _uses(conf: str, used: str) -> bool:
    """Return whether a configuration is the one that is used, or included in it."""
    return _is_same(used, conf) or any(_is_same(path, conf) for path in load(used).files)


def _is_same(one: str, other: str) -> bool:
    with suppress(OSError):
        return os.path.samefile(one, other)
    return False


def _environment(pid: int) -> dict[str, str]:
    with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        entries = [os.fsdecode(entry).partition("=") for entry in file.read().split(b"\0")]
        return {name: value for name, equals, value in entries if equals}
    return {"PATH": SYSTEMD_PATH}


def _missing(pid: int) -> list[str]:
    with suppress(OSError, KeyError, ValueError):
        effective = int(procfs.Process("/proc", pid).status()["CapEff"], 16)
        return [
            f"keepalived lacks {name}: {effect}"
            for bit, (name, effect) in CAPABILITIES.items()
            if not effective >> bit & 1
        ]
    return []


def _changed(path: str) -> float:
    with suppress(OSError):
        return os.stat(path).st_mtime
    return 0.0


def _started(pid: int) -> float:
    """Return when a process began, in seconds since 1970; 0: unknown."""
    with suppress(OSError, ValueError):
        return time.time() - procfs.age(pid) + TICK
    return 0.0
