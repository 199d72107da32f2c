"""`kacheck vault` and `kacheck combined`: what each answer means, and what is asked."""

import gc
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from helpers.vault import HEALTH, STATES, WORDS, StandInVault
from helpers.vault_runs import BAD, DEADLINE, ENDLESS, ROLES, Kacheck, assert_in_time, closed_port

SAID = {
    "active": ("ok", "active"),
    "standby": ("warning", "standby"),
    "performance-standby": ("warning", "performance-standby"),
    "dr-secondary": ("warning", "dr-secondary"),
    "dr-secondary-standby": ("warning", "dr-secondary"),
    "ha-unhealthy": ("critical", "ha-unhealthy"),
    "sealed": ("critical", "sealed"),
    "uninitialized": ("critical", "uninitialized"),
    "removed": ("critical", "removed"),
    "openbao-active": ("ok", "active"),
    "openbao-standby": ("warning", "standby"),
    "openbao-sealed": ("critical", "sealed"),
    "openbao-2.6": ("ok", "active"),
    "rate-limited": ("unknown", "rate-limited"),
    "bad-request": BAD,
    "forbidden-forwarded": BAD,
    "method-not-allowed": BAD,
    "error": BAD,
    "200-sealed": BAD,
    "200-standby": BAD,
    "200-uninitialized": BAD,
    "200-no-fields": BAD,
    "200-strings": BAD,
    "200-integers": BAD,
    "200-nulls": BAD,
    "200-not-json": BAD,
    "200-not-utf-8": BAD,
    "200-control-characters": ("ok", "active"),
    "200-truncated": BAD,
    "200-empty": BAD,
    "200-list": BAD,
    "200-nested": BAD,
    "204-no-content": BAD,
    "404": BAD,
    "429-not-standby": BAD,
    "501-initialized": BAD,
    "501-elsewhere": BAD,
    "502-html": BAD,
    "503-not-sealed": BAD,
    "503-html": BAD,
}
DONE = {
    "chunked": ("ok", "active"),
    "http-1.0": ("ok", "active"),
    "100-continue": ("ok", "active"),
    "reset": ("critical", "reset"),
    "close": ("critical", "reset"),
    "redirect": ("critical", "redirect"),
    "redirect-permanent": ("critical", "redirect"),
    "garbage-head": BAD,
    "huge": BAD,
    "huge-chunked": BAD,
    "huge-declared": BAD,
    "huge-headers": BAD,
    "gzip-bomb": BAD,
    "gzip-bomb-active": BAD,
}
UNDECIDED = ("200-nan",)
"""Whether to believe it is open; how to report it is not."""
BROKEN_OFF = ("reset-halfway", "short-body", "garbage")


# --- what each answer means --------------------------------------------------------------------


def test_every_answer_of_the_stand_in_is_covered_here() -> None:
    assert {*SAID, *UNDECIDED} == set(STATES)
    assert {*SAID, *UNDECIDED, *DONE, *BROKEN_OFF, *ENDLESS, "hang-tls"} == WORDS


@pytest.mark.parametrize(("state", "said"), (SAID | DONE).items(), ids=SAID | DONE)
def test_each_answer_has_its_status_and_reason(
    kacheck: Kacheck, vault: StandInVault, state: str, said: tuple[str, str]
) -> None:
    vault.state = state
    assert kacheck("vault", "--address", vault.address).said == said


@pytest.mark.parametrize("state", BROKEN_OFF)
def test_a_truncated_answer_is_critical_even_with_complete_json(
    kacheck: Kacheck, vault: StandInVault, state: str
) -> None:
    vault.state = state
    outcome = kacheck("vault", "--address", vault.address)
    assert outcome.status == "critical"
    assert outcome.reason in {"reset", "bad-response"}


@pytest.mark.parametrize("accepted", ROLES)
@pytest.mark.parametrize("state", ROLES)
def test_an_accepted_role_is_ok_and_any_other_a_warning(
    kacheck: Kacheck, vault: StandInVault, state: str, accepted: str
) -> None:
    vault.state = state
    outcome = kacheck("vault", "--address", vault.address, "--accept", accepted)
    assert outcome.said == ("ok" if state == accepted else "warning", state)


