"""The command that comes after this one."""

import os
import shlex
import sys
from contextlib import suppress

from kacheck import statedir

SYSTEMD = "/run/systemd/system"
"""It is there where systemd is the init system (sd_booted(3))."""


def reload_watcher(state_dir: str) -> str:
    """Return the command with which the watcher takes its configuration, started if need be."""
    pid = watcher_pid(state_dir)
    if state_dir == statedir.DEFAULT and os.path.isdir(SYSTEMD):
        return f"systemctl {'start' if pid is None else 'reload'} kacheck"
    if pid is not None:
        return f"kill -HUP {pid}"
    return f"kacheck watch{elsewhere(state_dir)}"


def see_status(state_dir: str) -> str:
    """Return the command that shows the watcher's verdicts once it has them."""
    return f"kacheck status --wait{elsewhere(state_dir)}"


def elsewhere(state_dir: str) -> str:
    """Return the option for a state directory that is not the usual one."""
    return "" if state_dir == statedir.DEFAULT else f" --state-dir {shlex.quote(state_dir)}"


def watcher_pid(state_dir: str) -> int | None:
    """Return the pid that the watcher has left, if that process runs."""
    with suppress(OSError, ValueError, IndexError):
        with open(f"{state_dir}/{statedir.PID}", encoding="ascii") as file:
            pid = int(file.read(100).split()[0])
        if os.path.exists(f"/proc/{pid}"):
            return pid
    return None


def reload_keepalived() -> str:
    """Return the command with which keepalived takes its configuration."""
    return "systemctl reload keepalived" if os.path.isdir(SYSTEMD) else "pkill -HUP -o keepalived"


def is_logged() -> bool:
    """Return whether standard output is systemd's journal, which types no command."""
    with suppress(AttributeError, OSError, ValueError):
        status = os.fstat(sys.stdout.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False
