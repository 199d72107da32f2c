r"""`$NAME`, `~SEQ` and `~LST`: how keepalived expands a line before it reads it. Pure.

keepalived replaces `$NAME` where a blank, `,`, `)` or the line's end follows, and `${NAME}`
anywhere; `$IP/24` stays unchanged. It searches the replacement for references again, so that a
definition may use later ones. A definition of several lines counts only at the end of a line; its
other lines follow.
"""

import re
from typing import NamedTuple

from kacheck.keepalived import lexer
from kacheck.keepalived.rules import Rules
from kacheck.keepalived.source import Line


class Variable:
    r"""A name's value; `\n` parts the lines of one that has several."""

    __slots__ = ("_known", "_parts", "multiline")

    def __init__(self, value: str | None, *, multiline: bool = False) -> None:
        self._parts = [value or ""]
        self._known = value is not None
        self.multiline = multiline

    @property
    def value(self) -> str | None:
        """What stands for it; None where that is not known before keepalived runs."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._known else None

    def add(self, text: str) -> bool:
        r"""Take one more line, as read_line() does; return whether another one follows."""
        goes_on = text.endswith("\\")
        if goes_on:
            text = text[:-1].rstrip(lexer.BLANK) + "\n"
        elif not self.value:
            self.multiline = False
        if len(text) >= 2 or (text and not goes_on):
            self._parts.append(text)
        return goes_on

    def end(self) -> None:
        """End the definition, as an empty line does."""
        if not self.value:
            self.multiline = False


def define(value: str) -> Variable:
    r"""check_definition(): the definition that a line begins; it goes on if `multiline`."""
    if not value.endswith("\\"):
        return Variable(value)
    first = value[:-1].rstrip(lexer.BLANK)
    return Variable(first + "\n" if first else "", multiline=True)


class VariableReference(NamedTuple):
    """A `$NAME` in a line that has a definition."""

    start: int
    end: int
    name: str
    definition: Variable
    parameters: list[str] | None
    """The words behind the name in braces; None: no braces."""


PARAMETERS = {"_RANDOM": range(3), "_ENV": range(1, 2)}
"""How many parameters a name may have, where it may have any."""


def find_reference(
    text: str, start: int, names: dict[str, Variable], rules: Rules
) -> VariableReference | None:
    """Return the first that is defined, from `start` on: find_definition()."""
    for match in rules.reference.finditer(text, start):
        name = match[1] or match[3]
        definition = names.get(name)
        if definition is None:
            continue
        behind = match[2] or ""
        parameters = behind.split()
        # Without a parameter the blanks are not counted, so that what ends the reference stays.
        end = match.end() - (0 if parameters else len(behind))
        if definition.multiline and (end != len(text)):
            continue
        if parameters and (behind[-1] in lexer.BLANK or not _are_accepted(name, parameters, rules)):
            continue
        return VariableReference(
            match.start(), end, name, definition, parameters if match[1] else None
        )
    return None


def _are_accepted(name: str, parameters: list[str], rules: Rules) -> bool:
    """Return whether a name may have these parameters; before 2.4.0 too many are reported only."""
    if name not in PARAMETERS:
        return False
    if not rules.knows_environment:
        return True
    are_numbers = all(each.isdecimal() for each in parameters)
    return len(parameters) in PARAMETERS[name] and (are_numbers or name == "_ENV")


def splice(line: Line, reference: VariableReference, value: str) -> Line:
    """Return the line with a reference replaced; the value has the reference's position."""
    start, end = reference.start, reference.end
    here = [line.at[start]] * len(value)
    text = line.text[:start] + value + line.text[end:]
    return Line(text, [*line.at[:start], *here, *line.at[end:]], line.source, made=True)


class Sequence(NamedTuple):
    """A ~SEQ or ~LST: what the names are set to in turn, and the text that is read each time."""

    names: list[str]
    values: "range | list[list[str]]"
    hexadecimal: bool
    text: Line

    def at(self, index: int) -> list[str]:
        """Return the values of one turn."""
        value = self.values[index]
        if isinstance(value, list):
            return value
        return [f"{value:x}" if self.hexadecimal else str(value)]


