"""What is wrong with an instance's interface, as keepalived looks at it."""

import fcntl
import socket
import struct
from contextlib import suppress
from typing import NamedTuple

from kacheck.doctor.why.instance import Instance
from kacheck.doctor.why.state import Cause, Seen
from kacheck.init.network import NetworkInterfaces, interfaces

SIOCGIFFLAGS = 0x8913
IFF_UP, IFF_RUNNING = 0x1, 0x40
NAME_SIZE = 16


class Link(NamedTuple):
    """An interface."""

    is_up: bool
    has_carrier: bool


class Network(NamedTuple):
    """The interfaces of this network namespace."""

    links: dict[str, Link]
    machine: NetworkInterfaces

    def addresses(self, name: str, ip_version: int, *, without: tuple[str, ...] = ()) -> list[str]:
        """Return the addresses of an interface in a family, without VIPs."""
        found = [str(each.address.ip) for each in self.machine.of(name, ip_version)]
        return [address for address in found if address not in without]

    def has(self, address: str) -> bool:
        """Return whether an address is on one of the interfaces."""
        return self.machine.has_own(address)


def look() -> Network:
    """Return the interfaces; nothing is sent."""
    links = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            with suppress(OSError):
                request = struct.pack("16sH14x", name.encode()[: NAME_SIZE - 1], 0)
                (flags,) = struct.unpack_from(
                    "H", fcntl.ioctl(sock, SIOCGIFFLAGS, request), NAME_SIZE
                )
                links[name] = Link(bool(flags & IFF_UP), bool(flags & IFF_RUNNING))
    return Network(links, interfaces())


def link_cause(network: Network, name: str) -> Cause | None:
    """Return why an interface counts as down; None: it does not."""
    link = network.links.get(name)
    if link is None:
        there = ", ".join(sorted(network.links))
        return Cause(
            f"its interface {name} does not exist", f"write one of these: {there} (ip -br link)"
        )
    if not link.is_up:
        return Cause(f"its interface {name} is down", f"ip link set dev {name} up")
    if not link.has_carrier:
        cure = f"connect its cable, or look at the other end: ip link show dev {name}"
        return Cause(f"its interface {name} has no carrier", cure)
    return None


def causes_of(network: Network, instance: Instance) -> list[Cause]:
    """Return what keeps an instance in FAULT at its own interface."""
    if not instance.interface:
        return [Cause("it has no interface", "write interface NAME into the vrrp_instance")]
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
    return [Cause(f"its interface {instance.interface} has no {family} address", cure)]


def tracked_seen(network: Network, name: str) -> Seen:
    """Return what is to be seen of an interface in track_interface."""
    cause = link_cause(network, name)
    if cause is None:
        return Seen()
    return Seen(
        is_good=False, cause=cause._replace(what=cause.what.replace("its", "the tracked", 1))
    )
