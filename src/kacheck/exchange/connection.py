"""A connection to a target: connecting without a client library, and what that shows."""

from __future__ import annotations

import socket
from functools import partial

from kacheck.exchange import plain
from kacheck.exchange.place import is_this_machine, unproven

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from kacheck.deadline import Deadline
    from kacheck.exchange.target import Target

WAITING = {
    "connect": "{} to accept the connection (DNS included)",
    "connect-unix": "{} to accept the connection",
    "tls": "{} to finish the TLS handshake",
    "request": "{} to take the request",
    "response": "{} to answer",
    "body": "{} to end its answer",
}
"""What a look waits for in each phase of an exchange."""


class Connection:
    """A connection, or one that is to be made, for one look at a time."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self.target = target
        self.deadline = deadline
        self.peer: tuple[str, int] | None = None
        self._socket: socket.socket | None = None
        self._about: dict[str, object] = {}
        """What connecting has shown: warnings, the certificate."""

    def enter(self, phase: str) -> None:
        """Begin a phase of WAITING."""
        waiting_for = WAITING[phase].format(self.target.address)
        self.deadline.enter(phase.removesuffix("-unix"), waiting_for)

    def connect(self, host: str, port: int, context: Callable[[], ssl.SSLContext]) -> socket.socket:
        """Connect to the host, or to the target's Unix socket, and complete TLS for https.

        Raises:
            OSError: no connection could be had.
            BadConfigError: as `context` does.

        """
        path = self.target.unix_socket
        tls = context() if self.target.url.startswith("https:") else None
        self.enter("connect-unix" if path else "connect")
        sock = plain.connect(path or (host, port), self.deadline)
        self.connected(sock)
        if tls is not None:
            self.enter("tls")
            plain.set_timeout(sock, self.deadline)
            sock = tls.wrap_socket(sock, server_hostname=host)
            self.encrypted(sock)
        return sock

    def connected(self, sock: socket.socket) -> None:
        """Note which peer answers."""
        self._about = {}
        warning = unproven(self.target)
        if sock.family != socket.AF_UNIX:
            host, port = sock.getpeername()[:2]  # IPv6 has two more
            self.peer = host, port
            if not (self.target.trust.remote or is_this_machine(sock)):
                warning = (
                    f"{self.target.address} is not this machine but {host}: its health says "
                    "nothing about this node (--remote, if that is intended)"
                )
        if warning is not None:
            self.learn("warnings", [warning])
        self.watch(sock)

    def encrypted(self, sock: ssl.SSLSocket) -> None:
        """Note that TLS is complete; this socket has taken the descriptor of the one before."""
        self.watch(sock)

    def learn(self, key: str, value: object) -> None:
        """Keep what connecting has shown for every look on this connection."""
        self._about[key] = self.deadline.seen[key] = value

    def watch(self, sock: socket.socket) -> None:
        """Let the deadline end the connection under a blocked worker."""
        self._socket = sock
        self.deadline.on_expiry(partial(shut_down, sock))

    def forget(self) -> None:
        """Take back what connecting has shown: what a new connection shows is another matter."""
        for key in self._about:
            self.deadline.seen.pop(key, None)
        self._about = {}

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = self.peer = None
        self._about = {}


def shut_down(sock: socket.socket) -> None:
    """End a connection under a thread that is blocked in it.

    socket.socket's own method: SSLSocket's would also drop the TLS state that the thread uses.
    """
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself
