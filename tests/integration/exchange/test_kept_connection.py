"""The client that keeps a connection, against real servers."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from helpers.certificates import Authority
from helpers.exchange import BODY, LENGTH, Make, files, look, plain, readable, said
from helpers.paths import STAND_IN_VAULT
from helpers.vault import BEHAVIOURS, STATES, StandInVault
from helpers.waiting import eventually
from kacheck.deadline import Deadline
from kacheck.exchange.kept import KEPT_FOR
from kacheck.result import Loss

# --- the client --------------------------------------------------------------------------------


def test_one_connection_serves_many_looks(client: Make, stand_in: StandInVault) -> None:
    each = client(stand_in.address)
    for state, verdict in (
        ("active", "ok active"),
        ("standby", "warning standby"),
        ("sealed", "critical sealed"),
        ("active", "ok active"),
    ):
        stand_in.state = state
        assert said(each) == verdict
    assert stand_in.connections == 1
    assert len(stand_in.requests) == 4
    first, *others = stand_in.requests
    assert all(other == first for other in others), "the same request each time"
    assert first.header("Connection") in ([], ["keep-alive"])


def test_each_state_is_judged_alike_on_kept_and_new_connections(
    client: Make, stand_in: StandInVault
) -> None:
    each = client(stand_in.address)
    for state in STATES:
        stand_in.state = "active"
        assert said(each) == "ok active"
        stand_in.state = state
        kept_one = look(each)
        with contextlib.closing(client(stand_in.address)) as fresh:
            new_one = look(fresh)
        assert kept_one[:3] == new_one[:3], state
        drop = {"phases_ms", "peer"}
        assert {k: v for k, v in kept_one.data.items() if k not in drop} == {
            k: v for k, v in new_one.data.items() if k not in drop
        }, state


@pytest.mark.parametrize("behaviour", sorted({*BEHAVIOURS} - {"hang-tls"}))
def test_each_misbehaviour_is_judged_alike_on_kept_and_new_connections(
    client: Make, stand_in: StandInVault, behaviour: str
) -> None:
    stand_in.drip_interval = 0.05
    each = client(stand_in.address)
    assert said(each) == "ok active"
    stand_in.state = behaviour
    seconds = 2.0 if behaviour == "gzip-bomb" else 0.3  # it is work, not waiting
    kept_one = look(each, seconds)
    with contextlib.closing(client(stand_in.address)) as fresh:
        new_one = look(fresh, seconds)
    assert kept_one[:2] == new_one[:2]
    stand_in.state = "active"
    assert said(each) == "ok active", "and that is over when it is over"


def test_a_connection_is_believed_for_so_long_and_no_longer(
    client: Make, stand_in: StandInVault, clock: Callable[[float], None]
) -> None:
    each = client(stand_in.address)
    said(each)
    clock(KEPT_FOR - 0.5)
    said(each)
    assert stand_in.connections == 1
    clock(1)
    assert said(each) == "ok active"
    assert stand_in.connections == 2
    assert each.loss() is Loss.NOTHING, "it was given up, not lost"
    assert said(each) == "ok active"
    assert stand_in.connections == 2


def test_a_node_that_takes_no_new_connections_is_found_out(
    client: Make, stand_in: StandInVault, clock: Callable[[float], None]
) -> None:
    """The kept connection works, but new connections are not served."""
    each = client(stand_in.address)
    assert said(each) == "ok active"
    stand_in._stopping = True
    stand_in._listener.shutdown(socket.SHUT_RDWR)
    stand_in._acceptor.join()
    assert said(each) == "ok active"
    clock(KEPT_FOR + 0.1)
    assert said(each) == "critical refused"
    stand_in._stopping = False


class Closing:
    """A server that answers one request on each connection and does `then`."""

    def __init__(self, then: Callable[[socket.socket], object], answer: bytes = plain()) -> None:
        self.then = then
        self.answer = answer
        self.connections = 0
        self._sock: socket.socket | None = None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            if self._sock is not None:
                self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _work(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._sock = sock = self._server.accept()[0]
                self.connections += 1
                with sock, contextlib.suppress(OSError):
                    sock.recv(65536)
                    sock.sendall(self.answer)
                    self.then(sock)


def test_a_server_that_ends_an_idle_connection_causes_no_failure(client: Make) -> None:
    with Closing(lambda _: None) as server:
        each = client(server.address)
        for number in range(1, 6):
            assert said(each) == "ok active"
            assert server.connections == number
            # httpcore closes a connection that it finds ended at the end of the answer.
            assert not each.watched() or readable(each)


def test_a_server_that_closes_while_asked_is_asked_once_more(client: Make) -> None:
    with Closing(lambda sock: sock.recv(65536)) as server:
        each = client(server.address)
        for number in range(1, 6):
            assert said(each) == "ok active"
            assert server.connections == number
            assert not readable(each, 0), "nothing is amiss until it is asked"
            assert each.loss() is (Loss.NOTHING if number == 1 else Loss.SOME)
            assert each.loss() is Loss.NOTHING, "it is reported once"


@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
def test_a_server_without_plain_answers_is_asked_once_each_look(
    client: Make, connection: bytes
) -> None:
    """Proxies write such a field: to ask three times would take three times as long."""
    answer = plain(fields=b"Connection: %s\r\n" % connection + LENGTH)
    asked: list[bytes] = []

    def then(sock: socket.socket) -> None:
        while connection == b"keep-alive" and (request := sock.recv(65536)):
            asked.append(request)
            sock.sendall(answer)

    with Closing(then, answer) as server:
        each = client(server.address)
        for number in range(1, 6):
            assert said(each) == "ok active"
            assert (server.connections, asked) == (number, [])
            assert each.loss() is Loss.NOTHING, "what ends with its answer has not been lost"


def test_an_unrequested_answer_is_not_believed(client: Make) -> None:
    """An answer that lies there already would be that of the next question."""
    lie = plain(body=BODY.replace(b"false", b"true "))

    def then(sock: socket.socket) -> None:
        sock.sendall(lie)
        sock.recv(65536)

    with Closing(then) as server:
        each = client(server.address)
        for _ in range(3):
            before = server.connections
            assert said(each) == "ok active"
            assert server.connections > before


def test_a_server_that_has_gone_is_an_event_and_refused(client: Make) -> None:
    with StandInVault() as server:
        each = client(server.address)
        assert said(each) == "ok active"
        assert not readable(each, 0)
        server.stop()
        assert readable(each)
        assert said(each) == "critical refused"
        assert [each.loss(), each.loss()] == [Loss.SOME, Loss.NOTHING]
        assert each.watched() == []
        with StandInVault(port=server.port) as again:
            assert said(each) == "ok active"
            assert again.connections == 1


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A stand-in as a separate process, and its address."""
    argv = [sys.executable, str(STAND_IN_VAULT), "--listen", "127.0.0.1:0", "--seconds", "60"]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert child.stdout is not None
    address = child.stdout.readline().split()[-1]
    yield child, address
    child.kill()
    child.communicate()


