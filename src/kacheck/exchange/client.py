"""One GET, or one after the other on a kept connection, and what may stand in its way.

The request goes straight to httpx's transport: no redirects, cookies, proxies or .netrc, and the
body is read raw, so that nothing is decompressed. httpx's timeouts are for each phase and start
anew with every byte; the deadline over all of them is kept by deadline.within().
"""

import select
import socket
import ssl
import sys
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from types import ModuleType
from typing import Any

from kacheck import __version__
from kacheck.deadline import Deadline
from kacheck.exchange import authorities, plain, reasons, tls
from kacheck.exchange.answer import MAX_BODY, HttpAnswer
from kacheck.exchange.failures import causes, system_error
from kacheck.exchange.place import is_this_machine, unproven
from kacheck.exchange.target import Target
from kacheck.result import BadConfigError, Loss, Result, Status

HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": f"kacheck/{__version__}",
}
PHASES = {
    "connection.connect_tcp.started": ("connect", "{} to accept the connection (DNS included)"),
    "connection.connect_unix_socket.started": ("connect", "{} to accept the connection"),
    "connection.start_tls.started": ("tls", "{} to finish the TLS handshake"),
    "http11.send_request_headers.started": ("request", "{} to take the request"),
    "http11.receive_response_headers.started": ("response", "{} to answer"),
    "http11.receive_response_body.started": ("body", "{} to end its answer"),
}
"""httpcore's trace events and the phases that begin with them."""
TIMEOUTS = ("connect", "read", "write", "pool")
PORTS = {"http": 80, "https": 443}
KEPT_FOR = 2.5
"""Seconds that a connection is believed."""


def load_httpx() -> ModuleType:
    """httpx, which takes 50 to 150 ms to import: only where something is asked."""
    # Its command line, which takes click, rich and pygments along where they are installed, as with
    # Debian's httpx: 6 MB and 35 ms. httpx goes without where they are not.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    try:
        import httpx
    except ImportError as error:
        raise BadConfigError(
            f"httpx cannot be imported ({error}); install it: apt install python3-httpx"
        ) from None
    return httpx


@cache
def load() -> None:
    """Import all that a look needs: httpx itself loads most of its modules with a transport.

    Raises:
        BadConfigError: httpx is not installed.

    """
    import encodings.idna  # noqa: F401 - with which the socket module encodes every host

    tls.iso("Jan  1 00:00:00 2020 GMT")  # time.strptime() imports, too
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    load_httpx().HTTPTransport(verify=context, trust_env=False).close()


