"""Where the VIP is: the kernel's own messages about addresses, one socket for each node."""

import ctypes
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from bench.measure import UnexpectedError
from bench.timeline import Timeline

CLONE_NEWNET = 0x40000000
ADDRESSES = 0x10
"""RTMGRP_IPV4_IFADDR: changes of IPv4 addresses."""
ADDED, REMOVED = 20, 21
"""RTM_NEWADDR, RTM_DELADDR."""
LOCAL = 2
"""IFA_LOCAL, the attribute that holds the address itself."""
HEADER = struct.Struct("=IHHII")
BODY = struct.Struct("=BBBBI")
ATTRIBUTE = struct.Struct("=HH")
Holders = frozenset[str]


class Whereabouts:
    """Which nodes hold an address, as a `timeline`, from a thread that listens to all of them."""

    def __init__(self, address: str, namespaces: Mapping[str, str]) -> None:
        self.timeline: Timeline[Holders] = Timeline(frozenset())
        self._address = socket.inet_aton(address)
        with ThreadPoolExecutor(1) as pool:  # only its thread enters the namespaces
            sockets = {name: pool.submit(listen, path) for name, path in namespaces.items()}
        self._nodes = {future.result(): name for name, future in sockets.items()}
        self._end, self._ended = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._ended)  # which poll(2) reports
        self._thread.join()
        os.close(self._end)
        for sock in self._nodes:
            sock.close()

    def _run(self) -> None:
        poll = select.poll()
        nodes = {sock.fileno(): (sock, name) for sock, name in self._nodes.items()}
        for descriptor in (self._end, *nodes):
            poll.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self._end:
                    return
                sock, name = nodes[descriptor]
                self._note(name, sock.recv(65536))

    def _note(self, node: str, data: bytes) -> None:
        at = time.monotonic()
        for kind, address in messages(data):
            if address == self._address:
                holders = self.timeline.latest
                self.timeline.add(at, holders | {node} if kind == ADDED else holders - {node})


def listen(path: str) -> socket.socket:
    """Enter the network namespace of that path, and listen there for changes of addresses."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
            raise UnexpectedError(f"setns {path}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(descriptor)
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    sock.bind((0, ADDRESSES))
    return sock


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the address of each message."""
    while len(data) >= HEADER.size:
        length, kind, *_ = HEADER.unpack_from(data)
        if kind in (ADDED, REMOVED):
            yield kind, attributes(data[HEADER.size + BODY.size : length]).get(LOCAL, b"")
        data = data[(length + 3) & ~3 :]


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes of a message by their numbers."""
    found = {}
    while len(data) >= ATTRIBUTE.size:
        length, number = ATTRIBUTE.unpack_from(data)
        found[number] = data[ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]
    return found
