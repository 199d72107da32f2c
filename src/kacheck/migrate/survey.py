"""What a configuration tracks: the blocks, the lines that name them, and what must be left alone.

A name moves as a whole or not at all: where its block or one of the lines that track it has to be
left alone, all of them are.
"""

import shlex
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from kacheck.keepalived import Configuration, Node, Position
from kacheck.keepalived.tracking import OWNERS, SYNC_GROUP, Weight, lines_of
from kacheck.migrate import tracked
from kacheck.migrate.conditional_lines import conditional_lines
from kacheck.migrate.files import BOM
from kacheck.migrate.groups import Groups
from kacheck.migrate.tracked import LeftError, Tracked, TrackReference


class Remark(NamedTuple):
    """Something to know about a line."""

    position: Position
    text: str
    is_left: bool
    """It is left alone; else a note."""

    def __str__(self) -> str:
        return f"{self.position.file}:{self.position.line}: {self.text}"


class Survey:
    """All of it, with what there is to say."""

    def __init__(self, configuration: Configuration, lost: str) -> None:
        """Read it; `lost` is what `groups.lost()` says of the keepalived that it is for."""
        self.configuration = configuration
        self.remarks: set[Remark] = set()
        self.left: set[str] = set()
        self.definitions: dict[str, tuple[Node, Tracked]] = {}
        self.references: dict[str, list[tuple[Node, TrackReference]]] = {}
        """By name: the instance or sync group, and its line."""
        self._tracking: set[tuple[str, int]] = set()
        """A name and the id() of its tracker, for each line that was read."""
        self._groups = Groups(configuration)
        self._seen = Counter(
            id(node.source) for node in configuration.root.walk() if node.source is not None
        )
        self._read_definitions()
        self._read_references()
        self._read_hidden()
        self._read_other_ids()
        self._find_grouped()
        if lost:
            self._find_lost(lost)

    def is_shared(self, source: Node | None) -> bool:
        """Return whether a node of a file is read more than once."""
        return self._seen[id(source)] > 1

    def leave(self, name: str, node: Node, error: LeftError) -> None:
        """Leave a name alone, and say so at the line that it is for."""
        self.left.add(name)
        what = f"{name} is left alone" if name else "this is left alone"
        self.remarks.add(Remark(node.position, f"{what}: {error}", is_left=True))

    def note(self, node: Node, text: str) -> None:
        """Say something about a line that moves."""
        self.remarks.add(Remark(node.position, text, is_left=False))

    def _read_definitions(self) -> None:
        nodes = self.configuration.find("vrrp_track_process")
        names = Counter(node.arguments[0] if node.arguments else "" for node in nodes)
        for node in nodes:
            name = node.arguments[0] if node.arguments else ""
            try:
                refuse(names[name] > 1, "it is there more than once; remove all but one")
                self.definitions[name] = (node, tracked.read(node))
            except LeftError as error:
                self.leave(name, node, error)
        for node in self.configuration.root.children or ():
            if node.keyword.startswith(BOM):
                self._leave_hidden(node)

    def _leave_hidden(self, node: Node) -> None:
        """Leave the first block of a file alone if keepalived cannot know its keyword."""
        error = LeftError(
            "the file begins with a byte order mark, which hides this line from keepalived;"
            rf" remove it: sed -i '1s/^\xef\xbb\xbf//' {shlex.quote(node.position.file)}"
        )
        names = [line.keyword for block in node.find("track_process") for line in block.walk()]
        if node.keyword == f"{BOM}vrrp_track_process":
            names = node.arguments[:1]
        for name in names:
            self.leave(name, node, error)

    def _read_references(self) -> None:
        ended = {id(owner) for owner, node in self._lines() if node.children is not None}
        for owner, node in self._lines():
            try:
                refuse(
                    id(owner) in ended,
                    "there is a brace among the names, which ends what keepalived reads of"
                    f" {owner.line.text}; remove it",
                )
                self._read_reference(owner, node)
            except LeftError as error:
                self.leave(node.keyword, node, error)

    def _read_reference(self, owner: Node, node: Node) -> None:
        name = node.keyword
        refuse(
            name not in self.definitions and name not in self.left,
            "no vrrp_track_process has this name, so keepalived ignores it;"
            " write one, or remove it",
        )
        others = self.references.setdefault(name, [])
        refuse((name, id(owner)) in self._tracking, "it is here twice; remove one line")
        weight = self.definitions[name][1].weight if name in self.definitions else Weight()
        block = node.parent
        found = tracked.reference(node, weight)
        source = block.source if block is not None and block.condition is None else None
        refuse(
            source is None or node.source is None or node.source.parent is not source,
            tracked.NOT_LITERAL,
        )
        others.append((owner, found))
        self._tracking.add((name, id(owner)))
        self._groups.refuse_ignored_weight(owner, found.own or weight)

    def _find_grouped(self) -> None:
        """Lines for FAULT in instances whose sync group has the same line.

        keepalived waits for the first result of such a script once for the instance and once for
        its group, and there is but one: the instance would stay in INIT.
        """
        for name, (_, data) in self.definitions.items():
            lines = self.references.get(name, [])
            faults = {
                id(owner) for owner, reference in lines if not (reference.own or data.weight).value
            }
            for index, (owner, reference) in enumerate(lines):
                if owner.keyword == SYNC_GROUP or id(owner) not in faults:
                    continue
                groups = self._groups.of(owner)
                if faults.isdisjoint(map(id, groups)):
                    continue
                group = " ".join(groups[0].arguments)
                lines[index] = owner, reference._replace(group=group)
                if self.is_shared(reference.node.source) or not self._groups.is_certain(owner):
                    error = LeftError(f"{group} tracks it for its members, too; remove this line")
                    self.leave(name, reference.node, error)

    def _find_lost(self, lost: str) -> None:
        """Have a sync group track what its members would lose.

        Both mean the same, since a member in FAULT has its whole group in FAULT.
        """
        for name, (_, data) in self.definitions.items():
            lines = self.references.get(name, [])
            moved: dict[int, tuple[Node, TrackReference]] = {}
            for index, (owner, reference) in enumerate(lines):
                is_fault = not (reference.own or data.weight).value
                if not is_fault or reference.group or not self._groups.is_fixed(owner):
                    continue
                try:
                    group = self._taker(owner, reference, lost)
                except LeftError as error:
                    self.leave(name, reference.node, error)
                    continue
                title = " ".join(group.arguments)
                moved.setdefault(id(group), (group, reference._replace(group=title, is_new=True)))
                lines[index] = owner, reference._replace(group=title)
            lines += moved.values()

    def _taker(self, instance: Node, reference: TrackReference, lost: str) -> Node:
        """Return the sync group that can track it instead of its member."""
        refuse(
            self._groups.owns_address(instance),
            f"{lost} from an instance with priority 255; give it one of at most 254, or upgrade it"
            " to 2.2.2 or later",
        )
        groups = self._groups.of(instance)
        refuse(
            not self._groups.is_certain(instance)
            or self.is_shared(reference.node.source)
            or self.is_shared(groups[0].source)
            or (reference.name, id(groups[0])) in self._tracking,
            f"{lost} from members of a vrrp_sync_group; upgrade it to 2.2.2 or later, or write a"
            " track_script into the group",
        )
        return groups[0]

    def _lines(self) -> Iterator[tuple[Node, Node]]:
        """Yield the lines of all track_process blocks, each with its instance or sync group."""
        for keyword in OWNERS:
            for owner in self.configuration.find(keyword):
                for line in lines_of(owner, "track_process"):
                    yield owner, line

    def _read_hidden(self) -> None:
        """Lines in a block that keepalived does not know, and so may take for none."""
        root = self.configuration.root
        for node in root.walk():
            owner = node.parent
            if node.keyword != "track_process" or owner is None or owner is root:
                continue
            is_known = owner.parent is root and owner.keyword.removeprefix(BOM) in OWNERS
            if not is_known:  # a byte order mark has its own remark
                error = LeftError(
                    f"keepalived does not know {owner.keyword} here, and may read what is in it;"
                    " remove that word and its braces"
                )
                for line in node.children or ():
                    self.leave(line.keyword, node, error)

    def _read_other_ids(self) -> None:
        """Lines for other nodes are not read; what they name has to stay."""
        for other in conditional_lines(self.configuration, self.definitions.keys()):
            self._groups.other_words |= other.words
            for name in other.named:
                error = LeftError("the line is for another @id; write it without @id")
                self.leave(name, other.node, error)


def refuse(condition: bool, why: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Leave it alone where the condition holds."""
    if condition:
        raise LeftError(why)
