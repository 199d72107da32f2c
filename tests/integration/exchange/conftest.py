"""Fixtures for the HTTP client that keeps a connection."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.certificates import Authority, server_context
from helpers.exchange import Kept
from helpers.vault import StandInVault
from kacheck.exchange import client as client_module
from kacheck.probes.vault.settings import prepare


@pytest.fixture
def stand_in() -> Iterator[StandInVault]:
    with StandInVault() as server:
        yield server


@pytest.fixture
def client() -> Iterator[Callable[..., Kept]]:
    """Clients that are closed at the end: `client(address, ca_cert=...)`."""
    made: list[Kept] = []

    def make(address: str, **options: Any) -> Kept:
        made.append(Kept(prepare({**options, "address": address})))
        return made[-1]

    yield make
    for each in made:
        with each.member.lock:
            each.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the client's connection be older than it is."""

    class Clock:
        ahead = 0.0

        def monotonic(self) -> float:
            return time.monotonic() + self.ahead

    fake = Clock()
    monkeypatch.setattr(client_module, "time", fake)

    def advance(seconds: float) -> None:
        fake.ahead += seconds

    return advance


@pytest.fixture
def tls_server(authority: Authority) -> Iterator[StandInVault]:
    with StandInVault(tls=server_context(authority.server("127.0.0.1"))) as server:
        yield server


@pytest.fixture(params=["http", "https", "ipv6", "unix"])
def server(
    request: pytest.FixtureRequest, authority: Authority, tmp_path: Path
) -> Iterator[StandInVault]:
    if request.param == "ipv6" and not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    options: dict[str, dict[str, Any]] = {
        "http": {},
        "https": {"tls": server_context(authority.server("127.0.0.1"))},
        "ipv6": {"host": "::1"},
        "unix": {"unix_path": tmp_path / "vault.sock"},
    }
    with StandInVault(**options[request.param]) as stand_in:
        yield stand_in
