"""The body of an answer: as JSON that can be read in one way, and as a quotation for people."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any, NoReturn

SHOWN = 60
"""Characters of a strange body that a message quotes."""


def read_json(body: bytes) -> Any:
    """Return the value of a JSON text; to import json takes 5 ms.

    Raises:
        ValueError, RecursionError: it is not JSON, or a key is repeated.

    """
    import json

    return json.loads(body, parse_constant=no_json, object_pairs_hook=unambiguous)


def no_json(constant: str) -> NoReturn:
    """Refuse NaN and its kin, which json reads and RFC 8259 does not have."""
    raise ValueError(constant)


def unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object whose keys are all different: two values for `sealed` would be a choice."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key is repeated")
    return fields


def quote_exactly(text: bytes) -> str:
    r"""Return the beginning of a text that differs from the expected one: a line feed is `\n`."""
    from kacheck.redact import redact

    shown = redact(text.replace(b"\\", rb"\\").decode(errors="backslashreplace"))
    shown = "".join(map(visible, shown[: SHOWN + 1]))
    return f'"{shown[:SHOWN]}..."' if len(shown) > SHOWN else f'"{shown}"'


def visible(character: str) -> str:
    r"""Return a character, or the escape of one that is not printable."""
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()


def quote(body: bytes, shown: int = SHOWN) -> str:
    """Return the beginning of a body, on one line."""
    from kacheck.redact import redact

    text = redact(" ".join(body[: 4 * shown].decode(errors="replace").split()))
    if not text.isprintable() or "\N{REPLACEMENT CHARACTER}" in text[:shown]:
        return f"{len(body)} bytes that are not text"
    return f'"{text[:shown]}..."' if len(text) > shown else f'"{text}"'
