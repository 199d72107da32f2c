"""Odd answers: the watcher and a one-shot judge them as httpx does."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

import pytest

from helpers.exchange import BODY, LENGTH, PLAIN, STRANGE, Make, look, plain, said
from kacheck.deadline import Deadline, within
from kacheck.probes.vault import look as vault
from kacheck.probes.vault.settings import prepare
from kacheck.result import Result

CHUNKED = b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY)
ODD: dict[str, bytes] = {
    **{name: data for name, (data, _) in PLAIN.items()},
    **STRANGE,
    "nothing": b"",
    "a line feed at the end of the head": plain(fields=LENGTH + b"X: y\n").replace(
        b"\n\r\n", b"\n\n"
    ),
    "a line feed after an early hint": b"HTTP/1.1 103 Early Hints\n\n" + plain(),
    "three interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + plain(),
    "chunked with trailers": plain(
        fields=b"Transfer-Encoding: chunked\r\n", body=CHUNKED + b"X: y\r\n\r\n"
    ),
    "chunked with an extension": plain(
        fields=b"Transfer-Encoding: chunked\r\n",
        body=CHUNKED.replace(b"\r\n", b";x=y\r\n", 1) + b"\r\n",
    ),
    "HTTP/1.0 without a length": plain(b"HTTP/1.0 200 OK", fields=b""),
    "Connection: close without a length": plain(fields=b"Connection: close\r\n"),
    "Connection: keep-alive": plain(fields=b"Connection: keep-alive\r\n" + LENGTH),
    "a lower-case name for everything": plain(fields=LENGTH.lower()),
    "a large head": plain(fields=b"X: %s\r\n" % (b"x" * 70_000) + LENGTH),
}


class Odd:
    """A server that answers every request with the same bytes, each time after a while."""

    def __init__(self, answer: bytes, *, closes: bool = False, after: float = 0.0) -> None:
        self.answer, self.closes, self.after = answer, closes, after
        self.connections = 0
        self._socks: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._server, *self._socks):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._server.close()

    def _start(self, work: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=work, args=args))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock = self._server.accept()[0]
                self.connections += 1
                self._socks.append(sock)
                self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            while sock.recv(65536):
                time.sleep(self.after)
                sock.sendall(self.answer)
                if self.closes:
                    return


def once(address: str, seconds: float, *, in_detail: bool = False) -> Result:
    """Look as a one-shot does: plainly first; in detail, with httpx alone."""
    options = prepare({"address": address})._replace(in_detail=in_detail)
    return within(Deadline(seconds), lambda deadline: vault.look(options, deadline))


@pytest.mark.parametrize("closes", [False, True], ids=["kept", "closed"])
@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_a_one_shot_and_the_watcher_judge_an_odd_answer_alike(
    client: Make, answer: bytes, *, closes: bool
) -> None:
    with Odd(answer, closes=closes) as server:
        expected = once(server.address, 2)
        seconds = 0.2 if expected.reason == "timeout" else 2
        each = client(server.address)
        for number in range(4):
            result = look(each, seconds)
            assert result[:2] == expected[:2], f"look {number}: {result.message}"
        assert server.connections <= 1 + 2 * 4, "two connections at most for each look"


@pytest.mark.parametrize("closes", [False, True], ids=["kept", "closed"])
@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_a_plain_one_shot_and_httpx_judge_an_odd_answer_alike(
    answer: bytes, *, closes: bool
) -> None:
    with Odd(answer, closes=closes) as server:
        expected = once(server.address, 2, in_detail=True)
        assert server.connections == 1
        result = once(server.address, 2)
        assert result[:3] == expected[:3]
        assert server.connections <= 3, "it is asked again once at most"


def test_a_one_shot_asks_again_within_the_same_deadline() -> None:
    with Odd(ODD["chunked"], after=0.4) as server:
        assert once(server.address, 0.6).reason == "timeout"
        assert server.connections == 2
        assert once(server.address, 5).reason == "active"


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_an_odd_answer_after_plain_ones_is_judged_alike(client: Make, answer: bytes) -> None:
    """The request is repeated without httpx by then."""
    with Odd(plain()) as server:
        each = client(server.address)
        assert [said(each), said(each)] == ["ok active"] * 2
        server.answer = answer
        expected = once(server.address, 2)
        seconds = 0.2 if expected.reason == "timeout" else 2
        assert [look(each, seconds)[:2] for _ in range(3)] == [expected[:2]] * 3
        server.answer = plain()
        assert said(each) == "ok active"


LONG_LOOKS = (
    "line feeds only",
    "a bare line feed after the status",
    "a folded field",
    "two lengths",
    "a list of lengths",
    "early hints",
    "trailing bytes",
    "chunked",
    "HTTP/1.0",
)


@pytest.mark.parametrize("name", LONG_LOOKS)
def test_only_the_second_look_asks_a_slow_odd_server_twice(client: Make, name: str) -> None:
    """The second one may find out that httpx is needed; to ask twice takes twice as long."""
    with Odd(ODD[name], after=0.3) as server:
        each = client(server.address)
        verdicts = [said(each, 0.55) for _ in range(5)]
    del verdicts[1]
    assert verdicts == ["ok active"] * 4
