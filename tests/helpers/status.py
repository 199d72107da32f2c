"""`kacheck status` of a watcher, and answers of a watcher that does not exist."""

import os
import pathlib
import time
from typing import Any

from helpers.watcher import Watcher
from kacheck import status
from kacheck.cli import main

NAME = f"kstat-{os.getpid()}"


def check(name: str, process: str, more: str = "") -> str:
    return f'[check.{name}]\nprobe = "process"\nname = "{process}"\n{more}\n'


HERE, GONE = check("here", NAME), check("gone", "kstat-none")


def kacheck(watcher: Watcher, *words: str) -> int:
    return main(["status", "--state-dir", str(watcher.state_dir), *words])


def ask(state_dir: pathlib.Path) -> dict[str, Any]:
    return status.ask(str(state_dir))


NOW = time.mktime((2026, 11, 23, 12, 0, 0, 0, 0, -1))


def look(word: str = "ok", reason: str = "running", **more: Any) -> dict[str, Any]:
    values = {"message": "seen", "duration_ms": 0.31, "ago_s": 0.42, "warnings": [], **more}
    return {"status": word, "reason": reason, **values}


def shown(word: str = "ok", reason: str = "running", **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "check": "vault", "message": "all is well", "since": NOW - 10920, "since_s": 10920.0,
        "run": None, "held": None, "last_look": look(word, reason), "drained": None,
        "transitions": [], "exit_code": 0,
    }  # fmt: skip
    return {**values, "status": word, "reason": reason, **more}


def change(ago: float, word: str, reason: str) -> dict[str, Any]:
    return {"at": NOW - ago, "from_status": "ok", "from_reason": "running", "status": word,
            "reason": reason, "after_s": 10.0}  # fmt: skip
