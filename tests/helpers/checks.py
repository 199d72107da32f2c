"""Tables of kacheck.toml, and what a watcher does with them."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

from helpers.watcher import Watcher

NAME = f"ksup-{os.getpid()}"
AT_ONCE = 30.0
"""Seconds within which an event has been acted upon; no look would come for a minute."""


def process_check(name: str = "proc", process: str = NAME, **keys: Any) -> str:
    return check(name, probe="process", name=process, **keys)


def vault_check(address: str, name: str = "vault", **keys: Any) -> str:
    return check(name, probe="vault", address=address, **keys)


def check(table: str, **keys: Any) -> str:
    """Return a table of the configuration."""
    shown = {True: "true", False: "false"}
    lines = [f"{key} = {shown[v] if isinstance(v, bool) else toml(v)}" for key, v in keys.items()]
    return "\n".join([f"[check.{table}]", *lines, ""])


def toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def pending(watcher: Watcher) -> list[int]:
    words = [str(line.get("text", "")).split() for line in [*watcher.lines]]
    return [int(word[1]) for word in words if word[:1] == ["pending"]]


RARELY: dict[str, Any] = {"interval": 60.0, "timeout": 5.0}


def comes_to_say(watcher: Watcher, name: str, words: str) -> list[str]:
    """Wait until the check says this, and return its transitions: a first look may time out."""
    watcher.until(lambda: watcher.transitions(name)[-1:] == [words])
    return watcher.transitions(name)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def wait_until_stopped(pid: int) -> None:
    stat = Path(f"/proc/{pid}/stat")
    while stat.read_text().rpartition(") ")[2][0] != "T":
        time.sleep(0.001)
