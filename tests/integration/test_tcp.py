"""Ports and Unix sockets as checks: real servers, by hand and in the watcher."""

import contextlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest

from helpers.answer import Answer
from helpers.certificates import Authority, server_context
from helpers.watcher import Watcher
from kacheck import status

Look = Callable[..., Answer]
PATIENT = ("--timeout", "20")
SILENT = (
    "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True);"
    "held = []\nwhile True: held.append(s.accept())"
)


class Service:
    """Accepts connections; greets, answers what it is sent, and closes at once if it should."""

    def __init__(
        self,
        greeting: bytes = b"",
        answer: bytes = b"",
        *,
        closes: bool = False,
        context: ssl.SSLContext | None = None,
        path: str | None = None,
    ) -> None:
        self.greeting, self.answer, self.closes = greeting, answer, closes
        self.received: list[bytes] = []
        self.connections: list[socket.socket] = []
        self._context = context
        if path is None:
            self._server = socket.create_server(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        else:
            self._server = socket.socket(socket.AF_UNIX)
            self._server.bind(path)
            self._server.listen()
            self.address = f"unix:{path}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.drop()
        for thread in self._threads:
            thread.join(10)

    def drop(self) -> None:
        """End all connections."""
        for connection in [*self.connections]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.connections.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, raw: socket.socket) -> None:
        connection: Any = raw
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(raw.close)
            if self._context is not None:
                connection = self._context.wrap_socket(raw, server_side=True)
                stack.callback(connection.close)
            connection.sendall(self.greeting)
            while not self.closes and (chunk := connection.recv(4096)):
                self.received.append(chunk)
                connection.sendall(self.answer)


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(answer=b"+PONG\r\n") as each:
        yield each


def test_a_port_that_accepts_is_ok_and_another_refused(look: Look, service: Service) -> None:
    assert look("tcp", *PATIENT, service.address).verdict == "ok connected"
    assert look("tcp", *PATIENT, "127.0.0.1:1").verdict == "critical refused"
    assert look("tcp", "x").verdict == "unknown bad-config"
    assert look("tcp", *PATIENT, "no.such.invalid:1").verdict == "critical dns"


