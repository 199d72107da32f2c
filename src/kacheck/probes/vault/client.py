"""Is this node in the wanted Vault role? One GET of /v1/sys/health, and what may stand in its way.

The request goes straight to httpx's transport: no redirects, cookies, proxies or .netrc, and the
body is read raw, so that nothing is decompressed. httpx's timeouts are for each phase and start
anew with every byte; the deadline over all of them is kept by deadline.within().
"""

import ipaddress
import select
import socket
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from types import ModuleType
from typing import Any

from kacheck import __version__
from kacheck.deadline import Deadline
from kacheck.probes.vault import authorities, kept, reasons, tls
from kacheck.probes.vault.health import MAX_BODY, Answer, judge
from kacheck.probes.vault.settings import VaultOptions, unproven
from kacheck.result import HIDDEN, BadConfigError, Loss, Result, Status

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


def probe(options: VaultOptions, deadline: Deadline) -> Result:
    """Ask the node once.

    Raises:
        BadConfigError: a certificate file cannot be used, or httpx is not installed.

    """
    client = Client(options)
    try:
        return client(deadline)
    finally:
        client.close()


def kept_client(options: VaultOptions) -> "Client":
    """Return a client that asks again and again on a connection that it keeps."""
    return Client(options, keep=True)


def load_httpx() -> ModuleType:
    """httpx, which takes 50 to 150 ms to import: only where Vault is asked."""
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


def preload(_: VaultOptions) -> None:
    """Import all that a look needs, whatever it asks; raises as load() does."""
    load()


