"""`kacheck vault` and `kacheck combined` against real servers and real TLS, seen from outside."""

import datetime as dt
import gc
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeAlias

import pytest
import trustme

from helpers.certificates import Authority, server_context, write_client_files
from helpers.vault import HEALTH, STATES, WORDS, StandInVault
from kacheck import __file__ as kacheck_package
from kacheck.cli import main

STATUSES = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}
KEYS = {"schema", "check", "status", "reason", "message", "exit_code", "duration_ms", "data"}

DEADLINE = 0.5
GRACE = 3.0
"""A hang would be for ever; how near to the deadline it ends is in bench/."""
"""Seconds after the deadline within which the answer is there: the issue's number."""

BAD = ("critical", "bad-response")
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
ENDLESS = ("hang", "drip", "drip-chunked", "drip-headers", "drip-hints")


class Outcome(NamedTuple):
    """One run of kacheck."""

    status: str
    reason: str
    message: str
    data: dict[str, Any]
    duration: float
    """Seconds, as it says itself."""
    wall: float
    """Seconds, as measured around it."""

    @property
    def said(self) -> tuple[str, str]:
        return self.status, self.reason


Kacheck: TypeAlias = Callable[..., Outcome]


def not_json(word: str) -> NoReturn:
    raise AssertionError(f"{word} is no JSON, though Python reads it")


@pytest.fixture
def kacheck(capsys: pytest.CaptureFixture[str]) -> Kacheck:
    """Runs kacheck in this process and reads its JSON, whose keys it checks."""

    def run(*arguments: str | Path) -> Outcome:
        command = [os.fspath(argument) for argument in arguments]
        capsys.readouterr()
        begun = time.monotonic()
        code = main([*command, "--format", "json"])
        wall = time.monotonic() - begun
        report = json.loads(capsys.readouterr().out, parse_constant=not_json)
        assert set(report) == KEYS
        assert (report["schema"], report["exit_code"]) == (1, code)
        assert STATUSES[report["status"]] == code
        duration = report["duration_ms"] / 1000
        return Outcome(
            report["status"], report["reason"], report["message"], report["data"], duration, wall
        )

    return run


@pytest.fixture
def vault() -> Iterator[StandInVault]:
    with StandInVault() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca(authority: Authority, tmp_path: Path) -> Path:
    """The file that makes kacheck trust the servers of these tests."""
    return authority.write(tmp_path / "ca.pem")


@pytest.fixture
def tls_vault(authority: Authority) -> Iterator[StandInVault]:
    with StandInVault(tls=server_context(authority.server("127.0.0.1"))) as stand_in:
        yield stand_in


def threads_and_files() -> tuple[int, int]:
    return threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir())


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@contextmanager
def nothing_left_behind(vault: StandInVault) -> Iterator[None]:
    """The caller has warmed up, so that what is imported or opened once is open already."""
    assert vault.wait_until_idle()
    before = threads_and_files()
    yield
    assert vault.wait_until_idle(), "a connection was left open"
    assert eventually(lambda: threads_and_files() == before), (before, threads_and_files())


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


# --- what each answer means ----------------------------------------------------------------------


def test_every_word_of_the_stand_in_has_its_promise_here() -> None:
    assert {*SAID, *UNDECIDED} == set(STATES)
    assert {*SAID, *UNDECIDED, *DONE, *BROKEN_OFF, *ENDLESS, "hang-tls"} == WORDS


@pytest.mark.parametrize(("state", "said"), (SAID | DONE).items(), ids=SAID | DONE)
def test_each_answer_has_its_status_and_reason(
    kacheck: Kacheck, vault: StandInVault, state: str, said: tuple[str, str]
) -> None:
    vault.state = state
    assert kacheck("vault", "--address", vault.address).said == said


@pytest.mark.parametrize("state", BROKEN_OFF)
def test_an_answer_that_breaks_off_is_critical_though_its_json_may_be_whole(
    kacheck: Kacheck, vault: StandInVault, state: str
) -> None:
    vault.state = state
    outcome = kacheck("vault", "--address", vault.address)
    assert outcome.status == "critical"
    assert outcome.reason in {"reset", "bad-response"}


ROLES = ("active", "standby", "performance-standby", "dr-secondary")


