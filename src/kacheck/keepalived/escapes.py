"""The words of a script or notify command: alloc_strvec_quoted_escaped() in lib/parser.c. Pure."""

import re
from functools import partial

from kacheck.keepalived.rules import Rules
from kacheck.keepalived.source import SPACE

ESCAPES = {"a": "\a", "b": "\b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
ESCAPED = re.compile(r"\\(?:x([0-9A-Fa-f]+)|c(.)|([0-7]{1,3})|(.))", re.DOTALL)
PLAIN = {
    "": re.compile(r"[^ \t\f\n\r\v'\"\\]+"),
    '"': re.compile(r'[^"\\]+'),
    "'": re.compile(r"[^'\\]+"),
}
"""What is taken as it is, by the quote it is in."""


def quoted_escaped(text: str, rules: Rules, *, unescape: bool = True) -> list[str] | None:
    r"""Return the words of a command as alloc_strvec_quoted_escaped() cuts them.

    Both kinds of quotes, inside words too, and the shell's escapes, which stay without `unescape`
    (alloc_strvec_quoted()). None where a quote or `\` is open. `\x` takes all the hex digits there
    are and keeps the last byte; two since 2.3.2.
    """
    words: list[str] = []
    position = 0
    hex_digits = 2 if rules.unescapes_once else None
    while (position := _skip_space(text, position)) < len(text):
        word, position = _escaped_word(text, position, hex_digits, unescape=unescape)
        if word is None:
            return None
        words.append(word)
    return words


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in SPACE:
        position += 1
    return position


def _escaped_word(
    text: str, position: int, hex_digits: int | None, *, unescape: bool
) -> tuple[str | None, int]:
    """One word and where it ends."""
    parts: list[str] = []
    quote = ""
    while position < len(text):
        if plain := PLAIN[quote].match(text, position):
            parts.append(plain[0])
            position = plain.end()
        elif text[position] == "\\":
            if not (escape := ESCAPED.match(text, position)):
                return None, position
            if unescape:
                part, position = _escape(escape, hex_digits)
            else:
                part, position = text[position : position + 2], position + 2
            parts.append(part)
        elif text[position] in SPACE and not quote:
            break
        else:
            quote = "" if quote else text[position]
            position += 1
    return (None if quote else "".join(parts).split("\0")[0]), position


def _escape(escape: re.Match[str], hex_digits: int | None) -> tuple[str, int]:
    """Return what an escape stands for, and its end."""
    byte = partial(bytes.decode, encoding="utf-8", errors="surrogateescape")
    if digits := escape[1]:
        digits = digits[:hex_digits]
        return byte(bytes([int(digits[-2:], 16)])), escape.start() + 2 + len(digits)
    if control := escape[2]:
        return chr(ord(control) & 0x1F), escape.end()
    if octal := escape[3]:
        return byte(bytes([int(octal, 8) & 0xFF])), escape.end()
    return ESCAPES.get(escape[4], escape[4]), escape.end()
