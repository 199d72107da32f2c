"""`kacheck vault` and TLS: what is trusted, and how each failure is named."""

import datetime as dt
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from helpers.certificates import Authority, server_context, write_client_files
from helpers.vault import StandInVault
from helpers.vault_runs import BAD, Kacheck, nothing_left_behind


@pytest.mark.parametrize("tls_1_2", [False, True], ids=["tls-1.3", "tls-1.2"])
def test_a_certificate_of_a_trusted_authority_is_ok(
    kacheck: Kacheck, authority: Authority, ca: Path, *, tls_1_2: bool
) -> None:
    context = server_context(authority.server("127.0.0.1"), tls_1_2=tls_1_2)
    with StandInVault(tls=context) as vault:
        outcome = kacheck("vault", "--address", vault.address, "--ca-cert", ca)
    assert outcome.said == ("ok", "active")


def test_a_certificate_for_a_name_is_ok_for_that_name(
    kacheck: Kacheck, authority: Authority, ca: Path
) -> None:
    with StandInVault(tls=server_context(authority.server("localhost"))) as vault:
        by_name = kacheck("vault", "--address", f"https://localhost:{vault.port}", "--ca-cert", ca)
        by_number = kacheck("vault", "--address", vault.address, "--ca-cert", ca)
    assert [by_name.said, by_number.said] == [("ok", "active"), ("critical", "tls")]


def test_the_json_has_the_expiry_and_the_names_of_the_certificate(
    kacheck: Kacheck, authority: Authority, ca: Path
) -> None:
    context = server_context(authority.server("127.0.0.1", "vault.example.org"))
    with StandInVault(tls=context) as vault:
        outcome = kacheck("vault", "--address", vault.address, "--ca-cert", ca)
    certificate = outcome.data["certificate"]
    left = dt.datetime.fromisoformat(certificate["not_after"]) - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=29) < left < dt.timedelta(days=31)
    assert set(certificate["names"]) == {"127.0.0.1", "vault.example.org"}


def expired(authority: Authority) -> ssl.SSLContext:
    return server_context(authority.expired("127.0.0.1"))


def not_yet_valid(authority: Authority) -> ssl.SSLContext:
    return server_context(authority.not_yet_valid("127.0.0.1"))


def of_a_stranger(_: Authority) -> ssl.SSLContext:
    return server_context(Authority().server("127.0.0.1"))


def wrong_name(authority: Authority) -> ssl.SSLContext:
    return server_context(authority.server("vault.example.org", "10.0.0.7"))


def client_wanted(authority: Authority) -> ssl.SSLContext:
    return server_context(authority.server("127.0.0.1"), clients=authority)


def client_wanted_1_2(authority: Authority) -> ssl.SSLContext:
    return server_context(authority.server("127.0.0.1"), clients=authority, tls_1_2=True)


TLS_FAILURES: dict[Callable[[Authority], ssl.SSLContext], tuple[str, ...]] = {
    expired: ("expired",),
    not_yet_valid: ("not yet valid", "not valid yet"),
    of_a_stranger: ("unknown authority",),
    wrong_name: ("127.0.0.1",),
    client_wanted: ("client certificate",),
    client_wanted_1_2: ("client certificate",),
}


@pytest.mark.parametrize(
    ("server", "words"), TLS_FAILURES.items(), ids=[f.__name__ for f in TLS_FAILURES]
)
def test_each_tls_failure_says_which_it_is(
    kacheck: Kacheck,
    authority: Authority,
    ca: Path,
    server: Callable[[Authority], ssl.SSLContext],
    words: tuple[str, ...],
) -> None:
    with StandInVault(tls=server(authority)) as vault:
        kacheck("vault", "--address", vault.address, "--ca-cert", ca)
        with nothing_left_behind(vault):
            outcome = kacheck("vault", "--address", vault.address, "--ca-cert", ca)
        assert outcome.said == ("critical", "tls")
        assert any(word in outcome.message for word in words), outcome.message
        assert vault.requests == []


