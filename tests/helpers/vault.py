"""A stand-in for Vault's ``GET /v1/sys/health`` that can also misbehave, byte by byte.

In a test::

    with StandInVault(state="active") as vault:
        check(vault.address)
        vault.state = "sealed"          # from the next request on
        assert [request.target for request in vault.requests] == ["/v1/sys/health"]

``state`` is a word from `STATES` (one well-formed HTTP answer, on a connection that is kept) or
from `BEHAVIOURS` (mostly bytes that no server should send; the connection ends with them).

As a script it answers with the word it finds in a file at every request::

    python3 tests/helpers/vault.py --listen 127.0.0.1:8200 --state-file FILE

Linux names a process after the file that was executed, before symlinks are followed. So to get one
whose comm is ``vault``, start it through a symlink of that name to the interpreter::

    ln -s "$(command -v python3)" DIR/vault
    DIR/vault tests/helpers/vault.py --listen 127.0.0.1:8200

Standard library only, because the script also runs where nothing is installed.
"""

import argparse
import contextlib
import functools
import gzip
import http
import itertools
import json
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Final, Self

__all__ = ["BEHAVIOURS", "HEALTH", "STATES", "WORDS", "Answer", "Request", "StandInVault"]

HEALTH: Final = "/v1/sys/health"
_MAX_REQUEST: Final = 65536
_STOP_TIMEOUT: Final = 5.0


