"""Fixtures for servers with TLS."""

from pathlib import Path

import pytest

from helpers.certificates import Authority


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca(authority: Authority, tmp_path: Path) -> Path:
    """The file that makes kacheck trust the servers of these tests."""
    return authority.write(tmp_path / "ca.pem")
