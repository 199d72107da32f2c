"""Changes to a file's text, each at its place; all other bytes stay. Pure.

An edit is a stretch of the text that was read and its replacement. Statements are lines:
what is removed takes its line with it, if nothing else is on it; what is added gets a new line.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kacheck.keepalived.source import Position, Source, Word

BLANK = " \t"
UNIT = "    "
"""How much deeper a block's first statement is than the block, where no neighbour says."""


class Statement(Protocol):
    """Where a statement stands, with its block if it has one: a node of the syntax tree."""

    start: int
    end: int
    close: int | None

    @property
    def parent(self) -> "Statement | None":
        """The statement whose block it is in; None for the file itself."""

    @property
    def children(self) -> Sequence["Statement"] | None:
        """What is in its block."""

    @property
    def position(self) -> Position:
        """Where it begins."""


class EditError(ValueError):
    """Two edits of the same stretch, or one at a place that cannot be edited."""


class Edit(NamedTuple):
    """From `start` to `end` of the text that was read there is `text`."""

    start: int
    end: int
    text: str

    @property
    def order(self) -> tuple[int, bool]:
        """What is inserted at a place stands before what replaces it."""
        return self.start, self.end > self.start


class Span(NamedTuple):
    """Lines, counted from 0, that have changed: `start` to `end`, and what they have become."""

    start: int
    end: int
    new_start: int
    new_end: int


