"""A vrrp_track_process block and its references, read as keepalived's vrrp_parser.c does. Pure.

What keepalived would complain of is not guessed at: such a block is left as it is.
"""

import re
from typing import NamedTuple

from kacheck.keepalived import Kind, Node
from kacheck.keepalived.limits import HEAVIEST, LONGEST_DELAY, MOST_PROCESSES, whole_number
from kacheck.keepalived.tracking import Weight

MICROSECONDS = 1_000_000
COUNT = re.compile(r"[ \t]*\+?[0-9]{1,9}", re.ASCII)
SECONDS = re.compile(r"([0-9]{0,9})(?:\.([0-9]{0,6}))?", re.ASCII)
COMMENT_END = (
    r"a comment in it ends in \, which this keepalived adds to the word before it; remove that"
)
NOT_LITERAL = "it is written with @id, $NAME, ~SEQ, an include or a missing brace; write it out"


class LeftError(Exception):
    """Why a block or a reference is left as it is, and the cure: `WHY; CURE`."""


class Tracked(NamedTuple):
    """A vrrp_track_process; delays are microseconds."""

    name: str
    process: str
    args: tuple[str, ...] = ()
    param_match: str | None = None
    full_command: bool = False
    weight: Weight = Weight()
    quorum: int = 1
    quorum_max: int | None = None
    fork_delay: int = 0
    terminate_delay: int = 0


class TrackReference(NamedTuple):
    """A line of a track_process block, and what holds for it."""

    name: str
    own: Weight | None
    """Its own weight; None: the block's. keepalived has the block's `reverse` in it already."""
    node: Node
    group: str | None = None
    """The sync group that tracks it for all of its members, so that this line is one too many."""
    is_new: bool = False
    """It is a member's line, and its sync group gets one like it."""


def is_plain(node: Node) -> bool:
    """Return whether a file contains a node of the view literally, for every `@id`."""
    return node.is_literal and all(each.condition is None for each in (node, *node.walk()))


def defines(node: Node) -> bool:
    """Return whether a block of a file contains a `$NAME=`, which removing the block would lose."""
    return any(each.kind is Kind.DEFINITION for each in node.walk())


def plain(node: Node) -> None:
    """Refuse a node of the view that no file contains literally, for every `@id`.

    Raises:
        LeftError: it does not.

    """
    if not is_plain(node):
        raise LeftError(NOT_LITERAL)


def read(node: Node) -> Tracked:
    """Return the data of a vrrp_track_process.

    Raises:
        LeftError: keepalived rejects it, or not all of it can be read here.

    """
    plain(node)
    if any(each.ends_in_comment for each in (node, *node.walk())):
        raise LeftError(COMMENT_END)
    if node.source is not None and defines(node.source):
        raise LeftError("$NAME= in it would be lost; define it outside of the block")
    if len(node.words) != 2 or node.children is None:
        raise LeftError("keepalived wants a name and a block; write vrrp_track_process NAME {")
    tracked = Tracked(node.arguments[0], "")
    for statement in node.children:
        reader = READERS.get(statement.keyword)
        if reader is None or statement.children is not None:
            raise LeftError(f"keepalived has no keyword {statement.keyword} here; remove it")
        tracked = reader(tracked, statement)
    if not tracked.process:
        raise LeftError("it names no process, so that keepalived drops it; add one, or remove it")
    return tracked


def _process(tracked: Tracked, node: Node) -> Tracked:
    if tracked.process:
        raise LeftError("keepalived ignores all processes but the first; remove the others")
    name, *args = node.arguments or [""]
    if not name:
        raise LeftError("process has no name; add it")
    if args:
        match = tracked.param_match or "exact"
        tracked = tracked._replace(param_match=match, full_command=True)
    return tracked._replace(process=name, args=tuple(args))


def _param_match(tracked: Tracked, node: Node) -> Tracked:
    word = node.arguments[0] if node.arguments else "exact"
    if node.arguments and word not in ("initial", "partial"):
        raise LeftError(f"keepalived ignores param_match {word}; write initial, partial or nothing")
    return tracked._replace(param_match=word, full_command=True)


