"""The lossless tree of one file, which migrate edits. Pure.

A node is a statement: words, and perhaps a block. It knows its place, and nothing of the text
around it. So the text of a tree is the text that was read, with the edits in their places: nothing
else can change.

Braces belong to the statement before them, on its line or later. The tree does not expand a
definition, a ~SEQ or an include. So it may have a brace too many or too few which
`Configuration.root` does not have. A line of another `@id` is one node without braces.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property

from kacheck.keepalived import escapes, lexer, pieces
from kacheck.keepalived.edit import Edits
from kacheck.keepalived.pieces import Kind, Piece
from kacheck.keepalived.rules import DEFAULT, rules_of
from kacheck.keepalived.source import (
    MAX_PROBLEMS,
    Line,
    Position,
    Problem,
    ProblemKind,
    Source,
    Word,
    decode,
    encode,
    note,
)
from kacheck.keepalived.version import Version

NO_LINE = Line("", range(1), Source("", ""))


class Node:
    """A statement, with its block if it has one."""

    __slots__ = (
        "_named", "_words", "children", "close", "end", "kind", "line", "open", "own_condition",
        "parent", "start", "tree",
    )  # fmt: skip

    def __init__(self, kind: Kind, line: Line, tree: "Tree | None", parent: "Node | None") -> None:
        self.kind = kind
        self.line = line
        """Its text as keepalived has it, without braces and comments."""
        self.tree = tree
        """The tree of its file; None for a node of the view."""
        self.parent = parent
        self.children: list[Node] | None = None
        """What is in its block; None if it has none."""
        self.open: int | None = None
        self.close: int | None = None
        """The offsets of the block's braces in the file, where they are."""
        self.own_condition: str | None = None
        """What `condition` is without its source."""
        self.start = line.at[0]
        self.end = line.at[-1]
        """From its first character, its `@id` if any, to its last word's or its block's end."""
        self._words: list[Word] | None = None
        self._named: dict[str, list[Node]] | None = None

    def __repr__(self) -> str:
        return f"<{self.kind.value} {self.line.text!r} at {self.position}>"

    @property
    def words(self) -> list[Word]:
        """Its words, with the keyword, without `{`."""
        if self._words is None:
            self._words = lexer.words(self.line)
        return self._words

    @property
    def keyword(self) -> str:
        """Its first word; `""` if it has none."""
        return lexer.first_word(self.line.text)

    @property
    def arguments(self) -> list[str]:
        """The values of its other words."""
        return [word.value for word in self.words[1:]]

    @property
    def escaped(self) -> list[str] | None:
        """All of its words as a script or notify keyword cuts them.

        Since 2.3.2 escapes stay. None where a quote or an escape is not finished.
        """
        rules = self.line.source.rules
        return escapes.quoted_escaped(self.line.text, rules, unescape=not rules.unescapes_once)

    @property
    def command(self) -> list[str] | None:
        """The command of a script or notify statement as it is executed; None if it has none.

        keepalived cuts the statement, then the second word once more (set_script_params_array()):
        `script /bin/x -a` has no `-a`, and before 2.3.2 escapes count twice.
        """
        escaped = self.escaped
        if escaped is None or len(escaped) < 2:
            return None
        return escapes.quoted_escaped(escaped[1], self.line.source.rules) or None

    @property
    def ends_in_comment(self) -> bool:
        r"""Return whether its last character is the `\` that ends its comment (before 2.4.0)."""
        return lexer.has_comment_end(self.line)

    @property
    def first(self) -> int:
        """The offset of its first word, or of its brace if nothing heads it."""
        return self.line.at[0] if self.line.text or self.open is None else self.open

    @property
    def source(self) -> "Node | None":
        """Return the same statement in its file, if the file contains this node literally."""
        tree = self.line.source.tree
        if self.tree is not None or not isinstance(tree, Tree) or self.line.made:
            return None
        found = tree.at(self.first)
        return found if found is not None and found.line.text == self.line.text else None

    @property
    def condition(self) -> str | None:
        """`id` or `^id` where its line, or that of one of its braces, begins with `@id`."""
        return (self.source or self).own_condition

    @property
    def position(self) -> Position:
        """Where its first word stands."""
        return self.line.position()

    def find(self, *path: str) -> list["Node"]:
        """Return the statements below, as in `find("vrrp_instance", "track_process")`."""
        found = [self]
        for keyword in path:
            found = [child for node in found for child in node.named.get(keyword, ())]
        return found

    @property
    def named(self) -> dict[str, list["Node"]]:
        """The statements in its block by their keyword."""
        if self._named is None:
            self._named = {}
            for child in self.children or ():
                if child.kind in (Kind.STATEMENT, Kind.INCLUDE, Kind.SEQUENCE):
                    self._named.setdefault(child.keyword, []).append(child)
        return self._named

    def walk(self) -> Iterator["Node"]:
        """Everything below it, in order."""
        stack = [iter(self.children or ())]
        while stack:
            for node in stack[-1]:
                yield node
                if node.children:
                    stack.append(iter(node.children))
                    break
            else:
                stack.pop()

    @property
    def is_literal(self) -> bool:
        """Return whether one file contains exactly this node of the view, literally."""
        return all(_is_literal(node) for node in (self, *self.walk()))