# --- the answers --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """One well-formed HTTP answer."""

    code: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)

    def head(self, *extra: tuple[str, str]) -> bytes:
        """Return the status line and the headers, the empty line included."""
        headers = [
            ("Cache-Control", "no-store"),
            *self.headers,
            ("Date", formatdate(usegmt=True)),
            *extra,
        ]
        lines = [
            f"HTTP/1.1 {self.code} {_phrase(self.code)}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _phrase(code: int) -> str:
    """Return the phrase of Go's net/http, for Vault's unofficial codes as well."""
    try:
        return http.HTTPStatus(code).phrase
    except ValueError:
        return f"status code {code}"


_ACTIVE: Final[dict[str, object]] = {
    "initialized": True,
    "sealed": False,
    "standby": False,
    "performance_standby": False,
    "replication_performance_mode": "disabled",
    "replication_dr_mode": "disabled",
    "server_time_utc": 1781726385,
    "version": "2.0.2",
    "enterprise": False,
    "cluster_name": "vault-cluster-e1650c5e",
    "cluster_id": "8ec176e5-e767-bc9b-449c-4ef9459e9cf5",
    "echo_duration_ms": 0,
    "clock_skew_ms": 0,
    "replication_primary_canary_age_ms": 0,
    "removed_from_cluster": False,
}
_STANDBY: Final[dict[str, object]] = _ACTIVE | {
    "standby": True,
    "ha_connection_healthy": True,
    "last_request_forwarding_heartbeat_ms": 812,
}
_UNKNOWN_REPLICATION: Final[dict[str, object]] = {
    "replication_performance_mode": "unknown",
    "replication_dr_mode": "unknown",
}
_BAO_ACTIVE: Final[dict[str, object]] = {
    "initialized": True,
    "sealed": False,
    "standby": False,
    "performance_standby": False,
    "replication_performance_mode": "primary",
    "replication_dr_mode": "disabled",
    "server_time_utc": 1781726385,
    "version": "2.4.1",
    "cluster_name": "vault-cluster-4a3f2c11",
    "cluster_id": "0d6f5a0b-5d0e-4a79-9a51-3f8f4f6f7c10",
}


def _without(fields: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in fields.items() if name not in names}


def _sealed(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a sealed node: it cannot read its cluster's name, and is a standby."""
    return (
        _without(fields, "cluster_name", "cluster_id")
        | {"sealed": True, "standby": True}
        | _UNKNOWN_REPLICATION
    )


def _health(code: int, fields: Mapping[str, object]) -> Answer:
    return Answer(code, json.dumps(fields, separators=(",", ":")).encode() + b"\n")


def _errors(code: int, *errors: str) -> Answer:
    return Answer(code, json.dumps({"errors": errors}, separators=(",", ":")).encode() + b"\n")


def _html(code: int, text: str) -> Answer:
    page = f"<html><head><title>{code}</title></head><body><h1>{text}</h1></body></html>\n"
    return Answer(code, page.encode(), (("Content-Type", "text/html"),))


_HONEST: Final[dict[str, Answer]] = {
    "active": _health(200, _ACTIVE),
    "standby": _health(429, _STANDBY),
    "performance-standby": _health(
        473, _STANDBY | {"performance_standby": True, "enterprise": True}
    ),
    "dr-secondary": _health(
        472, _ACTIVE | {"replication_dr_mode": "secondary", "enterprise": True}
    ),
    "dr-secondary-standby": _health(
        472, _STANDBY | {"replication_dr_mode": "secondary", "enterprise": True}
    ),
    "ha-unhealthy": _health(
        474,
        _STANDBY | {"ha_connection_healthy": False, "last_request_forwarding_heartbeat_ms": 45_000},
    ),
    "sealed": _health(503, _sealed(_ACTIVE)),
    "uninitialized": _health(501, _sealed(_ACTIVE) | {"initialized": False}),
    "removed": _health(530, _sealed(_ACTIVE) | {"removed_from_cluster": True}),
    "openbao-active": _health(200, _BAO_ACTIVE),
    "openbao-standby": _health(429, _BAO_ACTIVE | {"standby": True}),
    "openbao-sealed": _health(503, _sealed(_BAO_ACTIVE)),
    "openbao-2.6": _health(
        200, _without(_BAO_ACTIVE, "performance_standby") | {"version": "2.6.0"}
    ),
}
_ERRORS: Final[dict[str, Answer]] = {
    "rate-limited": _errors(429, 'request path "sys/health": rate limit quota exceeded'),
    "bad-request": _errors(400),
    "forbidden-forwarded": _errors(
        400, "client address not authorized for x-forwarded-for and configured to reject connection"
    ),
    "method-not-allowed": _errors(405),
    "error": _errors(500),
}
_LIARS: Final[dict[str, Answer]] = {
    "200-sealed": _health(200, _sealed(_ACTIVE)),
    "200-standby": _health(200, _STANDBY),
    "200-uninitialized": _health(200, _ACTIVE | {"initialized": False}),
    "200-no-fields": _health(200, {}),
    "200-strings": _health(
        200, _ACTIVE | {"initialized": "true", "sealed": "false", "standby": "false"}
    ),
    "200-integers": _health(200, _ACTIVE | {"initialized": 1, "sealed": 0, "standby": 0}),
    "200-nulls": _health(200, _ACTIVE | {"initialized": True, "sealed": None, "standby": None}),
    "200-not-json": Answer(
        200, b"vault is active,\x1b[2J honestly\nreally\n", (("Content-Type", "text/plain"),)
    ),
    "200-not-utf-8": Answer(200, b'{"initialized": true, "version": "\xff\xfe\x80"}'),
    "200-nan": Answer(200, _HONEST["active"].body.replace(b":0,", b":NaN,")),
    "200-control-characters": _health(
        200, _ACTIVE | {"version": "2.0.2\n\x1b[2Jsealed\x00", "cluster_name": "\ud800\u202e"}
    ),
    "200-truncated": Answer(200, b'{"initialized":true,"sealed":false,"standby":fal'),
    "200-empty": Answer(200, b""),
    "200-list": Answer(200, b'["initialized", "active"]'),
    "200-nested": Answer(200, b"[" * 60_000),
    "429-not-standby": _health(429, _ACTIVE),
    "501-initialized": _health(501, _ACTIVE),
    "501-elsewhere": _html(501, "Not Implemented"),
    "503-not-sealed": _health(503, _ACTIVE),
    "503-html": _html(503, "Service Unavailable"),
    "204-no-content": Answer(204, b""),
    "404": _errors(404),
    "502-html": _html(502, "Bad Gateway"),
}
STATES: Final[Mapping[str, Answer]] = _HONEST | _ERRORS | _LIARS


# --- the misbehaviours ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """One request as it stood on the wire: header names keep their case and order."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]

    def header(self, name: str) -> list[str]:
        """Return every value of a header, whatever the case of its name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


_CLIENT_HELLO: Final = b"\x16\x03"
# Go's answer to an invalid request line: what a TLS client hears from a plain listener.
_NOT_HTTP: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Connection: close\r\n\r\n400 Bad Request"
)


class _Gone(Exception):  # noqa: N818 - an event, not an error
    """The client closed, or the stand-in is stopping."""


@dataclass
class _Connection:
    """One accepted connection; only its own thread reads, writes and closes it."""

    sock: socket.socket
    vault: "StandInVault"
    buffer: bytearray = field(default_factory=bytearray)

    def receive(self) -> bytes:
        data = self.sock.recv(65536)
        if not data:
            raise _Gone
        return data

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def until_client_leaves(self) -> None:
        while True:
            self.receive()

    def until_client_leaves_unheard(self) -> None:
        """Do the same below TLS: not even the handshake is answered."""
        while socket.socket.recv(self.sock, 65536):
            pass

    def pause(self, seconds: float) -> None:
        """Wait, but notice at once when the client leaves."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.sock], [], [], left)[0]:
                self.buffer += self.receive()

    def drip(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.send(piece)
            self.pause(self.vault.drip_interval)

    def reset_on_close(self) -> None:
        """Make close() send RST instead of FIN (TCP only; a Unix socket has no RST)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def read_request(self) -> Request:
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self.buffer += self.receive()
            if self.buffer.startswith(_CLIENT_HELLO):
                self.send(_NOT_HTTP)
                raise _Gone
            if len(self.buffer) > _MAX_REQUEST:
                raise _Gone
        request = _parse_request(bytes(self.buffer[:end]))
        self._drop(end + 4 + int((request.header("Content-Length") or ["0"])[0]))
        return request

    def _drop(self, size: int) -> None:
        while len(self.buffer) < size:
            self.buffer += self.receive()
        del self.buffer[:size]


def _parse_request(head: bytes) -> Request:
    start, *lines = head.decode("latin-1").split("\r\n")
    try:
        method, target, version = start.split(" ")
    except ValueError:
        raise _Gone from None
    pairs = (line.partition(":") for line in lines)
    return Request(method, target, version, [(name, value.strip()) for name, _, value in pairs])


_CLOSE: Final = ("Connection", "close")
_ACTIVE_BODY: Final = _HONEST["active"].body


def _head(code: int, *headers: tuple[str, str]) -> bytes:
    return Answer(code, b"").head(*headers, _CLOSE)


def _bytes_of(data: bytes) -> Iterator[bytes]:
    return (data[i : i + 1] for i in range(len(data)))


def _hang(connection: _Connection) -> None:
    connection.until_client_leaves()


def _drip(connection: _Connection) -> None:
    """Send the valid body, then endless white space: a valid answer at any length."""
    connection.send(_head(200, ("Content-Length", "1000000")))
    connection.drip(itertools.chain(_bytes_of(_ACTIVE_BODY), itertools.repeat(b" ")))


def _drip_chunked(connection: _Connection) -> None:
    connection.send(_head(200, ("Transfer-Encoding", "chunked")))
    connection.drip(
        _chunk(byte) for byte in itertools.chain(_bytes_of(_ACTIVE_BODY), itertools.repeat(b" "))
    )


def _drip_headers(connection: _Connection) -> None:
    start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Patience: "
    connection.drip(itertools.chain(_bytes_of(start), itertools.repeat(b"x")))


def _drip_hints(connection: _Connection) -> None:
    """Send endless interim answers: each one is complete, so a timeout per read never fires."""
    connection.drip(
        itertools.repeat(b"HTTP/1.1 103 Early Hints\r\nLink: </ui>; rel=preload\r\n\r\n")
    )


def _reset(connection: _Connection) -> None:
    connection.reset_on_close()


def _reset_halfway(connection: _Connection) -> None:
    connection.send(_head(200, ("Content-Length", str(len(_ACTIVE_BODY)))))
    connection.send(_ACTIVE_BODY[: len(_ACTIVE_BODY) // 2])
    connection.reset_on_close()


def _close(_connection: _Connection) -> None:
    """Send nothing: the connection is closed after every behaviour."""


def _redirect(connection: _Connection, code: int) -> None:
    connection.send(
        _head(code, ("Location", connection.vault.redirect_to), ("Content-Length", "0"))
    )


def _huge(connection: _Connection) -> None:
    connection.send(_head(200))
    while True:
        connection.send(b" " * 65536)


def _huge_chunked(connection: _Connection) -> None:
    connection.send(_head(200, ("Transfer-Encoding", "chunked")))
    while True:
        connection.send(_chunk(b" " * 65536))


def _huge_declared(connection: _Connection) -> None:
    """Send the valid answer, padded with white space to 1 MiB."""
    connection.send(_head(200, ("Content-Length", str(1 << 20))))
    connection.send(_ACTIVE_BODY.ljust(1 << 20))


def _huge_headers(connection: _Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        connection.send(b"X-%d: %s\r\n" % (number, b"x" * 8192))


@functools.cache
def _bomb(start: bytes, fill: bytes) -> bytes:
    return gzip.compress(start.ljust(10_000_000, fill))


def _gzip_bomb(connection: _Connection, start: bytes = b"", fill: bytes = b"\0") -> None:
    body = _bomb(start, fill)
    connection.send(_head(200, ("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))))
    connection.send(body)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _chunked(connection: _Connection) -> None:
    connection.send(_head(200, ("Transfer-Encoding", "chunked")))
    middle = len(_ACTIVE_BODY) // 2
    for piece in (_ACTIVE_BODY[:middle], _ACTIVE_BODY[middle:], b""):
        connection.send(_chunk(piece))


def _short_body(connection: _Connection) -> None:
    """Send the whole JSON, but declare more."""
    connection.send(_head(200, ("Content-Length", str(len(_ACTIVE_BODY) + 100))) + _ACTIVE_BODY)


def _http_1_0(connection: _Connection) -> None:
    connection.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + _ACTIVE_BODY)


def _garbage(connection: _Connection) -> None:
    connection.send(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n\x00\x00\x01\xfc\x0a\x14")


def _garbage_head(connection: _Connection) -> None:
    """Send the same with an empty line, where a parser that waits for one gives up waiting."""
    connection.send(b"220 mail.example.org ESMTP\r\nSo: not HTTP\r\n\r\n")


def _continue(connection: _Connection) -> None:
    connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.send(_head(200, ("Content-Length", str(len(_ACTIVE_BODY)))) + _ACTIVE_BODY)


_UNHEARD: Final = "hang-tls"
BEHAVIOURS: Final[Mapping[str, Callable[[_Connection], None]]] = {
    "hang": _hang,
    _UNHEARD: _hang,
    "drip": _drip,
    "drip-chunked": _drip_chunked,
    "drip-headers": _drip_headers,
    "drip-hints": _drip_hints,
    "reset": _reset,
    "reset-halfway": _reset_halfway,
    "close": _close,
    "redirect": functools.partial(_redirect, code=307),
    "redirect-permanent": functools.partial(_redirect, code=301),
    "huge": _huge,
    "huge-chunked": _huge_chunked,
    "huge-declared": _huge_declared,
    "huge-headers": _huge_headers,
    "gzip-bomb": _gzip_bomb,
    "gzip-bomb-active": functools.partial(_gzip_bomb, start=_ACTIVE_BODY, fill=b" "),
    "chunked": _chunked,
    "short-body": _short_body,
    "http-1.0": _http_1_0,
    "garbage": _garbage,
    "garbage-head": _garbage_head,
    "100-continue": _continue,
}
WORDS: Final = frozenset(STATES) | frozenset(BEHAVIOURS)


# --- the server ----------------------------------------------------------------------------------


class StandInVault:
    """An HTTP server on a thread per connection, for as long as the ``with`` block lasts.

    Attributes:
        drip_interval: seconds between two bytes of the dripping behaviours.
        redirect_to: the Location of the redirects.
    """

    def __init__(
        self,
        state: str = "active",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        unix_path: str | os.PathLike[str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.drip_interval = 0.3
        self.redirect_to = f"http://127.0.0.1:1{HEALTH}"
        self.state = state
        self._host = host
        self._port = port
        self._unix_path = None if unix_path is None else os.fspath(unix_path)
        self._tls = tls
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._connections = 0
        self._open: dict[threading.Thread, socket.socket] = {}
        self._stopping = False

    @property
    def state(self) -> str:
        """The word that is answered from now on: one of `WORDS`; a strange one is a ValueError."""
        return self._state

    @state.setter
    def state(self, word: str) -> None:
        if word not in WORDS:
            raise ValueError(f"no such state: {word!r}")
        self._state = word

    @property
    def address(self) -> str:
        """What VAULT_ADDR would be."""
        if self._unix_path is not None:
            return f"unix://{self._unix_path}"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def port(self) -> int:
        """The TCP port that was bound."""
        return self._port

    @property
    def requests(self) -> list[Request]:
        """The requests so far, oldest first (a copy)."""
        with self._changed:
            return list(self._requests)

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        with self._changed:
            return self._connections

    def wait_until_idle(self, timeout: float = 30.0) -> bool:
        """Wait until every client has left; False when one has not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, timeout)

    def wait_for_requests(self, number: int, timeout: float = 30.0) -> bool:
        """Wait until that many requests have come in; False when they have not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._requests) >= number, timeout)

    def __enter__(self) -> Self:
        self._listener = self._bind()
        self._acceptor = threading.Thread(target=self._accept, name="stand-in-vault", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Break every connection; return when all threads and sockets have ended.

        Harmless when repeated.
        """
        with self._changed:
            if self._stopping:
                return
            self._stopping = True
            threads = [self._acceptor, *self._open]
            for sock in self._open.values():
                _break(sock)
        _break(self._listener)
        for thread in threads:
            if thread.ident is not None:  # the acceptor may not have started the last one yet
                thread.join(_STOP_TIMEOUT)
        self._listener.close()
        idle = self.wait_until_idle(_STOP_TIMEOUT)
        if self._unix_path is not None:
            Path(self._unix_path).unlink(missing_ok=True)
        if not idle or self._acceptor.is_alive():
            raise RuntimeError("the stand-in vault could not stop its threads")

    def _bind(self) -> socket.socket:
        if self._unix_path is not None:
            return self._listen(socket.AF_UNIX, self._unix_path)
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = self._listen(family, (self._host, self._port))
        self._port = int(listener.getsockname()[1])
        return listener

    @staticmethod
    def _listen(family: socket.AddressFamily, where: str | tuple[str, int]) -> socket.socket:
        listener = socket.socket(family)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen(128)
        except BaseException:
            listener.close()
            raise
        return listener

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except ConnectionAbortedError:
                continue
            except OSError:
                if self._stopping:
                    return
                raise
            self._begin(sock)

    def _begin(self, sock: socket.socket) -> None:
        # Wrapped here and not in the connection's thread: that replaces the socket, and stop()
        # must know the one to break.
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._changed:
            self._connections += 1
            self._changed.notify_all()
            try:
                if self._tls is not None:
                    sock = self._tls.wrap_socket(
                        sock, server_side=True, do_handshake_on_connect=False
                    )
            except OSError:
                sock.close()
                return
            if self._stopping:
                sock.close()
                return
            thread = threading.Thread(
                target=self._serve, args=(sock,), name="stand-in-vault connection", daemon=True
            )
            self._open[thread] = sock
        thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            with contextlib.suppress(_Gone, OSError, ValueError):
                self._converse(_Connection(sock, self))
        finally:
            with self._changed:
                # Removed before it is closed: stop() must never break a descriptor that was reused.
                del self._open[threading.current_thread()]
                sock.close()
                self._changed.notify_all()

    def _converse(self, connection: _Connection) -> None:
        if self.state == _UNHEARD:
            connection.until_client_leaves_unheard()
            return
        if isinstance(connection.sock, ssl.SSLSocket):
            _handshake(connection.sock)
        while self._answer(connection):
            pass

    def _answer(self, connection: _Connection) -> bool:
        """Answer one request; whether the connection is kept."""
        request = connection.read_request()
        state = self.state
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()
        if request.target.partition("?")[0] == HEALTH and (behave := BEHAVIOURS.get(state)):
            behave(connection)
            return False
        answer = _answer_to(request, state)
        length = (
            ()
            if answer.code == http.HTTPStatus.NO_CONTENT
            else (("Content-Length", str(len(answer.body))),)
        )
        connection.send(answer.head(*length) + (b"" if request.method == "HEAD" else answer.body))
        return "close" not in request.header("Connection") and request.version == "HTTP/1.1"


def _answer_to(request: Request, state: str) -> Answer:
    if request.target.partition("?")[0] != HEALTH:
        return STATES["404"]
    if request.method not in {"GET", "HEAD"}:
        return STATES["method-not-allowed"]
    return STATES[state]


def _break(sock: socket.socket) -> None:
    """Wake the threads that block on it.

    Not by SSLSocket.shutdown, which pulls the TLS object from under the thread that uses it.
    """
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _handshake(sock: ssl.SSLSocket) -> None:
    # After a failure the client gets time to read the alert: closing while its request is unread
    # would send an RST after it.
    try:
        sock.do_handshake()
    except ssl.SSLError as error:
        if error.reason == "HTTP_REQUEST":  # as Go's net/http answers
            answer = (
                b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
            )
            socket.socket.sendall(sock, answer)
        socket.socket.shutdown(sock, socket.SHUT_WR)
        while socket.socket.recv(sock, 65536):
            pass
        raise


# --- the script ----------------------------------------------------------------------------------


class _FileDrivenVault(StandInVault):
    """Its state is the word in a file, read at every request.

    Without a file, it is the state that it was started with.
    """

    state_file: Path | None = None

    @property
    def state(self) -> str:
        word = self._word()
        if word in WORDS:
            return word
        print(f"no such state: {word!r}", file=sys.stderr, flush=True)  # noqa: T201 - this is the script
        return "error"

    @state.setter
    def state(self, word: str) -> None:
        self._state = word

    def _word(self) -> str:
        if self.state_file is None:
            return self._state
        try:
            return self.state_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return self._state


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="A stand-in for Vault's GET /v1/sys/health.", allow_abbrev=False
    )
    parser.add_argument(
        "--listen", default="127.0.0.1:8200", metavar="HOST:PORT", help="or unix:PATH"
    )
    parser.add_argument(
        "--state-file", type=Path, help="holds the word to answer with, read at every request"
    )
    parser.add_argument(
        "--state", default="active", choices=sorted(WORDS), metavar="WORD", help="without that file"
    )
    parser.add_argument("--cert", help="serve TLS with this certificate chain (PEM)")
    parser.add_argument("--key", help="its key (PEM)")
    parser.add_argument("--seconds", type=float, help="stop by itself after that long")
    return parser.parse_args(argv)


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    return context


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal or --seconds; SIGTERM keeps its default action, death."""
    options = _options(argv)
    kind, _, path = options.listen.partition("unix:")
    host, _, port = kind.rpartition(":")
    vault = _FileDrivenVault(
        options.state,
        host=host.strip("[]"),
        port=int(port or 0),
        unix_path=path or None,
        tls=_tls(options),
    )
    vault.state_file = options.state_file
    with contextlib.suppress(KeyboardInterrupt), vault:
        print(f"listening on {vault.address}", flush=True)  # noqa: T201 - this is the script
        threading.Event().wait(options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
