"""What a configuration tracks: the blocks, the lines that name them, and what must be left alone.

A name moves as a whole or not at all: where its block or one of the lines that track it has to be
left alone, all of them are.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from kacheck.keepalived import Configuration, Kind, Node, Position
from kacheck.migrate import tracked
from kacheck.migrate.tracked import LeftError, Reference, Tracked, Weight

OWNERS = ("vrrp_instance", "vrrp_sync_group")
ADDRESS_OWNER = "255"


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

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.remarks: list[Remark] = []
        self.left: set[str] = set()
        self.definitions: dict[str, tuple[Node, Tracked]] = {}
        self.references: dict[str, list[tuple[Node, Reference]]] = {}
        """By name: the instance or sync group, and its line."""
        self._seen = Counter(
            id(node.source) for node in configuration.root.walk() if node.source is not None
        )
        self._read_definitions()
        self._read_references()
        self._read_other_ids()

    def is_shared(self, source: Node | None) -> bool:
        """Is a node of a file read more than once?"""
        return self._seen[id(source)] > 1

    def leave(self, name: str, node: Node, error: LeftError) -> None:
        """Leave a name alone, and say so at the line that it is for."""
        self.left.add(name)
        what = f"{name} is left alone" if name else "this is left alone"
        self.remarks.append(Remark(node.position, f"{what}: {error}", is_left=True))

    def note(self, node: Node, text: str) -> None:
        """Say something about a line that moves."""
        self.remarks.append(Remark(node.position, text, is_left=False))

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

    def _read_references(self) -> None:
        for owner, node in self._lines():
            try:
                self._read_reference(owner, node)
            except LeftError as error:
                self.leave(node.keyword, node, error)

    def _read_reference(self, owner: Node, node: Node) -> None:
        name = node.keyword
        refuse(
            name not in self.definitions and name not in self.left,
            "there is no vrrp_track_process of this name, so that keepalived ignores it;"
            " write one, or remove it",
        )
        others = self.references.setdefault(name, [])
        refuse(any(each is owner for each, _ in others), "it is here twice; remove one line")
        weight = self.definitions[name][1].weight if name in self.definitions else Weight()
        block = node.parent
        is_plain = block is not None and block.source is not None and block.condition is None
        refuse(not is_plain, tracked.NOT_LITERAL)
        found = tracked.reference(node, weight)
        others.append((owner, found))
        self._refuse_ignored_weight(owner, found.own or weight)

    def _lines(self) -> Iterator[tuple[Node, Node]]:
        """The lines of all track_process blocks, and the instance or sync group they are of."""
        for keyword in OWNERS:
            for owner in self.configuration.find(keyword):
                for block in owner.find("track_process"):
                    for line in block.children or ():
                        yield owner, line

    def _read_other_ids(self) -> None:
        """Lines for other nodes are not read; what they name has to stay."""
        for tree in self.configuration.files.values():
            for node in tree.root.walk():
                if node.kind is not Kind.OTHER_ID:
                    continue
                words = node.line.text.replace("{", " ").replace("}", " ").replace('"', " ").split()
                named = self.definitions.keys() & set(words)
                inside = node.parent is not None and node.parent.keyword == "track_process"
                if named or inside or {"track_process", "vrrp_track_process"} & set(words):
                    error = LeftError("the line is for another @id; write it out, plainly")
                    for name in named or {""}:
                        self.leave(name, node, error)

    def _refuse_ignored_weight(self, owner: Node, weight: Weight) -> None:
        """Where keepalived's track_process has weights and its track_script has none."""
        if not weight.value or owner.keyword != "vrrp_instance":
            return
        if any(node.arguments[:1] == [ADDRESS_OWNER] for node in owner.find("priority")):
            raise LeftError("a weight does nothing at priority 255; take weight 0, or remove it")
        for group in self.configuration.find("vrrp_sync_group"):
            members = {word.value for node in group.find("group") for line in node.children or ()
                       for word in line.words}  # fmt: skip
            if set(owner.arguments) & members and not group.find("sync_group_tracking_weight"):
                raise LeftError(
                    "a script's weight does nothing in a member of a vrrp_sync_group without"
                    " sync_group_tracking_weight; add that, or take weight 0"
                )


def refuse(condition: bool, why: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Leave it alone where the condition holds."""
    if condition:
        raise LeftError(why)
