"""One GET, or one after the other on a kept connection, and what may prevent its answer.

The request goes straight to httpx's transport: no redirects, cookies, proxies or .netrc, and the
body is read raw, so that nothing is decompressed. httpx's timeouts are for each phase, and every
byte restarts them; deadline.within() keeps the total deadline.
"""

import select
import socket
import ssl
import time
from collections.abc import Callable, Container, Mapping
from functools import cache
from types import ModuleType
from typing import Any

from kacheck.deadline import Deadline
from kacheck.exchange import authorities, plain, reasons, tls
from kacheck.exchange.answer import MAX_BODY, HttpAnswer
from kacheck.exchange.failures import causes, failure_of, reset, with_seen
from kacheck.exchange.kept import KEPT_FOR, LastingConnection
from kacheck.exchange.library import is_plain, load_httpx, read_body
from kacheck.exchange.request import CLOSING, HEADERS, PORTS
from kacheck.exchange.target import Target
from kacheck.result import BadConfigError, Loss, Result, Status

PHASES = {
    "connection.connect_tcp.started": "connect",
    "connection.connect_unix_socket.started": "connect-unix",
    "connection.start_tls.started": "tls",
    "http11.send_request_headers.started": "request",
    "http11.receive_response_headers.started": "response",
    "http11.receive_response_body.started": "body",
}
"""httpcore's trace events and the phases that begin with them."""
TIMEOUTS = ("connect", "read", "write", "pool")


@cache
def load() -> None:
    """Import all that a look needs: httpx itself loads most of its modules with a transport.

    Raises:
        KacheckError: httpx is not installed.

    """
    import encodings.idna  # noqa: F401 - with which the socket module encodes every host
    import ipaddress  # noqa: F401 - where the address may be another machine
    import json  # noqa: F401 - for an answer that is not a flat object

    from kacheck import files, redact  # noqa: F401 - for certificates, and for what is wrong

    tls.iso("Jan  1 00:00:00 2020 GMT")  # time.strptime() imports, too
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    load_httpx().HTTPTransport(verify=context, trust_env=False).close()


class HttpClient(LastingConnection):
    """Asks one node; with `keep`, again and again on a connection that is kept."""

    def __init__(  # noqa: PLR0913 - what is asked, and how the answer is read
        self,
        target: Target,
        judge: Callable[[HttpAnswer], Result],
        codes: Container[int],
        *,
        keep: bool = False,
        content: bytes = b"",
        max_body: int = MAX_BODY,
    ) -> None:
        super().__init__(target)
        self.keep = keep
        self._content = content
        """The body of a PUT."""
        self._max_body = max_body
        self._judge = judge
        self._codes = codes
        """Those of answers that may be read without httpx."""
        self._trust: tuple[authorities.Stamps, ssl.SSLContext] | None = None
        self._transport: Any = None
        self._request = b""
        """The request as httpx has sent it, to be sent again; empty: it has had no plain answer."""
        self._is_misread = False
        """Whether an answer was not plain that httpx may have shown as such."""
        self._host, self._port = "", 0
        """Where httpx has sent it."""
        self._fields: Mapping[str, str] = {}
        """The target's, of the request."""

    def __call__(self, deadline: Deadline) -> Result:
        """One look.

        Raises:
            BadConfigError: a certificate file cannot be used; KacheckError: httpx is not installed.

        """
        self.deadline = deadline
        fields = self.target.fields()
        if fields != self._fields:
            self._fields, self._request = fields, b""
        deadline.seen |= {"address": self.target.address, **self._about}
        answer = self.ask_again()
        if answer is None:
            self.reset()
            result = self.ask()
        else:
            result = self._judge(answer)
        return with_seen(result, deadline)

    def is_lost(self) -> bool:
        """Return whether the connection was closed, or the server sent something unasked."""
        if not self.watched():
            return True
        poll = select.poll()
        for file in self.watched():
            poll.register(file, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        super().close()

    def ask_again(self) -> HttpAnswer | None:
        """Return the answer on the kept connection; None if it is to be asked for on a new one."""
        sock, age = self._socket, time.monotonic() - self._connected_at
        if sock is None:
            return None
        answer = None
        if self._request and age <= KEPT_FOR and not self.is_lost():
            self.watch(sock)
            answer = self.repeat(sock)
        # One that was ended with its answer, as the server said (Connection: close), is not a loss.
        if answer is None and self.watched() and self.is_lost():
            self._loss = Loss.SOME
        return answer

    def repeat(self, sock: socket.socket) -> HttpAnswer | None:
        """Return the answer to the request that was answered before; None if there was none.

        A server may end an idle connection at any time, even as it is asked (RFC 9112, 9.5). One
        whose answer is not plain is asked by httpx next: to ask in vain takes as long.
        """
        self.enter("response")
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
                self.reset()
                answer = self.get(httpx)
        except (httpx.InvalidURL, UnicodeError) as error:
            name = self.target.trust.tls_server_name or self.target.address
            raise BadConfigError(f"{name} is not a valid host name: {error}") from None
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
        return self.repeat(self.connect(self._host, self._port, self.context))

    def get(self, httpx: ModuleType) -> HttpAnswer:
        """Connect, send the GET and read the answer.

        Raises:
            httpx.TransportError, OSError: no answer could be had.
            httpx.InvalidURL, UnicodeError: the address or name is invalid.

        """
        self._transport = httpx.HTTPTransport(
            verify=self.context(), trust_env=False, uds=self.target.unix_socket
        )
        left = plain.time_left(self.deadline)
        request = httpx.Request(
            self.target.method,
            self.target.url,
            headers={**(HEADERS if self.keep else CLOSING), **self._fields},
            content=self._content or None,
            extensions={"timeout": dict.fromkeys(TIMEOUTS, left), "trace": self.trace},
        )
        response = self._transport.handle_request(request)
        try:
            body = read_body(response.iter_raw(), self._max_body)
        finally:
            response.close()
        fields = b"".join(b"%s: %s\r\n" % field for field in request.headers.raw)
        if self.keep:
            words = b"GET %s HTTP/1.1\r\n%s\r\n" % (request.url.raw_path, fields)
            # The answer to HEAD has the length of a body that does not come.
            can_be_plain = self.target.method == "GET" and is_plain(response, self._codes)
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
            self.enter(PHASES[event])
        elif event.startswith("connection.connect_") and event.endswith(".complete"):
            self.connected(info["return_value"].get_extra_info("socket"))
        elif event == "connection.start_tls.complete":
            self.encrypted(info["return_value"].get_extra_info("socket"))

    def connected(self, sock: socket.socket) -> None:
        """Note which peer answers, and since when."""
        self._connected_at = time.monotonic()
        super().connected(sock)

    def encrypted(self, sock: ssl.SSLSocket) -> None:
        """Note the certificate, too."""
        super().encrypted(sock)
        certificate = tls.certificate(sock)
        if certificate:
            self.learn("certificate", certificate._asdict())

    def failure(self, error: Exception, httpx: ModuleType) -> Result:
        """Return the result for a request that got no answer, from the first known cause."""
        address = self.target.address
        for cause in causes(error):
            if isinstance(cause, httpx.TimeoutException):
                return self.deadline.timed_out()
            if isinstance(cause, OSError):
                return failure_of(cause, self.target, self.peer, self.deadline)
        if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in str(error):
            self._is_misread = False  # httpx does not read it either
            return Result(
                Status.CRITICAL,
                reasons.BAD_RESPONSE,
                f"{address} does not speak HTTP/1.1: {error}",
                {},
            )
        return reset(address)
