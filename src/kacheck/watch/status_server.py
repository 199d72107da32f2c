"""What the watcher reports about itself: a socket that gives each client one JSON object.

Any user may connect, so no client may cost much. An answer is made at most once in FRESH seconds,
a slice at a time, and goes to all clients that have connected by then; only root and the watcher's
own user may get the previous one. For a part of the time, connections are accepted as fast as they
come, so that a queue of clients cannot keep root out. Each user has a limited number of places, and
clients that do not read are dropped. Nothing here waits. If there is no room or descriptor for a
socket, the watcher continues without it.
"""

import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from kacheck.files import identity, open_directory
from kacheck.statedir import SOCKET
from kacheck.watch.clients import FAVOURED, Client, Places
from kacheck.watch.timers import Timer, Timers

ACCEPTED_AT_ONCE = 32
BACKLOG = 128
"""Connections that wait in the kernel: soon let in, whoever they are of, so that root is, too."""
PATIENCE = 2.0
"""Seconds that a client has to read its answer."""
PAUSE = 0.2
"""Seconds without accepting connections, when no descriptor is free."""
BREATH = 0.005
"""Seconds in which nobody is let in, after so many at once that more may come all the time."""
FRESH = 0.1
"""Seconds between two answers, for which root may have the first one again."""
SLICE = 0.0005
"""Seconds of work, between which the supervisor does what else there is to do."""


# --- the socket -----------------------------------------------------------------------------


class StatusServer:
    """Answers through the state directory's socket, in the supervisor's thread."""

    def __init__(  # noqa: PLR0913 - what the supervisor has
        self,
        directory: str,
        selector: selectors.BaseSelector,
        timers: Timers,
        describe: Callable[[], Iterator[str]],
        report: Callable[[str | None], None],
        *,
        update: Callable[[], None],
    ) -> None:
        self._path = f"{directory}/{SOCKET}"
        self._selector = selector
        self._timers = timers
        self._describe = describe
        self._update = update
        """Does what was asked for until now, and calls `outdate` if that changes an answer."""
        self._is_outdated = False
        self._report = report
        """Called with why nobody can connect, when that changes; None: they can again."""
        self._trouble: str | None = None
        self._listener: socket.socket | None = None
        self._identity: tuple[int, ...] = ()
        self._pause: Timer | None = None
        self._clients = Places()
        self._unanswered: dict[Client, None] = {}
        """Clients that get the next answer."""
        self._answered: deque[Client] = deque()
        """Clients that wait for this answer."""
        self._next: Timer | None = None
        """Runs until the next answer may be made."""
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

    def outdate(self) -> None:
        """Let root have a new answer, however recent the last one is."""
        self._is_outdated = True

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
        """Accept the clients that wait."""
        listener = self._listener
        if listener is None or self._pause is not None:
            return
        try:
            for _ in range(ACCEPTED_AT_ONCE):
                self._let_in(listener.accept()[0])
            self._rest(listener, BREATH)
        except BlockingIOError:
            pass
        except OSError:  # no descriptor to be had
            self._rest(listener, PAUSE)
        self._prepare()

    def _let_in(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        client = Client(connection)
        if (oldest := self._clients.add(client)) is not None:
            self._drop(oldest)
        self._unanswered[client] = None

    def _rest(self, listener: socket.socket, seconds: float) -> None:
        """Accept no client for a while; the kernel keeps them waiting."""
        self._selector.unregister(listener)
        self._pause = self._timers.at(time.monotonic() + seconds, self._resume)

    def _resume(self) -> None:
        self._pause = None
        if self._listener is not None:
            try:
                self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
            except OSError:  # no memory for it: check() makes a new one
                self._close_listener()

    def _prepare(self) -> None:
        """Begin an answer, or wait until it is time for one."""
        favoured = [each for each in self._unanswered if each.owner == FAVOURED]
        if favoured:
            self._update()
            if self._is_outdated:
                self._answer_ends = 0.0
                self._restart()
        if time.monotonic() < self._answer_ends:
            for client in favoured:
                self._answer_now(client)
            if self._unanswered and self._next is None:
                self._next = self._timers.at(self._answer_ends, self._begin)
        else:
            self._begin()

    def _begin(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._unanswered and self._pieces is None:
            self._update()
            self._pieces = self._describe()
            self._is_outdated = False
            self._go_on()

    def _restart(self) -> None:
        """Begin again with an answer that is being made, if one is."""
        if self._pieces is not None:
            self._pieces, self._parts = self._describe(), []
            self._is_outdated = False

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
        is_giving = bool(self._answered)
        self._answered.extend(sorted(self._unanswered, key=lambda each: each.owner != FAVOURED))
        self._unanswered = {}
        if not is_giving:
            self._give()

    def _give(self) -> None:
        """Give the answer to the clients that wait for it, for a limited time."""
        end = time.monotonic() + SLICE
        while self._answered:
            client = self._answered.popleft()
            if client.is_open:
                self._answer_now(client)
            if (now := time.monotonic()) >= end and self._answered:
                self._timers.at(now, self._give)
                return

    def _answer_now(self, client: Client) -> None:
        self._unanswered.pop(client, None)
        client.rest = memoryview(self._answer)
        self._write(client)

    def _write(self, client: Client) -> None:
        """Write what the socket takes, and the rest when it can be written again."""
        if not client.is_open:
            return  # dropped by another event of the same moment
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
        """Write again when that is possible; drop a client that does not read in time."""
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
        client.is_open = False
        self._clients.remove(client)
        self._unanswered.pop(client, None)


def listen(path: str) -> socket.socket:
    """Return the socket, ready before it has its name.

    It is bound through a descriptor of its directory, because a socket's path must be short.

    Raises:
        OSError: it cannot be made.

    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    directory, _, name = path.rpartition("/")
    try:
        parent = open_directory(directory)
    except OSError:
        listener.close()
        raise
    new = f"/proc/self/fd/{parent}/.{name}.new"
    try:
        with suppress(FileNotFoundError):
            os.unlink(new)
        listener.bind(new)
        os.chmod(new, 0o666)  # noqa: S103 - whoever may see the checks' files may ask
        listener.listen(BACKLOG)
        os.rename(new, f"/proc/self/fd/{parent}/{name}")
    except OSError:
        listener.close()
        with suppress(OSError):
            os.unlink(new)
        raise
    finally:
        os.close(parent)
    return listener
