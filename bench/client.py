"""A client at the VIP: it connects every 2 ms, and says which node answers from when on.

    python3 client.py ADDRESS PORT

Each line is a time of time.monotonic() and the answer that has come since then, or `-` where none
came for LONGEST_GAP seconds from then on. No connection waits for another one, so that a node that
accepts and says nothing costs no time. Standard library alone: it runs isolated in a namespace.
"""

import collections
import select
import socket
import struct
import sys
import time

EVERY = 0.002
PATIENCE = 0.5
"""Seconds after which a connection is given up."""
LONGEST_GAP = 0.02
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: a closed connection is reset, and its port can be used again at once."""


class Client:
    """The connections that are under way, and the last answer."""

    def __init__(self, address: str, port: int) -> None:
        self._target = (address, port)
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._begun: collections.deque[tuple[float, socket.socket]] = collections.deque()
        self._answer = "-"
        self._at = time.monotonic()

    def run(self) -> None:
        """Connect until the process is ended."""
        due = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= due:
                self._connect(now)
                due = max(due + EVERY, now)
            while self._begun and self._begun[0][0] < now - PATIENCE:
                self._close(self._begun.popleft()[1])
            for descriptor, _ in self._poll.poll(max(0.0, due - time.monotonic())):
                self._read(self._sockets[descriptor])

    def _connect(self, now: float) -> None:
        sock = socket.socket()
        sock.setblocking(False)  # noqa: FBT003 - its signature
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.connect_ex(self._target)
        self._sockets[sock.fileno()] = sock
        self._poll.register(sock, select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP)
        self._begun.append((now, sock))

    def _close(self, sock: socket.socket) -> None:
        if sock.fileno() >= 0:
            del self._sockets[sock.fileno()]
            sock.close()

    def _read(self, sock: socket.socket) -> None:
        try:
            answer = sock.recv(64).decode().strip()
        except OSError:  # refused, reset, no route
            answer = ""
        self._close(sock)
        if answer:
            self._note(answer)

    def _note(self, answer: str) -> None:
        now = time.monotonic()
        if now - self._at > LONGEST_GAP and self._answer != "-":
            say(self._at, "-")
            self._answer = "-"
        if answer != self._answer:
            say(now, answer)
        self._answer, self._at = answer, now


def say(at: float, answer: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{at!r} {answer}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    Client(sys.argv[1], int(sys.argv[2])).run()
