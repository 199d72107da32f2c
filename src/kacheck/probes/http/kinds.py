"""Kinds of values that only http checks have: codes, conditions on JSON, header fields."""

from __future__ import annotations

from kacheck.kinds import InvalidValueError, ValueKind, text

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any

TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
"""The characters of a header field's name (RFC 9110, 5.6.2), in small letters."""
SECRET_FIELDS = ("authorization", "cookie", "proxy-authorization")
FRAMING_FIELDS = (
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
"""What the exchange decides itself."""
QUOTES = ('"', "'", "=")
"""What a value cannot begin with: quotes are the shell's or JSON's, and `==` is a slip."""
JSON_WORDS = ("true", "false", "null")


def codes(value: Any) -> str:
    """Read a list of HTTP codes and ranges of them, such as `200-299,404`."""
    words = str(value) if type(value) is int else text(value)
    try:
        ranges_of(words)
    except ValueError:
        raise InvalidValueError(
            "codes from 100 to 599, and ranges of them, such as 200-299,404"
        ) from None
    return words


def ranges_of(words: str) -> tuple[range, ...]:
    """Return the ranges of a list of codes.

    Raises:
        ValueError: it is not one.

    """
    return tuple(range_of(word) for word in words.split(","))


def range_of(word: str) -> range:
    """Return a code or a range of codes."""
    first, dash, last = (part.strip() for part in word.partition("-"))
    low, high = code(first), code(last if dash else first)
    if low > high:
        raise ValueError(word)
    return range(low, high + 1)


def code(word: str) -> int:
    """Return a code."""
    if not (word.isascii() and word.isdecimal() and len(word) == 3 and 100 <= int(word) <= 599):
        raise ValueError(word)
    return int(word)


def is_misspelt(word: str) -> bool:
    """Return whether a word is true, false or null as JSON does not spell them."""
    return word.lower() in ("true", "false", "null", "none") and word not in JSON_WORDS


class Condition:
    """A condition on a field of a JSON text."""

    def __init__(self, words: str) -> None:
        path, equals, self.value = words.partition("=")
        self.is_equal = not path.endswith("!")
        """Whether the field must have the value, or must not."""
        self.path = path.removesuffix("!")
        if not (self.path and equals) or self.value[:1] in QUOTES:
            raise ValueError(words)
        # What nothing can equal would make `!=` pass whatever the field is.
        if not self.is_equal and (self.value != self.value.strip() or is_misspelt(self.value)):
            raise ValueError(words)
        self.keys = self.keys_of(self.path)

    @staticmethod
    def keys_of(path: str) -> tuple[str, ...]:
        """Return the names on the way to the field: of a JSON Pointer (RFC 6901), or dotted."""
        if path.startswith("/"):
            parts = path[1:].split("/")
            return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)
        keys = tuple(path.split("."))
        if "" in keys:
            raise ValueError(path)
        return keys


def condition(value: Any) -> str:
    """Read a condition on a field of the body."""
    words = text(value)
    try:
        Condition(words)
    except ValueError:
        raise InvalidValueError(
            "PATH=VALUE or PATH!=VALUE, such as status.health=ok or /checks/0/status=passing, "
            "VALUE without quotes or blanks, and as JSON spells it: true, false, null"
        ) from None
    return words


def header(value: Any) -> str:
    """Read a header field."""
    words = text(value)
    name, colon, content = words.partition(":")
    word = name.lower()
    if word in SECRET_FIELDS:
        raise InvalidValueError(
            f"{name} in a file, with --auth-file (auth_file): everybody can read a command line"
        )
    if word in FRAMING_FIELDS:
        raise InvalidValueError(f"another header field: kacheck sets {name} itself")
    is_plain = content.isascii() and content.isprintable() and content.strip()
    if not (colon and word and TOKEN.issuperset(word) and is_plain):
        raise InvalidValueError("NAME: VALUE, such as Host: www.example.org, in ASCII")
    return words


CODES = ValueKind(codes, codes)
CONDITION = ValueKind(condition, condition)
HEADER = ValueKind(header, header)
CONTENT = ValueKind(text, text)
"""A text that the body must contain: not empty, since every body contains that."""
