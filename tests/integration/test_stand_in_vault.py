"""The stand-in Vault does what the tests that lean on it believe."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from helpers.certificates import Authority, server_context, write_client_files
from helpers.paths import STAND_IN_VAULT
from helpers.vault import HEALTH, STATES, WORDS, StandInVault

GET = f"GET {HEALTH} HTTP/1.1\r\nHost: vault\r\n\r\n".encode()

CODES = {
    "active": 200,
    "standby": 429,
    "dr-secondary": 472,
    "dr-secondary-standby": 472,
    "performance-standby": 473,
    "ha-unhealthy": 474,
    "uninitialized": 501,
    "sealed": 503,
    "removed": 530,
    "rate-limited": 429,
    "bad-request": 400,
    "forbidden-forwarded": 400,
    "method-not-allowed": 405,
    "error": 500,
    "openbao-active": 200,
    "openbao-standby": 429,
    "openbao-sealed": 503,
    "openbao-2.6": 200,
}


def get(port: int, method: str = "GET", path: str = HEALTH) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as client:
        client.request(method, path)
        response = client.getresponse()
        return response.status, response.read()


def connect(vault: StandInVault) -> socket.socket:
    return socket.create_connection(("127.0.0.1", vault.port), timeout=5)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    before = open_files(), threading.active_count()
    yield
    assert (open_files(), threading.active_count()) == before


@pytest.mark.parametrize("state", sorted(STATES))
def test_every_state_is_answered_with_its_code_and_body(state: str) -> None:
    with StandInVault(state) as vault:
        assert get(vault.port) == (STATES[state].code, STATES[state].body)
    assert state not in CODES or STATES[state].code == CODES[state]


def test_every_documented_state_exists() -> None:
    assert set(CODES) <= set(STATES)


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        ("active", (True, False, False)),
        ("standby", (True, False, True)),
        ("dr-secondary", (True, False, False)),
        ("sealed", (True, True, True)),
        ("uninitialized", (False, True, True)),
        ("openbao-active", (True, False, False)),
    ],
)
def test_an_honest_body_says_what_its_code_says(
    state: str, fields: tuple[bool, bool, bool]
) -> None:
    body = json.loads(STATES[state].body)
    assert (body["initialized"], body["sealed"], body["standby"]) == fields


def test_the_state_changes_on_a_kept_connection() -> None:
    with (
        StandInVault() as vault,
        closing(http.client.HTTPConnection("127.0.0.1", vault.port, timeout=5)) as client,
    ):
        codes = []
        for state in ("active", "sealed", "standby"):
            vault.state = state
            client.request("GET", HEALTH)
            response = client.getresponse()
            response.read()
            codes.append(response.status)
        assert codes == [200, 503, 429]
        assert vault.connections == 1


def test_a_misspelt_state_is_refused() -> None:
    with pytest.raises(ValueError, match="seeled"):
        StandInVault("seeled")


def test_requests_are_recorded_as_they_were_sent() -> None:
    with StandInVault() as vault:
        get(vault.port, path=f"{HEALTH}?standbyok=true")
        request = vault.requests[0]
    assert (request.method, request.target) == ("GET", f"{HEALTH}?standbyok=true")
    assert request.header("accept-encoding") == ["identity"]
    assert request.header("X-Vault-Token") == []


@pytest.mark.parametrize(
    ("method", "path", "code"), [("POST", HEALTH, 405), ("GET", "/v1/sys/leader", 404)]
)
def test_another_question_gets_another_answer(method: str, path: str, code: int) -> None:
    with StandInVault() as vault:
        assert get(vault.port, method, path)[0] == code


@pytest.mark.parametrize("state", ["drip", "drip-chunked", "drip-headers", "drip-hints"])
def test_a_drip_comes_piece_by_piece_and_does_not_end(state: str) -> None:
    with StandInVault(state) as vault, connect(vault) as client:
        vault.drip_interval = 0.05
        client.sendall(GET)
        begun = time.monotonic()
        for _ in range(5):
            assert client.recv(65536)
        # The head comes at once, its first piece may come along with it, then one per interval.
        assert time.monotonic() - begun >= 3 * 0.05


@pytest.mark.parametrize("state", ["hang", "hang-tls"])
def test_a_hang_says_nothing(state: str) -> None:
    with StandInVault(state) as vault, connect(vault) as client:
        client.sendall(GET)
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)


def received(client: socket.socket) -> bytes:
    data = bytearray()
    while piece := client.recv(65536):
        data += piece
    return bytes(data)


def test_a_reset_is_a_reset() -> None:
    with StandInVault("reset") as vault, connect(vault) as client:
        client.sendall(GET)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_reset_halfway_comes_after_half_of_the_body() -> None:
    with StandInVault("reset-halfway") as vault, connect(vault) as client:
        client.sendall(GET)
        with pytest.raises(ConnectionResetError):
            received(client)


@pytest.mark.parametrize(
    ("state", "start", "end"),
    [
        ("close", b"", b""),
        ("redirect", b"HTTP/1.1 307 ", b"\r\n\r\n"),
        ("redirect-permanent", b"HTTP/1.1 301 ", b"\r\n\r\n"),
        ("chunked", b"HTTP/1.1 200 ", b"\r\n0\r\n\r\n"),
        ("short-body", b"HTTP/1.1 200 ", STATES["active"].body),
        ("http-1.0", b"HTTP/1.0 200 ", STATES["active"].body),
        ("100-continue", b"HTTP/1.1 100 ", STATES["active"].body),
        ("garbage", b"SSH-2.0-", b"\n\x14"),
        ("garbage-head", b"220 ", b"\r\n\r\n"),
    ],
)
def test_these_bytes_are_sent_and_then_the_connection_ends(
    state: str, start: bytes, end: bytes
) -> None:
    with StandInVault(state) as vault, connect(vault) as client:
        client.sendall(GET)
        data = received(client)
    assert data.startswith(start)
    assert data.endswith(end)


@pytest.mark.parametrize("state", ["huge", "huge-chunked", "huge-headers"])
def test_a_huge_answer_stops_when_the_client_closes(state: str) -> None:
    with StandInVault(state) as vault:
        with connect(vault) as client:
            client.sendall(GET)
            size = 0
            while size < 1_000_000:
                size += len(client.recv(65536))
        assert vault.wait_until_idle()


@pytest.mark.parametrize("state", ["gzip-bomb", "gzip-bomb-active"])
def test_a_bomb_is_small_on_the_wire(state: str) -> None:
    with StandInVault(state) as vault, connect(vault) as client:
        client.sendall(GET)
        assert len(received(client)) < 20_000


@pytest.mark.parametrize("state", sorted(WORDS))
def test_it_stops_at_once_and_leaves_nothing_behind(state: str) -> None:
    with nothing_left_behind():
        vault = StandInVault(state)
        with vault, connect(vault) as client:
            client.sendall(GET)
            assert state == "hang-tls" or vault.wait_for_requests(1)
            begun = time.monotonic()
            vault.stop()
            assert time.monotonic() - begun < 5


def test_a_stopped_one_refuses_and_its_port_can_be_taken_again() -> None:
    with StandInVault() as vault:
        get(vault.port)
    with pytest.raises(ConnectionRefusedError):
        connect(vault)
    with StandInVault("sealed", port=vault.port) as successor:
        assert get(successor.port)[0] == 503


def test_it_listens_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "vault.sock"
    with StandInVault(unix_path=path) as vault, socket.socket(socket.AF_UNIX) as client:
        assert vault.address == f"unix://{path}"
        client.connect(os.fspath(path))
        client.sendall(GET)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    assert not path.exists()


@pytest.mark.parametrize("tls_1_2", [False, True], ids=["tls-1.3", "tls-1.2"])
def test_it_speaks_tls_with_a_client_that_has_a_certificate(
    tmp_path: Path, *, tls_1_2: bool
) -> None:
    authority = Authority()
    server = server_context(authority.server("localhost"), clients=authority, tls_1_2=tls_1_2)
    client = ssl.create_default_context(cadata=authority.pem.decode())
    client.load_cert_chain(*write_client_files(authority.client(), tmp_path))
    with (
        StandInVault(tls=server) as vault,
        connect(vault) as plain,
        client.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        assert vault.address == f"https://127.0.0.1:{vault.port}"
        tls.sendall(GET)
        assert tls.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
        assert tls.version() == ("TLSv1.2" if tls_1_2 else "TLSv1.3")


def test_a_client_without_a_certificate_reads_the_alert() -> None:
    authority = Authority()
    server = server_context(authority.server("localhost"), clients=authority)
    client = ssl.create_default_context(cadata=authority.pem.decode())
    with (
        StandInVault(tls=server) as vault,
        connect(vault) as plain,
        client.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        tls.sendall(GET)
        with pytest.raises(ssl.SSLError, match="certificate required"):
            tls.recv(65536)


@contextmanager
def script(python: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [python, os.fspath(STAND_IN_VAULT), "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip().removeprefix("listening on ")
            yield process, int(address.rpartition(":")[2])
        finally:
            process.terminate()
            process.wait(timeout=30)


def test_the_script_rereads_its_state_and_ends_at_sigterm(tmp_path: Path) -> None:
    word = tmp_path / "state"
    with script(sys.executable, "--state-file", os.fspath(word), "--state", "standby") as running:
        process, port = running
        codes = [get(port)[0]]
        for state in ("sealed", "active\n", "no-such-state"):
            word.write_text(state)
            codes.append(get(port)[0])
    assert codes == [429, 503, 200, 500]
    assert process.returncode == -signal.SIGTERM


def test_started_through_a_symlink_the_script_is_called_vault(tmp_path: Path) -> None:
    link = tmp_path / "vault"
    link.symlink_to(sys.executable)
    with script(os.fspath(link)) as (process, _):
        assert Path(f"/proc/{process.pid}/comm").read_text() == "vault\n"


def test_the_script_ends_after_its_seconds() -> None:
    with script(sys.executable, "--seconds", "0.1") as (process, _):
        assert process.wait(timeout=30) == 0
