"""What a configuration tracks: definitions, the lines that refer to them, and their weights. Pure.

`kacheck doctor` judges it, and `kacheck migrate` moves it. A `vrrp_script`, `vrrp_track_process` or
`track_file` is a definition; a line in the `track_script`, `track_process` or `track_file` of a
`vrrp_instance` or `vrrp_sync_group` is a reference. The word for such a block is the kind of both.
"""

from collections.abc import Iterator
from typing import NamedTuple

from kacheck.keepalived.configuration import Configuration
from kacheck.keepalived.limits import ADDRESS_OWNER, HEAVIEST, leading_number, whole_number
from kacheck.keepalived.syntax import Node

KINDS = {
    "vrrp_script": "track_script",
    "vrrp_track_process": "track_process",
    "track_file": "track_file",
    "vrrp_track_file": "track_file",
}
"""The keyword of a definition, and that of the block that refers to it."""
DEFAULT_WEIGHTS = {"track_script": 0, "track_process": 0, "track_file": 1}
SYNC_GROUP = "vrrp_sync_group"
OWNERS = ("vrrp_instance", SYNC_GROUP)
"""The blocks that track something."""
WEIGHT_WORDS = ("sync_group_tracking_weight", "global_tracking")
"""Words in a vrrp_sync_group that let its members' priorities change; the second is the old one."""


class Weight(NamedTuple):
    """A weight, and the statement that sets it, if one does."""

    value: int = 0
    """Added to the priority; 0 is FAULT on failure."""
    reverse: bool = False
    node: Node | None = None


class Definition(NamedTuple):
    """A vrrp_script, vrrp_track_process or track_file."""

    kind: str
    name: str
    node: Node
    order: int
    """keepalived reads it after those with a lower one."""
    weight: Weight

    def first(self, keyword: str) -> Node | None:
        """Return the first statement of its block with a keyword."""
        return next(iter(self.node.find(keyword)), None)

    def last(self, keyword: str) -> Node | None:
        """Return the last statement of its block with a keyword."""
        return next(reversed(self.node.find(keyword)), None)

    def value(self, keyword: str) -> str | None:
        """Return the argument of the last statement with a keyword."""
        node = self.last(keyword)
        return node.arguments[0] if node is not None and node.arguments else None


class VrrpBlock(NamedTuple):
    """A vrrp_instance or vrrp_sync_group."""

    node: Node
    name: str
    priority: int
    nopreempt: bool
    group: "VrrpBlock | None" = None
    """Of an instance: its sync group."""
    tracks_weights: bool = True
    """Of a group: does it have sync_group_tracking_weight?"""

    @property
    def is_group(self) -> bool:
        """Return whether it is a sync group."""
        return self.node.keyword == SYNC_GROUP

    @property
    def loses_weights(self) -> bool:
        """Return whether its sync group keeps it from tracking anything with a weight."""
        return self.group is not None and not self.group.tracks_weights

    @property
    def is_fixed(self) -> bool:
        """Return whether its priority must not change: vrrp_complete_instance()."""
        return not self.is_group and (self.priority == ADDRESS_OWNER or self.loses_weights)


class Reference(NamedTuple):
    """A line of a track_script, track_process or track_file block."""

    kind: str
    name: str
    node: Node
    owner: VrrpBlock
    order: int

    @property
    def is_ignored(self) -> bool:
        """Return whether keepalived skips it for what follows the name: alloc_track_script()."""
        options = self.node.arguments
        return bool(options) and (options[0] != "weight" or len(options) == 1)

    def weight(self, default: Weight) -> Weight:
        """Return its weight, which is by default that of the definition."""
        options = self.node.arguments
        if self.is_ignored or not options:
            return default
        value = whole_number(options[1])
        if value is None or abs(value) > max(HEAVIEST.values()):
            value = default.value
        elif self.kind == "track_script":
            heaviest = HEAVIEST[self.kind]
            value = max(-heaviest, min(heaviest, value))
        reverse = {"reverse": True, "noreverse": False}.get("".join(options[2:3]), default.reverse)
        return Weight(value, reverse, self.node)


