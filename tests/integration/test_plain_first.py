"""The one-shot's two ways to ask, plainly and with httpx, say the same of whatever is answered.

Odd answers, byte by byte, are in the tables of helpers/exchange.py.
"""

import gc
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from helpers.certificates import Authority, server_context
from helpers.vault import BEHAVIOURS, STATES, StandInVault
from kacheck.deadline import Deadline, within
from kacheck.exchange import client as client_module
from kacheck.exchange import once as once_module
from kacheck.exchange.request import CLOSING, PORTS, plain_request
from kacheck.probes.vault import look as vault
from kacheck.probes.vault.settings import VaultOptions, prepare
from kacheck.result import KacheckError, Result

LONG = 5.0
SHORT = 0.3
ENDLESS = ("hang", "drip", "drip-chunked", "drip-headers", "drip-hints", "hang-tls")


def ask(options: VaultOptions, seconds: float) -> Result:
    """Look as a one-shot does that prints a line."""
    try:
        return within(Deadline(seconds), lambda deadline: vault.look(options, deadline))
    except KacheckError as error:
        return error.result()


def both(address: str, seconds: float = LONG, **values: Any) -> tuple[Result, Result]:
    """Ask plainly first, and with httpx alone."""
    options = prepare({**values, "address": address})
    return ask(options, seconds), ask(options._replace(in_detail=True), seconds)


def assert_same(first: Result, second: Result) -> None:
    """Compare what a text shows of them: all but the times and the details."""
    assert first[:3] == second[:3]
    assert first.data.get("warnings") == second.data.get("warnings")
    for key in ("http_status", "fields", "address"):
        assert first.data.get(key) == second.data.get(key)


@pytest.fixture
def stand_in() -> Iterator[StandInVault]:
    with StandInVault() as server:
        yield server


