"""The comments of a stretch of keepalived.conf, to be taken along when it moves. Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from kacheck.keepalived import Kind, Node

CODE = re.compile(r'(?:[^"\\#!]|\\.|"(?:\\.|[^"\\])*(?:"|$))*')
"""What stands before a comment: decomment() in lib/parser.c."""
COMMENT = re.compile(r"[ \t]*([#!].*)")
SECOND_COMMENT = re.compile(r"\S[ \t\r]*\n[ \t\r]*\n[ \t\r\n]*[#!]")
"""Above the first statement of a file: a comment, an empty line, and another comment."""


class Comment(NamedTuple):
    """A comment with its `#` or `!`, and where it begins in the file."""

    offset: int
    text: str


def has_comment(node: Node) -> bool:
    """Return whether a comment above a statement of a file belongs to it.

    Above the first one it is the file's, unless the file has another one above that. Below a
    definition it may be what ends that.
    """
    siblings = (node.parent.children if node.parent is not None else None) or [node]
    place = siblings.index(node)
    if place == 0:
        return SECOND_COMMENT.search(node.line.source.text[: node.start]) is not None
    return siblings[place - 1].kind is not Kind.DEFINITION


def comments_in(node: Node, *, behind: bool) -> list[str]:
    """Return the comments within a statement.

    With `behind` also what `Tree.remove()` takes with it.
    """
    return [comment.text for comment in _comments(node, behind=behind)]


def with_comments(block: Node, lines: Mapping[Node | None, str], *, behind: bool) -> list[str]:
    """Return these statements of a block, in order, with all its comments in their places."""
    comments = _comments(block, behind=behind)
    found: list[str] = []
    for node, line in lines.items():
        if node is None or node.tree is None:
            continue
        while comments and comments[0].offset < node.start:
            found.append(comments.pop(0).text)
        found.append(line)
        if comments and _is_behind(node, comments[0].offset):
            found[-1] += f"    {comments.pop(0).text}"
    return found + [comment.text for comment in comments]


def _is_behind(node: Node, offset: int) -> bool:
    """Return whether there are only blanks between a statement and an offset."""
    return node.tree is not None and not node.tree.source.text[node.end : offset].strip(" \t")


def _comments(node: Node, *, behind: bool) -> list[Comment]:
    if node.tree is None:
        return []
    text, comments = node.tree.source.text, []
    start = node.start
    behind = behind and not text[node.tree.source.line_start(start) : start].strip(" \t")
    while start < node.end:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        code = CODE.match(text, start, min(end, node.end))
        place = code.end() if code else end
        comment = COMMENT.match(text, place, end)
        if comment and (place < node.end or behind):
            words = comment[1].rstrip()
            # keepalived takes a \ at the end of a line for a statement, behind a comment, too.
            is_statement = (len(words) - len(words.rstrip("\\"))) % 2
            comments.append(Comment(comment.start(1), words + " " * is_statement))
        start = end + 1
    return comments
