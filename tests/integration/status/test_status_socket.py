"""The status socket: slow, silent and rude clients, and a socket that is missing."""

import contextlib
import json
import os
import pathlib
import resource
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from helpers.status import HERE, NAME, ask
from helpers.waiting import until
from helpers.watcher import Watcher
from kacheck import status
from kacheck.watch import clients
from kacheck.watch import status_server as server
from kacheck.watch.status_server import StatusServer
from kacheck.watch.timers import Timers

Start = Callable[..., subprocess.Popen[bytes]]
QUICK = {"kacheck.watch.supervisor.LOCK_INTERVAL": 0.1}
"""A watcher that looks after its socket ten times a second."""


class Served:
    """A status server with a separate loop and an answer of any size."""

    def __init__(self, directory: pathlib.Path, size: int) -> None:
        (directory / "watcher").mkdir(exist_ok=True)
        self.answer = "x" * size
        self.made = 0
        self.reports: list[str | None] = []
        self.selector, self.timers = selectors.DefaultSelector(), Timers()
        self.server = StatusServer(
            str(directory),
            self.selector,
            self.timers,
            self.pieces,
            self.reports.append,
            update=lambda: None,
        )
        self.path = directory / "watcher/status.sock"
        self._is_running = True
        self._thread = threading.Thread(target=self._run)

    def pieces(self) -> Iterator[str]:
        self.made += 1
        for start in range(0, len(self.answer), 4096):
            yield self.answer[start : start + 4096]

    def __enter__(self) -> Self:
        self.server.check()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_running = False
        self._thread.join()
        self.server.close()
        self.selector.close()

    def _run(self) -> None:
        while self._is_running:
            for key, _ in self.selector.select(0.005):
                key.data()
            self.timers.run(time.monotonic())

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        while True:
            try:
                connection.connect(f"/proc/self/cwd/{os.path.relpath(self.path)}")
            except BlockingIOError:
                time.sleep(0.005)
            else:
                return connection

    def get(self) -> bytes:
        with self.connect() as connection:
            return received(connection)


def received(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def served(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.chdir(tmp_path)
    with Served(tmp_path, 3_000_000) as running:
        yield running


def test_an_answer_larger_than_the_sockets_buffer_arrives_whole(served: Served) -> None:
    with served.connect() as slow:
        assert slow.recv(1) == b"x"
        assert served.get() == served.answer.encode(), "others are served meanwhile"
        assert len(received(slow)) == len(served.answer) - 1


def test_a_client_that_never_reads_is_dropped_without_a_trace(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.3)
    before = descriptors()
    with contextlib.ExitStack() as stack:
        for _ in range(clients.FAVOURED_PLACES + 5):
            stack.enter_context(served.connect())
        until(lambda: len([*served.server._clients]) == clients.FAVOURED_PLACES)
        assert served.get() == served.answer.encode()
        until(lambda: not [*served.server._clients])
    assert descriptors() == before


def test_500_aborted_or_garbage_connections_do_no_harm(served: Served) -> None:
    before = descriptors()
    for number in range(500):
        with served.connect() as connection, contextlib.suppress(OSError):
            if number % 3 == 1:
                connection.send(b"GET / HTTP/1.1\r\n\r\n\0\xff")
            if number % 3 == 2:
                connection.shutdown(socket.SHUT_RD)
    assert served.get() == served.answer.encode()
    until(lambda: not [*served.server._clients])
    assert descriptors() == before


def test_simultaneous_clients_get_the_same_answer(served: Served) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(len(served.get()))) for _ in range(60)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [len(served.answer)] * 60
    assert served.made < 60


def test_a_client_that_writes_garbage_first_is_answered(
    tmp_path: pathlib.Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher, socket.socket(socket.AF_UNIX) as connection:
        monkeypatch.chdir(watcher.state_dir)
        watcher.signal(signal.SIGSTOP)
        connection.connect("watcher/status.sock")
        connection.send(b"GET / HTTP/1.1\r\n\r\n\0\xff")
        watcher.signal(signal.SIGCONT)
        assert json.loads(received(connection))["pid"] == watcher.pid


def test_out_of_descriptors_clients_wait_and_none_is_lost(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(served.server, "_rest", noting(pauses, served.server._rest))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(5)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (clients[-1].fileno() + 1, limits[1]))
        try:
            with contextlib.suppress(OSError):
                while True:
                    stack.callback(os.close, os.open("/", os.O_PATH))
            for client in clients:
                client.connect("watcher/status.sock")
            until(lambda: len(pauses) > 1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert pauses[1] - pauses[0] > server.PAUSE / 2, "it does not spin"
        assert [len(received(client)) for client in clients] == [len(served.answer)] * 5


def noting(times: list[float], method: Callable[..., None]) -> Callable[..., None]:
    def noted(*args: Any) -> None:
        times.append(time.monotonic())
        method(*args)

    return noted


def test_anyone_may_connect_and_the_socket_goes_with_the_watcher(
    tmp_path: pathlib.Path, start: Start
) -> None:
    start(NAME, "60")
    deep = tmp_path / ("long-" * 30) / "state"
    with Watcher(tmp_path, HERE, state_dir=deep, environ={"TZ": "UTC"}) as watcher:
        path = deep / "watcher/status.sock"
        assert path.stat().st_mode & 0o777 == 0o666
        assert path.is_socket()
        assert ask(deep)["pid"] == watcher.pid
        watcher.stop()
        assert not path.exists()
    assert sorted(os.listdir(deep / "watcher")) == ["lock", "pid"]


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: pathlib.Path, start: Start) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher:
        watcher.kill()
        assert (watcher.state_dir / "watcher/status.sock").is_socket()
    with Watcher(tmp_path, HERE) as watcher:
        assert ask(watcher.state_dir)["pid"] == watcher.pid


def test_the_socket_is_recreated_with_its_directory(tmp_path: pathlib.Path, start: Start) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE, settings=QUICK) as watcher:

        def answers() -> bool:
            with contextlib.suppress(status.NoWatcherError):
                return bool(ask(watcher.state_dir)["pid"] == watcher.pid)
            return False

        assert answers()
        (watcher.state_dir / "watcher/status.sock").unlink()
        watcher.until(answers)
        watcher.state_dir.rename(tmp_path / "old")
        watcher.until(answers)
        before = watcher.descriptors()
        (watcher.state_dir / "watcher/status.sock").unlink()
        (watcher.state_dir / "watcher/status.sock").touch()
        watcher.until(answers)
        watcher.until(lambda: watcher.descriptors() == before)


def test_a_socket_that_cannot_be_created_is_reported_once(
    tmp_path: pathlib.Path, start: Start
) -> None:
    process = start(NAME, "60")
    (tmp_path / "state/watcher/status.sock/x").mkdir(parents=True)
    with Watcher(tmp_path, HERE, settings=QUICK) as watcher:
        watcher.until(lambda: watcher.find("status.sock: Is a directory: kacheck status is not"))
        process.kill()
        watcher.wait_for("here", "critical missing")
        (watcher.state_dir / "watcher/status.sock/x").rmdir()
        (watcher.state_dir / "watcher/status.sock").rmdir()
        watcher.until(lambda: watcher.find("kacheck status is answered again"))
        assert ask(watcher.state_dir)["pid"] == watcher.pid
        said = [line for line in watcher.lines if "is not answered" in str(line.get("message"))]
        assert len(said) == 1
