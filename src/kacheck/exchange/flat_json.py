"""JSON objects as health endpoints write them: no nesting, no escapes, whole numbers.

To import json takes longer than such an object's way from the server and back.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    Scalar = bool | int | str | None

LITERALS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
LONGEST_NUMBER = 15
"""Digits; more are left to json."""


def flat_object(body: bytes) -> dict[str, Scalar] | None:
    """Return the object that json would read; None where json has to read it."""
    text = body.decode("latin-1").strip(" \t\r\n")
    if not (text.isascii() and text.isprintable() and text[:1] + text[-1:] == "{}"):
        return None
    # Without escapes, every second piece between quotes is a string.
    pieces = text[1:-1].split('"')
    if "\\" in text or len(pieces) % 2 == 0:
        return None
    between = [piece.strip(" ") for piece in pieces[::2]]
    strings = pieces[1::2]
    fields: dict[str, Scalar] = {}
    place, end = 0, between[0]
    while place < len(strings):
        key, colon = strings[place], between[place + 1]
        if end != ("," if fields else "") or colon[:1] != ":" or key in fields:
            return None
        word = colon[1:].strip(" ")
        if word:
            literal, comma, rest = word.partition(",")
            end = comma + rest
            value = scalar(literal.rstrip(" "))
            if value == "":
                return None
            place += 1
        elif place + 1 < len(strings):
            value, end = strings[place + 1], between[place + 2]
            place += 2
        else:
            return None
        fields[key] = value
    return fields if fields and not end else None


def scalar(word: str) -> Scalar:
    """Return the value of a word without quotes; an empty string if it is json's to read."""
    if word in LITERALS:
        return LITERALS[word]
    digits = word.removeprefix("-")
    is_whole = digits.isdigit() and len(digits) <= LONGEST_NUMBER
    return int(word) if is_whole and (digits == "0" or digits[0] != "0") else ""
