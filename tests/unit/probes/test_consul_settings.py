"""Where the agent is, which token it is shown, and which options fit together."""

import os
from pathlib import Path
from typing import Any

import pytest

from kacheck.consul.agent import Agent, agent_of, segment
from kacheck.consul.environment import from_environment
from kacheck.exchange.request import plain_request
from kacheck.probe import OptionError
from kacheck.probes.consul.question import prepare
from kacheck.result import BadConfigError


def settle(env: dict[str, str] | None = None, **given: Any) -> Agent:
    return agent_of(from_environment(given, env or {}))


@pytest.mark.parametrize(
    ("address", "base", "unix_socket"),
    [
        (None, "http://127.0.0.1:8500", None),
        ("127.0.0.1:8501", "http://127.0.0.1:8501", None),
        ("consul.example:80", "http://consul.example:80", None),
        ("https://127.0.0.1:8501", "https://127.0.0.1:8501", None),
        ("https://127.0.0.1:8501/", "https://127.0.0.1:8501", None),
        ("https://proxy.example/consul", "https://proxy.example/consul", None),
        ("http://[::1]:8500", "http://[::1]:8500", None),
        ("unix:///run/consul/http.sock", "http://localhost", "/run/consul/http.sock"),
    ],
)
def test_addresses(address: str | None, base: str, unix_socket: str | None) -> None:
    variables = {"CONSUL_HTTP_ADDR": address} if address else {}
    for agent in (settle(address=address), settle(variables)):
        assert (agent.base, agent.unix_socket) == (base, unix_socket)
    assert settle(variables).get("/v1/agent/self").url == f"{base}/v1/agent/self"


@pytest.mark.parametrize(
    ("variables", "base"),
    [
        ({"CONSUL_HTTP_SSL": "true"}, "https://127.0.0.1:8500"),
        ({"CONSUL_HTTP_SSL": "1", "CONSUL_HTTP_ADDR": "a:1"}, "https://a:1"),
        ({"CONSUL_HTTP_SSL": "t", "CONSUL_HTTP_ADDR": "http://a:1"}, "https://a:1"),
        ({"CONSUL_HTTP_SSL": "true", "CONSUL_HTTP_ADDR": "unix:///s"}, "http://localhost"),
        ({"CONSUL_HTTP_SSL": "false"}, "http://127.0.0.1:8500"),
        ({"CONSUL_HTTP_SSL": "", "CONSUL_HTTP_ADDR": ""}, "http://127.0.0.1:8500"),
    ],
)
def test_tls_is_asked_for_by_a_variable(variables: dict[str, str], base: str) -> None:
    assert settle(variables).base == base


@pytest.mark.parametrize(
    "address",
    ["ftp://a", "http://", "http://a:port", "http://u:hunter2@a", "http://a/?token=hunter2",
     "http://a/v1", "http://a/v1/agent", "unix://s", "http://a b"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(BadConfigError, match=r"^CONSUL_HTTP_ADDR ") as refused:
        settle({"CONSUL_HTTP_ADDR": address})
    assert "hunter2" not in str(refused.value)
    with pytest.raises(OptionError):
        settle(address=address)


def test_the_variables_of_consuls_client() -> None:
    variables = {
        "CONSUL_CACERT": "/ca", "CONSUL_CAPATH": "/cas", "CONSUL_CLIENT_CERT": "/cert",
        "CONSUL_CLIENT_KEY": "/key", "CONSUL_TLS_SERVER_NAME": "name",
        "CONSUL_HTTP_SSL_VERIFY": "false", "CONSUL_HTTP_TOKEN_FILE": "/token",
        "CONSUL_HTTP_TOKEN": "t", "CONSUL_HTTP_AUTH": "u:p", "HTTP_PROXY": "http://proxy",
    }  # fmt: skip
    agent = settle(variables)
    assert (agent.trust.ca_cert, agent.trust.ca_path, agent.trust.insecure) == ("/ca", "/cas", True)
    trust = agent.trust
    assert (trust.client_cert, trust.client_key, trust.tls_server_name) == ("/cert", "/key", "name")
    assert (agent.token_file, agent.token) == ("/token", "t")
    given = settle(variables, ca_cert="/other", token_file="/mine", client_cert="/c")
    assert (given.trust.ca_cert, given.trust.ca_path, given.trust.insecure) == (
        "/other",
        None,
        False,
    )
    assert (given.token_file, given.token, given.trust.client_cert) == ("/mine", None, "/c")


@pytest.mark.parametrize(
    "variables",
    [{"CONSUL_HTTP_SSL": "yes"}, {"CONSUL_HTTP_SSL_VERIFY": "no"}, {"CONSUL_HTTP_TOKEN": "hunter 2"},
     {"CONSUL_HTTP_TOKEN": "h\N{LATIN SMALL LETTER U WITH DIAERESIS}nter2"}],
)  # fmt: skip
def test_a_variable_that_cannot_be_used_is_named(variables: dict[str, str]) -> None:
    (name, value), *_ = variables.items()
    with pytest.raises(BadConfigError, match=f"^{name}") as refused:
        settle(variables)
    if "TOKEN" in name:
        assert value not in str(refused.value)


def test_the_token_is_one_header_field(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text("hunter2\n")
    assert settle({"CONSUL_HTTP_TOKEN": "t"}).fields() == {"x-consul-token": "t"}
    assert settle(token_file=str(file)).fields() == {"x-consul-token": "hunter2"}
    assert settle().fields() == {}
    parts = plain_request(settle(token_file=str(file)).get("/v1/agent/self"))
    assert parts is not None
    assert b"\r\nx-consul-token: hunter2\r\n" in parts[2]
    assert b"hunter2" not in parts[2].split(b"\r\n")[0]


@pytest.mark.parametrize("content", ["", "\n", "a b", "a\nb", "t\N{POUND SIGN}", "x" * 9000])
def test_a_malformed_file_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(content)
    with pytest.raises(BadConfigError, match="must have one line, the token"):
        settle(token_file=str(file)).fields()


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o601])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "token"
    file.write_text("hunter2\n")
    os.chmod(file, mode)
    with pytest.raises(BadConfigError, match=f"chmod o=,g-w {file}"):
        settle(token_file=str(file)).fields()


@pytest.mark.parametrize(
    ("values", "option", "words"),
    [
        ({}, "", "needs {service}, {service_id}, {leader} or {lock}"),
        ({"service": "a", "service_id": "b"}, "service_id", "does not go with {service}"),
        ({"leader": True, "lock": "k"}, "lock", "does not go with {leader}"),
        ({"leader": True, "tag": "x"}, "tag", "{tag} needs {service} or {service_id}"),
        ({"lock": "k", "allow_no_checks": True}, "allow_no_checks", "needs {service}"),
        ({"lock": "/k"}, "lock", "begins with /"),
        ({"leader": True, "client_cert": "/c"}, "client_cert", "needs {client_key}"),
    ],
)
def test_options_that_do_not_fit_together(values: dict[str, Any], option: str, words: str) -> None:
    with pytest.raises(OptionError) as refused:
        prepare(values)
    assert refused.value.option == option
    assert words in str(refused.value)


def test_names_in_paths() -> None:
    assert segment("vault:host:8200") == "vault:host:8200"
    assert segment("a/b") == "a%2Fb"
    assert segment("a/b", "/") == "a/b"
    assert segment("a b?c#d%", "/") == "a%20b%3Fc%23d%25"
