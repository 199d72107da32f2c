"""`kacheck status` and a program of the watcher's user that answers in the watcher's place."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from kacheck import status

SENT = 1 << 20


@contextmanager
def answering(tmp_path: Path, answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Run a server with this answer, and give its state directory."""
    (tmp_path / "watcher").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "watcher/status.sock"))
        listener.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield str(tmp_path)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)


def refused() -> AbstractContextManager[object]:
    return pytest.raises(status.NoWatcherError, match="is not this version of kacheck")


def test_an_answer_without_end_is_not_read_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "TIMEOUT", 30.0)
    monkeypatch.setattr(status, "MOST_BYTES", 4 * SENT)
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        while True:
            sent += connection.send(b"x" * SENT)

    with answering(tmp_path, flood) as state_dir, refused():
        status.ask(state_dir)
    assert sent < 8 * SENT


@pytest.mark.parametrize(
    "answer", [b"[" * 200_000 + b"\n", b'{"schema": 1}\n', b'{"schema": 1, "checks": 5}\n']
)
def test_an_answer_that_is_nonsense_is_not_the_watchers(tmp_path: Path, answer: bytes) -> None:
    def send(connection: socket.socket) -> None:
        connection.sendall(answer)

    with answering(tmp_path, send) as state_dir, refused():
        status.ask(state_dir)