def test_a_wrong_name_says_which_names_the_certificate_has(
    kacheck: Kacheck, authority: Authority, ca: Path
) -> None:
    with StandInVault(tls=wrong_name(authority)) as vault:
        message = kacheck("vault", "--address", vault.address, "--ca-cert", ca).message
    assert "vault.example.org" in message
    assert "10.0.0.7" in message


def test_a_wrong_name_is_explained_over_ipv6_too(
    kacheck: Kacheck, authority: Authority, ca: Path
) -> None:
    try:
        vault = StandInVault(host="::1", tls=wrong_name(authority))
    except OSError as error:
        pytest.skip(f"no IPv6 loopback on this machine: {error}")
    with vault:
        outcome = kacheck("vault", "--address", f"https://[::1]:{vault.port}", "--ca-cert", ca)
    assert outcome.said == ("critical", "tls")
    assert "but for vault.example.org, 10.0.0.7" in outcome.message


def test_a_certificate_with_only_a_common_name_is_refused(
    kacheck: Kacheck, authority: Authority, ca: Path
) -> None:
    server = authority.common_name_only("localhost", ca.parent)
    with StandInVault(tls=server) as stand_in:
        address = f"https://localhost:{stand_in.port}"
        outcome = kacheck("vault", "--address", address, "--ca-cert", str(ca))
        named = kacheck(
            *("vault", "--address", stand_in.address, "--ca-cert", str(ca)),
            *("--tls-server-name", "localhost"),
        )
    for each in (outcome, named):
        assert each.said == ("critical", "tls")
        assert "has no subjectAltName" in each.message
        assert "reissue it with localhost as a subjectAltName" in each.message


def pem_of(leaf: trustme.LeafCert) -> bytes:
    return leaf.cert_chain_pems[0].bytes()


def test_the_certificate_itself_or_an_intermediate_may_be_what_is_trusted(
    kacheck: Kacheck, tmp_path: Path
) -> None:
    """As Go has it, and Vault's own PKI often hands out."""
    root = trustme.CA()
    intermediate = root.create_child_ca()
    leaf = intermediate.issue_cert("127.0.0.1")
    trusted = tmp_path / "trusted.pem"
    with StandInVault(tls=server_context(leaf)) as vault:
        options = ("vault", "--address", vault.address, "--ca-cert", trusted)
        for pem in (root.cert_pem.bytes(), intermediate.cert_pem.bytes(), pem_of(leaf)):
            trusted.write_bytes(pem)
            assert kacheck(*options).said == ("ok", "active")
        trusted.write_bytes(trustme.CA().cert_pem.bytes())
        assert kacheck(*options).said == ("critical", "tls")


