"""systemd's notifications (sd_notify(3)): a datagram to the socket that NOTIFY_SOCKET names."""

import socket
from collections.abc import Mapping

PATIENCE = 0.1
"""Seconds that systemd may take for a datagram: a READY that is lost would be waited for."""


class Notifier:
    """Tells systemd, if it is there."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        mine = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        usec = environ.get("WATCHDOG_USEC", "")
        waits = mine and usec.isdecimal() and int(usec) > 0
        self.watchdog_interval = int(usec) / 2e6 if waits else None
        """Seconds between two signs of life: half of what systemd waits (sd_watchdog_enabled(3));
        None: it does not wait for any."""
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def tell(self, *lines: str) -> None:
        """Send assignments such as `READY=1`; nothing happens where nobody listens."""
        self._send(lines, PATIENCE)

    def offer(self, *lines: str) -> bool:
        """Send what may be lost, without waiting; return whether it was sent."""
        return self._send(lines, 0)

    def _send(self, lines: tuple[str, ...], patience: float) -> bool:
        if self._socket is not None:
            try:
                self._socket.settimeout(patience)
                self._socket.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                return False
        return True
