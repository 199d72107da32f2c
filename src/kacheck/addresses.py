"""The addresses that this machine's interfaces have now, from the kernel (rtnetlink(7))."""

import socket
import struct
from collections.abc import Iterator

GET_ADDRESSES = 22
NEW_ADDRESS = 20
DONE, ERROR = 3, 2
REQUEST_DUMP = 0x301
"""NLM_F_REQUEST and NLM_F_DUMP."""
HEADER = struct.Struct("=IHHII")
ADDRESS = struct.Struct("=BBBBI")
ATTRIBUTE = struct.Struct("=HH")
IFA_ADDRESS, IFA_LOCAL = 1, 2


def own_addresses() -> set[str]:
    """Return all addresses of both families, without the length of their networks.

    Raises:
        OSError: the kernel does not say.

    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
        size = HEADER.size + ADDRESS.size
        header = HEADER.pack(size, GET_ADDRESSES, REQUEST_DUMP, 1, 0)
        route.settimeout(2)
        route.send(header + ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
        found: set[str] = set()
        while True:
            for kind, body in messages(route.recv(1 << 16)):
                if kind == DONE:
                    return found
                if kind == ERROR:
                    code = -int.from_bytes(body[:4], "little", signed=True)
                    raise OSError(code, "the kernel does not list addresses")
                if kind == NEW_ADDRESS:
                    found.add(address_of(body))


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the body of each message."""
    while len(data) >= HEADER.size:
        length, kind, *_ = HEADER.unpack_from(data)
        yield kind, data[HEADER.size : length]
        data = data[(max(length, HEADER.size) + 3) & ~3 :]


def address_of(body: bytes) -> str:
    """Return the address in a message; of a point-to-point link the local one."""
    family, *_ = ADDRESS.unpack_from(body)
    values: dict[int, bytes] = {}
    rest = body[ADDRESS.size :]
    while len(rest) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(rest)
        values[kind] = rest[ATTRIBUTE.size : length]
        rest = rest[(max(length, ATTRIBUTE.size) + 3) & ~3 :]
    return socket.inet_ntop(family, values.get(IFA_LOCAL, values.get(IFA_ADDRESS, b"")))
