"""VRRP advertisements: read from their bytes, and compared with what this node would send. Pure.

Source: RFC 3768 (version 2), RFC 5798 (version 3).
"""

import struct
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, ip_address
from typing import NamedTuple

PROTOCOL = 112
GROUPS = {4: "224.0.0.18", 6: "ff02::12"}
"""Where adverts go, by the version of IP."""


class Advert(NamedTuple):
    """An advertisement."""

    sender: str
    version: int
    router_id: int
    priority: int
    interval: float
    """Seconds."""
    addresses: tuple[str, ...]


class OwnAdvert(NamedTuple):
    """What this node would send."""

    vip: str
    version: int
    router_id: int
    priority: int
    interval: float
    peers: tuple[str, ...] = ()


def from_ipv4(packet: bytes) -> Advert | None:
    """Return the advert in an IPv4 packet with its header; None if it is something else."""
    if len(packet) < 20 or packet[0] >> 4 != 4 or packet[9] != PROTOCOL:
        return None
    return parse(packet[4 * (packet[0] & 15) :], str(IPv4Address(packet[12:16])), 4)


def parse(data: bytes, sender: str, ip_version: int) -> Advert | None:
    """Return the advert in a packet's data; None if it is something else."""
    if len(data) < 8:
        return None
    kind, router_id, priority, count, interval, _ = struct.unpack("!BBBBHH", data[:8])
    version, size = kind >> 4, 4 if ip_version == 4 else 16
    if kind & 15 != 1 or version not in (2, 3) or len(data) < 8 + size * count:
        return None
    seconds = (interval & 0x0FFF) / 100 if version == 3 else float(interval & 0xFF)
    addresses = tuple(
        str(ip_address(data[start : start + size])) for start in range(8, 8 + size * count, size)
    )
    return Advert(sender, version, router_id, priority, seconds, addresses)


class Heard(NamedTuple):
    """What adverts say of this node's configuration."""

    peers: list[str]
    """Nodes that are as this one would be, in words."""
    conflicts: list[str]
    """What would go wrong, and the cure."""


def judge(adverts: Sequence[Advert], own: OwnAdvert) -> Heard:
    """Return what was heard."""
    heard = Heard([], [])
    latest = {(each.sender, each.router_id, each.version): each for each in adverts}
    taken = {each.router_id for each in adverts}
    for advert in latest.values():
        if own.vip in advert.addresses:
            differences = list(differing(advert, own))
            heard.conflicts.extend(differences)
            if not differences:
                heard.peers.append(
                    f"{advert.sender} has {own.vip} now: the same version, interval and id,"
                    f" priority {advert.priority}"
                )
        elif advert.router_id == own.router_id:
            free = next(number for number in range(1, 256) if number not in taken)
            spare = next((n for n in range(own.router_id, 256) if n not in taken), free)
            heard.conflicts.append(
                f"{advert.sender} uses virtual_router_id {own.router_id} for"
                f" {', '.join(advert.addresses) or 'other addresses'}, another VIP; give"
                f" --router-id {spare}, on all nodes of {own.vip} the same"
            )
    return heard


def differing(advert: Advert, own: OwnAdvert) -> Iterator[str]:
    """Yield why a peer and this node would not agree about the VIP."""
    who, vip = advert.sender, own.vip
    theirs = f"VRRPv{advert.version}, advert_int {advert.interval:g}, id {advert.router_id}"
    ours = f"VRRPv{own.version}, advert_int {own.interval:g}, id {own.router_id}"
    if advert.version != own.version:
        yield (
            f"{who} announces {vip} with {theirs}, this node would with {ours}: they do not hear"
            f" each other, and both would have the VIP; write version {advert.version} and"
            f" advert_int {advert.interval:g} here, or change {who} first"
            " (docs/recipes.md, From VRRPv2 to VRRPv3)"
        )
    elif advert.router_id != own.router_id:
        yield (
            f"{who} announces {vip} with virtual_router_id {advert.router_id}, this node would with"
            f" {own.router_id}, and both would have the VIP; give --router-id {advert.router_id}"
        )
    elif abs(advert.interval - own.interval) > 0.005:
        yield (
            f"{who} announces {vip} with {theirs}, this node would with {ours}; write advert_int"
            f" {advert.interval:g} here, or {own.interval:g} there: the same on all nodes"
        )
    elif is_same_node(advert.priority, own.priority):
        yield (
            f"{who} has priority {advert.priority}, as this node would have with the same --node;"
            " give each node another number"
        )
    if own.peers and who not in own.peers:
        yield f"{who} announces {vip} and is not among the peers; add --peer {who}"


def is_same_node(theirs: int, own: int) -> bool:
    """Return whether two effective priorities come from the same base.

    Bases differ by 2 and less than 10 in all; what the recipe adds is 10, 20 or both.
    """
    return theirs != 0 and (theirs - own) in (0, 10, 20, 30)
