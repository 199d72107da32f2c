"""The entry points of the probes, checks/kacheck-PROBE, made from script/entry-point.in.

And the reasons in checks/kacheck-verdict that its --accept takes.

Needs Python and nothing else. They are checked in, so that a checkout works as it is.
"""  # noqa: INP001

import os
import re

from kacheck.probes import MODULES, probe, reasons
from kacheck.result import Status

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def texts() -> dict[str, str]:
    """Return the text of each entry point, by its name."""
    with open(f"{ROOT}/script/entry-point.in", encoding="utf-8") as file:
        template = file.read()
    probes = {f"kacheck-{name}": entry_point(template, name) for name in MODULES}
    return {**probes, "kacheck-verdict": verdict()}


def entry_point(template: str, name: str) -> str:
    """Return the template filled in for a probe."""
    return template.replace("@SUMMARY@", probe(name).summary).replace("@PROBE@", name)


def verdict() -> str:
    """Return kacheck-verdict with the reasons that a warning may have."""
    with open(f"{ROOT}/checks/kacheck-verdict", encoding="utf-8") as file:
        text = file.read()
    words = [word for word, reason in reasons().items() if Status.WARNING in reason.statuses]
    line = f"warnings=' {' '.join(words)} ' # generated"
    return re.sub("^warnings=.*$", line, text, count=1, flags=re.MULTILINE)


def write() -> None:
    """Write all of them to checks/."""
    for name, text in texts().items():
        path = f"{ROOT}/checks/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)  # noqa: S103 - programs