def test_a_unix_socket(look: Look, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    refused = look("tcp", f"unix:{path}")
    assert refused.verdict == "critical refused"
    assert refused.message.startswith(f"unix:{path} refuses connections")
    with Service(b"220 mail\r\n", path=path) as each:
        assert look("tcp", *PATIENT, "--expect", "220 ", each.address).verdict == "ok connected"


def test_what_is_sent_and_expected(look: Look, service: Service) -> None:
    words = ("tcp", *PATIENT, "--send", r"PING\r\n")
    assert look(*words, "--expect=+PONG", service.address).verdict == "ok connected"
    assert service.received == [b"PING\r\n"]
    answer = look(*words, "--expect=-ERR", service.address)
    assert answer.verdict == "critical unexpected-answer"
    assert r'sent "+PONG\r\n" (wanted: "-ERR")' in answer.message


def test_an_answer_that_differs_by_a_line_end_is_shown_with_it(look: Look) -> None:
    with Service(b"ready", closes=True) as each:
        answer = look("tcp", *PATIENT, "--expect", r"ready\n", each.address)
    assert answer.message.endswith(r'sent "ready" (wanted: "ready\n")')


def test_an_answer_that_is_cut_or_does_not_come_fails(look: Look, service: Service) -> None:
    with Service(b"22", closes=True) as each:
        answer = look("tcp", *PATIENT, "--expect", "220 ", each.address)
        assert answer.verdict == "critical unexpected-answer"
    with Service(closes=True) as each:
        assert look("tcp", *PATIENT, "--expect", "2", each.address).verdict == "critical reset"
    answer = look("tcp", "--timeout", "0.5", "--expect", "2", service.address)
    assert answer.verdict == "critical timeout"


def test_tls(look: Look, tmp_path: Path) -> None:
    authority = Authority()
    ca = str(authority.write(tmp_path / "ca.pem"))
    context = server_context(authority.server("127.0.0.1"))
    context.set_alpn_protocols(["something-else"])
    with Service(b"hello", context=context) as each:
        assert look("tcp", *PATIENT, "--tls", each.address).verdict == "critical tls"
        words = ("tcp", *PATIENT, "--tls", "--ca-cert", ca, "--expect", "hello")
        assert look(*words, each.address).verdict == "ok connected"
        name = look(*words, "--tls-server-name", "other", each.address)
        assert name.verdict == "critical tls"
    with Service(b"220 mail\r\n", closes=True) as each:
        answer = look("tcp", *PATIENT, "--tls", "--ca-cert", ca, each.address)
        assert answer.verdict in ("critical tls", "critical reset")


# --- in the watcher -------------------------------------------------------------------------


def check(address: str, more: str = "", interval: float = 0.2) -> str:
    return (
        f'[check.port]\nprobe = "tcp"\naddress = "{address}"\n'
        f"interval = {interval}\ntimeout = 10\n{more}"
    )


def has_connections(service: Service, count: int) -> bool:
    return len(service.connections) >= count


def test_a_killed_service_is_an_event(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SILENT], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        toml = check(f"127.0.0.1:{int(server.stdout.readline())}", interval=30)
        try:
            with Watcher(tmp_path, toml) as watcher:
                watcher.wait_for("port", "ok connected")
                server.send_signal(signal.SIGKILL)
                watcher.wait_for("port", "critical refused", 15)  # before the next regular look
                assert watcher.track("port") == 0
        finally:
            server.kill()


def looks_of(watcher: Watcher) -> int:
    """Return how many looks have ended."""
    (shown,) = status.ask(str(watcher.state_dir))["checks"]
    return sum(shown["looks"].values())


def has_looked_since(watcher: Watcher, looks: int) -> bool:
    return looks_of(watcher) > looks


@pytest.mark.parametrize("more", ["", 'expect = "220 "\n'], ids=["plain", "with an answer"])
def test_a_service_that_closes_idle_connections_is_not_down(tmp_path: Path, more: str) -> None:
    with (
        Service(b"220 mail\r\n") as service,
        Watcher(tmp_path, check(service.address, more)) as watcher,
    ):
        watcher.wait_for("port", "ok connected")
        for _ in range(5):
            seen = len(service.connections)
            service.drop()
            watcher.until(partial(has_connections, service, seen + 1))
            looks = looks_of(watcher)  # the one that made this connection may still be reading
            watcher.until(partial(has_looked_since, watcher, looks))
        assert watcher.transitions("port") == ["ok connected"]


def test_a_service_that_closes_at_once_is_asked_at_the_interval(tmp_path: Path) -> None:
    with (
        Service(closes=True) as service,
        Watcher(tmp_path, check(service.address, interval=0.5)) as watcher,
    ):
        watcher.wait_for("port", "ok connected")
        watcher.until(partial(has_connections, service, 10))
        assert watcher.transitions("port") == ["ok connected"]
        assert watcher.descriptors() < 40


def test_greetings_and_tls_tickets_do_not_cause_events_endlessly(tmp_path: Path) -> None:
    authority = Authority()
    ca = authority.write(tmp_path / "ca.pem")
    context = server_context(authority.server("127.0.0.1"))
    with (
        Service(b"hello", context=context) as service,
        Watcher(
            tmp_path, check(service.address, f'tls = true\nca_cert = "{ca}"\n', interval=3)
        ) as watcher,
    ):
        watcher.wait_for("port", "ok connected")
        watcher.until(partial(has_connections, service, 3))
        assert watcher.transitions("port") == ["ok connected"]


def test_an_answer_is_asked_for_at_each_look(tmp_path: Path, service: Service) -> None:
    more = 'send = "PING\\r\\n"\nexpect = "+PONG"\n'
    with Watcher(tmp_path, check(service.address, more)) as watcher:
        watcher.wait_for("port", "ok connected")
        service.answer = b"-LOADING\r\n"
        watcher.wait_for("port", "critical unexpected-answer")
        service.answer = b"+PONG\r\n"
        watcher.wait_for("port", "ok connected")


def test_it_is_a_member_of_combinations(tmp_path: Path, service: Service) -> None:
    toml = check(service.address) + '[check.gone]\nprobe = "tcp"\naddress = "127.0.0.1:1"\n'
    members = 'probe = "combined"\ntimeout = 20\n'
    toml += f'[check.every]\n{members}all = ["port", "gone"]\n'
    toml += f'[check.either]\n{members}any = ["gone", "port"]\n'
    with Watcher(tmp_path, toml) as watcher:
        watcher.wait_for("every", "critical refused")
        watcher.wait_for("either", "ok connected")
