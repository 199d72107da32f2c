"""On which line of a TOML text a key stands: tomllib gives the values, and no positions. Pure.

Only for a text that tomllib has read: what is valid can be scanned by its brackets, quotes and
commas alone. What the scan does not understand ends it, and the answer is a line above.
"""

import re
import tomllib
from contextlib import suppress
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys from the top of the file; a number is the place in an array."""

SPACE = re.compile(r"[ \t]*")
BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""("{0,2})'  # the last quotes may be the string's own
    r"|'''.*?'''('{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
SCALAR = re.compile(r"[^,\[\]{}#\n]+")
"""A number, date or boolean."""
NO_TOML = (IndexError, ValueError, RecursionError)
"""What a scan ends with: past the end, not as expected, brackets in brackets."""
MOST_PARTS = 16
"""Of a dotted key: tomllib takes the square of their number."""


class LongKeyError(ValueError):
    """A key has more than MOST_PARTS."""


def long_key(text: str) -> int | None:
    """Return the line of a key with more than MOST_PARTS, in any text.

    Only one with many dots is read.
    """
    if all(each.count(".") < MOST_PARTS for each in text.split("\n")):
        return None
    scan = Scan(text)
    try:
        scan.document()
    except LongKeyError:
        return scan.line(scan.position)
    except NO_TOML:
        pass  # tomllib reports invalid TOML
    return None


def line(text: str, path: Path) -> int:
    """Return the line, from 1, of a key, or of the nearest thing around it that is there."""
    scan = Scan(text)
    with suppress(*NO_TOML):
        scan.document()
    places = scan.places
    for length in range(len(path), 0, -1):
        if path[:length] in places:
            return scan.line(places[path[:length]])
    return 1


class Scan:
    """One pass over a text, noting where each key and each element of an array begins."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.stated: dict[Path, int] = {}
        self.implied: dict[Path, int] = {}
        """`[a.b]` and `a.b = 1` imply a table a, which may be stated elsewhere."""

    @property
    def places(self) -> dict[Path, int]:
        """The offset of each path; where it is stated rather than implied, and the first one."""
        return {**self.implied, **self.stated}

    def line(self, offset: int) -> int:
        """Return the line, from 1, of an offset."""
        return self.text.count("\n", 0, offset) + 1

    def document(self) -> None:
        """Headers and pairs to the end."""
        table: Path = ()
        while self.peek(BLANK):
            if self.peek() == "[":
                start = self.position
                brackets = self.take(re.compile(r"\[+"))
                table = self.key()
                self.take(re.compile(rf"\]{{{len(brackets)}}}"))
                self.note((), table, start)
            else:
                self.pair(table)

    def pair(self, table: Path) -> None:
        """`key = value`."""
        start = self.position
        key = self.key()
        self.take(re.compile("="))
        self.note(table, key, start)
        self.value(table + key)

    def key(self) -> Path:
        """Return a key, dotted or not: `a."b c".d`.

        Raises:
            LongKeyError: it has too many parts.

        """
        parts: list[str] = []
        while True:
            self.take(SPACE)
            quoted = self.peek() in ("'", '"')
            part = self.take(STRING if quoted else BARE)
            parts.append(tomllib.loads(f"key = {part}")["key"] if quoted else part)
            self.take(SPACE)
            if self.peek() != ".":
                return tuple(parts)
            if len(parts) == MOST_PARTS:
                raise LongKeyError
            self.position += 1

    def value(self, path: Path) -> None:
        """Whatever stands behind a `=` or in an array."""
        self.take(SPACE)
        first = self.peek()
        if first in ("'", '"'):
            self.take(STRING)
        elif first not in ("[", "{"):
            self.take(SCALAR)
        else:
            self.position += 1
            self.items(path, "]" if first == "[" else "}")

    def items(self, path: Path, end: str) -> None:
        """Read the elements of an array or the pairs of an inline table, with its end."""
        index = 0
        while self.peek(BLANK) != end:
            if self.peek() == ",":
                self.position += 1
            elif end == "]":
                self.note(path, (index,), self.position)
                self.value((*path, index))
                index += 1
            else:
                self.pair(path)
        self.position += 1

    def note(self, table: Path, key: Path, start: int) -> None:
        """Remember where a key is stated, and the tables that it implies."""
        self.stated.setdefault(table + key, start)
        for length in range(1, len(key)):
            self.implied.setdefault(table + key[:length], start)

    def peek(self, skipped: re.Pattern[str] | None = None) -> str:
        """Return the next character, `""` at the end; behind what is to be skipped."""
        if skipped is not None:
            self.take(skipped)
        return self.text[self.position : self.position + 1]

    def take(self, pattern: re.Pattern[str]) -> str:
        """Return what must come next.

        Raises:
            ValueError: something else does.

        """
        match = pattern.match(self.text, self.position)
        if match is None:
            raise ValueError(f"offset {self.position}: not {pattern.pattern}")
        self.position = match.end()
        return match[0]
