r"""Lines, comments, quotes, braces and words, as keepalived's lib/parser.c has them. Pure.

keepalived reads lines, not tokens, and its four passes over a line do not agree about quotes:

- fgets() in read_line() takes at most 1023 bytes; what is longer continues as another line, so the
  rest of a long comment is not a comment. A NUL hides the rest of its line. Since 2.4.0 such a line
  is ignored: all of a line with a NUL, or all but what remains after the last 1023 bytes.
- decomment(): `#` and `!` begin a comment anywhere outside of double quotes, also inside a word;
  a `\` hides the next character from it. A `\` at the very end stays, before 2.4.0 even behind a
  comment. Since 2.2.0 the parent does this once and hands the result to its children, VRRP among
  them, which do it again: to them `\#` is the comment that the backslash was meant to prevent.
- read_line(): each brace outside of double quotes is a separate line; `\"` is a quote here. Only
  braces cut: `{ script "x" interval 2 }` is `{`, one statement of four words, and `}`.
- alloc_strvec(): a word in double quotes ends at the next one, whatever is before it; a quote ends
  an unquoted word, so that `a"b c"d` is three. Single quotes are letters.

A script or notify command is cut again, by alloc_strvec_quoted_escaped(): escapes.py.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator

from kacheck.keepalived.rules import MAXBUF, Rules
from kacheck.keepalived.source import Line, Problem, ProblemKind, Source, Word, note

BLANK = " \t"

SPECIAL = re.compile(r"[!#\\]")
CODE = re.compile(r'(?:[^"\\#!]+|\\.|"(?:[^"\\]|\\.)*")*', re.DOTALL)
"""What stands before a comment, or before a quote or a backslash that nothing follows."""
CODE_ESCAPE = re.compile(r'\\(?P<drops>[#!])|\\.|"(?:[^"\\]|\\.)*"', re.DOTALL)
BRACE_OR_QUOTE = re.compile(r'[{}"]')
WORD = re.compile(r'"([^"]*)"|([^ \t\f\n\r\v"]+)|(")')


def lines(source: Source, problems: list[Problem]) -> Iterator[Line]:
    """Yield the lines as read_line() takes them, without their ends; empty ones too."""
    text = source.text
    start = 0
    while start < len(text):
        newline = text.find("\n", start)
        end = len(text) if newline < 0 else newline
        # Four bytes is the longest that a character can be.
        if end - start >= MAXBUF // 4 and (
            (size := len(text[start:end].encode("utf-8", "replace"))) >= MAXBUF - 1
        ):
            if size > source.rules.longest_line:
                note(problems, _line(source, start, start), _too_long(source), ProblemKind.LINE)
            yield from _chunks(source, start, end, is_last=newline < 0)
        elif (nul := text.find("\0", start, end)) >= 0:
            yield _with_nul(source, start, nul, problems, is_last=newline < 0)
        else:
            yield _line(source, start, end)
        start = end + 1


def _too_long(source: Source) -> str:
    message = f"longer than {source.rules.longest_line} bytes: keepalived "
    if source.rules.ignores_odd_lines:
        message += f"{source.rules.version} ignores what fills its buffer and "
    return message + "reads the rest as another line"


def _chunks(source: Source, start: int, end: int, *, is_last: bool) -> Iterator[Line]:
    """Yield a line that fills the buffer in parts; no character is cut, although fgets() does."""
    ignored = source.rules.ignores_odd_lines
    room = MAXBUF - 1
    for offset in range(start, end):
        size = len(source.text[offset].encode("utf-8", "surrogatepass")) if (
            source.text[offset] > "\x7f" and not "\udc80" <= source.text[offset] <= "\udcff"
        ) else 1  # fmt: skip
        if size > room:
            yield _part(source, start, start if ignored else offset)
            start, room = offset, MAXBUF - 1
        room -= size
    if room:
        has_nul = ignored and not is_last and "\0" in source.text[start:end]
        yield _part(source, start, start if has_nul else end)
    else:
        yield _part(source, start, start if ignored else end)
        if not is_last:
            yield _line(source, end, end)  # its line end alone


def _part(source: Source, start: int, end: int) -> Line:
    """Return a part of a long line, up to its first NUL."""
    nul = source.text.find("\0", start, end)
    return _line(source, start, end if nul < 0 else nul)


def _with_nul(
    source: Source, start: int, nul: int, problems: list[Problem], *, is_last: bool
) -> Line:
    """Return what remains of a line that has a NUL."""
    message = "a NUL: keepalived ignores the rest of the line"
    if source.rules.ignores_odd_lines and not is_last:
        message = f"a NUL: keepalived {source.rules.version} ignores the line"
    line = _line(source, start, nul)
    note(problems, line, message, ProblemKind.LINE, len(line.text))
    return line.cut(0, 0) if source.rules.ignores_odd_lines and not is_last else line


def _line(source: Source, start: int, end: int) -> Line:
    while end > start and source.text[end - 1] == "\r":
        end -= 1
    return Line(source.text[start:end], range(start, end + 1), source)


def is_bare(text: str) -> bool:
    """Return whether decomment() leaves a line unchanged."""
    return not SPECIAL.search(text) and text.count('"') % 2 == 0


def decomment(line: Line) -> tuple[Line, int | None]:
    """Return what one pass of decomment leaves, and the index of a quote that nothing closes."""
    text = line.text
    if is_bare(text):
        return strip(line), None
    quote, comment, dropped, continued = _scan(text)
    continued = continued and (comment is None or line.source.rules.comment_goes_on)
    kept = line.cut(0, len(text) - continued if comment is None else comment)
    if dropped:
        kept = _without(kept, dropped)
    kept = strip(kept)
    if continued:
        kept = _with_backslash(line, kept)
    return kept, quote


def _scan(text: str) -> tuple[int | None, int | None, list[int], bool]:
    """Return the open quote, the comment's start, the backslashes to drop, if one ends it."""
    code = CODE.match(text)
    end = code.end() if code else 0
    stop = text[end : end + 1]
    quote = end if stop == '"' else None
    comment = end if stop in ("#", "!") else None
    if "\\" not in text:
        return quote, comment, [], False
    dropped = [found.start() for found in CODE_ESCAPE.finditer(text, 0, end) if found["drops"]]
    continued = (len(text) - len(text.rstrip("\\"))) % 2 == 1
    return quote, comment, dropped, continued


