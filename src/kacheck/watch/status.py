"""What the resident says of itself: a socket that gives whoever connects one JSON object.

Anyone may connect, so nobody may cost much: an answer serves all who come within FRESH seconds and
is made a slice at a time, clients are few and are dropped when they do not read, and nothing here
waits. Where there is no room or descriptor for a socket, the resident goes on without.
"""

import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from kacheck.files import identity, open_directory
from kacheck.statedir import SOCKET
from kacheck.watch.timers import Timer, Timers

MOST_CLIENTS = 16
ACCEPTED_AT_ONCE = 4
BACKLOG = 64
PATIENCE = 2.0
"""Seconds that a client has to read its answer."""
PAUSE = 0.2
"""Seconds in which nobody is let in, when there are too many clients or no descriptor."""
FRESH = 0.1
"""Seconds for which an answer is given again."""
SLICE = 0.0005
"""Seconds of work on an answer, between which the supervisor does what else there is to do."""


# --- the socket -----------------------------------------------------------------------------


class Client:
    """Somebody who has not read all of the answer yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.rest = memoryview(b"")
        self.timer: Timer | None = None
        """Runs while it is waited for."""


class StatusServer:
    """Answers through the state directory's socket, in the supervisor's thread."""

    def __init__(
        self,
        directory: str,
        selector: selectors.BaseSelector,
        timers: Timers,
        describe: Callable[[], Iterator[str]],
        report: Callable[[str | None], None],
    ) -> None:
        self._path = f"{directory}/{SOCKET}"
        self._selector = selector
        self._timers = timers
        self._describe = describe
        self._report = report
        """Called with why nobody can connect, when that changes; None: they can again."""
        self._trouble: str | None = None
        self._listener: socket.socket | None = None
        self._identity: tuple[int, ...] = ()
        self._pause: Timer | None = None
        self._clients: set[Client] = set()
        self._unanswered: list[Client] = []
        self._pieces: Iterator[str] | None = None
        """The rest of an answer that is being made."""
        self._parts: list[str] = []
        self._answer = b""
        self._answer_ends = 0.0

    def check(self) -> None:
        """Make the socket, unless it is there as it was made."""
        if self._listener is not None and identity(self._path) == self._identity:
            return
        self._close_listener()
        try:
            self._listener = listen(self._path)
            self._identity = identity(self._path)
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        except OSError as error:
            self._close_listener()
            self._set_trouble(f"{self._path}: {error.strerror}")
        else:
            self._set_trouble(None)

    def close(self) -> None:
        """Let go of everything."""
        is_ours = self._listener is not None and identity(self._path) == self._identity
        self._close_listener()
        for client in [*self._clients]:
            self._drop(client)
        if is_ours:
            with suppress(OSError):
                os.unlink(self._path)

    def _set_trouble(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._report(trouble)

    def _close_listener(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._listener is not None:
            with suppress(KeyError):
                self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        """Answer some of those who wait."""
        for _ in range(ACCEPTED_AT_ONCE):
            if (connection := self._next_connection()) is None:
                break
            connection.settimeout(0)
            client = Client(connection)
            self._clients.add(client)
            self._unanswered.append(client)
        self._prepare()

    def _next_connection(self) -> socket.socket | None:
        if self._listener is None or self._pause is not None:
            return None
        try:
            if len(self._clients) < MOST_CLIENTS:
                return self._listener.accept()[0]
        except BlockingIOError:
            return None
        except OSError:  # no descriptor to be had
            pass
        self._rest(self._listener)
        return None

    def _rest(self, listener: socket.socket) -> None:
        """Let nobody in for a while; who is at the door waits in the kernel."""
        self._selector.unregister(listener)
        self._pause = self._timers.at(time.monotonic() + PAUSE, self._resume)

    def _resume(self) -> None:
        self._pause = None
        if self._listener is not None:
            try:
                self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
            except OSError:  # no memory for it: check() makes a new one
                self._close_listener()

    def _prepare(self) -> None:
        """Begin an answer, unless there is one."""
        if time.monotonic() < self._answer_ends:
            self._give()
        elif self._unanswered and self._pieces is None:
            self._pieces = self._describe()
            self._go_on()

    def _go_on(self) -> None:
        """Work on the answer for a while; give it, when it is ready."""
        end = time.monotonic() + SLICE
        for piece in self._pieces or ():
            self._parts.append(piece)
            if (now := time.monotonic()) >= end:
                self._timers.at(now, self._go_on)
                return
        self._answer = "".join(self._parts).encode()
        self._answer_ends = time.monotonic() + FRESH
        self._pieces, self._parts = None, []
        self._give()

    def _give(self) -> None:
        unanswered, self._unanswered = self._unanswered, []
        for client in unanswered:
            client.rest = memoryview(self._answer)
            self._write(client)

    def _write(self, client: Client) -> None:
        """Write what the socket takes, and the rest when it can be written again."""
        try:
            while client.rest:
                client.rest = client.rest[client.connection.send(client.rest) :]
        except BlockingIOError:
            if client.timer is not None or self._wait_for(client):
                return
        except OSError:  # it has gone
            pass
        self._drop(client)

    def _wait_for(self, client: Client) -> bool:
        """Write again when that is possible; drop who does not read in time."""
        write = partial(self._write, client)
        try:
            self._selector.register(client.connection, selectors.EVENT_WRITE, write)
        except OSError:
            return False
        client.timer = self._timers.at(time.monotonic() + PATIENCE, partial(self._drop, client))
        return True

    def _drop(self, client: Client) -> None:
        if client.timer is not None:
            client.timer.cancel()
            self._selector.unregister(client.connection)
        with suppress(OSError):
            client.connection.recv(4096)  # what it wrote, unread, would make the end a reset
        client.connection.close()
        self._clients.discard(client)


def listen(path: str) -> socket.socket:
    """The socket, ready before it has its name; through a descriptor, as a socket's path is short.

    Raises:
        OSError: it cannot be made.

    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    directory, _, name = path.rpartition("/")
    try:
        place = open_directory(directory)
    except OSError:
        listener.close()
        raise
    new = f"/proc/self/fd/{place}/.{name}.new"
    try:
        with suppress(FileNotFoundError):
            os.unlink(new)
        listener.bind(new)
        os.chmod(new, 0o666)  # noqa: S103 - whoever may see the checks' files may ask
        listener.listen(BACKLOG)
        os.rename(new, f"/proc/self/fd/{place}/{name}")
    except OSError:
        listener.close()
        with suppress(OSError):
            os.unlink(new)
        raise
    finally:
        os.close(place)
    return listener
