"""The request on a kept connection, byte by byte; and the client that keeps one, against servers."""

import contextlib
import datetime as dt
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import trustme

from helpers.certificates import Authority, server_context
from helpers.paths import STAND_IN_VAULT
from helpers.vault import BEHAVIOURS, STATES, StandInVault
from kacheck import files as files_module
from kacheck.deadline import Deadline, within
from kacheck.exchange import client as client_module
from kacheck.exchange import connection as connection_module
from kacheck.exchange import plain as plain_module
from kacheck.exchange import tls
from kacheck.exchange.answer import MAX_BODY, HttpAnswer
from kacheck.exchange.client import HttpClient
from kacheck.exchange.kept import KEPT_FOR
from kacheck.probes.combined.look import Member
from kacheck.probes.vault import look as vault
from kacheck.probes.vault.health import STATES as CODES
from kacheck.probes.vault.health import judge
from kacheck.probes.vault.settings import VaultOptions, prepare
from kacheck.result import BadConfigError, Loss, Result

BODY = b'{"initialized":true,"sealed":false,"standby":false}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
REQUEST = b"GET /v1/sys/health HTTP/1.1\r\nHost: vault\r\n\r\n"


def plain(start: bytes = b"HTTP/1.1 200 OK", fields: bytes = LENGTH, body: bytes = BODY) -> bytes:
    return start + b"\r\n" + fields + b"\r\n" + body


