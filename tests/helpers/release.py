"""A keepalived that is asked for its version alone."""

from pathlib import Path

import pytest


def install(monkeypatch: pytest.MonkeyPatch, directory: Path, release: str) -> None:
    """Put a keepalived of a release first in PATH."""
    program = directory / "bin/keepalived"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\necho 'Keepalived v{release} (01/16,2022)' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
