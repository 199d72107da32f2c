"""No keepalived judges what these tests migrate."""

import pytest

from kacheck.migrate import verify


@pytest.fixture
def _without_keepalived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "program", lambda: None)
