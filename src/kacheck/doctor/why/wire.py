"""The adverts that other nodes send: who has the VIP, and who would not agree about it."""

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from kacheck.doctor.why.instance import VrrpInstance
from kacheck.doctor.why.interfaces import LocalNetwork
from kacheck.init.adverts import Advert
from kacheck.init.rehearsal import listen

INTERVALS = 3
LONGEST = 10.0
"""Seconds, where adverts are rarer."""
SAME = 0.005


class HeardHere(NamedTuple):
    """What was heard for an instance."""

    listened: bool = False
    master: str | None = None
    """Who announces the VIP."""
    conflicts: tuple[str, ...] = ()


def hear(instances: Sequence[VrrpInstance], network: LocalNetwork) -> dict[str, HeardHere]:
    """Listen on the instances' interfaces, for at most three intervals; only root may."""
    if os.geteuid() != 0:
        return {}
    instances = [each for each in instances if not each.is_encrypted]
    wires = {(each.interface, each.ip_version) for each in instances}
    adverts: dict[tuple[str, int], list[Advert]] = {}
    threads = [
        threading.Thread(target=_listen, args=(wire, instances, network, adverts), daemon=True)
        for wire in wires
        if wire[0] in network.links and network.links[wire[0]].is_up
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        each.name: judge(each, adverts[each.interface, each.ip_version])
        for each in instances
        if (each.interface, each.ip_version) in adverts
    }


def _listen(
    wire: tuple[str, int],
    instances: Sequence[VrrpInstance],
    network: LocalNetwork,
    adverts: dict[tuple[str, int], list[Advert]],
) -> None:
    """Hear an interface until each of its ids was announced, or three intervals are over."""
    here = [each for each in instances if (each.interface, each.ip_version) == wire]
    own = frozenset(str(each.address.ip) for each in network.machine.addresses)
    interval = min(LONGEST / INTERVALS, max(each.interval for each in here))
    ids = {each.router_id for each in here if not is_here(each, network)}
    heard: list[Advert] = []
    for _ in range(INTERVALS):
        with suppress(OSError):
            heard += listen(*wire, own, interval)
            adverts[wire] = heard
        if ids and ids <= {advert.router_id for advert in heard}:
            return


def is_here(instance: VrrpInstance, network: LocalNetwork) -> bool:
    """Return whether the instance's VIP is on this node."""
    return bool(instance.vips) and network.has(instance.vips[0])


def judge(instance: VrrpInstance, adverts: Sequence[Advert]) -> HeardHere:
    """Return what the adverts say of an instance. Pure."""
    latest = {(each.sender, each.version, each.router_id): each for each in adverts}
    ours = [
        each
        for each in latest.values()
        if each.priority and (each.router_id == instance.router_id or _shares_vip(each, instance))
    ]
    masters = [
        each.sender
        for each in sorted(ours, key=lambda each: -each.priority)
        if _shares_vip(each, instance)
    ]
    conflicts = [text for each in ours if (text := conflict(each, instance)) is not None]
    master = masters[0] if masters else None
    return HeardHere(listened=True, master=master, conflicts=tuple(conflicts))


def _shares_vip(advert: Advert, instance: VrrpInstance) -> bool:
    return not {*advert.addresses}.isdisjoint(instance.vips)


def conflict(advert: Advert, instance: VrrpInstance) -> str | None:
    """Return why a node and this one do not agree; None: they do."""
    who = advert.sender
    if advert.router_id != instance.router_id:
        return (
            f"{who} announces the VIP with virtual_router_id {advert.router_id}, this node has"
            f" {instance.router_id}: both nodes may have the VIP; write the same id on all nodes"
        )
    if advert.version != instance.version:
        return (
            f"{who} sends VRRPv{advert.version} with virtual_router_id {advert.router_id}, this"
            f" node VRRPv{instance.version}: they do not hear each other, and both may have the"
            " VIP; write the same version on all nodes"
        )
    if abs(advert.interval - instance.interval) > SAME:
        return (
            f"{who} has advert_int {advert.interval:g}, this node {instance.interval:g}; write the"
            " same on all nodes"
        )
    if {*advert.addresses} != {*instance.vips}:
        return (
            f"{who} announces {', '.join(advert.addresses) or 'no address'} with virtual_router_id"
            f" {advert.router_id}, this node {', '.join(instance.vips) or 'none'}; write the"
            " same list on all nodes, or give one of the two another id"
        )
    return None
