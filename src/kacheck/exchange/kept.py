"""A connection that is kept between looks.

An idle connection is a tripwire: its descriptor becomes readable when the server dies or closes
it. But it shows nothing of what a new client would meet: no TLS handshake, no backlog that is
full. So it is believed for KEPT_FOR, then the next look connects again.
"""

from __future__ import annotations

from kacheck.deadline import Deadline
from kacheck.exchange.connection import Connection
from kacheck.result import Loss

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from kacheck.exchange.target import Target
    from kacheck.result import Result

KEPT_FOR = 2.5
"""Seconds that a connection is believed."""


class LastingConnection(Connection):
    """A connection of the watcher's."""

    def __init__(self, target: Target) -> None:
        super().__init__(target, Deadline(0))
        self._connected_at = 0.0
        self._loss = Loss.NOTHING

    def quick_result(self) -> Result | None:
        """Return nothing: the connection has to be tried."""
        return None

    def loss(self) -> Loss:
        """Return whether the kept connection has been lost since the look before."""
        loss, self._loss = self._loss, Loss.NOTHING
        return loss

    def watched(self) -> list[int]:
        """Return the descriptor of the idle connection."""
        file = -1 if self._socket is None else self._socket.fileno()
        return [] if file < 0 else [file]

    def reset(self) -> None:
        """End the connection; what a new one shows is another matter."""
        self.forget()
        self.close()
