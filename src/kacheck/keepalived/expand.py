"""The configuration as keepalived's VRRP process reads it: read_line(), over all files.

The next line comes from the first of these that has one: what is left of a line behind a brace, a
~SEQ or ~LST, a definition of several lines, the files. Where keepalived would hang, crash or read
without end, this stops and reports it. Nothing here raises; includes are read elsewhere.
"""

from collections.abc import Iterator
from typing import Protocol

from kacheck.keepalived import definitions, lexer, pieces
from kacheck.keepalived.definitions import Sequence, Variable, VariableReference
from kacheck.keepalived.pending import PendingLines, Rest, Turns
from kacheck.keepalived.pieces import Kind, Piece
from kacheck.keepalived.rules import MAXBUF, Rules
from kacheck.keepalived.source import Line, Problem, ProblemKind, encode, note

MAX_EXPANDED = 1_000_000
"""The size that a configuration may have with all that it includes and repeats; so `$A=$A` ends.
Each line, statement and brace counts as 1; 64 characters of a line, or 8 of a line with a
replacement, count as 1 more. What the files do not contain counts as MADE times as much."""
MADE = 20
"""The weight of a line from ~SEQ, ~LST or a definition, and of a `$NAME` that is replaced."""
SEQ_ROOM = 64
"""add_seq(): what fits between the first comma of a ~SEQ and its `)`."""


class Files(Protocol):
    """Where lines come from."""

    def next(self) -> Line | None:
        """Return the next line; None behind the last one."""

    def include(self, line: Line) -> None:
        """Go on with the files that a line names, and then with the lines behind it."""

    def directory(self) -> str:
        """Return the current directory of a keepalived that is here."""


