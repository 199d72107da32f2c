"""Where a process accepts connections."""

import os
import socket
from contextlib import suppress

LISTENING = "0A"
"""TCP_LISTEN, as /proc/net/tcp has it."""


def listening(proc: str, pid: int) -> set[tuple[str, int]]:
    """Return the hosts and ports on which a process accepts connections, for a client here."""
    inodes = set()
    with suppress(OSError):
        for name in os.listdir(f"{proc}/{pid}/fd"):
            with suppress(OSError):
                target = os.readlink(f"{proc}/{pid}/fd/{name}")
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        with suppress(OSError), open(f"{proc}/{pid}/net/{table}", encoding="ascii") as file:
            for line in file:
                fields = line.split()
                if len(fields) > 9 and fields[3] == LISTENING and fields[9] in inodes:
                    found.add(local_address(fields[1], family))
    return found


def local_address(text: str, family: int) -> tuple[str, int]:
    """Return the host and port in a line of /proc/net/tcp; loopback for all addresses."""
    digits, _, port = text.partition(":")
    words = [bytes.fromhex(digits[i : i + 8])[::-1] for i in range(0, len(digits), 8)]
    host = socket.inet_ntop(family, b"".join(words))
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1", int(port, 16)
    return f"[{host}]" if ":" in host else host, int(port, 16)
