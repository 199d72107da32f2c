"""Options before the environment, BAO_ before VAULT_, and nothing else of the environment."""

from typing import Any

import pytest

from kacheck.deadline import DEFAULT_TIMEOUT
from kacheck.durations import seconds
from kacheck.probe import OptionError
from kacheck.probes.vault.settings import (
    VaultOptions,
    from_environment,
    parse_address,
    prepare,
)
from kacheck.result import BadConfigError


def options_from(address: str | None = None, /, env: Any = None, **given: Any) -> VaultOptions:
    """Return the options for an address, an environment and what other options were given."""
    values = {**given, "address": address} if address else given
    try:
        return prepare(from_environment(values, env or {}))
    except OptionError as error:
        raise BadConfigError(error.text("--{}".format, ["address"])) from None


def timeout_from(environ: dict[str, str]) -> float | None:
    """Return the time that the environment gives to wait."""
    seconds: float | None = from_environment({}, environ).get("timeout")
    return seconds


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://127.0.0.1:8200", "https://127.0.0.1:8200/v1/sys/health"),
        ("http://vault.example:8200/", "http://vault.example:8200/v1/sys/health"),
        ("https://[::1]:8200", "https://[::1]:8200/v1/sys/health"),
        ("https://proxy.example/vault", "https://proxy.example/vault/v1/sys/health"),
        ("unix:///run/vault.sock", "http://localhost/v1/sys/health"),
        ("http://[fe80::1%25eth0]:8200", "http://[fe80::1%eth0]:8200/v1/sys/health"),
    ],
)
def test_addresses(address: str, url: str) -> None:
    options = options_from(address)
    assert options.url == url
    assert options.address == address
    assert options.unix_socket == ("/run/vault.sock" if address.startswith("unix:") else None)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("127.0.0.1:8200", "127.0.0.1:8200 is not an address of Vault"),
        ("vault", "vault is not an address of Vault"),
        ("ftp://vault", "ftp://vault is not an address of Vault"),
        ("https://", "https:// is not an address of Vault"),
        ("https://vault:port", "https://vault:*** is not a valid URL: the port must be a number"),
        ("https://vault:99999", "https://vault:99999 is not a valid URL: the port must be"),
        ("https://vault/?standbyok=true", "https://vault/?***: remove the query"),
        ("unix://run/vault.sock", "unix://run/vault.sock is not an address of Vault"),
        ("unix:///run/vault.sock?x=y", "unix:///run/vault.sock?***: remove the query"),
        ("https://[::1", "https://[:*** is not a valid URL"),
        ("https://vault/#x", "https://vault/#***: remove the query"),
    ],
)
def test_an_invalid_address_is_refused_with_the_cure(address: str, shown: str) -> None:
    for source, arguments in (
        ("--address", (address,)),
        ("VAULT_ADDR", (None, {"VAULT_ADDR": address})),
        ("BAO_ADDR", (None, {"BAO_ADDR": address})),
    ):
        with pytest.raises(BadConfigError) as refused:
            options_from(*arguments)
        assert str(refused.value).startswith(f"{source} {shown}")
        assert "https://127.0.0.1:8200" in str(refused.value) or "remove" in str(refused.value)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadConfigError, match=r"^VAULT_ADDR has a user or password") as refused:
        options_from(env={"VAULT_ADDR": "https://user:hunter2@vault:8200"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("address", ["http://x y:9", "http://x:9\n", "http://x:9\t", "http://\x7f"])
def test_a_blank_in_the_address_is_refused(address: str) -> None:
    with pytest.raises(BadConfigError, match=r"^--address contains a blank or a control character"):
        options_from(address)


def test_the_path_of_a_unix_socket_may_have_blanks() -> None:
    assert options_from("unix:///run/a b.sock").unix_socket == "/run/a b.sock"


def test_the_default_is_this_machine() -> None:
    assert options_from().url == "https://127.0.0.1:8200/v1/sys/health"
    assert options_from(env={"VAULT_ADDR": ""}).url == "https://127.0.0.1:8200/v1/sys/health"


def test_an_option_wins_over_bao_and_bao_over_vault() -> None:
    both = {"VAULT_ADDR": "http://vault", "BAO_ADDR": "http://bao"}
    assert options_from("http://option", both).address == "http://option"
    assert options_from(env=both).address == "http://bao"
    assert options_from(env={"VAULT_ADDR": "http://vault"}).address == "http://vault"
    assert (
        options_from(env={"VAULT_ADDR": "http://vault", "BAO_ADDR": ""}).address
        == "https://127.0.0.1:8200"
    )


def test_the_sources_of_authorities_replace_one_another() -> None:
    env = {"VAULT_CACERT": "file", "VAULT_CACERT_BYTES": "pem", "VAULT_CAPATH": "dir"}
    options = options_from(env=env)
    assert (options.trust.ca_cert, options.trust.ca_cert_bytes, options.trust.ca_path) == (
        "file",
        "pem",
        "dir",
    )
    options = options_from(env=env, ca_path="given")
    assert (options.trust.ca_cert, options.trust.ca_cert_bytes, options.trust.ca_path) == (
        None,
        None,
        "given",
    )


def test_a_client_certificate_needs_its_key() -> None:
    assert (
        options_from(env={"VAULT_CLIENT_CERT": "c", "VAULT_CLIENT_KEY": "k"}).trust.client_key
        == "k"
    )
    assert options_from(env={"BAO_CLIENT_KEY": "k"}, client_cert="c").trust.client_key == "k"
    for env in ({"VAULT_CLIENT_CERT": "c"}, {"VAULT_CLIENT_KEY": "k"}):
        with pytest.raises(BadConfigError, match="--client-cert and --client-key"):
            options_from(env=env)


@pytest.mark.parametrize(("text", "insecure"), [
    ("1", True), ("t", True), ("TRUE", True), ("0", False), ("F", False), ("false", False), ("", False),
])  # fmt: skip
def test_skip_verify_is_read_as_go_reads_a_boolean(text: str, insecure: bool) -> None:
    assert options_from(env={"VAULT_SKIP_VERIFY": text}).trust.insecure is insecure


def test_an_authority_that_was_given_is_verified_whatever_the_environment_says() -> None:
    env = {"VAULT_SKIP_VERIFY": "true"}
    assert options_from(env=env).trust.insecure
    assert not options_from(env=env, ca_cert="ca.pem").trust.insecure
    assert not options_from(env=env, ca_path="certs").trust.insecure
    assert options_from(env=env, ca_cert="ca.pem", insecure=True).trust.insecure


def test_an_option_for_the_client_certificate_wins_over_the_environment() -> None:
    env = {"VAULT_CLIENT_CERT": "ec", "VAULT_CLIENT_KEY": "ek"}
    options = options_from(env=env, client_cert="oc", client_key="ok")
    assert (options.trust.client_cert, options.trust.client_key) == ("oc", "ok")


@pytest.mark.parametrize("text", ["yes", "on", "2", "tRUE"])
def test_a_boolean_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadConfigError, match=f"VAULT_SKIP_VERIFY={text}"):
        options_from(env={"VAULT_SKIP_VERIFY": text})


def test_what_would_ask_another_node_is_ignored() -> None:
    env = dict.fromkeys(
        ("VAULT_AGENT_ADDR", "VAULT_PROXY_ADDR", "VAULT_NAMESPACE", "VAULT_TOKEN", "HTTPS_PROXY"),
        "x",
    )
    assert options_from(env=env) == options_from()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", 2.0), ("0.5", 0.5), (".5", 0.5), ("800ms", 0.8), ("1m30s", 90.0), ("1.5s", 1.5),
        ("1h", 3600.0), ("500000us", 0.5), ("500000µs", 0.5), ("900000000ns", 0.9),
    ],
)  # fmt: skip
def test_times(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)
    assert timeout_from({"VAULT_CLIENT_TIMEOUT": text}) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["0", "-1", "nan", "inf", "1e3", "soon", "1 s", "3601", "9" * 400, "1d", "s", ".", "٣"]
)
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid time"):
        seconds(text)
    with pytest.raises(BadConfigError, match=r"^BAO_CLIENT_TIMEOUT: "):
        timeout_from({"BAO_CLIENT_TIMEOUT": text})


def test_without_a_variable_there_is_no_time() -> None:
    assert timeout_from({}) is timeout_from({"VAULT_CLIENT_TIMEOUT": ""}) is None


def test_the_default_time_is_below_keepaliveds() -> None:
    assert DEFAULT_TIMEOUT < 1


@pytest.mark.parametrize(
    ("address", "typed"),
    [
        ("https://fd00:1::5:8200", "https://[fd00:1::5]:8200"),
        ("https://fd00:1::5", "https://[fd00:1::5]:8200"),
        ("http://::1:8300/", "http://[::1]:8300"),
        ("https://vault.example:8200/v1/sys/health", "https://vault.example:8200"),
        ("http://127.0.0.1:8200/v1", "http://127.0.0.1:8200"),
    ],
)
def test_a_wrong_address_is_answered_with_what_to_type_instead(address: str, typed: str) -> None:
    with pytest.raises(ValueError, match="write") as raised:
        parse_address(address)
    assert str(raised.value).endswith(f"; write {typed}")
