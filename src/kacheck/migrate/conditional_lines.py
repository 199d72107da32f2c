"""Lines for another `@id`: what they may name is another node's, and has to stay.

They are not evaluated. A word of such a line may be made of parts, come from a `$NAME` that stands
anywhere in the files, or from a file that only the other node includes.
"""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from kacheck.keepalived import Configuration, Kind, Node
from kacheck.keepalived.lexer import is_include

TRACKING = {"track_process", "vrrp_track_process"}
DEFINED = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)=")
DEFINITION = re.compile(rf"(?:@\S+\s+)?{DEFINED.pattern}")
"""The same, for any node or one `@id`."""
USED = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
MADE = re.compile(r'~(?:SEQ|LST)|[^\s{}"]\$|\$\{\w+\}[^\s{}"]')
"""Words that are made of parts."""
BEGINS_MADE = re.compile(r"@\S+[\s{}]+[^\s$~]*[$~]")
"""A line whose first word is."""
BRACE = re.compile(r"(?<!\$)\{")
"""One that may open a block."""
NO_WORD = re.compile(r'[\s{}"]+')


class ConditionalLine(NamedTuple):
    """A line for another `@id`."""

    node: Node
    words: set[str]
    """All of it, and of what its `$NAME`s stand for."""
    named: AbstractSet[str]
    """The vrrp_track_process that it may name; "": it tracks, and names none that is known."""


def conditional_lines(
    configuration: Configuration, names: AbstractSet[str]
) -> Iterator[ConditionalLine]:
    """Yield the lines for another `@id`, and which of these names they may name."""
    nodes = [*configuration.written()]
    stands_for: dict[str, list[str]] = {}
    for node in nodes:
        if match := DEFINITION.match(node.line.text):
            stands_for.setdefault(match[1], []).append(text_of(node))
    lines = [
        (node, whole(node.line.text, stands_for)) for node in nodes if node.kind is Kind.OTHER_ID
    ]
    others = [(node, text, {*NO_WORD.split(DEFINED.sub(" ", text))}) for node, text in lines]
    tracking = {id(node) for node, _, words in others if is_tracked(node) or TRACKING & words}
    opened = {id(node.parent) for node, text in lines if BRACE.search(text)}
    in_blocks = [whole(text_of(node), stands_for) for node in nodes if is_tracked(node)]
    used = {name for text in in_blocks for name in USED.findall(text)}

    def may_track(node: Node) -> bool:
        """Return whether it may name a process, or be a part of such a line."""
        if match := DEFINITION.match(node.line.text):
            return match[1] in used
        return id(node) in tracking or may_name(node, opened)

    for node, text, words in others:
        named = names & words
        rules = node.line.source.rules
        includes = any(is_include(each, rules) for each in text.split(None, 1)[1:])
        if includes or (tracking and MADE.search(text) and may_track(node)):
            named = names  # any of them
        yield ConditionalLine(node, words, named or ({""} if id(node) in tracking else set()))


def text_of(node: Node) -> str:
    """Return a node's text in its file, literally."""
    return node.line.source.text[node.start : node.end]


def whole(text: str, stands_for: dict[str, list[str]]) -> str:
    """Return a line, and below it what each `$NAME` in it stands for."""
    texts, known = [text], set[str]()
    for each in texts:
        for name in USED.findall(each):
            if name not in known:
                known.add(name)
                texts += stands_for.get(name, [])
    return "\n".join(texts)


def is_tracked(node: Node) -> bool:
    """Return whether it is in a track_process block."""
    return node.parent is not None and node.parent.keyword == "track_process"


def may_name(node: Node, opened: set[int]) -> bool:
    """Return whether it may be in a block that another such line has opened."""
    is_outermost = node.parent is None or node.parent.parent is None
    is_within = is_outermost or id(node.parent) in opened
    return is_within and BEGINS_MADE.match(node.line.text) is not None
