"""kacheck in a child process: one way to run the command line.

    done = run_kacheck("status", "--state-dir", directory)
    done = run_kacheck("run", settings={"kacheck.exchange.client.KEPT_FOR": 0.3}, wrapper=AS_USER)

It is the package that the test has imported. `settings` are values of its modules, `faults`
functions of faults.py, and `wrapper` is a command that runs it, such as prlimit. A test in whose
process kacheck may run calls `kacheck.cli.main` instead, or the fixture `look`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import kacheck
from helpers.paths import ROOT

SOURCE = Path(kacheck.__file__).parent.parent
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
RUNNER = Path(__file__).with_name("run_kacheck.py")

Fault = Callable[[], None]
"""A function of faults.py, or a partial of one with words."""


def kacheck_command(
    *words: object, settings: Mapping[str, object] | None = None, faults: Sequence[Fault] = ()
) -> list[str]:
    """Return the command that runs kacheck with these words; it needs `environment()`."""
    request = {
        "settings": dict(settings or {}),
        "faults": [_words_of(fault) for fault in faults],
        "coverage": _coverage(),
    }
    return [sys.executable, str(RUNNER), json.dumps(request), *map(str, words)]


def _words_of(fault: Fault) -> list[str]:
    if isinstance(fault, partial):
        return [fault.func.__name__, *fault.args]
    return [fault.__name__]


def _coverage() -> list[str]:
    """Return the data file and the configuration, where this process is measured."""
    coverage = sys.modules.get("coverage")
    if coverage is None or coverage.Coverage.current() is None:
        return []
    return [str(ROOT / ".coverage"), str(ROOT / "pyproject.toml")]


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment, in which a child finds the same kacheck."""
    return {**os.environ, "PYTHONPATH": str(SOURCE), **more}


def run_kacheck(
    *words: object,
    wrapper: Sequence[object] = (),
    settings: Mapping[str, object] | None = None,
    faults: Sequence[Fault] = (),
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run kacheck to its end; `options` are those of subprocess.run."""
    argv = [*map(str, wrapper), *kacheck_command(*words, settings=settings, faults=faults)]
    given = {"capture_output": True, "env": environment(), "timeout": 60, **options}
    return subprocess.run(argv, check=False, text=True, **given)
