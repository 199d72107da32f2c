"""Fixtures for kacheck against real servers: the command, a stand-in for Vault, an authority."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.certificates import Authority, server_context
from helpers.vault import StandInVault
from helpers.vault_runs import KEYS, STATUSES, Kacheck, Outcome, not_json
from kacheck.cli import main


@pytest.fixture
def kacheck(capsys: pytest.CaptureFixture[str]) -> Kacheck:
    """Runs kacheck in this process and reads its JSON, whose keys it checks."""

    def run(*arguments: str | Path) -> Outcome:
        command = [os.fspath(argument) for argument in arguments]
        capsys.readouterr()
        begun = time.monotonic()
        code = main([*command, "--format", "json"])
        wall = time.monotonic() - begun
        report = json.loads(capsys.readouterr().out, parse_constant=not_json)
        assert set(report) == KEYS
        assert (report["schema"], report["exit_code"]) == (1, code)
        assert STATUSES[report["status"]] == code
        duration = report["duration_ms"] / 1000
        return Outcome(
            report["status"], report["reason"], report["message"], report["data"], duration, wall
        )

    return run


@pytest.fixture
def vault() -> Iterator[StandInVault]:
    with StandInVault() as stand_in:
        yield stand_in


@pytest.fixture
def tls_vault(authority: Authority) -> Iterator[StandInVault]:
    with StandInVault(tls=server_context(authority.server("127.0.0.1"))) as stand_in:
        yield stand_in
