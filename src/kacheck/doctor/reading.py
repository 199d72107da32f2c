"""What a configuration tracks, as data: definitions, references, and who refers. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kacheck.doctor.finding import Code, Finding
from kacheck.doctor.system import System
from kacheck.keepalived import Configuration, Node, Version

DEFINITIONS = {
    "vrrp_script": "track_script",
    "vrrp_track_process": "track_process",
    "track_file": "track_file",
    "vrrp_track_file": "track_file",
}
"""The keyword of a definition, and that of the block that refers to it."""
WEIGHTS = {"track_script": 253, "track_process": 254, "track_file": 254}
"""By kind: the largest weight of a definition."""
DEFAULT_WEIGHTS = {"track_script": 0, "track_process": 0, "track_file": 1}
OWNER = 255
"""The priority of an address owner (RFC 5798)."""


class Weight(NamedTuple):
    """A weight, and the statement that says it, if one does."""

    value: int
    reverse: bool = False
    node: Node | None = None


class Definition(NamedTuple):
    """A vrrp_script, vrrp_track_process or track_file."""

    kind: str
    name: str
    node: Node
    place: int
    """keepalived reads it after those with a lower one."""
    weight: Weight

    def first(self, keyword: str) -> Node | None:
        """The first statement of its block with a keyword."""
        return next(iter(self.node.find(keyword)), None)

    def last(self, keyword: str) -> Node | None:
        """The last one."""
        return next(reversed(self.node.find(keyword)), None)

    def value(self, keyword: str) -> str | None:
        """The argument of the last one."""
        node = self.last(keyword)
        return node.arguments[0] if node is not None and node.arguments else None


class Holder(NamedTuple):
    """A vrrp_instance or vrrp_sync_group."""

    node: Node
    name: str
    priority: int
    nopreempt: bool
    group: "Holder | None" = None
    """Of an instance: its sync group."""
    tracks_weights: bool = True
    """Of a group: does it have sync_group_tracking_weight?"""

    @property
    def is_group(self) -> bool:
        """Is it a sync group?"""
        return self.node.keyword == "vrrp_sync_group"

    @property
    def is_fixed(self) -> bool:
        """Return whether its priority must not change: vrrp_complete_instance()."""
        return not self.is_group and (
            self.priority == OWNER or (self.group is not None and not self.group.tracks_weights)
        )


class Reference(NamedTuple):
    """A line of a track_script, track_process or track_file block."""

    kind: str
    name: str
    node: Node
    holder: Holder
    place: int

    @property
    def is_ignored(self) -> bool:
        """Does keepalived skip it for what stands behind the name? (alloc_track_script())"""
        options = self.node.arguments
        return bool(options) and (options[0] != "weight" or len(options) == 1)

    def weight(self, default: Weight) -> Weight:
        """What it says, or what the definition does."""
        options = self.node.arguments
        if self.is_ignored or not options:
            return default
        value = number(options[1])
        if value is None or abs(value) > 254:
            value = default.value
        elif self.kind == "track_script":
            value = max(-253, min(253, value))
        reverse = {"reverse": True, "noreverse": False}.get("".join(options[2:3]), default.reverse)
        return Weight(value, reverse, self.node)


@dataclass(eq=False)
class Setup:
    """All that the lints look at."""

    configuration: Configuration
    definitions: list[Definition]
    references: list[Reference]
    system: System
    version: Version | None
    """keepalived's; None: unknown, so that what any version does is found."""
    referrers: dict[tuple[str, str], list[Reference]]
    """The references to a kind and name."""

    def of_kind(self, kind: str) -> list[Definition]:
        """The definitions that blocks of a kind refer to."""
        return [each for each in self.definitions if each.kind == kind]

    def referring(self, definition: Definition) -> list[Reference]:
        """Who refers to it."""
        return self.referrers.get((definition.kind, definition.name), [])

    def is_before(self, *version: int) -> bool:
        """Is keepalived older than that, as far as we know?"""
        return self.version is None or self.version < version

    def is_from(self, *version: int) -> bool:
        """Is it as new as that, as far as we know?"""
        return self.version is None or self.version >= version


def read(configuration: Configuration, system: System, version: Version | None) -> Setup:
    """The setup of a configuration."""
    definitions: list[Definition] = []
    references: list[Reference] = []
    groups = _groups(configuration)
    for place, node in enumerate(configuration.root.children or ()):
        if node.keyword in DEFINITIONS:
            definitions.append(_definition(node, place))
        elif node.keyword in ("vrrp_instance", "vrrp_sync_group"):
            references += _references(node, place, groups)
    referrers: dict[tuple[str, str], list[Reference]] = {}
    for each in references:
        referrers.setdefault((each.kind, each.name), []).append(each)
    return Setup(configuration, definitions, references, system, version, referrers)


def _groups(configuration: Configuration) -> dict[str, Holder]:
    """The sync group of each instance."""
    found: dict[str, Holder] = {}
    for node in configuration.find("vrrp_sync_group"):
        group = _holder(node, None)
        for members in node.find("group"):
            for member in members.children or ():
                for word in member.words:
                    found.setdefault(word.value, group)
    return found


def _holder(node: Node, group: Holder | None) -> Holder:
    priorities = [number(word) for each in node.find("priority") for word in each.arguments[:1]]
    states = [word for each in node.find("state") for word in each.arguments[:1]]
    is_master = states[-1:] == ["MASTER"]  # clears nopreempt: vrrp_complete_instance()
    return Holder(
        node,
        "".join(node.arguments[:1]),
        (priorities and priorities[-1]) or 100,
        bool(node.find("nopreempt")) and not is_master,
        group,
        bool(node.find("sync_group_tracking_weight") or node.find("global_tracking")),
    )


def _references(node: Node, place: int, groups: dict[str, Holder]) -> Iterator[Reference]:
    name = "".join(node.arguments[:1])
    group = groups.get(name) if node.keyword == "vrrp_instance" else None
    holder = _holder(node, group)
    for kind in WEIGHTS:
        for block in node.find(kind):
            for line in block.children or ():
                yield Reference(kind, line.keyword, line, holder, place)


def _definition(node: Node, place: int) -> Definition:
    kind = DEFINITIONS[node.keyword]
    name = "".join(node.arguments[:1])
    return Definition(kind, name, node, place, _weight(kind, node))


def _weight(kind: str, node: Node) -> Weight:
    """The one that counts: the last of a script, else the first that is not the default."""
    default = DEFAULT_WEIGHTS[kind]
    found = Weight(default)
    for line in node.find("weight"):
        if not line.arguments or (kind != "track_script" and found.value != default):
            continue
        value = leading(line.arguments[0])
        if abs(value) > WEIGHTS[kind] and kind != "track_script":
            value = default
        reverse = found.reverse or line.arguments[1:2] == ["reverse"]
        found = Weight(value, reverse, line)
    return found


def number(text: str) -> int | None:
    """A whole number as strtol(3) reads it to the end; None if it is none."""
    return int(text) if re.fullmatch(r"\s*[+-]?[0-9]{1,18}", text) else None


def leading(text: str) -> int:
    """What strtol(3) makes of a word, whatever is behind the number."""
    found = re.match(r"\s*[+-]?[0-9]{1,18}", text)
    return int(found[0]) if found else 0


def below_run(path: str) -> str:
    """`/run/x` for `/var/run/x`, as everywhere."""
    return path.removeprefix("/var") if path.startswith("/var/run/") else path


def found(code: Code, node: Node, what: str, why: str, cure: str) -> Finding:
    """A finding at a statement."""
    return Finding(code, what, why, cure, node.position.file, node.position.line)
