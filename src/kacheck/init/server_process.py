"""The processes of Vault and OpenBao, and where a process accepts connections."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress

from kacheck import procfs

PROCESSES = ("vault", "bao", "openbao")
LISTENING = "0A"
"""TCP_LISTEN, as /proc/net/tcp has it."""
LONGEST = 1 << 14
"""Bytes of a command line that are read."""


def listening(proc: str, pid: int) -> set[tuple[str, int]]:
    """Return the hosts and ports on which a process accepts connections, for a client here."""
    inodes = set()
    with suppress(OSError):
        for name in os.listdir(f"{proc}/{pid}/fd"):
            with suppress(OSError):
                target = os.readlink(f"{proc}/{pid}/fd/{name}")
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
    ports = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        with suppress(OSError), open(f"{proc}/{pid}/net/{table}", encoding="ascii") as file:
            for line in file:
                fields = line.split()
                if len(fields) > 9 and fields[3] == LISTENING and fields[9] in inodes:
                    ports.add(local_address(fields[1], family))
    return ports


def local_address(text: str, family: int) -> tuple[str, int]:
    """Return the host and port in a line of /proc/net/tcp; loopback for all addresses."""
    digits, _, port = text.partition(":")
    words = [bytes.fromhex(digits[i : i + 8])[::-1] for i in range(0, len(digits), 8)]
    host = socket.inet_ntop(family, b"".join(words))
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1", int(port, 16)
    return f"[{host}]" if ":" in host else host, int(port, 16)


def running(proc: str) -> dict[int, str]:
    """Return the names of the servers that run, by pid; those of this pid namespace if any are.

    A client of Vault has the same name.
    """
    names: dict[int, str] = {}
    servers: dict[int, str] = {}
    for name in PROCESSES:
        for pid in procfs.named(proc, name.encode()):
            process = procfs.Process(proc, pid)
            with suppress(OSError):
                if process.comm() == name.encode():  # not one that hides
                    names[pid] = name
                    if b"server" in process.argv(LONGEST):
                        servers[pid] = name
    candidates = servers or names
    here = {pid: name for pid, name in candidates.items() if not is_contained(proc, pid)}
    return here or candidates


def is_contained(proc: str, pid: int) -> bool:
    """Return whether a process is in a pid namespace below this one."""
    with suppress(OSError):
        status = procfs.Process(proc, pid).status()
        return len(status.get("NSpid", "").split()) > 1
    return False


def configurations_of(proc: str, pid: int) -> Iterator[str]:
    """Yield the paths of `-config` in a process's command line."""
    with suppress(OSError):
        words = procfs.Process(proc, pid).argv(LONGEST)
        yield from configurations_in([os.fsdecode(word) for word in words])


def configurations_in(words: list[str]) -> Iterator[str]:
    """Yield the paths of `-config` in a command line."""
    for word, behind in zip(words, [*words[1:], ""], strict=True):
        match = re.fullmatch(r"--?config(?:=(.*))?", word)
        if match and (match[1] or behind).startswith("/"):
            yield match[1] or behind
