"""The interfaces of this network namespace and the addresses that they have. Nothing is sent."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from typing import Any, NamedTuple, TypeAlias

NetworkAddress: TypeAlias = IPv4Interface | IPv6Interface
"""An address with the length of its network."""


class OwnAddress(NamedTuple):
    """An address of this machine."""

    interface: str
    address: NetworkAddress


class NetworkInterfaces(NamedTuple):
    """The interfaces and what they have."""

    names: Sequence[str]
    addresses: Sequence[OwnAddress]
    down: frozenset[str] = frozenset()

    def has_own(self, address: str) -> bool:
        """Return whether an address is this machine's."""
        return any(str(each.address.ip) == address for each in self.addresses)

    def in_network(self, vip: NetworkAddress) -> list[OwnAddress]:
        """Return the addresses in whose network the VIP is, the smallest networks first."""
        inside = [
            each
            for each in self.addresses
            if each.address.version == vip.version
            and vip.ip in each.address.network
            and each.address.ip != vip.ip
        ]
        return sorted(inside, key=lambda each: -each.address.network.prefixlen)

    def of(self, name: str, version: int) -> list[OwnAddress]:
        """Return the addresses of an interface in a family."""
        return [
            each
            for each in self.addresses
            if each.interface == name and each.address.version == version
        ]


def interfaces() -> NetworkInterfaces:
    """Return this machine's interfaces."""
    import psutil

    listed, states = psutil.net_if_addrs(), psutil.net_if_stats()
    down = frozenset(name for name in listed if name in states and not states[name].isup)
    return NetworkInterfaces(tuple(listed), tuple(addresses_of(listed)), down)


def own_addresses() -> set[str]:
    """Return all addresses of both families, without the length of their networks.

    Raises:
        OSError: the kernel does not say.

    """
    import psutil

    return {str(each.address.ip) for each in addresses_of(psutil.net_if_addrs())}


def addresses_of(listed: Mapping[str, Sequence[Any]]) -> Iterator[OwnAddress]:
    """Yield the IP addresses in what psutil has of each interface."""
    for name, entries in listed.items():
        for entry in entries:
            if entry.family in (socket.AF_INET, socket.AF_INET6):
                with suppress(ValueError):
                    yield OwnAddress(name, own_address(entry.address, entry.netmask))


def own_address(text: str, mask: str | None) -> NetworkAddress:
    """Return an address with its network."""
    address = ip_address(text.partition("%")[0])
    bits = f"{int(ip_address(mask)):b}".count("1") if mask else address.max_prefixlen
    return ip_interface(f"{address}/{bits}")
