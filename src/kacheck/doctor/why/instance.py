"""A vrrp_instance as keepalived reads it: its interface, its VIPs and what it tracks. Pure."""

from ipaddress import ip_address
from typing import NamedTuple

from kacheck.keepalived import Configuration, Node, Version
from kacheck.keepalived.limits import ADDRESS_OWNER, leading_number, whole_number
from kacheck.keepalived.missing_braces import unread
from kacheck.keepalived.releases import (
    GROUPS_IGNORE_PROCESSES,
    MEMBERS_LOSE_FILES,
    MEMBERS_LOSE_SCRIPTS,
)
from kacheck.keepalived.tracking import Reference, Tracking, VrrpBlock, Weight, members

KEY = tuple[str, str]
"""The kind of a tracked thing, such as track_script, and its name."""


class TrackedThing(NamedTuple):
    """Something that an instance tracks, itself or through its sync group."""

    kind: str
    name: str
    weight: Weight

    @property
    def key(self) -> KEY:
        """What evidence is found by."""
        return self.kind, self.name


class VrrpInstance(NamedTuple):
    """A vrrp_instance."""

    name: str
    node: Node
    interface: str
    priority: int
    group: str | None
    tracked: tuple[TrackedThing, ...]
    vips: tuple[str, ...]
    """Without their length."""
    router_id: int
    version: int
    interval: float
    """Seconds between adverts."""
    has_source: bool
    """Whether mcast_src_ip or unicast_src_ip says from where adverts are sent."""
    is_encrypted: bool
    """Whether its adverts are in IPsec AH, so that they cannot be heard."""
    tracks_interface: bool
    """Whether its own interface counts: not with dont_track_primary."""

    @property
    def ip_version(self) -> int:
        """The version of IP that its adverts have."""
        return 6 if self.vips and ":" in self.vips[0] else 4

    @property
    def is_fixed(self) -> bool:
        """Return whether its priority never changes."""
        return self.priority == ADDRESS_OWNER


def instances_of(
    configuration: Configuration, tracking: Tracking, release: Version | None
) -> list[VrrpInstance]:
    """Return the instances that keepalived has."""
    skipped = {id(node) for node in unread(configuration.root)}
    nodes = [node for node in configuration.find("vrrp_instance") if id(node) not in skipped]
    surroundings = Surroundings(configuration, tracking)
    return [_instance(node, surroundings, release) for node in nodes]


class Surroundings:
    """What instances are in: groups, settings for all, and the lines that track something."""

    def __init__(self, configuration: Configuration, tracking: Tracking) -> None:
        self.settings = configuration.find("global_defs")
        self.definitions = tracking.by_name()
        self.groups: dict[str, str] = {}
        for node in configuration.find("vrrp_sync_group"):
            for name in members(node):
                self.groups.setdefault(name, "".join(node.arguments[:1]))
        self.references: dict[tuple[bool, str], list[Reference]] = {}
        for reference in tracking.references:
            owner = reference.owner
            self.references.setdefault((owner.is_group, owner.name), []).append(reference)

    def tracked_by(self, name: str) -> list[Reference]:
        """Return the lines that count for an instance: its own and its group's."""
        own = self.references.get((False, name), [])
        return [*own, *self.references.get((True, self.groups.get(name, "")), [])]


def _instance(node: Node, surroundings: Surroundings, release: Version | None) -> VrrpInstance:
    name = "".join(node.arguments[:1])
    settings = surroundings.settings
    vips = [line.keyword.partition("/")[0] for line in _lines(node, "virtual_ipaddress")]
    version = _last(node, "version") or _last_of(settings, "vrrp_version") or "2"
    is_v3 = version == "3" or (bool(vips) and ":" in vips[0])
    interval = _number(_last(node, "advert_int"), 1.0)
    return VrrpInstance(
        name=name,
        node=node,
        interface=_last(node, "interface") or _last_of(settings, "default_interface") or "",
        priority=whole_number(_last(node, "priority") or "") or 100,
        group=surroundings.groups.get(name),
        tracked=tuple(_tracked(surroundings, name, release)) + tuple(_interfaces(node)),
        vips=tuple(str(ip_address(vip)) for vip in vips if _is_address(vip)),
        router_id=leading_number(_last(node, "virtual_router_id") or ""),
        version=3 if is_v3 else 2,
        interval=interval if is_v3 else max(1.0, float(round(interval))),
        has_source=bool(node.find("mcast_src_ip") or node.find("unicast_src_ip")),
        is_encrypted="AH" in [_last(each, "auth_type") for each in node.find("authentication")],
        tracks_interface=not node.find("dont_track_primary"),
    )


def _tracked(surroundings: Surroundings, name: str, release: Version | None) -> list[TrackedThing]:
    """Return the scripts, processes and files that count, with the weights that hold."""
    things = []
    for reference in surroundings.tracked_by(name):
        owner = reference.owner
        definition = surroundings.definitions.get((reference.kind, reference.name))
        if definition is None or reference.is_ignored or definition.order > reference.order:
            continue  # KA010, KA011, KA018: it runs without
        weight = _holding(reference, owner, reference.weight(definition.weight), release)
        if weight is not None:
            things.append(TrackedThing(reference.kind, reference.name, weight))
    return things


def _holding(
    reference: Reference, owner: VrrpBlock, weight: Weight, release: Version | None
) -> Weight | None:
    """Return the weight that holds, as vrrp_complete_instance() has it; None: it is not tracked."""
    if owner.is_group:
        is_ignored = reference.kind == "track_process" and GROUPS_IGNORE_PROCESSES.include(release)
        return None if is_ignored and release is not None else weight
    if reference.kind == "track_process" or not owner.is_fixed:
        return weight
    if weight.value:
        becomes_fault = reference.kind == "track_file" and weight.value == 1 and owner.loses_weights
        return Weight(0, reverse=weight.reverse) if becomes_fault else None
    losing = MEMBERS_LOSE_FILES if reference.kind == "track_file" else MEMBERS_LOSE_SCRIPTS
    return None if release is not None and losing.include(release) else weight


def _interfaces(node: Node) -> list[TrackedThing]:
    things = []
    is_tracked = not node.find("dont_track_primary")
    for line in _lines(node, "track_interface"):
        if is_tracked and not line.arguments and line.keyword == _last(node, "interface"):
            continue  # it counts anyway
        words = line.arguments
        value = whole_number(words[1]) if words[:1] == ["weight"] and words[1:] else 0
        things.append(
            TrackedThing(
                "track_interface", line.keyword, Weight(value or 0, reverse="reverse" in words)
            )
        )
    return things


def _lines(node: Node, keyword: str) -> list[Node]:
    return [line for block in node.find(keyword) for line in block.children or ()]


def _last(node: Node, keyword: str) -> str | None:
    lines = node.find(keyword)
    return lines[-1].arguments[0] if lines and lines[-1].arguments else None


def _last_of(nodes: list[Node], keyword: str) -> str | None:
    words = [word for node in nodes if (word := _last(node, keyword)) is not None]
    return words[-1] if words else None


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text is not None else default
    except ValueError:
        return default


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