class Edits:
    """A text and its edits."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._edits: list[Edit] = []

    @property
    def edited(self) -> bool:
        """Return whether anything was edited."""
        return bool(self._edits)

    def text(self) -> str:
        """Return the text with the edits."""
        original, position = self.source.text, 0
        parts: list[str] = []
        for edit in self._edits:
            parts += original[position : edit.start], edit.text
            position = edit.end
        return "".join([*parts, original[position:]])

    def spans(self) -> list[Span]:
        """Which lines the edits change, in order; edits of one line have it twice."""
        spans, shift = [], 0
        for start, end, text in self._edits:
            first, last = (bisect_left(self.source.newlines, offset) for offset in (start, end))
            grows = text.count("\n") - (last - first)
            whole = (
                self.source.line_start(start) == start
                and self.source.line_start(end) == end
                and text[-1:] in ("", "\n")
            )
            behind = last if whole else last + 1
            spans.append(Span(first, behind, first + shift, behind + shift + grows))
            shift += grows
        return spans

    def replace_word(self, word: Word, raw: str) -> None:
        """Write `raw` (see `quote()`) where the word stands."""
        self._add(Edit(word.start, word.end, raw))

    def remove(self, node: "Statement", *, comment: bool = False) -> None:
        """Remove a statement with its block; the whole lines, comment and all, if they are its own.

        With `comment` also the comment lines directly above them.
        """
        rest = self._rest(node.end)
        if rest is not None:
            self._add(Edit(node.start, rest, ""))
        elif not self._leads(node.start):
            start = node.start if self._is_behind_edit(node.start) else self._back(node.start)
            self._add(Edit(start, node.end, ""))
        else:
            start = self.source.line_start(node.start)
            self._add(Edit(self._above(start) if comment else start, self._next(node.end), ""))

    def replace(self, node: "Statement", text: str) -> None:
        """Write other statements in the place of one; the comments around it stay."""
        indentation, line_end = self.source.indentation(node.start), self.source.line_end
        lines = self._indented(text, indentation)
        start = self.source.line_start(node.start)
        if self._is_behind_edit(node.start):
            start, lines = node.start, lines.removeprefix(indentation)
        elif not self._leads(node.start):
            start, lines = self._back(node.start), line_end + lines
        rest = self._rest(node.end)
        if rest is None:
            self._add(Edit(start, node.end, lines.removesuffix(line_end)))
        else:
            self._add(Edit(start, rest, lines + indentation))

    def insert_before(self, node: "Statement", text: str, *, comment: bool = False) -> None:
        """Write statements on lines of their own before one, below the comment above it.

        With `comment` above the comment lines directly above it.
        """
        indentation = self.source.indentation(node.start)
        lines = self._indented(text, indentation)
        start = self.source.line_start(node.start)
        if not self._leads(node.start):
            start, lines = node.start, self.source.line_end + lines + indentation
        elif comment:
            start = self._above(start)
        self._add(Edit(start, start, lines))

    def insert_after(self, node: "Statement", text: str) -> None:
        """Write statements on lines of their own behind one and its line's comment."""
        indentation = self.source.indentation(node.start)
        lines = self._indented(text, indentation)
        rest = self._rest(node.end)
        if rest is None:
            self._add_lines(self._next(node.end), lines)
        else:
            self._add(Edit(rest, rest, self.source.line_end + lines + indentation))

    def append(self, block: "Statement", text: str) -> None:
        """Write statements at the end of a block; of the file for the root."""
        if block.parent is None:
            self._add_lines(len(self.source.text), self._indented(text, ""))
            return
        close = block.close
        if close is None:
            raise EditError(f"{block.position}: the block has no closing brace")
        base = self.source.indentation(block.start)
        lines = self._indented(text, self._inner(block, base))
        if self._leads(close):
            start = self.source.line_start(close)
            self._add(Edit(start, start, lines))
        else:
            before = self._taken(close).removesuffix(base) or self.source.line_end
            self._add(Edit(close, close, before + lines + base))

    def _add_lines(self, offset: int, lines: str) -> None:
        """Insert lines at the start of a line, or behind a last line that has no end."""
        if offset and self.source.text[offset - 1] != "\n" and not self._taken(offset, keep=True):
            lines = self.source.line_end + lines
        self._add(Edit(offset, offset, lines))

    def _taken(self, offset: int, *, keep: bool = False) -> str:
        """Return what was inserted at a place, in order to be inserted again with more."""
        index = bisect_left(self._edits, (offset, False), key=lambda edit: edit.order)
        if index == len(self._edits) or self._edits[index].order != (offset, False):
            return ""
        return self._edits[index].text if keep else self._edits.pop(index).text

    def _add(self, edit: Edit) -> None:
        """Take it in its place; what is inserted at one place stays in its order."""
        index = bisect_right(self._edits, edit.order, key=lambda edit: edit.order)
        before = self._edits[index - 1] if index else edit
        behind = self._edits[index] if index < len(self._edits) else None
        overlaps = index > 0 and before.end > edit.start
        if overlaps or (behind is not None and behind.start < edit.end):
            position = self.source.position(edit.start)
            raise EditError(f"{position}: this place was edited already")
        self._edits.insert(index, edit)

    def _is_behind_edit(self, offset: int) -> bool:
        """Return whether an edit ends before it on its line, with only blanks between."""
        index = bisect_right(self._edits, (offset, False), key=lambda edit: edit.order)
        while index and self._edits[index - 1].order == (offset, False):
            index -= 1
        return index > 0 and self._edits[index - 1].end == offset

    def _rest(self, end: int) -> int | None:
        """Where a statement or brace stands behind something on its line."""
        text = self.source.text
        while end < len(text) and text[end] in BLANK:
            end += 1
        return None if end == len(text) or text[end] in "\r\n#!" else end

    def _above(self, start: int) -> int:
        """Return the start of the comment lines directly above a line."""
        text = self.source.text
        while start:
            above = text.rfind("\n", 0, start - 1) + 1
            if text[above:start].lstrip(BLANK)[:1] not in ("#", "!"):
                break
            start = above
        return start

    def _next(self, offset: int) -> int:
        """Return the start of the next line, or the end of the text."""
        newline = self.source.text.find("\n", offset)
        return len(self.source.text) if newline < 0 else newline + 1

    def _back(self, offset: int) -> int:
        """Return the end of what stands before it."""
        while offset and self.source.text[offset - 1] in BLANK:
            offset -= 1
        return offset

    def _leads(self, offset: int) -> bool:
        """Return whether it is the first thing on its line."""
        return self._back(offset) == self.source.line_start(offset)

    def _inner(self, block: "Statement", base: str) -> str:
        """Return the indentation of what is in a block."""
        for child in block.children or ():
            if self._leads(child.start):
                return self.source.indentation(child.start)
        tabs = base.endswith("\t") or (not base and self.source.has_tabs)
        return base + ("\t" if tabs else UNIT)

    def _indented(self, text: str, indentation: str) -> str:
        """Lines with the indentation and the file's line end."""
        lines = text.removesuffix("\n").split("\n")
        end = self.source.line_end
        return "".join((indentation + line if line else "") + end for line in lines)