@pytest.mark.parametrize("accepted", ROLES)
@pytest.mark.parametrize("state", ROLES)
def test_a_role_is_ok_when_it_is_accepted_and_a_warning_when_not(
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
def test_no_accept_makes_a_liar_ok(kacheck: Kacheck, vault: StandInVault, state: str) -> None:
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
def test_an_address_may_have_a_name_and_a_slash_at_its_end(
    kacheck: Kacheck, vault: StandInVault, host: str
) -> None:
    assert kacheck("vault", "--address", f"http://{host}:{vault.port}/").status == "ok"
    assert [request.target for request in vault.requests] == [HEALTH]


def test_an_ipv6_address_is_understood(kacheck: Kacheck) -> None:
    outcome = kacheck("vault", "--address", f"http://[::1]:{closed_port()}")
    assert outcome.status == "critical"


# --- one plain GET -------------------------------------------------------------------------------


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


# --- the deadline --------------------------------------------------------------------------------


def assert_in_time(outcome: Outcome, deadline: float = DEADLINE) -> None:
    assert outcome.said == ("critical", "timeout")
    assert deadline - 0.001 <= outcome.duration < deadline + GRACE
    assert outcome.wall < deadline + GRACE


@pytest.mark.parametrize("state", ENDLESS)
def test_a_server_that_does_not_end_is_a_timeout_in_time_and_leaves_nothing_behind(
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
def test_dns_that_hangs_is_a_timeout_in_time_and_its_late_answer_starts_nothing_that_stays(
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
    source = os.fspath(Path(kacheck_package).parents[1])
    command = [sys.executable, "-m", "kacheck", "vault", "--address", vault.address]
    begun = time.monotonic()
    ended = subprocess.run(
        [*command, "--timeout", str(DEADLINE)],
        env={"PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
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


# --- TLS -----------------------------------------------------------------------------------------


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
    assert "it is for vault.example.org, 10.0.0.7" in outcome.message


def test_a_certificate_with_only_a_common_name_is_refused_as_go_refuses_it(
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
def test_a_name_that_is_none_is_a_bad_configuration(kacheck: Kacheck, host: str) -> None:
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


# --- the environment -----------------------------------------------------------------------------


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


# --- bad options and bad environment -------------------------------------------------------------


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
def test_a_command_line_that_is_not_understood_exits_3_and_names_the_option(
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


# A terminal would be asked for the password, and there is none to answer.
def test_an_encrypted_client_key_is_bad_config(
    kacheck: Kacheck, authority: Authority, tls_vault: StandInVault, ca: Path
) -> None:
    cert, key = write_client_files(authority.client(), ca.parent, password=b"secret")
    options = ("vault", "--address", tls_vault.address, "--ca-cert", ca)
    outcome = kacheck(*options, "--client-cert", cert, "--client-key", key)
    assert outcome.said == ("unknown", "bad-config")
    assert "client.key" in outcome.message


# --- what is shown -------------------------------------------------------------------------------

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
def test_tls_is_a_phase_of_its_own(
    kacheck: Kacheck, tls_vault: StandInVault, ca: Path, state: str, phases: set[str]
) -> None:
    tls_vault.state = state
    options = ("vault", "--address", tls_vault.address, "--ca-cert", ca, "--timeout", "0.3")
    assert set(kacheck(*options).data["phases_ms"]) == phases | {"start"}


def test_a_refused_connection_has_no_phase_but_connect(kacheck: Kacheck) -> None:
    outcome = kacheck("vault", "--address", f"http://127.0.0.1:{closed_port()}")
    assert set(outcome.data["phases_ms"]) == {"start", "connect"}


@pytest.mark.parametrize("state", ["active", "standby", "sealed", "openbao-2.6"])
def test_the_json_has_the_address_the_code_and_the_fields_of_the_answer(
    kacheck: Kacheck, vault: StandInVault, state: str
) -> None:
    vault.state = state
    data = kacheck("vault", "--address", vault.address).data
    assert (data["address"], data["http_status"]) == (vault.address, STATES[state].code)
    assert data["fields"] == json.loads(STATES[state].body)
    assert "certificate" not in data


@pytest.mark.parametrize("state", ["hang", "reset", "garbage"])
def test_an_address_is_shown_and_no_code_when_there_was_no_answer(
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


# --- an address that is not this machine ---------------------------------------------------------


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


# --- combined ------------------------------------------------------------------------------------


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