OK = HttpAnswer(200, BODY)
PLAIN: dict[str, tuple[bytes, HttpAnswer]] = {
    "as Vault answers": (plain(fields=b"Content-Type: application/json\r\n" + LENGTH), OK),
    "no reason phrase": (plain(b"HTTP/1.1 200 "), OK),
    "no space after the code": (plain(b"HTTP/1.1 200"), OK),
    "a strange phrase": (plain(b"HTTP/1.1 200 it: is \xff well"), OK),
    "names in any case": (plain(fields=LENGTH.upper()), OK),
    "no space before the length": (plain(fields=b"Content-Length:%d\r\n" % len(BODY)), OK),
    "white space around the length": (
        plain(fields=b"Content-Length: \t %d \t\r\n" % len(BODY)),
        OK,
    ),
    "leading zeros": (plain(fields=b"Content-Length: 000%d\r\n" % len(BODY)), OK),
    "a bare line feed after the status": (plain(b"HTTP/1.1 200 OK\nX: y"), OK),
    "line feeds only": (plain().replace(b"\r\n", b"\n"), OK),
    "an empty field": (plain(fields=b"X:\r\n" + LENGTH), OK),
    "an empty line in the body": (
        plain(fields=b"Content-Length: 4\r\n", body=b"\r\n\r\n"),
        HttpAnswer(200, b"\r\n\r\n"),
    ),
    "no body": (plain(fields=b"Content-Length: 0\r\n", body=b""), HttpAnswer(200, b"")),
    "a name that ends in the word": (plain(fields=b"X-Content-Length: 7\r\n" + LENGTH), OK),
    "the largest body": (
        plain(fields=b"Content-Length: %d\r\n" % MAX_BODY, body=b"x" * MAX_BODY),
        HttpAnswer(200, b"x" * MAX_BODY),
    ),
    **{
        f"code {code}": (plain(b"HTTP/1.1 %d whatever" % code), HttpAnswer(code, BODY))
        for code in (429, 472, 473, 474, 501, 503, 530)
    },
}
STRANGE: dict[str, bytes] = {
    "two lengths": plain(fields=LENGTH * 2),
    "two different lengths": plain(fields=LENGTH + b"Content-Length: 5\r\n"),
    "a length and one that is none": plain(fields=LENGTH + b"Content-Length: x\r\n"),
    "a list of lengths": plain(fields=b"Content-Length: %d, %d\r\n" % (len(BODY), len(BODY))),
    "no length": plain(fields=b"Content-Type: application/json\r\n"),
    "no field": plain(fields=b""),
    "an empty length": plain(fields=b"Content-Length: \r\n"),
    "a negative length": plain(fields=b"Content-Length: -1\r\n"),
    "a signed length": plain(fields=b"Content-Length: +%d\r\n" % len(BODY)),
    "a length in hex": plain(fields=b"Content-Length: 0x%x\r\n" % len(BODY)),
    "a length in other digits": plain(
        fields="Content-Length: \N{ARABIC-INDIC DIGIT FIVE}1\r\n".encode()
    ),
    "a length with an underscore": plain(fields=b"Content-Length: 5_1\r\n"),
    "a fractional length": plain(fields=b"Content-Length: %d.0\r\n" % len(BODY)),
    "a huge length": plain(fields=b"Content-Length: 99999999999999999999\r\n"),
    "a length above the most": plain(
        fields=b"Content-Length: %d\r\n" % (MAX_BODY + 1), body=b"x" * (MAX_BODY + 1)
    ),
    "a space before the colon": plain(fields=LENGTH.replace(b":", b" :")),
    "trailing bytes": plain(body=BODY + b"\n"),
    "a second answer behind it": plain() + plain(),
    "chunked": plain(
        fields=b"Transfer-Encoding: chunked\r\n", body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    ),
    "chunked, and a length": plain(fields=b"Transfer-Encoding: chunked\r\n" + LENGTH),
    "identity": plain(fields=b"transfer-encoding: identity\r\n" + LENGTH),
    "compressed": plain(fields=b"Content-Encoding: gzip\r\n" + LENGTH),
    "Connection: close": plain(fields=b"Connection: close\r\n" + LENGTH),
    "connection: Close, later": plain(fields=LENGTH + b"connection:Close\r\n"),
    "Connection: upgrade": plain(fields=b"Connection: upgrade\r\nUpgrade: h2c\r\n" + LENGTH),
    "an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n" + plain(),
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: </ui>\r\n\r\n" + plain(),
    "switching protocols": plain(b"HTTP/1.1 101 Switching Protocols"),
    "HTTP/1.0": plain(b"HTTP/1.0 200 OK"),
    "HTTP/2": plain(b"HTTP/2 200 OK"),
    "HTTP/1.10": plain(b"HTTP/1.10 200 OK"),
    "http in small letters": plain(b"http/1.1 200 OK"),
    "a code that is no health": plain(b"HTTP/1.1 204 No Content"),
    "a redirect": plain(fields=b"Location: http://other/\r\n" + LENGTH, start=b"HTTP/1.1 307 T"),
    "a code of four digits": plain(b"HTTP/1.1 2000 OK"),
    "a code of two digits": plain(b"HTTP/1.1 20 OK"),
    "a code in other digits": plain("HTTP/1.1 20\N{ARABIC-INDIC DIGIT ZERO} OK".encode()),
    "a bare carriage return": plain(fields=b"X: y\rContent-Length: 5\r\n" + LENGTH),
    "a bare line feed in a field": plain(fields=b"X: y\nContent-Length: 5\r\n" + LENGTH),
    "a folded field": plain(fields=b"X: y\r\n folded\r\n" + LENGTH),
    "a folded length": plain(fields=b"Content-Length:\r\n %d\r\n" % len(BODY)),
    "NUL in a field": plain(fields=b"X: y\0\r\n" + LENGTH),
    "NUL in a name": plain(fields=b"X\0: y\r\n" + LENGTH),
    "NUL in the length": plain(fields=b"Content-Length: %d\0\r\n" % len(BODY)),
    "a field without a colon": plain(fields=b"garbage\r\n" + LENGTH),
    "a field without a name": plain(fields=b": y\r\n" + LENGTH),
    "an empty line before it": b"\r\n" + plain(),
    "no HTTP": b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
    "a head that does not end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MAX_BODY * 2),
}


class OneByte(socket.socket):
    """Reads as if each byte had come by itself."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        return super().recv(min(size, 1), flags)


@contextlib.contextmanager
def answered(data: bytes, kind: type[socket.socket] = socket.socket) -> Iterator[socket.socket]:
    """A connection on which this is the answer, and then the end."""
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
def test_what_could_be_read_in_another_way_is_none(data: bytes) -> None:
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
def test_a_strange_answer_that_comes_byte_by_byte_is_none_or_what_its_beginning_is(
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


def test_every_state_of_the_stand_in_is_read_as_it_is_or_not_at_all() -> None:
    for name, answer in STATES.items():
        data = answer.head(("Content-Length", str(len(answer.body)))) + answer.body
        read = ask(data)
        assert read in (None, HttpAnswer(answer.code, answer.body)), name
    assert ask(STATES["active"].head(("Content-Length", "1")) + b"x") == HttpAnswer(200, b"x")


# --- the client ---------------------------------------------------------------------------------


@pytest.fixture
def stand_in() -> Iterator[StandInVault]:
    with StandInVault() as server:
        yield server


class Kept(HttpClient):
    """One that is used by one thread at a time, as the watcher's are."""

    def __init__(self, options: VaultOptions) -> None:
        judged = partial(judge, accept=options.accept, address=options.address)
        super().__init__(options, judged, CODES, keep=True)
        self.member = Member("vault", self)