def test_accept_may_be_repeated(kacheck: Kacheck, vault: StandInVault) -> None:
    options = ("vault", "--address", vault.address, "--accept", "active", "--accept", "standby")
    statuses = []
    for state in ("active", "standby", "performance-standby", "sealed"):
        vault.state = state
        statuses.append(kacheck(*options).status)
    assert statuses == ["ok", "ok", "warning", "critical"]


@pytest.mark.parametrize("state", ["200-standby", "429-not-standby", "503-html"])
def test_no_accept_makes_a_contradictory_answer_ok(
    kacheck: Kacheck, vault: StandInVault, state: str
) -> None:
    vault.state = state
    accept = [word for role in ROLES for word in ("--accept", role)]
    assert kacheck("vault", "--address", vault.address, *accept).said == BAD


def test_a_refused_forwarding_names_the_listener_option_that_refuses(
    kacheck: Kacheck, vault: StandInVault
) -> None:
    vault.state = "forbidden-forwarded"
    outcome = kacheck("vault", "--address", vault.address)
    assert "x_forwarded_for_authorized_addrs" in outcome.message


def test_nothing_listening_is_refused(kacheck: Kacheck) -> None:
    outcome = kacheck("vault", "--address", f"http://127.0.0.1:{closed_port()}")
    assert outcome.said == ("critical", "refused")


