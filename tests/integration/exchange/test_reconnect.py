"""Requests that are repeated on new connections, without httpx."""

import socket
from pathlib import Path

import httpx
import pytest

from helpers.certificates import Authority, server_context
from helpers.exchange import Make, files, look, present, said
from helpers.vault import StandInVault
from kacheck.exchange import plain as plain_module
from kacheck.exchange.client import HttpClient

# --- connected again, without httpx -------------------------------------------------------------


def without_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid httpx from now on, unless it is too late to ask at all."""

    def refuse(each: HttpClient, _: object) -> None:
        plain_module.time_left(each.deadline)
        raise httpx.InvalidURL("httpx was asked")

    monkeypatch.setattr(HttpClient, "get", refuse)


def test_what_was_answered_once_is_asked_on_new_connections_without_httpx(
    client: Make, server: StandInVault, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = client(server.address, ca_cert=str(ca))
    first = look(each)
    without_httpx(monkeypatch)
    each.close()
    again = look(each)
    assert server.connections == 2
    assert again[:3] == first[:3]
    assert again.data.get("certificate") == first.data.get("certificate")
    sent, repeated = server.requests
    assert repeated == sent
    assert look(each).reason == "active"
    assert server.connections == 2, "it is kept, too"
    assert "connect" in again.data["phases_ms"]


def test_a_server_that_has_gone_is_refused_without_httpx(
    client: Make, server: StandInVault, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = client(server.address, ca_cert=str(ca))
    said(each)
    without_httpx(monkeypatch)
    server.stop()
    assert said(each) == "critical refused"
    before = files()
    assert [said(each) for _ in range(3)] == ["critical refused"] * 3
    assert files() == before


def test_a_name_that_no_longer_resolves_is_reported_without_httpx(
    client: Make, stand_in: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new client would have to resolve it, too."""
    each = client(f"http://localhost:{stand_in.port}")
    said(each)
    without_httpx(monkeypatch)

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    each.close()
    assert said(each) == "critical dns"


def test_a_given_server_name_is_asked_for_and_verified_without_httpx(
    client: Make, authority: Authority, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandInVault(tls=server_context(authority.server("vault.example"))) as server:
        each = client(server.address, ca_cert=str(ca), tls_server_name="vault.example")
        said(each)
        without_httpx(monkeypatch)
        each.close()
        assert said(each) == "ok active"
        present(server, authority.server("other.example"))
        each.close()
        failed = look(each)
        assert failed.reason == "tls"
        assert "vault.example" in failed.message


def test_what_hangs_on_a_new_connection_is_a_timeout_without_httpx(
    client: Make, stand_in: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = client(stand_in.address)
    said(each)
    without_httpx(monkeypatch)
    stand_in.state = "hang"
    each.close()
    assert said(each, 0.3) == "critical timeout"


def test_what_cannot_be_read_in_one_way_is_asked_with_httpx(
    client: Make, stand_in: StandInVault
) -> None:
    each = client(stand_in.address)
    said(each)
    stand_in.state = "chunked"
    each.close()
    assert said(each) == "ok active"
    assert stand_in.connections == 3


# --- whatever a one-shot accepts ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "verdict"), [("chunked", "ok active"), ("garbage-head", "critical bad-response")]
)
def test_a_server_that_once_answers_oddly_is_asked_without_httpx_afterwards(
    client: Make, stand_in: StandInVault, monkeypatch: pytest.MonkeyPatch, state: str, verdict: str
) -> None:
    """Go's server says Connection: close while it ends."""
    each = client(stand_in.address)
    assert [said(each), said(each)] == ["ok active"] * 2
    stand_in.state = state
    assert said(each) == verdict
    stand_in.state = "active"
    assert said(each) == "ok active"
    without_httpx(monkeypatch)
    assert said(each) == "ok active"