SEQ = re.compile(r"~SEQ(x?)[ \t]*\([ \t]*([^ \t,)]+)[ \t]*,?[ \t]*([^)]*)\)[ \t]*")
NUMBER = re.compile(r"\s*([+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+))?[ \t]*")
LONG = 1 << 63


def sequence(line: Line, numbers: str) -> Sequence | None:
    """add_seq(): `~SEQ(NAME, [START, [STEP,]] END) TEXT`; None if keepalived rejects it.

    `numbers` are those of the line, with what they refer to.
    """
    match = SEQ.match(line.text)
    if match is None or line.text[match.end(2) :].lstrip(lexer.BLANK)[:1] != ",":
        return None
    values = _range([_number(part) for part in numbers.split(",")])
    hexadecimal = bool(match[1])
    if values is None or (hexadecimal and (values[0] < 0 or values[-1] < 0)):
        return None
    return Sequence([match[2]], values, hexadecimal, line.cut(match.end()))


def _number(text: str) -> int | None:
    """Read a number as strtol(3) does with base 0; anything else is 0."""
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    digits = (match[1] or "0").lower()
    octal = digits.lstrip("+-").startswith("0") and "x" not in digits
    if octal and ("8" in digits or "9" in digits):
        return None
    return max(-LONG, min(LONG - 1, int(digits, 8 if octal else 0)))


def _range(numbers: list[int | None]) -> range | None:
    """Return the values: down as well as up, the end included."""
    known = [number for number in numbers if number is not None]
    if len(known) != len(numbers) or len(known) > 3:
        return None
    end = known[-1]
    start = known[0] if len(known) > 1 else (-1 if end < 0 else 1)
    step = 1 if start <= end else -1
    if len(known) == 1:
        step = -1 if end < 1 else 1
    if len(known) == 3:
        step = known[1]
        if not step or (start < end and step < 0) or (start > end and step > 0):
            return None
    values = range(start, end + (1 if step > 0 else -1), step)
    return values or range(start, start + 1)


LST = re.compile(r"~LST[ \t]*\([ \t]*")
ITEM = re.compile(r"([^ \t,})]*)[ \t]*")
COMMA = re.compile(r",[ \t]*")


def list_of(line: Line, rules: Rules) -> Sequence | None:
    """add_lst(): `~LST(NAME, a, b) TEXT` or `~LST({A, B}, {a, b}, {c, d}) TEXT`."""
    match = LST.match(line.text)
    names, position = _set(line.text, match.end()) if match else (None, 0)
    if not names:
        return None
    rows: list[list[str]] = []
    while comma := COMMA.match(line.text, position):
        row, position = _set(line.text, comma.end())
        if row is None or len(row) > len(names):
            return None
        if len(row) < len(names) and not rules.list_fills_up:
            return None
        rows.append(row + [""] * (len(names) - len(row)))
    if not rows or line.text[position : position + 1] != ")":
        return None
    return Sequence(names, rows, hexadecimal=False, text=lexer.strip(line.cut(position + 1)))


def _set(text: str, position: int) -> tuple[list[str] | None, int]:
    """One value, or several in braces, and where it ends."""
    if text[position : position + 1] != "{":
        match = ITEM.match(text, position)
        return ([match[1]], match.end()) if match else (None, position)
    position += 1 + len(text[position + 1 :]) - len(text[position + 1 :].lstrip(lexer.BLANK))
    values: list[str] = []
    while match := ITEM.match(text, position):
        values.append(match[1])
        position = match.end()
        if text[position : position + 1] == "}":
            blank = len(text[position + 1 :]) - len(text[position + 1 :].lstrip(lexer.BLANK))
            return values, position + 1 + blank
        if not (comma := COMMA.match(text, position)):
            break
        position = comma.end()
    return None, position
