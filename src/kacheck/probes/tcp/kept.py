"""The watcher's connection to a port: kept between looks where the service allows it.

A look that has something to say connects again. What the service sends unasked is read and
dropped. A service that ends connections soon after it has accepted them, or that goes on sending,
is not watched so for a while: each event would be for nothing.
"""

from __future__ import annotations

import time

from kacheck.exchange.failures import with_seen
from kacheck.exchange.kept import KEPT_FOR, LastingConnection
from kacheck.probes.tcp.look import CHUNK, connect
from kacheck.result import Loss, Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from kacheck.deadline import Deadline
    from kacheck.probes.tcp.settings import TcpOptions

NOT_KEPT_FOR = 60.0
"""Seconds for which a service that does not allow it is not watched by a connection."""
MOST_UNASKED = 4
"""Looks at a connection that may find something sent unasked: a greeting, TLS tickets."""
MOST_CHUNKS = 16


class KeptConnection(LastingConnection):
    """Connects to one address again and again, and keeps the connection in between."""

    def __init__(self, options: TcpOptions) -> None:
        super().__init__(options)
        self._options = options
        self._unasked = 0
        """Looks at this connection that have found something."""
        self._not_before = 0.0
        """When a connection may be kept again (time.monotonic())."""
        self._result: Result | None = None
        """What connecting has shown."""

    def __call__(self, deadline: Deadline) -> Result:
        """Look once.

        Raises:
            BadConfigError: a certificate file cannot be used.

        """
        self.deadline = deadline
        deadline.seen |= {"address": self._options.address, **self._about}
        now = time.monotonic()
        age = now - self._connected_at
        was_kept = self._socket is not None
        unasked = self._unasked
        is_lost = was_kept and self._is_lost()
        if is_lost:
            self._loss = Loss.SOME
        # What is sent unasked is an event, too, and no reason to connect again.
        is_enough = not (self._options.send or self._options.expect) or self._unasked > unasked
        if self._result and was_kept and not is_lost and is_enough and age <= KEPT_FOR:
            return with_seen(self._result, deadline)
        self.reset()
        self._connected_at, self._unasked = time.monotonic(), 0
        result = self._result = connect(self, self._options)
        if result.status is not Status.OK:
            self.close()
        elif is_lost and age < KEPT_FOR:  # it serves, but ends connections soon
            self._not_before = now + NOT_KEPT_FOR
        return with_seen(result, deadline)

    def loss(self) -> Loss:
        """Return whether the kept connection was lost; end one that is not to be kept."""
        if time.monotonic() < self._not_before:
            self.close()
        return super().loss()

    def _is_lost(self) -> bool:
        """Return whether the connection was ended; read and drop what else has come."""
        sock = self._socket
        if sock is None:
            return True
        import ssl

        sock.settimeout(0)
        for number in range(MOST_CHUNKS):
            try:
                if not sock.recv(CHUNK):
                    return True
            except (BlockingIOError, ssl.SSLWantReadError):
                self._unasked += number > 0
                break
            except OSError:
                return True
        else:
            self._unasked = MOST_UNASKED
        if self._unasked >= MOST_UNASKED:
            self._not_before = time.monotonic() + NOT_KEPT_FOR
        return False