def test_a_server_that_is_stopped_is_a_timeout_at_the_deadline(
    client: Make, process: tuple[subprocess.Popen[str], str]
) -> None:
    child, address = process
    each = client(address)
    assert said(each) == "ok active"
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    begun = time.monotonic()
    result = look(each, 0.2)
    assert (result.status.word, result.reason) == ("critical", "timeout")
    assert f"still waiting for {address} to answer" in result.message
    assert 0.2 <= time.monotonic() - begun < 5
    assert said(each, 0.2) == "critical timeout", "nor does a new connection help"
    child.send_signal(signal.SIGCONT)
    assert said(each) == "ok active"


def test_a_worker_that_hangs_is_freed_when_its_time_is_up(
    client: Make, process: tuple[subprocess.Popen[str], str]
) -> None:
    """Though its own patience would be longer."""
    child, address = process
    each = client(address)
    assert said(each) == "ok active"
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    ended = threading.Event()

    def work() -> None:
        each.member.alone(deadline)
        ended.set()

    deadline = Deadline(90)
    threading.Thread(target=work).start()
    while not deadline.phases:
        time.sleep(0.001)
    deadline.expire()
    assert ended.wait(30), "it waits for the server"
    child.send_signal(signal.SIGCONT)


def test_a_killed_server_is_an_event(
    client: Make, process: tuple[subprocess.Popen[str], str]
) -> None:
    child, address = process
    each = client(address)
    assert said(each) == "ok active"
    child.kill()
    assert readable(each)
    child.wait()  # its listening socket may be closed after its connections
    assert said(each) == "critical refused"


def test_a_unix_socket_is_kept_too(client: Make, tmp_path: Path) -> None:
    with StandInVault(unix_path=tmp_path / "vault.sock") as server:
        each = client(server.address)
        assert [said(each), said(each)] == ["ok active"] * 2
        assert server.connections == 1
        server.stop()
        assert readable(each)
        assert said(each) == "critical refused"


def test_ipv6_is_kept_too(client: Make) -> None:
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    with StandInVault(host="::1") as server:
        each = client(server.address)
        assert [said(each), said(each)] == ["ok active"] * 2
        assert server.connections == 1
        assert server.requests[1].header("Host") == [f"[::1]:{server.port}"]


# --- nothing is left behind --------------------------------------------------------------------


def test_failures_leave_no_descriptor_behind(client: Make) -> None:
    with StandInVault() as server:
        each = client(server.address)
        said(each)
        before = files()
        for number in range(500):
            server.state = ("close", "active", "reset", "active", "garbage-head")[number % 5]
            said(each)
        server.state = "active"
        assert said(each) == "ok active"
        assert server.wait_until_idle(0.01) is False, "it keeps one"
        assert eventually(lambda: files() == before), (before, files())
        each.close()
        assert server.wait_until_idle()


def test_refused_connections_and_failed_handshakes_leave_no_descriptor_behind(
    client: Make, tls_server: StandInVault, tmp_path: Path
) -> None:
    stranger = Authority().write(tmp_path / "stranger.pem")
    each = client(tls_server.address, ca_cert=str(stranger))
    assert said(each) == "critical tls"
    assert tls_server.wait_until_idle()
    before = files()
    for _ in range(30):
        assert said(each) == "critical tls"
    assert tls_server.wait_until_idle()
    assert eventually(lambda: files() == before)
    tls_server.stop()
    with_listener = files()
    for _ in range(200):
        assert said(each) == "critical refused"
    assert files() == with_listener


def test_timeouts_leave_no_descriptor_behind(client: Make, stand_in: StandInVault) -> None:
    each = client(stand_in.address)
    said(each)
    before = files()
    threads = threading.active_count()
    stand_in.state = "hang"
    for _ in range(20):
        assert said(each, 0.02) == "critical timeout"
    stand_in.state = "active"
    assert said(each) == "ok active"
    assert eventually(lambda: files() == before), (before, files())
    assert eventually(lambda: threading.active_count() <= threads)
