"""A file's statements and braces, one after the other, as read_line() cuts them. Pure.

keepalived's parent reads the files, follows the includes, and hands a copy without comments to its
children; VRRP is one. What is here is what VRRP reads. Before 2.2.0 each reads the files itself.
"""

import enum
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kacheck.keepalived import lexer
from kacheck.keepalived.rules import Rules
from kacheck.keepalived.source import Line, Problem, ProblemKind, Source, note


class Kind(enum.Enum):
    """What a node is."""

    STATEMENT = "statement"
    """Words, perhaps with a block; a block that nothing heads has no words."""
    DEFINITION = "definition"
    """`$NAME=...`, with the lines that it goes on for."""
    INCLUDE = "include"
    SEQUENCE = "sequence"
    """`~SEQ(...)` or `~LST(...)` and the text that it repeats."""
    OTHER_ID = "other-id"
    """A line whose `@id` is not this node's."""
    CLOSE = "close"
    """A `}` too many."""
    OPEN = "open"
    """`{`: of pieces, never of nodes."""


class Piece(NamedTuple):
    """What the lexer hands to the tree: a line of keepalived's, which is a statement or a brace."""

    kind: Kind
    line: Line
    end: int
    condition: str | None = None
    start: int | None = None
    """Where its `@id` begins, if it has one."""


DEFINITION = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)=[ \t]*")
"""check_definition(): nothing may stand before the `=`."""
CONDITION = re.compile(r"@(\^?)([^ \t]*)(?:[ \t]+|$)")
TRICKY = re.compile(r'[{}"@$~]')
UNSIMPLE = re.compile(r"[@$~]")
TOKEN = re.compile(r'[{}]|(?:[^{}"]+|"[^"]*(?:"|\Z))+')
BRACES = {"{": Kind.OPEN, "}": Kind.CLOSE}
ESCAPED_BANG = r"a line that begins with \! crashes keepalived's VRRP process"
COMMENT_END = r"before 2.4.0 the \ at the comment's end belongs to the word before it"
ESCAPED_COMMENT = r"\# and \! do not last: to keepalived's VRRP process a comment begins here"


def statement_lines(source: Source, problems: list[Problem]) -> Iterator[Line]:
    """Yield the lines, empty ones too, as the VRRP process reads them from its parent's copy."""
    rules = source.rules
    for line in lexer.lines(source, problems):
        text = line.text
        if lexer.is_bare(text) and (not text or text[-1] not in lexer.BLANK):
            yield lexer.strip(line)
            continue
        once, quote = lexer.decomment(line)
        if not once.text and text and rules.skips_comment_lines:
            continue
        is_copied = rules.children_read_copy and not lexer.is_include(once.text, rules)
        if once.text[-1:] == "\r" and is_copied:
            once = lexer.strip(once.cut(0, len(once.text.rstrip("\r"))))
        if once.text[-1:] == "\\" and ("#" in text or "!" in text) and lexer.has_comment_end(once):
            note(problems, once, COMMENT_END, ProblemKind.LINE, len(once.text) - 1)
        if quote is not None:
            note(problems, line, "no closing quote", ProblemKind.QUOTE, quote)
        if "\\" not in text[:-1] or not rules.children_read_copy:
            yield once
        elif twice := _twice(line, once, problems):
            yield twice


def _twice(line: Line, once: Line, problems: list[Problem]) -> Line | None:
    """Return what the children read of a line that the parent has unescaped once."""
    if lexer.is_include(once.text, line.source.rules):
        return once
    twice = None if once.text[:1] in ("#", "!") else lexer.decomment(once)[0]
    if twice is None or len(twice.text) + 1 < len(once.text):
        message = ESCAPED_BANG if once.text[:1] == "!" else ESCAPED_COMMENT
        note(problems, line, message, ProblemKind.LINE)
    return twice


def pieces(
    lines: Iterable[Line], config_id: str | None, problems: list[Problem]
) -> Iterator[Piece]:
    """Yield a file's statements and braces; nothing is followed or evaluated, but for `@id`."""
    definition: Piece | None = None
    for line in lines:
        text = line.text
        if definition is not None:
            if text and not is_plain_include(line):
                definition = definition._replace(end=line.at[len(text)])
                if text[-1] == "\\":
                    continue
                text = ""
            yield definition
            definition = None
        if not text:
            continue
        if is_plain(text):
            yield Piece(Kind.STATEMENT, line, line.at[-1])
            continue
        for piece in line_pieces(line, config_id, problems):
            if piece.kind is Kind.DEFINITION and piece.line.text[-1] == "\\":
                definition = piece
            else:
                yield piece
    if definition is not None:
        yield definition


