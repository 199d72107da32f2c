"""A text, places in it, and what there is to say about a place. Pure.

Text is UTF-8 with surrogateescape, so that whatever bytes a file has, they come out again.
"""

import enum
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from kacheck.keepalived.rules import DEFAULT, Rules, rules_of


class Position(NamedTuple):
    """Where something stands: the line and the column, in characters, count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ProblemKind(enum.StrEnum):
    """What sort of problem it is, for whoever decides on it."""

    QUOTE = "quote"
    """A double quote that nothing closes: keepalived 2.2.7 may crash."""
    BRACE = "brace"
    """A `}` too many, or one that is missing."""
    INCLUDE = "include"
    """A file that is missing, cannot be read, or that keepalived skips."""
    CYCLE = "cycle"
    """A file that includes itself: keepalived goes round until it has no more descriptors."""
    DEFINITION = "definition"
    """A definition, ~SEQ or ~LST that keepalived rejects, or that makes it hang or crash."""
    LINE = "line"
    """A line that keepalived does not read as the one line that it is."""
    UNEVALUATED = "unevaluated"
    """What cannot be known here; the view has the file's text."""


class Problem(NamedTuple):
    """One sentence about one place."""

    position: Position
    message: str
    kind: ProblemKind


class Word(NamedTuple):
    """A word as keepalived's alloc_strvec() cuts it.

    `value` is without its quotes; `raw` is the file's text from `start` to `end`. Where
    `$NAME` made the word, position and raw are those of the text that was replaced.
    """

    value: str
    raw: str
    position: Position
    start: int
    end: int


class Source:
    """A file's text, and how the release that reads it does so."""

    def __init__(self, text: str, name: str, rules: Rules | None = None) -> None:
        self.text = text
        self.name = name
        self.rules = rules or rules_of(DEFAULT)
        self.tree: object = None
        """The syntax tree that was made of it, which this module knows nothing of."""

    @cached_property
    def newlines(self) -> list[int]:
        """The offset of each line end."""
        offsets = []
        offset = self.text.find("\n")
        while offset >= 0:
            offsets.append(offset)
            offset = self.text.find("\n", offset + 1)
        return offsets

    def position(self, offset: int) -> Position:
        """Where an offset is."""
        line = bisect_right(self.newlines, offset - 1)
        start = self.newlines[line - 1] + 1 if line else 0
        return Position(self.name, line + 1, offset - start + 1)

    def line_start(self, offset: int) -> int:
        """Return the offset at which the line of another one begins."""
        return self.text.rfind("\n", 0, offset) + 1

    def indentation(self, offset: int) -> str:
        """Return the blanks that its line begins with, up to the offset."""
        line = self.text[self.line_start(offset) : offset]
        return line[: len(line) - len(line.lstrip(" \t"))]

    @cached_property
    def has_tabs(self) -> bool:
        """Return whether a line begins with a tab."""
        return "\n\t" in self.text

    @cached_property
    def line_end(self) -> str:
        r"""The line end that the file uses: `\r\n` if its first line does, else `\n`."""
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"


class Line(NamedTuple):
    """A stretch of text on its way through the lexer, and where each of its characters stands.

    `made`: the file does not contain all of it literally; `$NAME` or ~SEQ made a part.
    """

    text: str
    at: Sequence[int]
    """The offset of each character, and behind them that of the end."""
    source: Source
    made: bool = False

    def cut(self, start: int, end: int | None = None) -> "Line":
        """Return a part of it."""
        text, at, source, made = self
        if end is None:
            return Line(text[start:], at[start:], source, made)
        if made and start < end < len(text) and at[end - 1] == at[end]:
            behind = at[bisect_right(at, at[end])]  # the cut goes through what stands for a $NAME
            return Line(text[start:end], [*at[start:end], behind], source, made)
        return Line(text[start:end], at[start : end + 1], source, made)

    def position(self, index: int = 0) -> Position:
        """Where a character stands."""
        return self.source.position(self.at[index])


SPACE = " \t\f\n\r\v"
"""WHITE_SPACE_STR of lib/parser.c: what parts words. Of a line's ends only blanks are removed."""
MAX_PROBLEMS = 1000
"""Of a file or of the reading; a file with more is not a configuration."""


def note(
    problems: list[Problem], line: Line, message: str, kind: ProblemKind, index: int = 0
) -> None:
    """Add a problem of a line."""
    if len(problems) < MAX_PROBLEMS:
        problems.append(Problem(line.position(index), message, kind))


def decode(data: bytes) -> str:
    """Bytes to text, losing nothing."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Return the bytes again."""
    return text.encode("utf-8", "surrogateescape")
