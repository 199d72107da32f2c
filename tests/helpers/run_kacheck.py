"""Run kacheck after the faults and with the settings that a test asks for; see child.py.

    python3 tests/helpers/run_kacheck.py REQUEST WORD...

REQUEST is JSON. It is an argument, so that a watcher that executes itself keeps it.
"""

import contextlib
import importlib
import json
import os
import sys
from typing import Any

sys.path[0] = os.path.dirname(sys.path[0])  # `helpers`, and not each of its modules


def measure(data: str, config: str) -> None:
    """Measure coverage until the process ends or executes itself; pytest-cov combines the data."""
    import coverage

    measured = coverage.Coverage(data_file=data, data_suffix=True, config_file=config)
    measured.start()

    def save_before(real: Any) -> Any:
        def saving(*args: Any) -> Any:
            with contextlib.suppress(Exception):  # another user may not write its data here
                measured.stop()
                measured.save()
            return real(*args)

        return saving

    os._exit, os.execv = save_before(os._exit), save_before(os.execv)


def apply(setting: str, value: object) -> None:
    """Set `module.NAME`; it must exist."""
    module, _, name = setting.rpartition(".")
    place = importlib.import_module(module)
    getattr(place, name)
    setattr(place, name, value)


def main() -> None:
    request = json.loads(sys.argv.pop(1))
    sys.argv[0] = "kacheck"
    if request["coverage"]:
        measure(*request["coverage"])
    for setting, value in request["settings"].items():
        apply(setting, value)
    for name, *words in request["faults"]:
        getattr(importlib.import_module("helpers.faults"), name)(*words)
    from kacheck.cli import run

    run()


main()
