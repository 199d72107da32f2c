"""`kacheck vault` keeps its deadline, and leaves nothing behind."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.child import run_kacheck
from helpers.vault import StandInVault
from helpers.vault_runs import (
    BAD,
    DEADLINE,
    ENDLESS,
    GRACE,
    Kacheck,
    assert_in_time,
    nothing_left_behind,
)


@pytest.mark.parametrize("state", ENDLESS)
def test_an_endless_server_times_out_in_time_and_leaves_nothing_behind(
    kacheck: Kacheck, vault: StandInVault, state: str
) -> None:
    kacheck("vault", "--address", vault.address)
    vault.state = state
    with nothing_left_behind(vault):
        assert_in_time(kacheck("vault", "--address", vault.address, "--timeout", str(DEADLINE)))


@pytest.mark.parametrize("state", ["hang-tls", "hang", "drip", "drip-headers"])
def test_the_deadline_covers_tls_too(
    kacheck: Kacheck, tls_vault: StandInVault, ca: Path, state: str
) -> None:
    options = ("vault", "--address", tls_vault.address, "--ca-cert", ca)
    kacheck(*options)
    tls_vault.state = state
    with nothing_left_behind(tls_vault):
        assert_in_time(kacheck(*options, "--timeout", str(DEADLINE)))


def test_the_deadline_covers_a_unix_socket_too(kacheck: Kacheck, tmp_path: Path) -> None:
    with StandInVault("drip", unix_path=tmp_path / "vault.sock") as vault:
        assert_in_time(kacheck("vault", "--address", vault.address, "--timeout", str(DEADLINE)))


class HangingResolver:
    """A getaddrinfo that blocks until `release`, and then answers as ever."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self._real = socket.getaddrinfo

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.release.wait(10)
        return self._real(*arguments, **options)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingResolver]:
    hanging = HangingResolver()
    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    yield hanging
    hanging.release.set()


@pytest.mark.parametrize("state", ["active", "hang", "drip"])
def test_hanging_dns_times_out_and_its_late_answer_leaves_nothing_behind(
    kacheck: Kacheck, vault: StandInVault, resolver: HangingResolver, state: str
) -> None:
    resolver.release.set()
    options = ("vault", "--address", f"http://localhost:{vault.port}")
    assert kacheck(*options).status == "ok"
    vault.state = state
    resolver.release.clear()
    with nothing_left_behind(vault):
        assert_in_time(kacheck(*options, "--timeout", str(DEADLINE)))
        resolver.release.set()


def test_the_command_itself_ends_in_time(vault: StandInVault) -> None:
    vault.state = "drip"
    begun = time.monotonic()
    words = ("vault", "--address", vault.address, "--timeout", DEADLINE)
    ended = run_kacheck(*words, timeout=10)
    assert ended.returncode == 2
    assert "timeout" in ended.stdout
    # The interpreter starts before the deadline does: the slack is its, not kacheck's.
    assert time.monotonic() - begun < DEADLINE + GRACE


@pytest.mark.parametrize("deadline", [0.25, 0.9])
def test_the_deadline_may_be_a_fraction(
    kacheck: Kacheck, vault: StandInVault, deadline: float
) -> None:
    vault.state = "drip"
    assert_in_time(
        kacheck("vault", "--address", vault.address, "--timeout", str(deadline)), deadline
    )


@pytest.mark.parametrize(("value", "seconds"), [("500ms", 0.5), ("1", 1.0), ("1s", 1.0)])
def test_vaults_client_timeout_is_the_default_of_the_deadline(
    kacheck: Kacheck,
    vault: StandInVault,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    seconds: float,
) -> None:
    vault.state = "hang"
    monkeypatch.setenv("VAULT_CLIENT_TIMEOUT", value)
    assert_in_time(kacheck("vault", "--address", vault.address), seconds)


def test_the_timeout_option_comes_before_the_environment(
    kacheck: Kacheck, vault: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.state = "hang"
    monkeypatch.setenv("VAULT_CLIENT_TIMEOUT", "30s")
    assert_in_time(kacheck("vault", "--address", vault.address, "--timeout", str(DEADLINE)))


@pytest.mark.parametrize(
    "state", ["huge", "huge-chunked", "huge-declared", "huge-headers", "gzip-bomb-active"]
)
def test_a_huge_answer_is_left_early_and_leaves_nothing_behind(
    kacheck: Kacheck, vault: StandInVault, state: str
) -> None:
    kacheck("vault", "--address", vault.address)
    vault.state = state
    with nothing_left_behind(vault):
        outcome = kacheck("vault", "--address", vault.address, "--timeout", "5")
    assert outcome.said == BAD
    assert outcome.wall < 4


@pytest.mark.parametrize("state", ["active", "reset", "close", "reset-halfway", "redirect"])
def test_a_finished_look_leaves_nothing_behind(
    kacheck: Kacheck, vault: StandInVault, state: str
) -> None:
    kacheck("vault", "--address", vault.address)
    vault.state = state
    with nothing_left_behind(vault):
        kacheck("vault", "--address", vault.address)