class Tracking:
    """All definitions and references of a configuration, in the order of reading."""

    def __init__(self, configuration: Configuration) -> None:
        self.definitions: list[Definition] = []
        self.references: list[Reference] = []
        self._referring: dict[tuple[str, str], list[Reference]] = {}
        groups = _groups(configuration)
        for order, node in enumerate(configuration.root.children or ()):
            if node.keyword in KINDS:
                self.definitions.append(_definition(node, order))
            elif node.keyword in OWNERS:
                self.references += _references(node, order, groups)
        for reference in self.references:
            self._referring.setdefault((reference.kind, reference.name), []).append(reference)

    def of_kind(self, kind: str) -> list[Definition]:
        """Return the definitions that blocks of a kind refer to."""
        return [definition for definition in self.definitions if definition.kind == kind]

    def by_name(self) -> dict[tuple[str, str], Definition]:
        """Return the definitions by kind and name: the first of a name, as references find it."""
        return {(each.kind, each.name): each for each in reversed(self.definitions)}

    def referring(self, definition: Definition) -> list[Reference]:
        """Return the lines that refer to a definition."""
        return self._referring.get((definition.kind, definition.name), [])


def lines_of(owner: Node, kind: str) -> Iterator[Node]:
    """Yield the lines of an instance's or sync group's blocks of a kind."""
    for block in owner.find(kind):
        yield from block.children or ()


def members(group: Node) -> list[str]:
    """Return the names of the instances in a sync group."""
    lines = [line for block in group.find("group") for line in block.children or ()]
    return [word.value for line in lines for word in line.words]


def _groups(configuration: Configuration) -> dict[str, VrrpBlock]:
    """Return the sync group of each instance, by the instance's name."""
    by_member: dict[str, VrrpBlock] = {}
    for node in configuration.find(SYNC_GROUP):
        group = _vrrp_block(node, None)
        for name in members(node):
            by_member.setdefault(name, group)
    return by_member


def _vrrp_block(node: Node, group: VrrpBlock | None) -> VrrpBlock:
    lines = node.find("priority")
    priorities = [whole_number(word) for line in lines for word in line.arguments[:1]]
    states = [word for line in node.find("state") for word in line.arguments[:1]]
    is_master = states[-1:] == ["MASTER"]  # clears nopreempt: vrrp_complete_instance()
    return VrrpBlock(
        node,
        "".join(node.arguments[:1]),
        (priorities and priorities[-1]) or 100,
        bool(node.find("nopreempt")) and not is_master,
        group,
        any(map(node.find, WEIGHT_WORDS)),
    )


def _references(node: Node, order: int, groups: dict[str, VrrpBlock]) -> Iterator[Reference]:
    name = "".join(node.arguments[:1])
    owner = _vrrp_block(node, groups.get(name) if node.keyword != SYNC_GROUP else None)
    for kind in HEAVIEST:
        for line in lines_of(node, kind):
            yield Reference(kind, line.keyword, line, owner, order)


def _definition(node: Node, order: int) -> Definition:
    kind = KINDS[node.keyword]
    return Definition(kind, "".join(node.arguments[:1]), node, order, _weight(kind, node))


def _weight(kind: str, node: Node) -> Weight:
    """Return the weight that counts: a script's last, else the first that is not the default."""
    default = DEFAULT_WEIGHTS[kind]
    weight = Weight(default)
    for line in node.find("weight"):
        if not line.arguments or (kind != "track_script" and weight.value != default):
            continue
        value = leading_number(line.arguments[0])
        if abs(value) > HEAVIEST[kind] and kind != "track_script":
            value = default
        reverse = weight.reverse or line.arguments[1:2] == ["reverse"]
        weight = Weight(value, reverse, line)
    return weight
