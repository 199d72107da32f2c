"""The track_process blocks of an instance or sync group, made track_script and track_file."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from kacheck.keepalived import Node, Tree, quote
from kacheck.keepalived.source import Source
from kacheck.migrate.comments import comments_in, with_comments
from kacheck.migrate.equivalents import Equivalent, block, negated
from kacheck.migrate.tracked import TrackReference, defines, is_plain

IsShared = Callable[[Node], bool]
"""Is a node of a file read more than once?"""


class Owner(NamedTuple):
    """A vrrp_instance or vrrp_sync_group."""

    node: Node
    references: dict[int, TrackReference]
    """By the id() of the line's node: those that move."""


def rewrite(
    owner: Owner, equivalents: dict[str, Equivalent], is_shared: IsShared, done: set[int]
) -> None:
    """Edit the files' trees; `done` has the id() of each block of a file that was edited."""
    for node in owner.node.find("track_process"):
        source = node.source
        if source is None or id(source) in done:
            continue
        moving = [each for each in node.children or () if id(each) in owner.references]
        if moving:
            done.add(id(source))
            TrackBlock(owner, node, source, equivalents, is_shared).rewrite(moving)
    new = [reference.node for reference in owner.references.values() if reference.is_new]
    if new and owner.node.source is not None:
        TrackBlock(owner, owner.node, owner.node.source, equivalents, is_shared).add(new)


class TrackBlock:
    """A track_process block that is rewritten, or a sync group that gets what it had not."""

    def __init__(
        self,
        owner: Owner,
        node: Node,
        source: Node,
        equivalents: dict[str, Equivalent],
        is_shared: IsShared,
    ) -> None:
        assert source.tree is not None  # noqa: S101 - a node of a file
        self.owner, self.node, self.source = owner, node, source
        self.tree: Tree = source.tree
        self.equivalents = equivalents
        self.is_shared = is_shared
        self.unit = unit_of(source)

    def rewrite(self, moving: list[Node]) -> None:
        """Move these lines."""
        written = [node for node in moving if not self.is_grouped(node)]
        files = self.new_files(written)
        scripts = None if self.is_shared(self.source) else self.neighbour("track_script")
        is_whole = self.node.is_literal and len(moving) == len(self.node.children or ())
        may_go = is_whole and not defines(self.source)
        if may_go and not written:
            self.clear(self.source)
        elif may_go and scripts is not None:
            self.move_all(written, scripts, files)
        else:
            for node in moving:
                if self.is_grouped(node):
                    self.clear(node.source)
            if written and is_whole:
                self.rename(written, files)
            elif written:
                self.move_some(written, scripts, files)

    def add(self, new: list[Node]) -> None:
        """Write lines like those of the members into their sync group."""
        files = self.new_files(new)
        lines = [self.text(node) for node in new]
        scripts = self.neighbour("track_script")
        if files:
            append(self.source, files.splitlines())
        if scripts is None:
            append(self.source, block("track_script", lines, self.unit).splitlines())
        else:
            append(scripts, lines)

    def is_grouped(self, node: Node) -> bool:
        """Return whether the sync group tracks it, so that it is not written here."""
        return self.owner.references[id(node)].group is not None

    def clear(self, source: Node | None) -> None:
        """Only the comments stay."""
        if source is None:
            return
        comments = comments_in(source, behind=True)
        if comments:
            self.tree.insert_before(source, "\n".join(comments))
        self.tree.remove(source)

    def rename(self, moving: list[Node], files: str) -> None:
        """Turn the block into a track_script, and change only what must change in it."""
        if files:
            self.tree.insert_before(self.source, files)
        self.tree.replace_word(self.source.words[0], "track_script")
        for node in moving:
            text = self.text(node)
            if node.source is not None and text != raw(node.source):
                self.tree.replace(node.source, text)

    def move_all(self, moving: list[Node], scripts: Node, files: str) -> None:
        """Move all lines, with their comments, to the track_script that exists."""
        texts = {node.source: self.text(node) for node in moving}
        lines = with_comments(self.source, texts, behind=not files)
        append(scripts, lines)
        if files:
            self.tree.replace(self.source, files)
        else:
            self.tree.remove(self.source)

    def move_some(self, moving: list[Node], scripts: Node | None, files: str) -> None:
        """Move some of the lines; those that are left alone stay in their block."""
        lines = []
        for node in moving:
            if node.source is not None:
                lines += [*comments_in(node.source, behind=True), self.text(node)]
                self.tree.remove(node.source)
        if scripts is None:
            made = block("track_script", lines, self.unit)
            self.tree.insert_before(self.source, files + made + "\n")
            return
        append(scripts, lines)
        if files:
            self.tree.insert_before(self.source, files)

    def neighbour(self, keyword: str) -> Node | None:
        """Return the owner's first block of this kind that only the owner reads."""
        for node in self.owner.node.find(keyword):
            source = node.source
            if source is not None and is_plain(node) and not self.is_shared(source):
                return source
        return None

    def new_files(self, moving: list[Node]) -> str:
        """Return the track_file block for those that have one.

        Empty if it went to one that is there.
        """
        names = []
        for node in moving:
            reference = self.owner.references[id(node)]
            made = self.equivalents[reference.name]
            if made.has_file and not (reference.own or made.weight).value:
                names += [quote(made.name)]
        if not names:
            return ""
        there = None if self.is_shared(self.source) else self.neighbour("track_file")
        if there is not None:
            append(there, names)
            return ""
        return block("track_file", names, self.unit) + "\n"

    def text(self, node: Node) -> str:
        """Return the line of a track_script."""
        reference = self.owner.references[id(node)]
        made = self.equivalents[reference.name]
        if made.name == reference.name and not made.is_negated and node.source is not None:
            return raw(node.source)
        words = [quote(made.name)]
        if reference.own is not None:
            weight = negated(reference.own) if made.is_negated else reference.own
            words += ["weight", str(weight.value)]
            if made.weight.reverse or weight.reverse:
                words += ["reverse" if weight.reverse else "noreverse"]
        return " ".join(words)


def append(block_: Node, lines: Iterable[str]) -> None:
    """Lines at the end of a block of a file."""
    if block_.tree is not None:
        block_.tree.append(block_, "\n".join(lines))


def raw(source: Node) -> str:
    """Return a statement without a block, literally as in its file."""
    assert source.tree is not None  # noqa: S101 - a node of a file
    words = source.words
    return source.tree.source.text[words[0].start : words[-1].end]


def unit_of(source: Node) -> str:
    """By how much what is in a block is indented there."""
    assert source.tree is not None  # noqa: S101 - a node of a file
    text = source.tree.source
    for child in source.children or ():
        inner, outer = (_margin(text, node.start) for node in (child, source))
        if inner is not None and outer is not None and inner != outer and inner.startswith(outer):
            return inner[len(outer) :]
    return "\t" if text.has_tabs else "    "


def _margin(text: Source, offset: int) -> str | None:
    """Return what stands before it on its line, if that is blank."""
    margin = text.indentation(offset)
    return margin if text.line_start(offset) + len(margin) == offset else None
