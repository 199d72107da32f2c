"""`kacheck vault`: options, variables of the environment, and those that are invalid."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from helpers.certificates import Authority, write_client_files
from helpers.vault import StandInVault
from helpers.vault_runs import ROLES, Kacheck, closed_port
from kacheck.cli import main

# --- the environment ---------------------------------------------------------------------------


def test_options_come_before_the_environment(
    kacheck: Kacheck, vault: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VAULT_ADDR", "BAO_ADDR"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    assert kacheck("vault", "--address", vault.address).status == "ok"


@pytest.mark.parametrize("name", ["VAULT_ADDR", "BAO_ADDR"])
def test_the_address_is_read_from_the_environment(
    kacheck: Kacheck, vault: StandInVault, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, vault.address)
    outcome = kacheck("vault")
    assert (outcome.status, outcome.data["address"]) == ("ok", vault.address)


def test_openbaos_variable_comes_before_vaults(
    kacheck: Kacheck, vault: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_ADDR", vault.address)
    monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{closed_port()}")
    assert kacheck("vault").status == "ok"


def test_openbaos_variable_comes_before_vaults_even_when_it_is_empty(
    kacheck: Kacheck, vault: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_ADDR", "")
    monkeypatch.setenv("VAULT_ADDR", vault.address)
    assert kacheck("vault").data["address"] == "https://127.0.0.1:8200"
    assert vault.connections == 0


class Trust(NamedTuple):
    """Where the right authority and a wrong one are, and whether the server is then trusted."""

    right: str
    wrong: str | None
    trusted: bool


TRUST = {
    "file": Trust("VAULT_CACERT", None, trusted=True),
    "bytes": Trust("VAULT_CACERT_BYTES", None, trusted=True),
    "directory-without-hashed-names": Trust("VAULT_CAPATH", None, trusted=True),
    "file-before-bytes": Trust("VAULT_CACERT", "VAULT_CACERT_BYTES", trusted=True),
    "bytes-after-file": Trust("VAULT_CACERT_BYTES", "VAULT_CACERT", trusted=False),
    "bytes-before-directory": Trust("VAULT_CACERT_BYTES", "VAULT_CAPATH", trusted=True),
    "directory-after-bytes": Trust("VAULT_CAPATH", "VAULT_CACERT_BYTES", trusted=False),
    "bao-before-vault": Trust("BAO_CACERT", "VAULT_CACERT", trusted=True),
    "vault-after-bao": Trust("VAULT_CACERT", "BAO_CACERT", trusted=False),
}


@pytest.fixture
def trust_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Authority], None]:
    """Sets a variable to an authority: as its file, its directory or its text."""

    def set_variable(name: str, authority: Authority) -> None:
        directory = tmp_path / name
        directory.mkdir()
        file = authority.write(directory / "some-name.pem")
        kind = name.partition("_")[2]
        values = {"CACERT": os.fspath(file), "CAPATH": os.fspath(directory)}
        monkeypatch.setenv(name, values.get(kind, authority.pem.decode()))

    return set_variable


@pytest.mark.parametrize("trust", TRUST.values(), ids=TRUST)
def test_the_authorities_of_the_environment_count_in_vaults_order(
    kacheck: Kacheck,
    authority: Authority,
    tls_vault: StandInVault,
    trust_in: Callable[[str, Authority], None],
    trust: Trust,
) -> None:
    trust_in(trust.right, authority)
    if trust.wrong is not None:
        trust_in(trust.wrong, Authority())
    outcome = kacheck("vault", "--address", tls_vault.address)
    assert outcome.said == (("ok", "active") if trust.trusted else ("critical", "tls"))


def test_the_ca_options_come_before_the_environment(
    kacheck: Kacheck, tls_vault: StandInVault, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_CACERT_BYTES", Authority().pem.decode())
    options = ("vault", "--address", tls_vault.address)
    assert kacheck(*options, "--ca-cert", ca).status == "ok"
    assert kacheck(*options, "--ca-path", ca.parent).status == "ok"


SKIP_VERIFY = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), "ok"),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False", ""), "critical"),
    **dict.fromkeys(("yes", "on", "tRuE", "2", " true"), "unknown"),
}


@pytest.mark.parametrize(("value", "status"), SKIP_VERIFY.items())
def test_skip_verify_is_read_as_go_reads_it(
    kacheck: Kacheck,
    tls_vault: StandInVault,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    status: str,
) -> None:
    monkeypatch.setenv("VAULT_SKIP_VERIFY", value)
    assert kacheck("vault", "--address", tls_vault.address).status == status


# --- bad options and bad environment -----------------------------------------------------------


class Bad(NamedTuple):
    """Options and environment, with {tmp} for a directory, and what the message must name."""

    options: str
    environment: dict[str, str]
    named: str


HTTPS = "--address https://127.0.0.1:1"
BAD_CONFIG = {
    "client-cert-without-key": Bad(f"{HTTPS} --client-cert {{tmp}}/ca.pem", {}, "--client-key"),
    "client-key-without-cert": Bad(f"{HTTPS} --client-key {{tmp}}/ca.pem", {}, "--client-cert"),
    "client-cert-variable-without-key": Bad(
        HTTPS, {"VAULT_CLIENT_CERT": "{tmp}/ca.pem"}, "VAULT_CLIENT_KEY"
    ),
    "client-cert-missing": Bad(
        f"{HTTPS} --client-cert {{tmp}}/none.pem --client-key {{tmp}}/none.key", {}, "none.pem"
    ),
    "skip-verify-garbage": Bad(HTTPS, {"VAULT_SKIP_VERIFY": "perhaps"}, "VAULT_SKIP_VERIFY"),
    "bao-skip-verify-garbage": Bad(HTTPS, {"BAO_SKIP_VERIFY": "perhaps"}, "BAO_SKIP_VERIFY"),
    "client-timeout-garbage": Bad(HTTPS, {"VAULT_CLIENT_TIMEOUT": "soon"}, "VAULT_CLIENT_TIMEOUT"),
    "client-timeout-zero": Bad(HTTPS, {"VAULT_CLIENT_TIMEOUT": "0"}, "VAULT_CLIENT_TIMEOUT"),
    "client-timeout-negative": Bad(HTTPS, {"VAULT_CLIENT_TIMEOUT": "-1s"}, "VAULT_CLIENT_TIMEOUT"),
    "scheme": Bad("--address ftp://127.0.0.1:8200", {}, "--address"),
    "no-scheme": Bad("--address 127.0.0.1:8200", {}, "--address"),
    "no-host": Bad("--address https://", {}, "--address"),
    "bad-port": Bad("--address http://127.0.0.1:99999", {}, "--address"),
    "query": Bad("--address http://127.0.0.1:1/?standbyok=true", {}, "--address"),
    "userinfo": Bad("--address http://anna:secret@127.0.0.1:1", {}, "--address"),
    "variable-scheme": Bad("", {"VAULT_ADDR": "ftp://127.0.0.1"}, "VAULT_ADDR"),
    "bao-variable-scheme": Bad("", {"BAO_ADDR": "ftp://127.0.0.1"}, "BAO_ADDR"),
    "ca-cert-missing": Bad(f"{HTTPS} --ca-cert {{tmp}}/none.pem", {}, "none.pem"),
    "ca-cert-not-pem": Bad(f"{HTTPS} --ca-cert {{tmp}}/text.pem", {}, "text.pem"),
    "ca-cert-variable-missing": Bad(HTTPS, {"VAULT_CACERT": "{tmp}/none.pem"}, "none.pem"),
    "ca-bytes-not-pem": Bad(HTTPS, {"VAULT_CACERT_BYTES": "text"}, "VAULT_CACERT_BYTES"),
    "ca-path-missing": Bad(f"{HTTPS} --ca-path {{tmp}}/none", {}, "none"),
}


@pytest.mark.parametrize("bad", BAD_CONFIG.values(), ids=BAD_CONFIG)
def test_a_bad_option_or_variable_is_unknown_bad_config_and_named(
    kacheck: Kacheck, ca: Path, monkeypatch: pytest.MonkeyPatch, bad: Bad
) -> None:
    (ca.parent / "text.pem").write_text("no certificate\n")
    for name, value in bad.environment.items():
        monkeypatch.setenv(name, value.format(tmp=ca.parent))
    outcome = kacheck("vault", *bad.options.format(tmp=ca.parent).split())
    assert outcome.said == ("unknown", "bad-config")
    assert bad.named in outcome.message


BAD_USAGE = {
    "timeout-garbage": ("--timeout", "soon"),
    "timeout-zero": ("--timeout", "0"),
    "timeout-negative": ("--timeout", "-1"),
    "timeout-nan": ("--timeout", "nan"),
    "timeout-infinite": ("--timeout", "inf"),
    "accept-a-state-that-is-no-role": ("--accept", "sealed"),
    "abbreviated-option": ("--addr", "http://127.0.0.1:1"),
}


@pytest.mark.parametrize("bad", BAD_USAGE.values(), ids=BAD_USAGE)
def test_bad_usage_exits_3_and_names_the_option(
    vault: StandInVault, capsys: pytest.CaptureFixture[str], bad: tuple[str, str]
) -> None:
    assert main(["vault", "--address", vault.address, *bad]) == 3
    shown = capsys.readouterr()
    assert bad[0] in shown.err
    assert shown.out == ""
    assert vault.connections == 0


def test_the_choices_of_accept_are_named_in_plain_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["vault", "--accept", "sealed"])
    shown = capsys.readouterr().err
    assert all(role in shown for role in ROLES)
    assert "<" not in shown


def test_a_password_in_the_address_is_not_repeated(kacheck: Kacheck) -> None:
    outcome = kacheck("vault", "--address", "http://anna:hvs.secret@127.0.0.1:1")
    assert "hvs.secret" not in outcome.message
    assert "hvs.secret" not in str(outcome.data)


# Without this OpenSSL would ask a terminal for the password.
def test_an_encrypted_client_key_is_bad_config(
    kacheck: Kacheck, authority: Authority, tls_vault: StandInVault, ca: Path
) -> None:
    cert, key = write_client_files(authority.client(), ca.parent, password=b"secret")
    options = ("vault", "--address", tls_vault.address, "--ca-cert", ca)
    outcome = kacheck(*options, "--client-cert", cert, "--client-key", key)
    assert outcome.said == ("unknown", "bad-config")
    assert "client.key" in outcome.message
