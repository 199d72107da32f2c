"""Blocks whose `{` is missing, and what they swallow. Pure.

keepalived takes what follows for the block's lines (process_stream() in lib/parser.c): it ignores
the next `{`, and the first `}` behind that ends the block. So the next block does not exist.
"""

from typing import NamedTuple

from kacheck.keepalived.pieces import Kind
from kacheck.keepalived.source import Problem, ProblemKind
from kacheck.keepalived.syntax import Node

BLOCKS = (
    *("global_defs", "vrrp_instance", "vrrp_sync_group", "vrrp_script", "vrrp_track_process"),
    *("track_file", "vrrp_track_file", "garp_group", "virtual_server", "virtual_server_group"),
)
"""Keywords outside of all blocks that begin one."""


class MissingBrace(NamedTuple):
    """A block without its `{`."""

    node: Node
    swallowed: Node | None
    """The block behind it, which keepalived takes for a part of it."""
    lines: list[Node]
    """What is between the two: meant as the lines of the block."""
    is_last_instance: bool
    """Whether keepalived is left without any vrrp_instance."""

    @property
    def problem(self) -> Problem:
        """What there is to say about it."""
        message = f"{self.node.line.text} has no {{"
        if self.swallowed is not None:
            message += f": keepalived reads {self.swallowed.line.text} as a part of it"
        if self.is_last_instance:
            message += ", so no vrrp_instance exists for keepalived"
        return Problem(self.node.position, message, ProblemKind.BRACE)


def missing_braces(root: Node) -> list[MissingBrace]:
    """Return the blocks that have no `{`."""
    nodes = [each for each in root.children or () if each.kind is Kind.STATEMENT]
    missing = []
    swallowed = set()
    for index, node in enumerate(nodes):
        if node.keyword not in BLOCKS or node.children is not None or len(node.words) > 3:
            continue
        after = next((each for each in nodes[index + 1 :] if each.children is not None), None)
        end = nodes.index(after) if after is not None else len(nodes)
        swallowed.add(after)
        missing.append(MissingBrace(node, after, nodes[index + 1 : end], False))  # noqa: FBT003
    instances = [
        each for each in nodes if each.keyword == "vrrp_instance" and each.children is not None
    ]
    has_none = bool(instances) and all(instance in swallowed for instance in instances)
    return [each._replace(is_last_instance=has_none) for each in missing]


def unread(root: Node) -> list[Node]:
    """Return the outermost statements that keepalived reads as parts of another block."""
    return [
        node
        for each in missing_braces(root)
        for node in (each.node, each.swallowed, *each.lines)
        if node is not None
    ]
