"""The request on a kept connection, byte by byte."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from helpers.exchange import LENGTH, OK, PLAIN, STRANGE, plain
from helpers.vault import STATES
from kacheck.deadline import Deadline
from kacheck.exchange import plain as plain_module
from kacheck.exchange.answer import HttpAnswer
from kacheck.probes.vault.health import STATES as CODES

REQUEST = b"GET /v1/sys/health HTTP/1.1\r\nHost: vault\r\n\r\n"


class OneByte(socket.socket):
    """Reads as if each byte had come by itself."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        return super().recv(min(size, 1), flags)


@contextlib.contextmanager
def answered(data: bytes, kind: type[socket.socket] = socket.socket) -> Iterator[socket.socket]:
    """Give a connection on which this is the answer, and then the end."""
    left, right = socket.socketpair()
    with kind(fileno=left.detach()) as ours, right:

        def serve() -> None:
            with contextlib.suppress(OSError):
                right.recv(65536)
                right.sendall(data)
                right.shutdown(socket.SHUT_WR)

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield ours
        finally:
            socket.socket.shutdown(right, socket.SHUT_RDWR)
            server.join()


def ask(data: bytes, kind: type[socket.socket] = socket.socket) -> HttpAnswer | None:
    with answered(data, kind) as sock:
        try:
            return plain_module.ask(sock, REQUEST, CODES, Deadline(5))
        except plain_module.MisreadError:
            return None


@pytest.mark.parametrize(("data", "answer"), PLAIN.values(), ids=PLAIN)
def test_a_plain_answer_is_read(data: bytes, answer: HttpAnswer) -> None:
    assert ask(data) == answer


@pytest.mark.parametrize("data", STRANGE.values(), ids=STRANGE)
def test_an_ambiguous_answer_is_rejected(data: bytes) -> None:
    assert ask(data) is None


@pytest.mark.parametrize(
    ("data", "answer"),
    [row for row in PLAIN.values() if len(row[0]) < 1000],
    ids=[name for name, row in PLAIN.items() if len(row[0]) < 1000],
)
def test_it_does_not_matter_where_an_answer_is_cut(data: bytes, answer: HttpAnswer) -> None:
    assert ask(data, OneByte) == answer


@pytest.mark.parametrize(
    "data",
    [data for data in STRANGE.values() if len(data) < 1000],
    ids=[name for name, data in STRANGE.items() if len(data) < 1000],
)
def test_a_strange_answer_in_single_bytes_is_rejected_or_its_beginning(
    data: bytes,
) -> None:
    """What comes behind a whole answer is seen by the next look: the connection has something."""
    assert ask(data, OneByte) in ((OK,) if data.startswith(plain()) else (None,))


def test_an_answer_that_ends_before_its_end_is_a_lost_connection() -> None:
    data = plain()
    for length in range(len(data)):
        with pytest.raises(ConnectionResetError):
            ask(data[:length])
    assert ask(data) == OK


def test_the_requests_bytes_are_sent_as_they_are() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(plain())
        assert plain_module.ask(ours, REQUEST, CODES, Deadline(5)) == OK
        assert theirs.recv(65536) == REQUEST


@pytest.mark.parametrize("data", [b"", plain()[:-1], plain()[:20]], ids=["silent", "body", "head"])
def test_the_deadline_holds(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            plain_module.ask(ours, REQUEST, CODES, Deadline(0.1))
        assert 0.1 <= time.monotonic() - begun < 5


def test_the_deadline_holds_though_a_byte_comes_now_and_then() -> None:
    ours, theirs = socket.socketpair()
    end = threading.Event()

    def drip() -> None:
        for byte in plain(fields=b"X: " + b"x" * 1000 + b"\r\n" + LENGTH):
            if end.wait(0.01):
                return
            theirs.sendall(bytes([byte]))

    with ours, theirs:
        dripper = threading.Thread(target=drip)
        dripper.start()
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            plain_module.ask(ours, REQUEST, CODES, Deadline(0.2))
        assert time.monotonic() - begun < 5
        end.set()
        dripper.join()


def test_a_deadline_that_has_passed_sends_nothing() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)  # noqa: FBT003 - socket's own
        with pytest.raises(TimeoutError):
            plain_module.ask(ours, REQUEST, CODES, Deadline(0))
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


def test_a_connection_that_is_reset_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        theirs.sendall(plain()[:-5])
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with ours, pytest.raises(OSError, match=r"reset|Broken pipe"):
            plain_module.ask(ours, REQUEST, CODES, Deadline(5))


def test_every_answer_of_the_stand_in_is_read_exactly_or_rejected() -> None:
    for name, answer in STATES.items():
        data = answer.head(("Content-Length", str(len(answer.body)))) + answer.body
        read = ask(data)
        assert read in (None, HttpAnswer(answer.code, answer.body)), name
    assert ask(STATES["active"].head(("Content-Length", "1")) + b"x") == HttpAnswer(200, b"x")