def _without(line: Line, dropped: list[int]) -> Line:
    """Return the line without the backslashes before `#` and `!`."""
    text, at = list(line.text), list(line.at)
    for index in reversed(dropped):
        del text[index], at[index]
    return Line("".join(text), at, line.source, line.made)


def _with_backslash(line: Line, kept: Line) -> Line:
    """Return the backslash at the end of the line, moved up to the text."""
    offset = line.at[len(line.text) - 1]
    at = [*kept.at[: len(kept.text)], offset, line.at[len(line.text)]]
    return Line(kept.text + "\\", at, line.source, line.made)


def has_comment_end(line: Line) -> bool:
    r"""Return whether the last character of a line is a `\` with a comment before it."""
    text, at = line.text, line.at
    if len(text) < 2 or text[-1] != "\\":
        return False
    return line.source.text[at[len(text) - 2] + 1 : at[len(text) - 1]].strip(BLANK) != ""


def strip(line: Line) -> Line:
    """Return the line without blanks at its ends."""
    text = line.text
    if not text or (text[0] not in BLANK and text[-1] not in BLANK):
        return line
    start = len(text) - len(text.lstrip(BLANK))
    return line.cut(start, len(text.rstrip(BLANK)))


def is_include(text: str, rules: Rules) -> bool:
    """Return whether a line is an include to a release."""
    return text[:7] == "include" and include_of(text, rules) is not None


def include_of(text: str, rules: Rules) -> tuple[str, str] | None:
    """Return the keyword and the pattern of an include, whose quotes count as letters since 2.1.4.

    None where the line is not an include.
    """
    match = rules.include.match(text)
    if match is None:
        return None
    if not rules.include_is_words:
        return match[0], text[match.end() + 1 :].lstrip(BLANK)
    words = [each[1] if each[2] is None else each[2] for each in WORD.finditer(text) if not each[3]]
    return (words[0], words[1]) if len(words) == 2 else None


def next_brace(text: str) -> int:
    """Return the index of the first brace outside double quotes, as read_line() finds it, or -1."""
    if text[:1] in ("{", "}"):
        return 0
    position = 0
    while match := BRACE_OR_QUOTE.search(text, position):
        if match[0] != '"':
            return match.start()
        close = text.find('"', match.end())
        if close < 0:
            break
        position = close + 1
    return -1


def words(line: Line) -> list[Word]:
    """alloc_strvec(): the words; they end where a quote is open."""
    words: list[Word] = []
    source, at = line.source, line.at
    for match in WORD.finditer(line.text):
        if match[3]:
            break
        quoted = match[2] is None
        first = match.start(1) - 1 if quoted else match.start(2)
        start, last = at[first], at[match.end() - 1]
        # What stands for a reference has its place, which ends where the next character stands.
        end = at[bisect_right(at, last)] if line.made else last + 1
        value = match[1] if quoted else match[2]
        words.append(Word(value, source.text[start:end], source.position(start), start, end))
    return words


def first_word(text: str) -> str:
    """Return the value of the first of the words, or nothing."""
    match = WORD.search(text)
    return (match[1] or match[2] or "") if match else ""


def quote(value: str) -> str:
    """Return a value as it has to be written to be read as one word.

    Raises:
        ValueError: keepalived has no way to write it: it has a double quote or a line end.

    """
    if '"' in value or "\n" in value or "\0" in value:
        raise ValueError(f"keepalived cannot read {value!r} as one word")
    plain = value and not re.search(r"[\s!#{}\\$@~]", value)
    return value if plain else f'"{value}"'