def test_a_given_authority_replaces_the_systems(
    kacheck: Kacheck,
    tls_vault: StandInVault,
    ca: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    assert kacheck("vault", "--address", tls_vault.address).said == ("ok", "active")
    (tmp_path / "other").mkdir()
    other = Authority().write(tmp_path / "other/ca.pem")
    for option in (("--ca-cert", other), ("--ca-path", other.parent)):
        outcome = kacheck("vault", "--address", tls_vault.address, *option)
        assert outcome.said == ("critical", "tls")


def test_authorities_in_the_environment_may_have_words_around_them(
    kacheck: Kacheck,
    authority: Authority,
    tls_vault: StandInVault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = f"# Schlüssel von München\n{authority.pem.decode()}"
    monkeypatch.setenv("VAULT_CACERT_BYTES", text)
    assert kacheck("vault", "--address", tls_vault.address).said == ("ok", "active")
    monkeypatch.setenv("VAULT_CACERT_BYTES", "Schlüssel")
    assert kacheck("vault", "--address", tls_vault.address).said == ("unknown", "bad-config")


@pytest.mark.parametrize(
    "host", ["a..b", ".foo", "xn--", "x" * 64 + ".example"], ids=lambda host: host[:9]
)
def test_an_invalid_server_name_is_a_bad_configuration(kacheck: Kacheck, host: str) -> None:
    outcome = kacheck("vault", "--address", f"http://{host}:1")
    assert outcome.said == ("unknown", "bad-config")
    assert host in outcome.message


def test_without_a_ca_option_the_systems_authorities_count(
    kacheck: Kacheck, tls_vault: StandInVault
) -> None:
    outcome = kacheck("vault", "--address", tls_vault.address)
    assert outcome.said == ("critical", "tls")
    assert "unknown authority" in outcome.message


def test_an_expired_certificate_of_a_stranger_is_not_called_merely_expired(
    kacheck: Kacheck, ca: Path
) -> None:
    with StandInVault(tls=expired(Authority())) as vault:
        message = kacheck("vault", "--address", vault.address, "--ca-cert", ca).message
    assert "unknown authority" in message


def test_the_tls_server_name_is_the_name_that_must_match(
    kacheck: Kacheck, authority: Authority, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandInVault(tls=wrong_name(authority)) as vault:
        options = ("vault", "--address", vault.address, "--ca-cert", ca)
        by_option = kacheck(*options, "--tls-server-name", "vault.example.org")
        monkeypatch.setenv("VAULT_TLS_SERVER_NAME", "vault.example.org")
        by_environment = kacheck(*options)
        before_it = kacheck(*options, "--tls-server-name", "elsewhere.example.org")
    assert [by_option.status, by_environment.status] == ["ok", "ok"]
    assert before_it.said == ("critical", "tls")


@pytest.mark.parametrize("server", [expired, not_yet_valid, of_a_stranger, wrong_name])
def test_insecure_looks_past_the_certificate_and_not_past_the_answer(
    kacheck: Kacheck, authority: Authority, server: Callable[[Authority], ssl.SSLContext]
) -> None:
    with StandInVault(tls=server(authority)) as vault:
        options = ("vault", "--address", vault.address, "--insecure")
        assert kacheck(*options).status == "ok"
        vault.state = "sealed"
        assert kacheck(*options).said == ("critical", "sealed")


@pytest.mark.parametrize("server", [client_wanted, client_wanted_1_2])
def test_a_client_certificate_is_shown_to_a_server_that_wants_one(
    kacheck: Kacheck,
    authority: Authority,
    ca: Path,
    monkeypatch: pytest.MonkeyPatch,
    server: Callable[[Authority], ssl.SSLContext],
) -> None:
    cert, key = write_client_files(authority.client(), ca.parent)
    with StandInVault(tls=server(authority)) as vault:
        options = ("vault", "--address", vault.address, "--ca-cert", ca)
        assert kacheck(*options, "--client-cert", cert, "--client-key", key).status == "ok"
        monkeypatch.setenv("VAULT_CLIENT_CERT", os.fspath(cert))
        monkeypatch.setenv("VAULT_CLIENT_KEY", os.fspath(key))
        assert kacheck(*options).status == "ok"


@pytest.mark.parametrize("server", [client_wanted, client_wanted_1_2])
def test_a_client_certificate_of_a_stranger_is_the_client_certificates_fault(
    kacheck: Kacheck,
    authority: Authority,
    ca: Path,
    tmp_path: Path,
    server: Callable[[Authority], ssl.SSLContext],
) -> None:
    cert, key = write_client_files(Authority().client(), tmp_path)
    with StandInVault(tls=server(authority)) as vault:
        options = ("vault", "--address", vault.address, "--ca-cert", ca)
        outcome = kacheck(*options, "--client-cert", cert, "--client-key", key)
    assert outcome.said == ("critical", "tls")
    assert "client certificate" in outcome.message


def test_plain_http_where_tls_was_expected_is_tls(kacheck: Kacheck, vault: StandInVault) -> None:
    outcome = kacheck("vault", "--address", vault.address.replace("http:", "https:"))
    assert outcome.said == ("critical", "tls")


def test_tls_where_plain_http_was_expected_is_a_bad_response(
    kacheck: Kacheck, tls_vault: StandInVault
) -> None:
    outcome = kacheck("vault", "--address", tls_vault.address.replace("https:", "http:"))
    assert outcome.said == BAD
    assert "https" in outcome.message