class Reader:
    """The state of read_line()."""

    def __init__(self, files: Files, config_id: str, rules: Rules) -> None:
        self.problems: list[Problem] = []
        self.unevaluated: list[Problem] = []
        self._files = files
        self._config_id = config_id
        self._rules = rules
        self._residue: Line | None = None
        self._unseen = MAXBUF
        """How many characters at the end of a line may have references that can be replaced."""
        self._defining: Variable | None = None
        self._pwd = Variable("")
        self._names = {
            "_PWD": self._pwd,
            "_INSTANCE": Variable(config_id),
            "_RANDOM": Variable(None),
        }
        if rules.reads_replaced:
            self._names |= {"_HASH": Variable("#"), "_BANG": Variable("!")}
        if rules.knows_environment:
            self._names["_ENV"] = Variable(None)
        self._pending = PendingLines(self._names)
        self._expanded = 0
        self._ended = False

    def pieces(self) -> Iterator[Piece]:
        """Yield the statements and braces of the configuration."""
        for piece in self._pieces():
            yield piece
            if not self._has_room(piece.line, 1):
                return

    def _pieces(self) -> Iterator[Piece]:
        while not self._ended:
            line, plain = self._residue, False
            self._residue = None
            if line is None:
                self._unseen = MAXBUF
                if (line := self._pending.next()) is None:
                    if (line := self._files.next()) is None:
                        break
                    plain = pieces.is_plain_include(line)
                weight = MADE if line.made else 1
                if not self._has_room(line, weight * (1 + len(line.text) // 64)):
                    break
            if self._defining is not None:
                self._go_on(line, plain=plain)
            elif pieces.is_plain(line.text):
                if line.text:
                    yield Piece(Kind.STATEMENT, line, line.at[-1])
            elif pieces.is_simple(line.text):
                yield from pieces.simple_pieces(line)
            else:
                yield from self._statement(line, plain=plain)

    def _statement(self, line: Line, *, plain: bool) -> Iterator[Piece]:
        """Yield what a line has, up to its first brace; what is behind that waits."""
        condition, rests = None, len(self._pending.rests)
        if line.text[0] in "@~$" or "$" in line.text:
            condition, line = self._evaluate(line)
        if lexer.is_include(line.text, self._rules):
            if plain:
                del self._pending.rests[rests:]  # the children have an empty line here
            elif self._rules.children_read_copy:
                message = (
                    "an include behind @id, a brace or from $NAME: keepalived's processes read the"
                    " file twice, and its comments as something else"
                )
                self._problem(line, message, ProblemKind.INCLUDE)
            self._files.include(line)
            return
        if condition is None and pieces.is_simple(line.text):
            yield from pieces.simple_pieces(line)
            return
        head, self._residue = pieces.brace_cut(line)
        if not head.text:
            return
        if head.text[:4] == "~SEQ" and not self._rules.sequence_is_line:
            self._add_sequence(head)
            return
        kind = pieces.BRACES.get(head.text, Kind.STATEMENT)
        pieces.check_quotes(head, self.problems)
        yield Piece(kind, head, head.at[-1], condition)

    def _has_room(self, line: Line, size: int) -> bool:
        """Add to the size of what was read; return whether the configuration may be that large.

        Where it may not, nothing more is read, and that is said however much there is to say.
        """
        self._expanded += size
        if self._expanded > MAX_EXPANDED and not self._ended:
            message = (
                f"with all includes, ~SEQ, ~LST and $NAME more than {MAX_EXPANDED} lines:"
                " nothing behind it is read"
            )
            self.unevaluated.append(Problem(line.position(), message, ProblemKind.UNEVALUATED))
            self._ended = True
        return not self._ended

    def _go_on(self, line: Line, *, plain: bool) -> None:
        """One more line of a definition."""
        definition = self._defining
        if definition is None:
            return
        if plain:
            message = "an include in a definition of several lines: it ends it, and is not read"
            self._problem(line, message, ProblemKind.INCLUDE)
        if not line.text or plain:
            definition.end()
            self._defining = None
        elif not definition.add(line.text):
            self._defining = None

    def _evaluate(self, line: Line) -> tuple[str | None, Line]:
        """Return the line with conditions, definitions and sequences seen to.

        Empty if that was all.
        """
        condition = None
        empty = line.cut(len(line.text))
        while not self._ended:
            if line.text[:1] == "@":
                applies, condition, line = pieces.conditional(line, self._config_id)
                if not applies:
                    return condition, empty
            if match := pieces.DEFINITION.match(line.text):
                self._define(match[1], line.text[match.end() :])
                return condition, empty
            if self._rules.sequence_is_line and pieces.is_sequence(line.text, self._rules):
                self._add_sequence(line)
                return condition, empty
            if line.text[:1] == "~" or "$" not in line.text:
                break
            line, goes_on = self._replace(line)
            if not goes_on:
                break
            if self._rules.reads_replaced:
                line = lexer.decomment(line)[0]
            if not self._is_evaluated_again(line):
                break
        return condition, line

    def _is_evaluated_again(self, line: Line) -> bool:
        """Return whether what definitions have brought into a line counts as more than words."""
        if not self._rules.evaluates_again:
            return False
        if line.text[:1] == "@" and not self._rules.keeps_length:
            message = "an @id that a definition brings: before 2.2.8 keepalived crashes on it"
            self._problem(line, message, ProblemKind.DEFINITION)
        return line.text[:1] == "@" or "$" in line.text

    def _define(self, name: str, value: str) -> None:
        definition = definitions.define(value)
        self._names[name] = definition
        self._defining = definition if definition.multiline else None

    def _replace(self, line: Line) -> tuple[Line, bool]:
        """replace_param(): the line with its references replaced, and whether any was.

        Where a value does not fit, keepalived leaves the line as far as it got.
        """
        original, position = line, max(0, len(line.text) - self._unseen)
        self._unseen = MAXBUF
        rest = None
        while reference := definitions.find_reference(
            line.text, position, self._names, self._rules
        ):
            value, behind = self._value(reference, line)
            if value is None:
                position = reference.end
                if reference.parameters is not None:  # its braces do not open a block
                    stand_in = f"({':'.join((reference.name, *reference.parameters))})"
                    line = definitions.splice(line, reference, stand_in)
                    position = reference.start + len(stand_in)
                continue
            if _size(line.text) - (reference.end - reference.start) + _size(value) >= MAXBUF:
                message = "longer than keepalived's 1023 bytes with its definitions"
                self._problem(line, message, ProblemKind.DEFINITION)
                self._unseen = len(line.text) - reference.start
                return line, False
            if not self._has_room(line, MADE + (len(line.text) + len(value)) // 8):
                return original, False
            rest = behind or rest
            line = definitions.splice(line, reference, value)
            position = reference.start
            if value.lstrip(lexer.BLANK)[:1] == "~":
                break
        if rest is not None:
            self._pending.rests.append(rest)
        if line is original:
            self._unseen = 0
        return line, line is not original

    def _value(self, reference: VariableReference, line: Line) -> tuple[str | None, Rest | None]:
        """Return what stands for a reference, and the lines behind that if there are several."""
        definition = reference.definition
        if definition is self._pwd:
            return self._files.directory(), None
        if definition.value is None:
            message = f"${reference.name} is a different number each time"
            if reference.name == "_ENV":
                message = "${_ENV NAME} is a variable of keepalived's environment"
                if not reference.parameters:
                    crash = "_ENV without the name of a variable crashes keepalived"
                    self._problem(line, crash, ProblemKind.DEFINITION)
            note(self.unevaluated, line, message, ProblemKind.UNEVALUATED, reference.start)
            return None, None
        if not definition.multiline:
            return definition.value, None
        first, _, _ = definition.value.partition("\n")
        start = min(len(first) + 1, len(definition.value))
        return first, Rest(definition.value, start, line, len(self._pending.sequences))

    def _add_sequence(self, line: Line) -> None:
        """~SEQ and ~LST."""
        is_list = line.text[1] == "L"
        sequence = definitions.list_of(line, self._rules) if is_list else self._seq(line)
        if sequence is None:
            message = f"keepalived rejects this {line.text[:4]}, or crashes"
            self._problem(line, message, ProblemKind.DEFINITION)
        else:
            self._pending.sequences.append(Turns(sequence))

    def _seq(self, line: Line) -> Sequence | None:
        match = definitions.SEQ.match(line.text)
        if match is None:
            return None
        if not self._rules.sequence_is_line:
            return None if match[1] else definitions.sequence(line, match[3])
        if _size(match[3]) + 2 > SEQ_ROOM:
            return None
        if match[2].startswith("{") and self._rules.sequence_name_is_checked:
            return None
        rests = len(self._pending.rests)
        self._unseen = MAXBUF
        numbers, _ = self._replace(line.cut(match.start(3), match.end(3)))
        if len(self._pending.rests) > rests:
            self._pending.rests.pop()
            return None
        return definitions.sequence(line, numbers.text)

    def _problem(self, line: Line, message: str, kind: ProblemKind) -> None:
        note(self.problems, line, message, kind)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(encode(text))
