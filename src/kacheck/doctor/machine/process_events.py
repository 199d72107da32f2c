"""Does the kernel report processes here, as vrrp_track_process needs it? Tried, not guessed.

The trial opens the connector's netlink socket, asks to listen, starts a child and waits for its
events. The kernel answers a request to listen in one of these ways (drivers/connector/connector.c
and cn_proc.c):

- no such protocol: CONFIG_CONNECTOR is off;
- refused, errno 111: the kernel makes its side of the connector only in the initial network
  namespace (cn_init() takes init_net), so in any other namespace nothing takes the message;
- silence: cn_proc_mcast_ctl() ignores a listener outside of the initial pid and user namespaces. A
  kernel without CONFIG_PROC_EVENTS has a connector, but nothing in it that answers: it is silent,
  too, instead of refusing with errno 111;
- not permitted: before Linux 6.6 the listener's multicast group takes CAP_NET_ADMIN;
- otherwise it answers, and events arrive.

The answer goes to every listener, and so do the events once one of them was accepted. So a
listener that was ignored may hear both, as long as another program listens. We know ours by the
`ack` that we chose, and by our child's number.
"""

import contextlib
import enum
import errno
import os
import random
import socket
import struct
import time
from typing import NamedTuple

# From the kernel's include/uapi/linux: netlink.h, connector.h, cn_proc.h.
NETLINK_CONNECTOR = 11
NLMSG_DONE = 3
CN_IDX_PROC = 1
CN_VAL_PROC = 1
PROC_CN_MCAST_LISTEN = 1
PROC_CN_MCAST_IGNORE = 2
PROC_EVENT_NONE = 0
PROC_EVENT_FORK = 1
PROC_EVENT_EXEC = 2
PROC_EVENT_EXIT = 0x80000000

NLMSGHDR = struct.Struct("=IHHII")
CN_MSG = struct.Struct("=IIIIHH")
"""idx, val, seq, ack, len, flags"""
PROC_EVENT = struct.Struct("=IIQIIII")
"""what, cpu, timestamp_ns; then err, or process_pid and process_tgid, or the parent's and the
child's pid and tgid."""

TIMEOUT = 1.0
"""Seconds for an answer and three events. They take a millisecond; keepalived waits 0.1 s."""
EVENTS = {PROC_EVENT_FORK: "fork", PROC_EVENT_EXEC: "exec", PROC_EVENT_EXIT: "exit"}


class ListenAnswer(enum.Enum):
    """The kernel's answer to the listen."""

    WORKS = enum.auto()
    """It was answered, and our child's fork, exec and exit were reported."""
    REFUSED = enum.auto()
    """ECONNREFUSED, the errno 111 in keepalived's log."""
    SILENCE = enum.auto()
    """It was taken and ignored."""
    FORBIDDEN = enum.auto()
    """EPERM or EACCES."""
    NO_CONNECTOR = enum.auto()
    """No such netlink protocol."""
    FAILED = enum.auto()
    """Anything else: the detail of the trial says what."""


class EventsTrial(NamedTuple):
    """The outcome of the trial."""

    answer: ListenAnswer
    detail: str = ""
    """The system's error, or the events that are missing."""


ERRNOS = {
    errno.ECONNREFUSED: ListenAnswer.REFUSED,
    errno.EPERM: ListenAnswer.FORBIDDEN,
    errno.EACCES: ListenAnswer.FORBIDDEN,
    errno.EPROTONOSUPPORT: ListenAnswer.NO_CONNECTOR,
}


class Event(NamedTuple):
    """A message of the process connector."""

    what: int
    ack: int
    ids: tuple[int, int, int, int]

    def is_of(self, child: int) -> bool:
        """Return whether it is the fork, exec or exit of our child."""
        if self.what == PROC_EVENT_FORK:
            return self.ids[1] == os.getpid() and self.ids[3] == child
        return self.what in EVENTS and self.ids[1] == child


def try_them(timeout: float = TIMEOUT) -> EventsTrial:
    """Listen, start a child, see its events; at most `timeout` seconds. Needs no root by itself."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR) as connector:
            connector.bind((0, CN_IDX_PROC))
            return _listen(connector, time.monotonic() + timeout)
    except OSError as error:
        return EventsTrial(ERRNOS.get(error.errno or 0, ListenAnswer.FAILED), str(error))


def _listen(connector: socket.socket, deadline: float) -> EventsTrial:
    ack = random.SystemRandom().randrange(1, 2**31)
    connector.send(message(PROC_CN_MCAST_LISTEN, ack))
    try:
        return _watch_a_child(connector, ack, deadline)
    finally:
        # Before Linux 6.6 the kernel counts listens, and a socket's end does not end its own.
        with contextlib.suppress(OSError):
            connector.send(message(PROC_CN_MCAST_IGNORE, ack))


def _watch_a_child(connector: socket.socket, ack: int, deadline: float) -> EventsTrial:
    child = os.posix_spawn("/bin/sh", ["sh", "-c", ":"], {})
    with contextlib.suppress(ChildProcessError):  # where SIGCHLD is ignored
        os.waitpid(child, 0)
    answered = False
    missing = set(EVENTS)
    while missing or not answered:
        event = _receive(connector, deadline)
        if event is None:
            break
        if event.what == PROC_EVENT_NONE and event.ack == ack + 1:
            answered = True
            if event.ids[0]:  # before Linux 6.6: EPERM, in a reply
                error = os.strerror(event.ids[0])
                return EventsTrial(ERRNOS.get(event.ids[0], ListenAnswer.FAILED), error)
        elif event.is_of(child):
            missing.discard(event.what)
    if not answered:
        return EventsTrial(ListenAnswer.SILENCE)
    if missing:
        names = " or ".join(EVENTS[what] for what in sorted(missing))
        return EventsTrial(
            ListenAnswer.FAILED, f"the listen was answered, but no {names} was reported"
        )
    return EventsTrial(ListenAnswer.WORKS)


def _receive(connector: socket.socket, deadline: float) -> Event | None:
    """Return the next message; None when the time is up."""
    while (left := deadline - time.monotonic()) > 0:
        connector.settimeout(left)
        try:
            if event := parse(connector.recv(4096)):
                return event
        except TimeoutError:
            break
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # a busy machine: some are lost, perhaps not ours
                raise
    return None


def message(operation: int, ack: int) -> bytes:
    """Return what keepalived's set_proc_ev_listen() sends, with an `ack` that marks the answer."""
    header = NLMSGHDR.pack(NLMSGHDR.size + CN_MSG.size + 4, NLMSG_DONE, 0, 0, 0)
    body = CN_MSG.pack(CN_IDX_PROC, CN_VAL_PROC, 0, ack, 4, 0)
    return header + body + struct.pack("=I", operation)


def parse(datagram: bytes) -> Event | None:
    """Return the event of a datagram, if it is one of the process connector's."""
    start = NLMSGHDR.size + CN_MSG.size
    if len(datagram) < start + PROC_EVENT.size:
        return None
    index, value, _, ack, _, _ = CN_MSG.unpack_from(datagram, NLMSGHDR.size)
    what, _, _, *ids = PROC_EVENT.unpack_from(datagram, start)
    if (index, value) != (CN_IDX_PROC, CN_VAL_PROC):
        return None
    return Event(what, ack, (ids[0], ids[1], ids[2], ids[3]))