def _full_command(tracked: Tracked, _: Node) -> Tracked:
    return tracked._replace(full_command=True)


def _weight(tracked: Tracked, node: Node) -> Tracked:
    if tracked.weight.value:
        raise LeftError("keepalived ignores all weights but the first; remove the others")
    value = _number(node, 1)
    if node.arguments[1:] not in ([], ["reverse"]):
        raise LeftError(f"keepalived does not know weight {' '.join(node.arguments)}; correct it")
    reverse = tracked.weight.reverse or len(node.arguments) == 2
    return tracked._replace(weight=Weight(value, reverse))


def _quorum(tracked: Tracked, node: Node) -> Tracked:
    quorum = _count(node, 1)
    if tracked.quorum_max is not None and quorum > tracked.quorum_max:
        raise LeftError("keepalived ignores a quorum above quorum_max; correct it")
    return tracked._replace(quorum=quorum)


def _quorum_max(tracked: Tracked, node: Node) -> Tracked:
    most = _count(node, 0)
    if (most or tracked.quorum > 1) and most < tracked.quorum:
        raise LeftError("keepalived ignores a quorum_max below quorum; correct it")
    return tracked._replace(quorum_max=most, quorum=tracked.quorum or 1 if most else 0)


def _delay(tracked: Tracked, node: Node) -> Tracked:
    delay = _microseconds(node)
    if node.keyword != "fork_delay":
        tracked = tracked._replace(terminate_delay=delay)
    if node.keyword != "terminate_delay":
        tracked = tracked._replace(fork_delay=delay)
    return tracked


READERS = {
    "process": _process,
    "param_match": _param_match,
    "full_command": _full_command,
    "weight": _weight,
    "quorum": _quorum,
    "quorum_max": _quorum_max,
    "delay": _delay,
    "fork_delay": _delay,
    "terminate_delay": _delay,
}


def _number(node: Node, index: int) -> int:
    """Return a weight: read_int_strvec()."""
    word = node.words[index].value if len(node.words) > index else ""
    value, heaviest = whole_number(word), HEAVIEST["track_process"]
    if value is None or abs(value) > heaviest:
        raise LeftError(f"{word!r} is not a weight; give a number from -{heaviest} to {heaviest}")
    return value


def _count(node: Node, least: int) -> int:
    """Return a quorum: read_unsigned_strvec()."""
    word = node.arguments[0] if node.arguments else ""
    if not COUNT.fullmatch(word) or not least <= int(word) <= MOST_PROCESSES:
        raise LeftError(
            f"{word!r} is not a {node.keyword} from {least} to {MOST_PROCESSES}; correct it"
        )
    return int(word)


def _microseconds(node: Node) -> int:
    """Return a delay: read_decimal_unsigned_strvec()."""
    word = node.arguments[0] if node.arguments else ""
    match = SECONDS.fullmatch(word)
    whole, fraction = (match[1] or "0", match[2] or "") if match else ("0", "")
    delay = int(whole) * MICROSECONDS + int(fraction.ljust(6, "0"))
    if not 1 <= delay <= LONGEST_DELAY * MICROSECONDS:
        raise LeftError(
            f"{word!r} is not a {node.keyword} from 0.000001 to 3600 seconds; correct it"
        )
    return delay


def reference(node: Node, blocks: Weight) -> TrackReference:
    """Return a line of a track_process block; `blocks` is the weight of the vrrp_track_process.

    Raises:
        LeftError: keepalived rejects it.

    """
    plain(node)
    if node.children is not None:
        raise LeftError("a name has no block; write NAME weight NUMBER")
    words = node.arguments
    if not words:
        return TrackReference(node.keyword, None, node)
    if words[0] != "weight" or words[2:] not in ([], ["reverse"], ["noreverse"]):
        raise LeftError(f"keepalived does not know {' '.join(words)}; write NAME weight NUMBER")
    value = _number(node, 2)
    reverse = words[2] == "reverse" if len(words) == 3 else blocks.reverse
    return TrackReference(node.keyword, Weight(value, reverse), node)
