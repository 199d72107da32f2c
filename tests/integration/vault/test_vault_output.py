"""`kacheck vault`: what is shown as JSON, as text and with --verbose."""

import datetime as dt
import json
import os
from pathlib import Path

import pytest

from helpers.certificates import Authority, server_context
from helpers.vault import STATES, StandInVault
from helpers.vault_runs import Kacheck, closed_port
from kacheck.cli import main

PLAIN = {"connect", "request", "response", "body"}
PHASES = {
    "active": PLAIN,
    "sealed": PLAIN,
    "hang": {"connect", "request", "response"},
    "drip-headers": {"connect", "request", "response"},
    "drip": PLAIN,
}


@pytest.mark.parametrize(("state", "phases"), PHASES.items(), ids=PHASES)
def test_the_json_has_the_milliseconds_of_each_phase_that_was_reached(
    kacheck: Kacheck, vault: StandInVault, state: str, phases: set[str]
) -> None:
    vault.state = state
    outcome = kacheck("vault", "--address", vault.address, "--timeout", "0.3")
    spent = outcome.data["phases_ms"]
    assert set(spent) == phases | {"start"}
    assert all(milliseconds >= 0 for milliseconds in spent.values())
    assert sum(spent.values()) <= outcome.duration * 1000 + 1


@pytest.mark.parametrize(
    ("state", "phases"), [("active", PLAIN | {"tls"}), ("hang-tls", {"connect", "tls"})]
)
def test_tls_is_a_separate_phase(
    kacheck: Kacheck, tls_vault: StandInVault, ca: Path, state: str, phases: set[str]
) -> None:
    tls_vault.state = state
    options = ("vault", "--address", tls_vault.address, "--ca-cert", ca, "--timeout", "0.3")
    assert set(kacheck(*options).data["phases_ms"]) == phases | {"start"}


def test_a_refused_connection_has_no_phase_but_connect(kacheck: Kacheck) -> None:
    outcome = kacheck("vault", "--address", f"http://127.0.0.1:{closed_port()}")
    assert set(outcome.data["phases_ms"]) == {"start", "connect"}


@pytest.mark.parametrize("state", ["active", "standby", "sealed", "openbao-2.6"])
def test_the_json_has_address_code_and_fields_of_the_answer(
    kacheck: Kacheck, vault: StandInVault, state: str
) -> None:
    vault.state = state
    data = kacheck("vault", "--address", vault.address).data
    assert (data["address"], data["http_status"]) == (vault.address, STATES[state].code)
    assert data["fields"] == json.loads(STATES[state].body)
    assert "certificate" not in data


@pytest.mark.parametrize("state", ["hang", "reset", "garbage"])
def test_without_an_answer_the_address_is_shown_without_a_code(
    kacheck: Kacheck, vault: StandInVault, state: str
) -> None:
    vault.state = state
    data = kacheck("vault", "--address", vault.address, "--timeout", "0.3").data
    assert data["address"] == vault.address
    assert "http_status" not in data


@pytest.mark.parametrize("form", ["text", "nagios"])
@pytest.mark.parametrize(
    "state", ["active", "sealed", "200-not-json", "200-control-characters", "close"]
)
def test_the_text_is_one_printable_line(
    vault: StandInVault, capsys: pytest.CaptureFixture[str], state: str, form: str
) -> None:
    vault.state = state
    main(["vault", "--address", vault.address, "--format", form])
    shown = capsys.readouterr().out
    assert shown.endswith("\n")
    assert shown[:-1].isprintable()


@pytest.mark.parametrize("state", ["200-not-json", "200-control-characters"])
def test_verbose_lets_no_server_write_to_the_terminal(
    vault: StandInVault, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    vault.state = state
    main(["vault", "--address", vault.address, "--verbose"])
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())


def test_the_json_is_json_even_where_the_servers_is_not(
    kacheck: Kacheck, vault: StandInVault
) -> None:
    vault.state = "200-nan"
    assert kacheck("vault", "--address", vault.address).reason in {"active", "bad-response"}


def test_verbose_shows_all_that_was_seen(
    authority: Authority, ca: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StandInVault(tls=server_context(authority.server("127.0.0.1"))) as vault:
        address = vault.address
        code = main(["vault", "--address", address, "--ca-cert", os.fspath(ca), "--verbose"])
    shown = capsys.readouterr().out
    year = str((dt.datetime.now(dt.UTC) + dt.timedelta(days=30)).year)
    fields = json.loads(STATES["active"].body)
    shown = shown.replace("_", " ")
    for word in (address, "200", year, "connect", "tls", "response", "body", "ms", *fields):
        assert word.replace("_", " ") in shown
    assert code == 0