@pytest.fixture
def no_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test where httpx is asked."""

    def refuse() -> None:
        raise AssertionError("httpx was loaded")

    monkeypatch.setattr(client_module, "load_httpx", refuse)


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_judged_alike(stand_in: StandInVault, state: str) -> None:
    stand_in.state = state
    assert_same(*both(stand_in.address))


@pytest.mark.parametrize("behaviour", sorted({*BEHAVIOURS} - {"hang-tls"}))
def test_each_misbehaviour_is_judged_alike(stand_in: StandInVault, behaviour: str) -> None:
    stand_in.state = behaviour
    stand_in.drip_interval = 0.05
    assert_same(*both(stand_in.address, SHORT if behaviour in ENDLESS else LONG))


@pytest.mark.parametrize("state", ["active", "standby", "sealed", "openbao-active"])
@pytest.mark.usefixtures("no_httpx")
def test_a_usual_answer_takes_one_request_and_no_httpx(stand_in: StandInVault, state: str) -> None:
    stand_in.state = state
    ask(prepare({"address": stand_in.address}), LONG)
    assert (len(stand_in.requests), stand_in.connections) == (1, 1)


@pytest.mark.parametrize("behaviour", ["reset", "close"])
@pytest.mark.usefixtures("no_httpx")
def test_a_connection_that_is_lost_is_not_tried_again(
    stand_in: StandInVault, behaviour: str
) -> None:
    """A server that answers every second time would pass for a healthy one."""
    stand_in.state = behaviour
    assert ask(prepare({"address": stand_in.address}), LONG).reason == "reset"
    assert stand_in.connections == 1


def test_with_details_only_httpx_asks(
    stand_in: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("asked without httpx")

    monkeypatch.setattr(once_module, "ask_plainly", refuse)
    options = prepare({"address": stand_in.address})._replace(in_detail=True)
    result = ask(options, LONG)
    assert result.reason == "active"
    assert list(result.data["phases_ms"])[-1] == "body"
    assert stand_in.connections == 1


# --- places -------------------------------------------------------------------------------------


@pytest.fixture(params=["http", "name", "https", "ipv6", "unix"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, StandInVault]]:
    """A stand-in for each kind of address, and the address."""
    kind = request.param
    if kind == "ipv6" and not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    authority = Authority()
    authority.write(tmp_path / "ca.pem")
    options: dict[str, dict[str, Any]] = {
        "https": {"tls": server_context(authority.server("127.0.0.1"))},
        "ipv6": {"host": "::1"},
        "unix": {"unix_path": tmp_path / "vault.sock"},
    }
    with StandInVault(**options.get(kind, {})) as stand_in:
        yield f"http://localhost:{stand_in.port}" if kind == "name" else stand_in.address, stand_in


def test_both_ways_send_the_same_bytes_wherever_it_is(
    server: tuple[str, StandInVault], tmp_path: Path
) -> None:
    address, stand_in = server
    assert_same(*both(address, ca_cert=str(tmp_path / "ca.pem")))
    plainly, with_httpx = stand_in.requests
    assert plainly == with_httpx
    assert plainly.header("Connection") == ["close"]
    assert stand_in.connections == 2


# httpcore leaves a Unix socket to the garbage collector when its connect() fails.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_both_ways_say_the_same_of_a_server_that_has_gone(
    server: tuple[str, StandInVault], tmp_path: Path
) -> None:
    address, stand_in = server
    stand_in.stop()
    first, second = both(address, ca_cert=str(tmp_path / "ca.pem"))
    assert first.reason == "refused"
    assert_same(first, second)
    gc.collect()  # in this test, and not in the next


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8200",
        "http://127.0.0.1",
        "http://127.0.0.1:80",
        "https://vault:443",
        "https://vault:80",
        "https://a-b.example.com:8443/x/Y_z",
        "http://[::1]:8200",
        "http://[::ffff:127.0.0.1]:1",
        "http://localhost:65535/a//b",
    ],
)
def test_the_request_of_a_plain_address_is_httpxs(address: str) -> None:
    found = plain_request(prepare({"address": address}))
    assert found is not None
    url = prepare({"address": address}).url
    request = httpx.Request("GET", url, headers=CLOSING)
    fields = b"".join(b"%s: %s\r\n" % field for field in request.headers.raw)
    raw = b"GET %s HTTP/1.1\r\n%s\r\n" % (request.url.raw_path, fields)
    port = request.url.port or PORTS[request.url.scheme]
    assert found == (request.url.raw_host.decode(), port, raw)


@pytest.mark.parametrize(
    "address",
    [
        "http://Vault:8200",
        "http://vault.:8200",
        "http://a..b:1",
        "http://.foo:1",
        "http://xn--:1",
        "http://xn--mnchen-3ya.example:1",
        "http://m\N{LATIN SMALL LETTER U WITH DIAERESIS}nchen:1",
        "http://" + "x" * 64 + ".example:1",
        "http://127.1:1",
        "http://127.0.0.01:1",
        "http://256.0.0.1:1",
        "http://[fe80::1%25lo]:1",
        "http://h_st:1",
        "http://vault:0",
        "http://vault:08200",
        "http://vault:1/a/../b",
        "http://vault:1/a%2Fb",
        "http://vault:1/~x",
    ],
)
def test_what_httpx_may_read_differently_is_left_to_it(address: str) -> None:
    assert plain_request(prepare({"address": address})) is None


def test_a_name_is_resolved_under_the_deadline(
    stand_in: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    first, second = both(f"http://localhost:{stand_in.port}")
    assert first.reason == "dns"
    assert_same(first, second)


# --- TLS ----------------------------------------------------------------------------------------

Server = Callable[[Authority, Path], ssl.SSLContext]
TLS: dict[str, tuple[Server, str]] = {
    "fine": (lambda a, _: server_context(a.server("127.0.0.1")), "active"),
    "TLS 1.2": (lambda a, _: server_context(a.server("127.0.0.1"), tls_1_2=True), "active"),
    "expired": (lambda a, _: server_context(a.expired("127.0.0.1")), "tls"),
    "not yet valid": (lambda a, _: server_context(a.not_yet_valid("127.0.0.1")), "tls"),
    "a stranger's": (lambda *_: server_context(Authority().server("127.0.0.1")), "tls"),
    "another name": (lambda a, _: server_context(a.server("vault.example", "10.0.0.7")), "tls"),
    "a common name only": (lambda a, path: a.common_name_only("127.0.0.1", path), "tls"),
    "a client's is wanted": (
        lambda a, _: server_context(a.server("127.0.0.1"), clients=a),
        "tls",
    ),
    "a client's is wanted in TLS 1.2": (
        lambda a, _: server_context(a.server("127.0.0.1"), clients=a, tls_1_2=True),
        "tls",
    ),
}


@pytest.mark.parametrize(("make", "reason"), TLS.values(), ids=TLS)
def test_each_certificate_is_judged_alike(tmp_path: Path, make: Server, reason: str) -> None:
    authority = Authority()
    ca = authority.write(tmp_path / "ca.pem")
    with StandInVault(tls=make(authority, tmp_path)) as server:
        first, second = both(server.address, ca_cert=str(ca))
    assert first.reason == reason
    assert_same(first, second)


@pytest.mark.parametrize("state", ["active", "hang-tls", "hang", "drip", "chunked", "reset"])
@pytest.mark.parametrize("values", [{}, {"insecure": True}, {"tls_server_name": "vault.example"}])
def test_what_happens_behind_tls_is_judged_alike(
    tmp_path: Path, state: str, values: dict[str, Any]
) -> None:
    authority = Authority()
    ca = authority.write(tmp_path / "ca.pem")
    with StandInVault(tls=server_context(authority.server("127.0.0.1"))) as server:
        server.state = state
        server.drip_interval = 0.05
        seconds = SHORT if state in ENDLESS else LONG
        trust = {} if "insecure" in values else {"ca_cert": str(ca)}
        assert_same(*both(server.address, seconds, **trust, **values))


def test_a_port_without_tls_is_named_alike(stand_in: StandInVault) -> None:
    first, second = both(stand_in.address.replace("http:", "https:"))
    assert first.reason == "tls"
    assert_same(first, second)


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_an_authoritys_file_that_cannot_be_used_is_a_bad_configuration(
    stand_in: StandInVault, tmp_path: Path, content: str
) -> None:
    ca = tmp_path / "ca.pem"
    if content:
        ca.write_text(content)
    first, second = both(stand_in.address.replace("http:", "https:"), ca_cert=str(ca))
    assert first.reason == "bad-config"
    assert_same(first, second)


def test_a_given_authority_replaces_the_systems_store_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, given = trustme.CA(), Authority()
    store = tmp_path / "store.pem"
    trusted.cert_pem.write_to_path(str(store))
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    loaded: list[object] = []
    monkeypatch.setattr(
        ssl.SSLContext, "load_default_certs", lambda *_: loaded.append("the system's store")
    )
    ca = given.write(tmp_path / "ca.pem")
    with StandInVault(tls=server_context(trusted.issue_cert("127.0.0.1"))) as server:
        for result in both(server.address, ca_cert=str(ca)):
            assert result.reason == "tls"
    assert loaded == []


# --- nothing is left behind ---------------------------------------------------------------------


@pytest.mark.parametrize("state", ["active", "chunked", "reset", "close", "hang", "drip"])
def test_a_look_leaves_no_descriptor_behind(stand_in: StandInVault, state: str) -> None:
    options = prepare({"address": stand_in.address})
    ask(options, LONG)
    stand_in.state = state
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        ask(options, SHORT if state in ENDLESS else LONG)
    assert stand_in.wait_until_idle()
    end = time.monotonic() + 5  # those that were left behind end a moment after the deadline
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < end:
        time.sleep(0.01)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_usual_look_imports_no_httpx_and_a_detailed_one_does(stand_in: StandInVault) -> None:
    for words, is_loaded in (((), False), (("--verbose",), True), (("--format", "json"), True)):
        argv = [sys.executable, "-I", "-X", "importtime", "-m", "kacheck", "vault"]
        shown = subprocess.run(
            [*argv, "--address", stand_in.address, "--timeout", "20", *words],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "active" in shown.stdout
        imported = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
        assert ("httpx" in imported) is is_loaded
