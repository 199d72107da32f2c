"""Fixtures for a watcher and real processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.paths import STAND_IN_VAULT


@pytest.fixture
def vault_process(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Stand-ins in processes of their own: process and address."""
    children: list[subprocess.Popen[str]] = []

    def run(listen: str = "127.0.0.1:0") -> tuple[subprocess.Popen[str], str]:
        argv = [sys.executable, str(STAND_IN_VAULT), "--listen", listen, "--seconds", "60"]
        children.append(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=tmp_path))
        stdout = children[-1].stdout
        assert stdout is not None
        return children[-1], stdout.readline().split()[-1]

    yield run
    for child in children:
        child.kill()
        child.communicate()