def test_a_name_that_does_not_resolve_is_dns(
    kacheck: Kacheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    outcome = kacheck("vault", "--address", "http://vault.example.org:8200")
    assert outcome.said == ("critical", "dns")
    assert "vault.example.org" in outcome.message


@pytest.mark.parametrize("state", ["active", "sealed"])
def test_a_unix_socket_works(kacheck: Kacheck, tmp_path: Path, state: str) -> None:
    with StandInVault(state, unix_path=tmp_path / "vault.sock") as vault:
        assert kacheck("vault", "--address", vault.address).said == SAID[state]
        assert [request.header("Host") for request in vault.requests] == [["localhost"]]


# httpcore leaves the socket to the garbage collector when its connect() fails.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_missing_unix_socket_is_refused(kacheck: Kacheck, tmp_path: Path) -> None:
    outcome = kacheck("vault", "--address", f"unix://{tmp_path}/none.sock")
    assert outcome.said == ("critical", "refused")
    gc.collect()  # in this test, and not in the next


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_an_address_may_have_a_name_and_a_trailing_slash(
    kacheck: Kacheck, vault: StandInVault, host: str
) -> None:
    assert kacheck("vault", "--address", f"http://{host}:{vault.port}/").status == "ok"
    assert [request.target for request in vault.requests] == [HEALTH]


def test_an_ipv6_address_is_understood(kacheck: Kacheck) -> None:
    outcome = kacheck("vault", "--address", f"http://[::1]:{closed_port()}")
    assert outcome.status == "critical"


# --- one plain GET -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["active", "standby", "error", "rate-limited", "reset", "close"])
def test_it_asks_once_whatever_the_answer(
    kacheck: Kacheck, vault: StandInVault, state: str
) -> None:
    vault.state = state
    kacheck("vault", "--address", vault.address)
    assert [(r.method, r.target) for r in vault.requests] == [("GET", HEALTH)]
    assert vault.connections == 1


def test_it_sends_no_token_no_namespace_and_no_password(
    kacheck: Kacheck, vault: StandInVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login anna password hvs.secret\n")
    netrc.chmod(0o600)
    for name, value in {
        "VAULT_TOKEN": "hvs.secret",
        "BAO_TOKEN": "hvs.secret",
        "VAULT_NAMESPACE": "team/hvs.secret",
        "BAO_NAMESPACE": "team/hvs.secret",
        "NETRC": os.fspath(netrc),
        "HOME": os.fspath(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    assert kacheck("vault", "--address", vault.address).status == "ok"
    headers = {name.lower(): value for name, value in vault.requests[0].headers}
    assert not headers.keys() & {"x-vault-token", "x-vault-namespace", "authorization", "cookie"}
    assert "hvs.secret" not in str(headers)


@pytest.mark.parametrize("state", ["redirect", "redirect-permanent"])
def test_a_redirect_is_named_and_not_followed(
    kacheck: Kacheck, vault: StandInVault, state: str
) -> None:
    with StandInVault() as elsewhere:
        vault.state = state
        vault.redirect_to = f"{elsewhere.address}{HEALTH}"
        outcome = kacheck("vault", "--address", vault.address)
        assert vault.redirect_to in outcome.message
        assert elsewhere.connections == 0
    assert vault.connections == 1


@pytest.fixture
def _dead_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = f"http://127.0.0.1:{closed_port()}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, dead)
        monkeypatch.setenv(name.lower(), dead)
    for name in ("VAULT_AGENT_ADDR", "VAULT_PROXY_ADDR", "VAULT_HTTP_PROXY", "BAO_HTTP_PROXY"):
        monkeypatch.setenv(name, dead)


@pytest.mark.usefixtures("_dead_proxies")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxies_in_the_environment_change_nothing(
    kacheck: Kacheck, vault: StandInVault, tls_vault: StandInVault, ca: Path, scheme: str
) -> None:
    server = vault if scheme == "http" else tls_vault
    assert kacheck("vault", "--address", server.address, "--ca-cert", ca).status == "ok"
    assert server.connections == 1


# --- an address that is not this machine -------------------------------------------------------


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """vault.example.org seems to be 192.0.2.7, though the packets stay on the loopback."""
    connect = socket.socket.connect

    def resolve(_host: object, port: int, *_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("192.0.2.7", port))]

    def stay_here(sock: socket.socket, address: tuple[str, int]) -> None:
        connect(sock, ("127.0.0.1", address[1]))

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", stay_here)
    monkeypatch.setattr(socket.socket, "getpeername", lambda _: ("192.0.2.7", 8200))


@pytest.mark.usefixtures("_elsewhere")
def test_another_machines_address_is_a_warning_unless_it_is_meant(
    kacheck: Kacheck, vault: StandInVault
) -> None:
    options = ("vault", "--address", f"http://vault.example.org:{vault.port}")
    careless, meant = kacheck(*options), kacheck(*options, "--remote")
    assert [careless.status, meant.status] == ["ok", "ok"]
    assert any("vault.example.org" in warning for warning in careless.data["warnings"])
    assert "warnings" not in meant.data


# --- combined ----------------------------------------------------------------------------------


@pytest.fixture
def process_name(start: Callable[..., object]) -> str:
    """A process of this name is alive."""
    name = f"kcv{os.getpid()}"
    start(name, "60")
    return name


@pytest.mark.parametrize("state", ["active", "standby", "sealed", "200-sealed", "close"])
def test_combined_says_what_vault_says_when_the_process_lives(
    kacheck: Kacheck, vault: StandInVault, process_name: str, state: str
) -> None:
    vault.state = state
    outcome = kacheck("combined", "--process", process_name, "--address", vault.address)
    assert outcome.status == (SAID | DONE)[state][0]
    assert outcome.status == "ok" or outcome.reason == (SAID | DONE)[state][1]


def test_combined_does_not_ask_vault_when_the_process_is_missing(
    kacheck: Kacheck, vault: StandInVault
) -> None:
    outcome = kacheck("combined", "--process", "no-such-proc", "--address", vault.address)
    assert outcome.said == ("critical", "missing")
    assert "no-such-proc" in outcome.message
    assert vault.connections == 0


def test_combined_says_that_vault_is_the_one_that_failed(
    kacheck: Kacheck, vault: StandInVault, process_name: str
) -> None:
    vault.state = "sealed"
    outcome = kacheck("combined", "--process", process_name, "--address", vault.address)
    assert "vault" in outcome.message.lower()


def test_combined_keeps_the_deadline(
    kacheck: Kacheck, vault: StandInVault, process_name: str
) -> None:
    vault.state = "drip"
    options = ("--address", vault.address, "--timeout", str(DEADLINE))
    assert_in_time(kacheck("combined", "--process", process_name, *options))