def _is_literal(node: Node) -> bool:
    source = node.source
    if source is None or (node.children is None) != (source.children is None):
        return False
    below = [child.source for child in node.children or ()]
    there = [child for child in source.children or () if child.kind is not Kind.DEFINITION]
    return below == there and (node.children is None or source.close is not None)


class Tree(Edits):
    """A file: its nodes, and the edits that were made to it."""

    def __init__(self, source: Source, config_id: str | None = None) -> None:
        super().__init__(source)
        source.tree = self
        self._config_id = config_id
        self.line_problems: list[Problem] = []
        self.lines = list(pieces.statement_lines(source, self.line_problems))

    @cached_property
    def _grown(self) -> tuple[Node, list[Problem]]:
        problems = self.line_problems.copy()
        return grow(pieces.pieces(self.lines, self._config_id, problems), self, problems), problems

    @property
    def root(self) -> Node:
        """What the statements of the file are in; made when it is asked for."""
        return self._grown[0]

    @property
    def problems(self) -> list[Problem]:
        """Of this text taken alone."""
        return self._grown[1]

    @property
    def name(self) -> str:
        """The file's path as it was given."""
        return self.source.name

    def find(self, *path: str) -> list[Node]:
        """`root.find()`."""
        return self.root.find(*path)

    @cached_property
    def _at(self) -> dict[int, Node]:
        return {node.first: node for node in self.root.walk()}

    def at(self, offset: int) -> Node | None:
        """Return the statement whose first word, or brace if nothing heads it, is there."""
        return self._at.get(offset)

    def bytes(self) -> bytes:
        """`text()`, as it is to be written."""
        return encode(self.text())


def parse(
    text: str | bytes,
    name: str = "",
    config_id: str | None = None,
    *,
    release: Version = DEFAULT,
) -> Tree:
    """Return the tree of a text. Never raises.

    `config_id` decides which lines with an `@id` count (keepalived's --config-id, by default the
    host's name up to the first dot); with None those with `@^id` do. `release` is keepalived's.
    """
    text = decode(text) if isinstance(text, bytes) else text
    return Tree(Source(text, name, rules_of(release)), config_id)


def grow(pieces: Iterable[Piece], tree: Tree | None, problems: list[Problem]) -> Node:
    """Nodes from pieces; braces that do not match are problems."""
    root = top = Node(Kind.STATEMENT, NO_LINE, tree, None)
    children = root.children = []
    last: Node | None = None
    for piece in pieces:
        kind, line = piece.kind, piece.line
        if kind is Kind.OPEN:
            if last is None:
                last = Node(Kind.STATEMENT, line.cut(0, 0), tree, top)
                children.append(last)
            top, last, children = last, None, []
            top.children, top.open, top.end = children, line.at[0], piece.end
            top.own_condition = top.own_condition or piece.condition
        elif kind is Kind.CLOSE and top.parent is not None:
            top.close, top.end = line.at[0], piece.end
            top.own_condition = top.own_condition or piece.condition
            top, last = top.parent, None
            children = top.children if top.children is not None else children
        else:
            node = Node(kind, line, tree, top)
            node.end = piece.end
            node.own_condition = piece.condition
            if piece.start is not None:
                node.start = piece.start
            children.append(node)
            last = node if kind is Kind.STATEMENT else None
            if kind is Kind.CLOSE:
                note(problems, line, "a } too many", ProblemKind.BRACE)
    _close(root, top, problems)
    return root


def _close(root: Node, top: Node, problems: list[Problem]) -> None:
    """Close the blocks that nothing closes; they keep what is in them."""
    while top is not root and top.parent is not None:
        if top.children:
            top.end = max(top.end, top.children[-1].end)
        if len(problems) < MAX_PROBLEMS:
            note(problems, top.line, f"no }} for {top.keyword} {{", ProblemKind.BRACE)
        top = top.parent
