"""What the installed keepalived reads of a file: it names each unknown keyword with its line."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from kacheck.keepalived import Configuration, Kind, Node, Version
from kacheck.keepalived.program import find_keepalived

NOTICE = re.compile(
    r"\((?:(.*?): )?Line (\d+)\) (?:Unknown keyword '(.*)'|Unexpected '(\{)' - ignoring)$"
)
FIRST = "first"
"""The keyword that a text has to begin with, as each of keepalived's processes reads it again."""
ENVIRONMENT = {"PROBE": "(_ENV:PROBE)"}
"""What the reader writes for a variable that it does not know, so that both say the same."""


def installed() -> Version:
    """Return the release of the keepalived in PATH."""
    keepalived = find_keepalived("", os.environ.get("PATH", ""))
    assert keepalived is not None
    assert keepalived.version is not None
    return keepalived.version


def ask(path: Path) -> subprocess.CompletedProcess[str]:
    """Return what `keepalived -t` says of a file."""
    command = ["unshare", "--net", "timeout", "-s", "KILL", "10"]
    keepalived = shutil.which("keepalived")
    assert keepalived is not None
    return subprocess.run(
        [*command, keepalived, "-t", "-i", "node1", "-f", path],
        check=False,
        capture_output=True,
        cwd=path.parent,
        env={**os.environ, **ENVIRONMENT},
        encoding="utf-8",
        errors="surrogateescape",
    )


def keepalived_events(path: Path) -> list[tuple[int, str]]:
    """Return the lines and keywords that keepalived's VRRP process reads, `{` included.

    Since 2.2.0 its messages name the file and its parent's do not; before that both read the same.
    """
    run = ask(path)
    assert run.returncode in (0, 4, 5), run.stderr
    notices = [notice for line in run.stderr.split("\n") if (notice := NOTICE.match(line))]
    if installed() >= (2, 2, 0):
        notices = [notice for notice in notices if notice[1]]
    found = [(int(notice[2]), notice[3] if notice[4] is None else "{") for notice in notices]
    starts = [index for index, (_, keyword) in enumerate(found) if keyword == FIRST]
    return found[starts[0] : starts[1]]


def our_events(configuration: Configuration) -> list[tuple[int | None, str]]:
    """Return the same for what kacheck has read; the line of a brace is unknown."""
    found: list[tuple[int | None, str]] = []
    closing: list[Node] = []
    for node in configuration.root.walk():
        while closing and closing[-1] is not node.parent:
            found += [(None, "}")] if closing.pop().close is not None else []
        if node.words:
            found.append((node.position.line, node.keyword))
        elif node.kind is Kind.CLOSE:
            found.append((node.position.line, "}"))
        if node.children is not None:
            found.append((None, "{"))
            closing.append(node)
    return found + [(None, "}") for node in reversed(closing) if node.close is not None]