@pytest.fixture
def client() -> Iterator[Callable[..., Kept]]:
    """Clients that are closed at the end: `client(address, ca_cert=...)`."""
    made: list[Kept] = []

    def make(address: str, **options: Any) -> Kept:
        made.append(Kept(prepare({**options, "address": address})))
        return made[-1]

    yield make
    for each in made:
        with each.member.lock:
            each.close()


Make = Callable[..., Kept]


def look(each: Kept, seconds: float = 5) -> Result:
    return within(Deadline(seconds), each.member.alone)


def said(each: Kept, seconds: float = 5) -> str:
    result = look(each, seconds)
    return f"{result.status.word} {result.reason}"


def readable(each: HttpClient, seconds: float = 5) -> bool:
    poll = select.poll()
    for file in each.watched():
        poll.register(file, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the client's connection be older than it is."""

    class Clock:
        ahead = 0.0

        def monotonic(self) -> float:
            return time.monotonic() + self.ahead

    fake = Clock()
    monkeypatch.setattr(client_module, "time", fake)

    def advance(seconds: float) -> None:
        fake.ahead += seconds

    return advance


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


def test_each_state_is_the_same_on_a_kept_connection_as_on_a_new_one(
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
def test_each_misbehaviour_on_a_kept_connection_is_judged_as_on_a_new_one(
    client: Make, stand_in: StandInVault, behaviour: str
) -> None:
    stand_in.drip_interval = 0.05
    each = client(stand_in.address)
    assert said(each) == "ok active"
    stand_in.state = behaviour
    kept_one = look(each, 0.3)
    with contextlib.closing(client(stand_in.address)) as fresh:
        new_one = look(fresh, 0.3)
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
    """The kept connection works, but whoever comes anew is not served."""
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


def test_a_server_that_ends_an_idle_connection_is_an_event_and_no_failure(client: Make) -> None:
    with Closing(lambda _: None) as server:
        each = client(server.address)
        for number in range(1, 6):
            assert said(each) == "ok active"
            assert server.connections == number
            # httpcore closes a connection that it finds ended at the end of the answer.
            assert not each.watched() or readable(each)


def test_a_server_that_closes_just_as_it_is_asked_is_asked_again_once(client: Make) -> None:
    with Closing(lambda sock: sock.recv(65536)) as server:
        each = client(server.address)
        for number in range(1, 6):
            assert said(each) == "ok active"
            assert server.connections == number
            assert not readable(each, 0), "nothing is amiss until it is asked"
            assert each.loss() is (Loss.NOTHING if number == 1 else Loss.SOME)
            assert each.loss() is Loss.NOTHING, "it is told once"


@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
def test_who_does_not_answer_plainly_is_asked_once_by_each_look(
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


def test_a_server_that_says_something_unasked_is_not_taken_at_its_word(client: Make) -> None:
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
    """A stand-in in a process of its own, and its address."""
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


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca(authority: Authority, tmp_path: Path) -> Path:
    return authority.write(tmp_path / "ca.pem")


def present(server: StandInVault, certificate: trustme.LeafCert) -> None:
    """Show this certificate to whoever connects from now on."""
    server._tls = server_context(certificate)


@pytest.fixture
def tls_server(authority: Authority) -> Iterator[StandInVault]:
    with StandInVault(tls=server_context(authority.server("127.0.0.1"))) as server:
        yield server


def test_a_tls_connection_is_kept_and_its_certificate_shown_by_every_look(
    client: Make, tls_server: StandInVault, ca: Path
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    first, second = look(each), look(each)
    assert tls_server.connections == 1
    assert first.data["certificate"]["names"] == ["127.0.0.1"]
    assert second.data["certificate"] == first.data["certificate"]


def test_a_certificate_that_expires_while_the_connection_is_kept_is_noticed(
    client: Make,
    authority: Authority,
    tls_server: StandInVault,
    ca: Path,
    clock: Callable[[float], None],
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    assert said(each) == "ok active"
    present(tls_server, authority.expired("127.0.0.1"))
    clock(KEPT_FOR + 0.1)
    result = look(each)
    assert (result.status.word, result.reason) == ("critical", "tls")
    assert "has expired" in result.message
    assert "certificate" not in result.data, "the one that was shown before is another one"
    present(tls_server, authority.server("127.0.0.1"))
    assert said(each) == "ok active"


def test_a_certificate_that_is_replaced_is_the_one_that_is_shown(
    client: Make,
    authority: Authority,
    tls_server: StandInVault,
    ca: Path,
    clock: Callable[[float], None],
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    look(each)
    present(tls_server, authority.server("127.0.0.1", "vault.example.org"))
    clock(KEPT_FOR + 0.1)
    assert "vault.example.org" in look(each).data["certificate"]["names"]


@pytest.mark.parametrize("how", ["renamed", "rewritten"])
def test_an_authoritys_file_that_is_replaced_is_taken(
    client: Make, tls_server: StandInVault, ca: Path, clock: Callable[[float], None], how: str
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    assert said(each) == "ok active"
    other = Authority()
    present(tls_server, other.server("127.0.0.1"))
    if how == "renamed":
        other.write(ca.with_name("new.pem")).rename(ca)
    else:
        other.write(ca)
    clock(KEPT_FOR + 0.1)
    assert said(each) == "ok active"


@pytest.fixture
def stores(
    ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[Path, dict[str, str]]]:
    """Put the authority into a store: its file there, and the options that make the store count."""

    def store(kind: str) -> tuple[Path, dict[str, str]]:
        directory = tmp_path / "authorities"
        below = directory / "below"
        below.mkdir(parents=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
        if kind == "default file":
            monkeypatch.setenv("SSL_CERT_FILE", str(ca))
            return ca, {}
        if kind == "default directory":
            monkeypatch.setenv("SSL_CERT_DIR", f"{below}:{directory}")
            return ca.rename(directory / f"{subject_hash(ca)}.0"), {}
        file = directory / "ca.pem" if kind == "directory" else below / "ca.pem"
        ca.rename(file)
        if kind == "link's target":
            target = file.rename(tmp_path / "target.pem")
            file.symlink_to(target)
            return target, {"ca_path": str(directory)}
        return file, {"ca_path": str(directory)}

    return store


def subject_hash(file: Path) -> str:
    """Return the name under which OpenSSL looks for an authority in a directory."""
    argv = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(file)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


STORES = (
    "file",
    "directory",
    "directory below",
    "link's target",
    "default file",
    "default directory",
)


@pytest.fixture
def trusting(
    client: Make,
    tls_server: StandInVault,
    ca: Path,
    stores: Callable[[str], tuple[Path, dict[str, str]]],
) -> Callable[[str], tuple[Kept, Path]]:
    """Make a client that trusts a store, with the authority's file in it."""

    def make(kind: str) -> tuple[Kept, Path]:
        file, options = (ca, {"ca_cert": str(ca)}) if kind == "file" else stores(kind)
        return client(tls_server.address, **options), file

    return make


@pytest.mark.parametrize("how", ["rewritten", "replaced", "removed"])
@pytest.mark.parametrize("kind", STORES)
def test_an_authority_that_is_removed_from_its_store_is_not_trusted_on_the_next_connection(
    trusting: Callable[[str], tuple[Kept, Path]],
    clock: Callable[[float], None],
    kind: str,
    how: str,
) -> None:
    each, file = trusting(kind)
    assert [said(each), said(each)] == ["ok active"] * 2
    if how == "removed":
        if not kind.startswith("default"):
            file.with_name("other.pem").write_bytes(Authority().pem)
        file.unlink()
    elif how == "replaced":
        Authority().write(file.with_name("new")).rename(file)
    else:
        Authority().write(file)
    clock(KEPT_FOR + 0.1)
    if how == "removed" and kind in ("file", "link's target"):
        with pytest.raises(BadConfigError):
            look(each)
    else:
        assert said(each) == "critical tls"


@pytest.mark.parametrize("kind", STORES)
def test_an_authority_that_is_rewritten_in_its_store_is_taken_on_the_next_connection(
    trusting: Callable[[str], tuple[Kept, Path]], clock: Callable[[float], None], kind: str
) -> None:
    each, file = trusting(kind)
    pem = file.read_bytes()
    Authority().write(file)
    assert said(each) == "critical tls"
    file.write_bytes(pem)
    clock(KEPT_FOR + 0.1)
    assert said(each) == "ok active"


def test_an_authority_that_is_removed_in_the_clock_tick_of_its_loading_is_not_trusted(
    client: Make,
    tls_server: StandInVault,
    ca: Path,
    clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two changes within one tick of the file system's clock leave the same timestamps."""
    stat = os.stat
    stamp = stat(ca)

    def one_tick(path: Any, **options: Any) -> Any:
        return stamp if path == str(ca) else stat(path, **options)

    each = client(tls_server.address, ca_cert=str(ca))
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", one_tick)
        assert said(each) == "ok active"
        Authority().write(ca)
        clock(KEPT_FOR + 0.1)
        assert said(each) == "critical tls"


def test_a_store_that_has_long_been_as_it_is_is_read_once(
    client: Make,
    tls_server: StandInVault,
    ca: Path,
    clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To read the system's authorities takes 20 ms."""
    made: list[VaultOptions] = []
    really = tls.context

    def counted(options: VaultOptions) -> ssl.SSLContext:
        made.append(options)
        return really(options)

    monkeypatch.setattr(tls, "context", counted)
    monkeypatch.setattr(files_module, "SETTLED", 0.0)
    each = client(tls_server.address, ca_cert=str(ca))
    for _ in range(3):
        assert said(each) == "ok active"
        clock(KEPT_FOR + 0.1)
    assert tls_server.connections == 3
    assert len(made) == 1


def test_an_authoritys_file_that_goes_is_a_bad_configuration_until_it_is_back(
    client: Make,
    authority: Authority,
    tls_server: StandInVault,
    ca: Path,
    clock: Callable[[float], None],
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    assert said(each) == "ok active"
    ca.unlink()
    clock(KEPT_FOR + 0.1)
    for _ in range(2):
        with pytest.raises(BadConfigError, match="CA file"):
            look(each)
    authority.write(ca)
    assert said(each) == "ok active"


def test_a_tls_server_that_has_gone_is_an_event(
    client: Make, tls_server: StandInVault, ca: Path
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    assert said(each) == "ok active"
    assert not readable(each, 0)
    tls_server.stop()
    assert readable(each)
    assert said(each) == "critical refused"


def test_the_warning_that_the_address_is_another_machine_is_in_every_look(
    client: Make, stand_in: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "is_this_machine", lambda _: False)
    each = client(stand_in.address)
    for _ in range(3):
        (warning,) = look(each).data["warnings"]
        assert "is not this machine" in warning
    assert stand_in.connections == 1


def test_what_an_old_connection_has_shown_is_not_said_of_a_new_one(
    client: Make,
    stand_in: StandInVault,
    monkeypatch: pytest.MonkeyPatch,
    clock: Callable[[float], None],
) -> None:
    """The name leads to this machine again."""
    each = client(stand_in.address)
    with monkeypatch.context() as patch:
        patch.setattr(connection_module, "is_this_machine", lambda _: False)
        assert "is not this machine" in look(each).data["warnings"][0]
    clock(KEPT_FOR + 0.1)
    assert "is not this machine" not in look(each).data["warnings"][0]


# --- connected anew, without httpx ----------------------------------------------------------------


@pytest.fixture(params=["http", "https", "ipv6", "unix"])
def server(
    request: pytest.FixtureRequest, authority: Authority, tmp_path: Path
) -> Iterator[StandInVault]:
    if request.param == "ipv6" and not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    options: dict[str, dict[str, Any]] = {
        "http": {},
        "https": {"tls": server_context(authority.server("127.0.0.1"))},
        "ipv6": {"host": "::1"},
        "unix": {"unix_path": tmp_path / "vault.sock"},
    }
    with StandInVault(**options[request.param]) as stand_in:
        yield stand_in


def without_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing may be asked with httpx, unless it is too late to ask at all."""

    def refuse(each: HttpClient, _: object) -> None:
        plain_module.time_left(each.deadline)
        raise httpx.InvalidURL("httpx was asked")

    monkeypatch.setattr(HttpClient, "get", refuse)


def test_what_was_answered_once_is_asked_on_new_connections_without_httpx(
    client: Make, server: StandInVault, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = client(server.address, ca_cert=str(ca))
    first = look(each)
    without_httpx(monkeypatch)
    each.close()
    again = look(each)
    assert server.connections == 2
    assert again[:3] == first[:3]
    assert again.data.get("certificate") == first.data.get("certificate")
    sent, repeated = server.requests
    assert repeated == sent
    assert look(each).reason == "active"
    assert server.connections == 2, "it is kept, too"
    assert "connect" in again.data["phases_ms"]


def test_a_server_that_has_gone_is_refused_without_httpx(
    client: Make, server: StandInVault, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = client(server.address, ca_cert=str(ca))
    said(each)
    without_httpx(monkeypatch)
    server.stop()
    assert said(each) == "critical refused"
    before = files()
    assert [said(each) for _ in range(3)] == ["critical refused"] * 3
    assert files() == before


def test_a_name_that_no_longer_resolves_is_said_without_httpx(
    client: Make, stand_in: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new client would have to resolve it, too."""
    each = client(f"http://localhost:{stand_in.port}")
    said(each)
    without_httpx(monkeypatch)

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    each.close()
    assert said(each) == "critical dns"


def test_a_given_server_name_is_asked_for_and_verified_without_httpx(
    client: Make, authority: Authority, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandInVault(tls=server_context(authority.server("vault.example"))) as server:
        each = client(server.address, ca_cert=str(ca), tls_server_name="vault.example")
        said(each)
        without_httpx(monkeypatch)
        each.close()
        assert said(each) == "ok active"
        present(server, authority.server("other.example"))
        each.close()
        failed = look(each)
        assert failed.reason == "tls"
        assert "vault.example" in failed.message


def test_what_hangs_on_a_new_connection_is_a_timeout_without_httpx(
    client: Make, stand_in: StandInVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = client(stand_in.address)
    said(each)
    without_httpx(monkeypatch)
    stand_in.state = "hang"
    each.close()
    assert said(each, 0.3) == "critical timeout"


def test_what_cannot_be_read_in_one_way_is_asked_with_httpx(
    client: Make, stand_in: StandInVault
) -> None:
    each = client(stand_in.address)
    said(each)
    stand_in.state = "chunked"
    each.close()
    assert said(each) == "ok active"
    assert stand_in.connections == 3


# --- whatever a one-shot accepts ------------------------------------------------------------------

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
def test_what_a_one_shot_says_of_an_odd_answer_the_watcher_says_on_every_look(
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
def test_what_httpx_says_of_an_odd_answer_a_one_shot_that_asks_plainly_first_says(
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
def test_an_odd_answer_after_plain_ones_is_judged_as_a_one_shot_judges_it(
    client: Make, answer: bytes
) -> None:
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
def test_a_slow_server_that_answers_oddly_is_asked_once_by_each_look_but_the_second(
    client: Make, name: str
) -> None:
    """The second one may find out that httpx is needed; to ask twice takes twice as long."""
    with Odd(ODD[name], after=0.3) as server:
        each = client(server.address)
        verdicts = [said(each, 0.55) for _ in range(5)]
    del verdicts[1]
    assert verdicts == ["ok active"] * 4


@pytest.mark.parametrize(
    ("state", "verdict"), [("chunked", "ok active"), ("garbage-head", "critical bad-response")]
)
def test_a_server_that_once_answers_oddly_is_asked_without_httpx_afterwards(
    client: Make, stand_in: StandInVault, monkeypatch: pytest.MonkeyPatch, state: str, verdict: str
) -> None:
    """Go's server says Connection: close while it ends."""
    each = client(stand_in.address)
    assert [said(each), said(each)] == ["ok active"] * 2
    stand_in.state = state
    assert said(each) == verdict
    stand_in.state = "active"
    assert said(each) == "ok active"
    without_httpx(monkeypatch)
    assert said(each) == "ok active"


# --- nothing is left behind ---------------------------------------------------------------------


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


def test_refused_connections_and_failed_handshakes_leave_none_either(
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


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def test_timeouts_leave_none_either(client: Make, stand_in: StandInVault) -> None:
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


def test_the_date_of_a_certificate_is_in_the_data_in_iso_8601(
    client: Make, tls_server: StandInVault, ca: Path
) -> None:
    each = client(tls_server.address, ca_cert=str(ca))
    look(each)
    after = dt.datetime.fromisoformat(look(each).data["certificate"]["not_after"])
    assert after > dt.datetime.now(dt.UTC)
    assert isinstance(each._socket, ssl.SSLSocket)