def is_plain(text: str) -> bool:
    """Return whether a line is one statement, whatever is defined."""
    return not TRICKY.search(text) and text[:7] != "include"


def is_simple(text: str) -> bool:
    """Return whether braces alone divide a line into pieces."""
    return not (UNSIMPLE.search(text) or "include" in text or has_open_quote(text))


def simple_pieces(line: Line) -> Iterator[Piece]:
    """Yield the pieces of such a line."""
    for match in TOKEN.finditer(line.text):
        head = line.cut(*match.span())
        kind = BRACES.get(head.text, Kind.STATEMENT)
        if kind is not Kind.STATEMENT or (head := lexer.strip(head)).text:
            yield Piece(kind, head, head.at[-1])


def line_pieces(line: Line, config_id: str | None, problems: list[Problem]) -> Iterator[Piece]:
    """Yield the pieces of one line."""
    if is_simple(line.text):
        yield from simple_pieces(line)
        return
    rest: Line | None = line
    while rest is not None and rest.text:
        start = condition = None
        if rest.text[0] == "@":
            start = rest.at[0]
            applies, condition, behind = conditional(rest, config_id)
            if not applies:
                yield Piece(Kind.OTHER_ID, rest, rest.at[len(rest.text)], condition, start)
                return
            rest = behind
        rules = line.source.rules
        kind = kind_of(rest.text, rules)
        is_whole = kind is not Kind.SEQUENCE or rules.sequence_is_line
        if kind is not Kind.STATEMENT and is_whole:
            head, rest = rest, None
        else:
            head, rest = brace_cut(rest)
        if not head.text:
            continue
        if kind is Kind.STATEMENT:
            kind = BRACES.get(head.text, kind)
            check_quotes(head, problems)
        yield Piece(kind, head, head.at[len(head.text)], condition, start)


def is_plain_include(line: Line) -> bool:
    """Return whether a line of a file is an include that the children see as an empty line."""
    rules = line.source.rules
    return rules.children_read_copy and lexer.is_include(line.text, rules)


def kind_of(text: str, rules: Rules) -> Kind:
    """Return what a line is, as read_line() tells."""
    if text[:1] == "$" and DEFINITION.match(text):
        return Kind.DEFINITION
    if is_sequence(text, rules):
        return Kind.SEQUENCE
    if lexer.is_include(text, rules):
        return Kind.INCLUDE
    return Kind.STATEMENT


def is_sequence(text: str, rules: Rules) -> bool:
    """Return whether a line begins with ~SEQ, or with ~LST where the release has that."""
    return text[:4] == "~SEQ" or (text[:4] == "~LST" and rules.sequence_is_line)


def conditional(line: Line, config_id: str | None) -> tuple[bool, str, Line]:
    """Whether a line that begins with `@id` counts, its id, and what is behind it."""
    match = CONDITION.match(line.text)
    if match is None or match.end() == match.end(2):
        return False, line.text[1:], line.cut(len(line.text))
    applies = (config_id == match[2]) != bool(match[1])
    return applies, match[1] + match[2], line.cut(match.end())


def brace_cut(line: Line) -> tuple[Line, Line | None]:
    """Return the line up to the brace, or the brace, and what is behind."""
    index = lexer.next_brace(line.text)
    if index > 0:
        return lexer.strip(line.cut(0, index)), line.cut(index)
    if index < 0 or len(line.text) == 1:
        return lexer.strip(line), None
    behind = lexer.strip(line.cut(1))
    return line.cut(0, 1), behind if behind.text else None


def has_open_quote(text: str) -> bool:
    """Return whether a text has a quote that only a backslash closes."""
    return "\\" in text and text.count('"') % 2 == 1


def check_quotes(line: Line, problems: list[Problem]) -> None:
    """Note a quote that decomment() took for closed and alloc_strvec() does not."""
    if has_open_quote(line.text):
        note(problems, line, "no closing quote", ProblemKind.QUOTE, line.text.rindex('"'))
