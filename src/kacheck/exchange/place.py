"""Whether an address or a socket is this machine's, and which other users could answer there."""

from __future__ import annotations

import os
import socket
import stat

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from kacheck.exchange.target import Target

FIRST_FREE_PORT = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
"""The file with the first port that every user may listen on (ip(7))."""


def unproven(target: Target) -> str | None:
    """Return why an answer need not be the service's: what is open to other users; the cure.

    Of another machine nothing is said: who may do what there is not known here.
    """
    address, way = target.address, None
    if target.unix_socket:
        directory = open_directory(target.unix_socket)
        if directory is not None:
            way = f"any local user can put a socket into {directory}"
            cure = f"move it to a directory that only {target.service}'s user can write to"
    elif target.url.startswith("http:") and not is_privileged(target.url):
        address, way = f"{address} is plain http", "any local user can listen there"
        cure = f"use https://, or a Unix socket, {target.socket_form}"
    elif target.trust.insecure:
        address = f"the certificate of {address} is not verified"
        way = "any local user can listen there"
        cure = "trust its authority with --ca-cert (ca_cert) instead"
    if way is None or target.trust.remote:
        return None
    return f"{address}: {way} while {target.service} is down, and would be believed; {cure}"


def is_privileged(url: str) -> bool:
    """Return whether only privileged users may listen on the port of an http URL."""
    host = url.removeprefix("http://")
    for mark in "/?#":
        host = host.partition(mark)[0]
    port = host.rpartition(":")[2]
    try:
        with open(FIRST_FREE_PORT, encoding="utf-8") as file:
            return int(port if port.isdecimal() else 80) < int(file.read())
    except (OSError, ValueError):
        return False


def open_directory(path: str) -> str | None:
    """Return the directory in which any user could put something in this file's place.

    In a sticky one, such as /tmp, nobody can replace what is there, but make what is not.
    """
    directory, is_made = os.path.dirname(os.path.realpath(path)), False
    while True:
        try:
            mode = os.stat(directory).st_mode
        except OSError:
            mode = 0
        if mode & stat.S_IWOTH and not (is_made and mode & stat.S_ISVTX):
            return directory
        if directory == "/":
            return None
        directory, is_made = os.path.dirname(directory), is_made or mode != 0


def is_this_machine(sock: socket.socket) -> bool:
    """Return whether the connection ends on this machine.

    To a primary address of this machine the kernel connects from that address; to a secondary one,
    such as a VIP, it connects from the primary address of the same network.
    """
    local, peer = sock.getsockname()[0], sock.getpeername()[0]
    return local == peer or is_loopback(peer) or is_own_address(sock.family, peer)


def is_loopback(address: str) -> bool:
    """Return whether an address leads to whatever machine asks for it."""
    import ipaddress

    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def is_own_address(family: int, address: str) -> bool:
    """Can a socket be bound to it? With ip_nonlocal_bind it always can, which proves nothing."""
    version = "ipv6" if family == socket.AF_INET6 else "ipv4"
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            with open(f"/proc/sys/net/{version}/ip_nonlocal_bind", encoding="utf-8") as setting:
                if setting.read().strip() != "0":
                    return False
            sock.bind((address, 0))
            return True
    except OSError:
        return False
