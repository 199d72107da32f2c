"""systemd's notifications (sd_notify(3)): a datagram to the socket that NOTIFY_SOCKET names."""

import socket
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Tells systemd, if it is there."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        mine = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        usec = environ.get("WATCHDOG_USEC", "")
        self.watchdog_interval = int(usec) / 2e6 if mine and usec.isdecimal() else None
        """Seconds between two signs of life: half of what systemd waits (sd_watchdog_enabled(3));
        None: it does not wait for any."""
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def tell(self, *lines: str) -> None:
        """Send assignments such as `READY=1`; nothing happens where nobody listens."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto("\n".join(lines).encode(), self._address)
