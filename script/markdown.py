"""The reference in Markdown, for docs/.

A paragraph is one line: a word such as `#` or `-` has a meaning at the beginning of a line.
"""  # noqa: INP001

import re
from collections.abc import Callable, Iterable

from script.reference import ReasonRow, Row, Section

from kacheck.doctor.finding import Code
from kacheck.doctor.text import merged


def commands(sections: Iterable[Section]) -> str:
    """Return the options of each command."""
    return "\n".join(section_text(each, option_name) for each in sections)


def keys(sections: Iterable[Section]) -> str:
    """Return the keys of a configuration."""
    return "\n".join(section_text(each, key_name) for each in sections)


def reasons(rows: Iterable[ReasonRow]) -> str:
    """Return a table of the reasons."""
    return table(
        ("reason", "status", "checks", "meaning"),
        ((f"`{row.word}`", row.statuses, row.owners, escaped(row.meaning)) for row in rows),
    )


def codes(known: Iterable[Code]) -> str:
    """Return a table of the doctor's codes, then the explanation of each."""
    rows = [
        (f"[{code.name}](#{code.name.lower()})", code.severity.word, escaped(code.title))
        for code in known
    ]
    return table(("code", "severity", "what"), rows) + "".join(map(code_text, known))


def code_text(code: Code) -> str:
    """Return the explanation of a code."""
    parts = [f"**{code.severity.word}: {escaped(code.title)}**"]
    for paragraph in code.explanation.split("\n\n"):
        parts += map(escaped, merged(paragraph))
    return f"\n### {code.name}\n\n" + "\n\n".join(parts) + "\n"


def section_text(section: Section, name_of: Callable[[Row], str]) -> str:
    """Return a heading, paragraphs, and a table of the rows."""
    title = section.title
    parts = [f"## {f'`{title}`' if title.startswith('kacheck ') else title}\n"]
    parts += [f"{escaped(text)}\n" for text in section.paragraphs]
    if section.rows:
        rows = ((name_of(row), escaped(row.text)) for row in section.rows)
        parts.append(table(("option" if name_of is option_name else "key", "meaning"), rows))
    return "\n".join(parts)


def option_name(row: Row) -> str:
    """Return an option with its value, or a word of the command line."""
    *most, last = row.names or ("",)
    value = f"{last} {row.value}".strip()
    return ", ".join(f"`{name}`" for name in (*most, value))


def key_name(row: Row) -> str:
    """Return a key and what its value is."""
    (name,) = row.names
    return f"`{name}`: `{row.value}`" if row.has_words else f"`{name}`: {row.value}"


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table; a `|` in a cell does not end it."""
    lines = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in rows]
    border = "|".join("---" for _ in heads)
    return "".join([f"| {' | '.join(heads)} |\n|{border}|\n", *(f"| {line} |\n" for line in lines)])


def escaped(text: str) -> str:
    """Return plain text with its Markdown escaped, except between backquotes."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one that has no other
        return re.sub(r"([`*<$~\\]|\b_|_\b)", r"\\\1", text)
    plain = [
        part if index % 2 else re.sub(r"([*<$~\\]|(?<!\w)_|_(?!\w))", r"\\\1", part)
        for index, part in enumerate(parts)
    ]
    return "`".join(plain)