class HttpClient:
    """Asks one node; with `keep`, again and again on a connection that is kept.

    An idle connection is a tripwire: its descriptor becomes readable when the server dies or closes
    it. But it shows nothing of what a new client would meet: no TLS handshake, no backlog that is
    full. So it is believed for KEPT_FOR, then the next look connects again.
    """

    def __init__(
        self,
        target: Target,
        judge: Callable[[HttpAnswer], Result],
        codes: Container[int],
        *,
        keep: bool = False,
    ) -> None:
        self.target = target
        self.keep = keep
        self._judge = judge
        self._codes = codes
        """Those of answers that may be read without httpx."""
        self.deadline = Deadline(0)
        self.peer: tuple[str, int] | None = None
        self._trust: tuple[authorities.Stamps, ssl.SSLContext] | None = None
        self._transport: Any = None
        self._request = b""
        """The request as httpx has sent it, to be sent again; empty: it has had no plain answer."""
        self._is_misread = False
        """Whether an answer was not plain that httpx may have shown as such."""
        self._host, self._port = "", 0
        """Where httpx has sent it."""
        self._connected_at = 0.0
        self._socket: socket.socket | None = None
        self._about: dict[str, Any] = {}
        """What connecting has shown: the certificate, warnings."""
        self._loss = Loss.NOTHING

    def __call__(self, deadline: Deadline) -> Result:
        """One look.

        Raises:
            BadConfigError: a certificate file cannot be used, or httpx is not installed.

        """
        self.deadline = deadline
        deadline.seen |= {"address": self.target.address, **self._about}
        answer = self.ask_again()
        if answer is None:
            self.start_anew()
            result = self.ask()
        else:
            result = self._judge(answer)
        data = {**deadline.seen, "phases_ms": deadline.phases_ms(), **result.data}
        return result._replace(data=data)

    def quick_result(self) -> Result | None:
        """Without waiting nothing can be told."""
        return None

    def loss(self) -> Loss:
        """Has the connection that was kept been lost since the look before?"""
        loss, self._loss = self._loss, Loss.NOTHING
        return loss

    def watched(self) -> list[int]:
        """The descriptor of the idle connection."""
        file = -1 if self._socket is None else self._socket.fileno()
        return [] if file < 0 else [file]

    def is_lost(self) -> bool:
        """Has the connection been closed, or has something been said that nobody asked for?"""
        if not self.watched():
            return True
        poll = select.poll()
        for file in self.watched():
            poll.register(file, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """End the connection."""
        for each in (self._transport, self._socket):
            if each is not None:
                each.close()
        self._transport = self._socket = self.peer = None
        self._about = {}

    def start_anew(self) -> None:
        """End the connection; what a new one shows is another matter."""
        for key in self._about:
            self.deadline.seen.pop(key, None)
        self.close()

    def ask_again(self) -> HttpAnswer | None:
        """The answer on the kept connection; None if it is to be asked for on a new one."""
        sock, age = self._socket, time.monotonic() - self._connected_at
        if sock is None:
            return None
        answer = None
        if self._request and age <= KEPT_FOR and not self.is_lost():
            self.watch(sock)
            answer = self.repeat(sock)
        # One that was ended with its answer, as the server said (Connection: close), is no loss.
        if answer is None and self.watched() and self.is_lost():
            self._loss = Loss.SOME
        return answer

    def repeat(self, sock: socket.socket) -> HttpAnswer | None:
        """Return the answer to the request that was answered before; None if there is none yet.

        A server may end an idle connection at any time, even as it is asked (RFC 9112, 9.5). One
        whose answer is not plain is asked by httpx next: to ask in vain takes as long.
        """
        self.deadline.enter("response", f"{self.target.address} to answer")
        answer = None
        try:
            answer = plain.ask(sock, self._request, self._codes, self.deadline)
        except plain.MisreadError:
            self._is_misread = True
        except OSError:
            return None
        if answer is None:
            self._request = b""
        return answer

    def ask(self) -> Result:
        """One request on a new connection, which is kept only after an answer."""
        if not self.deadline.remaining():
            return self.deadline.timed_out()
        self.deadline.enter("start", f"httpx to be loaded, to ask {self.target.address}")
        httpx = load_httpx()
        try:
            answer = self.get_again() if self._request else None
            if answer is None:
                self.start_anew()
                answer = self.get(httpx)
        except (httpx.InvalidURL, UnicodeError) as error:
            name = self.target.tls_server_name or self.target.address
            raise BadConfigError(f"{name} is no name that can be asked for: {error}") from None
        except (httpx.TransportError, OSError) as error:
            result = self.failure(error, httpx)
            self.close()
            return result
        return self._judge(answer)

    def get_again(self) -> HttpAnswer | None:
        """Connect as httpx has done before, but without it; None if the answer is not a plain one.

        Raises:
            OSError: no connection could be had.

        """
        context = self.context()
        self.enter("connection.connect_tcp.started")
        address = self.target.unix_socket or (self._host, self._port)
        sock = plain.connect(address, self.deadline)
        self.connected(sock)
        if self.target.url.startswith("https:"):
            self.enter("connection.start_tls.started")
            plain.set_timeout(sock, self.deadline)
            sock = context.wrap_socket(sock, server_hostname=self._host)
            self.encrypted(sock)
        return self.repeat(sock)

    def get(self, httpx: ModuleType) -> HttpAnswer:
        """Connect, send the GET and read the answer.

        Raises:
            httpx.TransportError, OSError: no answer could be had.
            httpx.InvalidURL, UnicodeError: the address or name is none.

        """
        self._transport = httpx.HTTPTransport(
            verify=self.context(), trust_env=False, uds=self.target.unix_socket
        )
        left = plain.time_left(self.deadline)
        request = httpx.Request(
            "GET",
            self.target.url,
            headers=HEADERS if self.keep else HEADERS | {"connection": "close"},
            extensions={"timeout": dict.fromkeys(TIMEOUTS, left), "trace": self.trace},
        )
        response = self._transport.handle_request(request)
        try:
            body = read_body(response.iter_raw())
        finally:
            response.close()
        fields = b"".join(b"%s: %s\r\n" % field for field in request.headers.raw)
        if self.keep:
            words = b"GET %s HTTP/1.1\r\n%s\r\n" % (request.url.raw_path, fields)
            can_be_plain = is_plain(response, self._codes)
            self._is_misread = self._is_misread and can_be_plain
            self._request = words if can_be_plain and not self._is_misread else b""
            self._host = request.url.raw_host.decode("ascii")
            self._port = request.url.port or PORTS[request.url.scheme]
        return HttpAnswer(response.status_code, body, response.headers.get("location"))

    def context(self) -> ssl.SSLContext:
        """Return the TLS context, made again unless every file of it is known to be the same.

        Raises:
            BadConfigError: a file cannot be used.

        """
        stamps = authorities.stamps(self.target)
        if self._trust is None or not authorities.still_hold(self._trust[0], stamps):
            self._trust = stamps, tls.context(self.target)
        return self._trust[1]

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Httpcore's trace extension: called as each phase begins and ends."""
        if event in PHASES:
            self.enter(event)
        elif event.startswith("connection.connect_") and event.endswith(".complete"):
            self.connected(info["return_value"].get_extra_info("socket"))
        elif event == "connection.start_tls.complete":
            self.encrypted(info["return_value"].get_extra_info("socket"))

    def enter(self, event: str) -> None:
        """Begin the phase that this event begins."""
        phase, waiting_for = PHASES[event]
        self.deadline.enter(phase, waiting_for.format(self.target.address))

    def connected(self, sock: socket.socket) -> None:
        """Note who answers."""
        self._connected_at = time.monotonic()
        self._about = {}
        warning = unproven(self.target)
        if sock.family != socket.AF_UNIX:
            host, port = sock.getpeername()[:2]  # IPv6 has two more
            self.peer = host, port
            if not (self.target.remote or is_this_machine(sock)):
                warning = (
                    f"{self.target.address} is not this machine but {host}: its health says "
                    "nothing of this node (--remote if that is meant)"
                )
        if warning is not None:
            self.learn("warnings", [warning])
        self.watch(sock)

    def encrypted(self, sock: ssl.SSLSocket) -> None:
        """Note the certificate; this socket has taken the descriptor of the one that connected."""
        self.watch(sock)
        certificate = tls.certificate(sock)
        if certificate:
            self.learn("certificate", certificate._asdict())

    def learn(self, key: str, value: object) -> None:
        """Keep what connecting has shown for every look on this connection."""
        self._about[key] = self.deadline.seen[key] = value

    def watch(self, sock: socket.socket) -> None:
        """Let the deadline end the connection under a blocked worker."""
        self._socket = sock
        self.deadline.on_expiry(partial(shut_down, sock))

    def failure(self, error: Exception, httpx: ModuleType) -> Result:
        """The result for a request that got no answer, from the first known cause."""
        address = self.target.address
        for cause in causes(error):
            if isinstance(cause, ssl.SSLError) and not isinstance(cause, TimeoutError):
                # Half of what is left: the answer must still be in time.
                wait = self.deadline.remaining() / 2
                why = tls.explain(cause, self.target, self.peer, wait)
                return Result(Status.CRITICAL, reasons.TLS, f"{address}: {why}", {})
            if isinstance(cause, (TimeoutError, httpx.TimeoutException)):
                return self.deadline.timed_out()
            if isinstance(cause, OSError):
                return system_error(cause, address)
        if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in str(error):
            self._is_misread = False  # httpx does not read it either
            return Result(
                Status.CRITICAL,
                reasons.BAD_RESPONSE,
                f"{address} does not speak HTTP/1.1: {error}",
                {},
            )
        message = f"{address} closed the connection without a whole answer"
        return Result(Status.CRITICAL, reasons.RESET, message, {})


def is_plain(response: Any, codes: Container[int]) -> bool:
    """Would plain.py read this answer of httpx's, too?"""
    start = b"%s %d" % (response.http_version.encode(), response.status_code)
    fields = b"".join(b"\r\n%s: %s" % field for field in response.headers.raw)
    try:
        _, length = plain.read_head(start + fields, codes)
    except plain.MisreadError:
        return False
    return length >= 0


def read_body(chunks: Iterator[bytes]) -> bytes:
    """The raw body; of one that is too long, just enough to know it."""
    body = b""
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY:
            break
    return body[: MAX_BODY + 1]


def shut_down(sock: socket.socket) -> None:
    """End a connection under a thread that is blocked in it.

    socket.socket's own method: SSLSocket's would also drop the TLS state that the thread uses.
    """
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
