"""What is wrong with an instance's interface, as keepalived looks at it."""

import fcntl
import socket
import struct
from contextlib import suppress
from typing import NamedTuple

from kacheck.doctor.why.instance import VrrpInstance
from kacheck.doctor.why.state import FaultCause, SeenState
from kacheck.network import NetworkInterfaces, interfaces

SIOCGIFFLAGS = 0x8913
IFF_UP, IFF_RUNNING = 0x1, 0x40
NAME_SIZE = 16


class LinkState(NamedTuple):
    """An interface."""

    is_up: bool
    has_carrier: bool


class LocalNetwork(NamedTuple):
    """The interfaces of this network namespace."""

    links: dict[str, LinkState]
    machine: NetworkInterfaces

    def addresses(self, name: str, ip_version: int, *, without: tuple[str, ...] = ()) -> list[str]:
        """Return the addresses of an interface in a family, without VIPs."""
        addresses = [str(each.address.ip) for each in self.machine.of(name, ip_version)]
        return [address for address in addresses if address not in without]

    def has(self, address: str) -> bool:
        """Return whether an address is on one of the interfaces."""
        return self.machine.has_own(address)


def look() -> LocalNetwork:
    """Return the interfaces; nothing is sent."""
    links = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            with suppress(OSError):
                request = struct.pack("16sH14x", name.encode()[: NAME_SIZE - 1], 0)
                (flags,) = struct.unpack_from(
                    "H", fcntl.ioctl(sock, SIOCGIFFLAGS, request), NAME_SIZE
                )
                links[name] = LinkState(bool(flags & IFF_UP), bool(flags & IFF_RUNNING))
    return LocalNetwork(links, interfaces())


def link_cause(network: LocalNetwork, name: str) -> FaultCause | None:
    """Return why an interface counts as down; None: it does not."""
    link = network.links.get(name)
    if link is None:
        there = ", ".join(sorted(network.links))
        return FaultCause(
            f"its interface {name} does not exist", f"write one of these: {there} (ip -br link)"
        )
    if not link.is_up:
        return FaultCause(f"its interface {name} is down", f"ip link set dev {name} up")
    if not link.has_carrier:
        cure = f"connect its cable, or look at the other end: ip link show dev {name}"
        return FaultCause(f"its interface {name} has no carrier", cure)
    return None


def causes_of(network: LocalNetwork, instance: VrrpInstance) -> list[FaultCause]:
    """Return what keeps an instance in FAULT at its own interface."""
    if not instance.interface:
        return [FaultCause("it has no interface", "write interface NAME into the vrrp_instance")]
    cause = link_cause(network, instance.interface)
    if cause is not None:
        is_gone = instance.interface not in network.links
        return [cause] if instance.tracks_interface or is_gone else []
    version = instance.ip_version
    addresses = network.addresses(instance.interface, version, without=instance.vips)
    if addresses or instance.has_source:
        return []
    family = "IPv4" if version == 4 else "IPv6"
    cure = f"ip address add ADDRESS/LENGTH dev {instance.interface}"
    return [FaultCause(f"its interface {instance.interface} has no {family} address", cure)]


def tracked_seen(network: LocalNetwork, name: str) -> SeenState:
    """Return what is to be seen of an interface in track_interface."""
    cause = link_cause(network, name)
    if cause is None:
        return SeenState()
    return SeenState(
        is_good=False, cause=cause._replace(what=cause.what.replace("its", "the tracked", 1))
    )