class Client:
    """Asks one node; with `keep`, again and again on a connection that is kept.

    An idle connection is a tripwire: its descriptor becomes readable when Vault dies or closes it.
    But it shows nothing of what a new client would meet: no TLS handshake, no backlog that is full.
    So it is believed for KEPT_FOR, then the next look connects anew.
    """

    def __init__(self, options: VaultOptions, *, keep: bool = False) -> None:
        self.options = options
        self.keep = keep
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
        deadline.seen |= {"address": self.options.address, **self._about}
        answer = self.ask_again()
        if answer is None:
            self.start_anew()
            result = self.ask()
        else:
            result = judge(answer, self.options.accept, self.options.address)
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

    def ask_again(self) -> Answer | None:
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

    def repeat(self, sock: socket.socket) -> Answer | None:
        """Return the answer to the request that was answered before; None if there is none yet.

        A server may end an idle connection at any time, even as it is asked (RFC 9112, 9.5). One
        whose answer is not plain is asked by httpx next: to ask in vain takes as long.
        """
        self.deadline.enter("response", f"{self.options.address} to answer")
        answer = None
        try:
            answer = kept.ask(sock, self._request, self.deadline)
        except kept.MisreadError:
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
        self.deadline.enter("start", f"httpx to be loaded, to ask {self.options.address}")
        httpx = load_httpx()
        try:
            answer = self.get_again() if self._request else None
            if answer is None:
                self.start_anew()
                answer = self.get(httpx)
        except (httpx.InvalidURL, UnicodeError) as error:
            name = self.options.tls_server_name or self.options.address
            raise BadConfigError(f"{name} is no name that can be asked for: {error}") from None
        except (httpx.TransportError, OSError) as error:
            result = self.failure(error, httpx)
            self.close()
            return result
        return judge(answer, self.options.accept, self.options.address)

    def get_again(self) -> Answer | None:
        """Connect as httpx has done before, but without it; None if the answer is not a plain one.

        Raises:
            OSError: no connection could be had.

        """
        context = self.context()
        self.enter("connection.connect_tcp.started")
        address = self.options.unix_socket or (self._host, self._port)
        sock = kept.connect(address, self.deadline)
        self.connected(sock)
        if self.options.url.startswith("https:"):
            self.enter("connection.start_tls.started")
            kept.settle(sock, self.deadline)
            sock = context.wrap_socket(sock, server_hostname=self._host)
            self.encrypted(sock)
        return self.repeat(sock)

    def get(self, httpx: ModuleType) -> Answer:
        """Connect, send the GET and read the answer.

        Raises:
            httpx.TransportError, OSError: no answer could be had.
            httpx.InvalidURL, UnicodeError: the address or name is none.

        """
        self._transport = httpx.HTTPTransport(
            verify=self.context(), trust_env=False, uds=self.options.unix_socket
        )
        left = kept.time_left(self.deadline)
        request = httpx.Request(
            "GET",
            self.options.url,
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
            plain = is_plain(response)
            self._is_misread = self._is_misread and plain
            self._request = words if plain and not self._is_misread else b""
            self._host = request.url.raw_host.decode("ascii")
            self._port = request.url.port or PORTS[request.url.scheme]
        return Answer(response.status_code, body, response.headers.get("location"))

    def context(self) -> ssl.SSLContext:
        """Return the TLS context, made again unless every file of it is known to be the same.

        Raises:
            BadConfigError: a file cannot be used.

        """
        stamps = authorities.stamps(self.options)
        if self._trust is None or not authorities.still_hold(self._trust[0], stamps):
            self._trust = stamps, tls.context(self.options)
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
        self.deadline.enter(phase, waiting_for.format(self.options.address))

    def connected(self, sock: socket.socket) -> None:
        """Note who answers."""
        self._connected_at = time.monotonic()
        self._about = {}
        warning = unproven(self.options)
        if sock.family != socket.AF_UNIX:
            host, port = sock.getpeername()[:2]  # IPv6 has two more
            self.peer = host, port
            if not (self.options.remote or is_this_machine(sock)):
                warning = (
                    f"{self.options.address} is not this machine but {host}: its health says "
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
        address = self.options.address
        for cause in causes(error):
            if isinstance(cause, ssl.SSLError) and not isinstance(cause, TimeoutError):
                # Half of what is left: the answer must still be in time.
                wait = self.deadline.remaining() / 2
                why = tls.explain(cause, self.options, self.peer, wait)
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


def is_plain(response: Any) -> bool:
    """Would kept.py understand this answer of httpx's, too?"""
    start = b"%s %d" % (response.http_version.encode(), response.status_code)
    fields = b"".join(b"\r\n%s: %s" % field for field in response.headers.raw)
    try:
        _, length = kept.understand(start + fields)
    except kept.MisreadError:
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


def is_this_machine(sock: socket.socket) -> bool:
    """Does the connection end on this machine?

    To an address of its own the kernel goes from that address; but to a secondary one, such as a
    VIP, from the primary one of its network.
    """
    local, peer = sock.getsockname()[0], sock.getpeername()[0]
    is_loopback = ipaddress.ip_address(peer.partition("%")[0]).is_loopback
    return local == peer or is_loopback or is_own_address(sock.family, peer)


def is_own_address(family: int, address: str) -> bool:
    """Can a socket be bound to it? With ip_nonlocal_bind it always can, which proves nothing."""
    version = "ipv6" if family == socket.AF_INET6 else "ipv4"
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        with open(f"/proc/sys/net/{version}/ip_nonlocal_bind", encoding="ascii") as setting:
            if setting.read().strip() != "0":
                return False
        sock.bind((address, 0))
        return True
    return False


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it came from, outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def system_error(error: OSError, address: str) -> Result:
    """The result for an error of the system's."""
    why = error.strerror or str(error)
    if isinstance(error, socket.gaierror):
        return Result(
            Status.CRITICAL, reasons.DNS, f"{address}: its name does not resolve: {why}", {}
        )
    if isinstance(error, PermissionError):
        message = f"{address} may not be connected to by this user: {why}"
        return Result(Status.UNKNOWN, HIDDEN, message, {})
    if isinstance(error, (ConnectionRefusedError, FileNotFoundError)):
        message = f"{address} refuses connections ({why}): nothing listens there"
        return Result(Status.CRITICAL, reasons.REFUSED, message, {})
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        message = f"{address} closed the connection without a whole answer ({why})"
        return Result(Status.CRITICAL, reasons.RESET, message, {})
    return Result(Status.CRITICAL, reasons.UNREACHABLE, f"{address} cannot be reached: {why}", {})
