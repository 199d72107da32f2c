"""Places at the status socket: so many for each user, and more, apart, for root.

Anyone may connect. Who has all of its places gives up its oldest connection for a new one, so
nobody has to wait for others to read, and a user can only take places from itself.
"""

import os
import socket
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kacheck.watch.timers import Timer

FAVOURED = -1
"""Stands for root and for the watcher's own user."""
FAVOURED_PLACES = 64
PLACES_OF_ONE = 32
PLACES_OF_OTHERS = 96
"""Of all other users together: one person may have many user ids."""
CREDENTIALS = struct.Struct("3i")
"""struct ucred: pid, uid, gid."""


class Client:
    """A connection whose answer has not been written whole yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.owner = owner_of(connection)
        self.rest = memoryview(b"")
        self.timer: Timer | None = None
        """Runs while it is waited for."""
        self.is_open = True


class Places:
    """All clients, by their owner, the oldest first."""

    def __init__(self) -> None:
        self._clients: dict[int, dict[Client, None]] = {}

    def __iter__(self) -> Iterator[Client]:
        return (client for clients in self._clients.values() for client in clients)

    def add(self, client: Client) -> Client | None:
        """Give it a place; return the client that has to go for it, if one has to."""
        others = [each for owner, each in self._clients.items() if owner != FAVOURED]
        clients = self._clients.setdefault(client.owner, {})
        rivals: dict[Client, None] = {}
        if len(clients) == (FAVOURED_PLACES if client.owner == FAVOURED else PLACES_OF_ONE):
            rivals = clients
        elif client.owner != FAVOURED and sum(map(len, others)) == PLACES_OF_OTHERS:
            rivals = max(others, key=len)
        oldest = next(iter(rivals), None)
        clients[client] = None
        return oldest

    def remove(self, client: Client) -> None:
        """Let others have its place."""
        clients = self._clients[client.owner]
        del clients[client]
        if not clients:
            del self._clients[client.owner]


def owner_of(connection: socket.socket) -> int:
    """Return the user that has connected, as the kernel has it (unix(7), SO_PEERCRED)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    uid: int = CREDENTIALS.unpack(credentials)[1] & 0xFFFFFFFF
    return FAVOURED if uid in (0, os.geteuid()) else uid
