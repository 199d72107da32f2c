"""Which interface a VIP belongs to. Nothing is sent."""

import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from kacheck.init.recipe import Vip
from kacheck.network import NetworkInterfaces, OwnAddress
from kacheck.result import BadConfigError

PORT = 9
"""Discard; a connected UDP socket sends nothing by itself."""


def routed_from(vip: IPv4Address | IPv6Address) -> str | None:
    """Return the address from which the kernel would send to the VIP."""
    family = socket.AF_INET if vip.version == 4 else socket.AF_INET6
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((str(vip), PORT))
        return str(sock.getsockname()[0]).partition("%")[0]
    return None


def choose(machine: NetworkInterfaces, vip: Vip, routed: str | None) -> OwnAddress:
    """Return the interface that the VIP belongs to, by its address in the VIP's network.

    `routed` decides between several networks of the same size.

    Raises:
        BadConfigError: none has its network, or which one cannot be known.

    """
    inside = machine.in_network(vip)
    if not inside:
        others = [each for each in machine.addresses if each.interface != "lo"]
        shown = [each for each in others if not each.address.ip.is_link_local]
        have = ", ".join(f"{each.interface} {each.address}" for each in shown)
        raise BadConfigError(
            f"no interface here has an address in the network of {vip} ({have or 'none has any'});"
            " give --interface IF, or another --vip"
        )
    longest = inside[0].address.network.prefixlen
    candidates = [each for each in inside if each.address.network.prefixlen == longest]
    names = {each.interface for each in candidates}
    if len(names) > 1:
        candidates = [each for each in candidates if str(each.address.ip) == routed]
    if not candidates:
        raise BadConfigError(
            f"{', '.join(sorted(names))} are all in the network of {vip}; give --interface IF"
        )
    return candidates[0]


def own_on(machine: NetworkInterfaces, interface: str, vip: Vip) -> OwnAddress | None:
    """Return the address of an interface that VRRP sends from: one in the VIP's network, or any."""
    inside = [each for each in machine.in_network(vip) if each.interface == interface]
    others = [each for each in machine.of(interface, vip.version) if each.address.ip != vip.ip]
    return next(iter([*inside, *others]), None)


def is_everywhere(host: str) -> bool:
    """Return whether a host is each machine itself."""
    with suppress(ValueError):
        return ip_address(host.partition("%")[0]).is_loopback
    return host == "localhost"


def is_here(host: str, machine: NetworkInterfaces, vip: Vip) -> bool:
    """Return whether a host is this machine, whoever has the VIP."""
    if is_everywhere(host):
        return True
    try:
        number = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return number != vip.ip and machine.has_own(str(number))


def elsewhere(option: str, asked: str, host: str, vip: Vip) -> str:
    """Return what to think of a service that is not asked on this machine.

    Raises:
        BadConfigError: it is asked at the VIP, where the node answers that has it.

    """
    if host == str(vip.ip):
        raise BadConfigError(
            f"{option} {asked} is the VIP, where the node that has it answers; give an address of"
            " this node, such as one with 127.0.0.1"
        )
    return (
        f"{asked} is not an IP address of this machine: the VIP follows what answers there; give an"
        " address of this node, unless that is intended"
    )
