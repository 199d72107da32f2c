"""The reference in man(7), for man/ and the page of the doctor's codes."""  # noqa: INP001

import re
from collections.abc import Iterable

from script.reference import ReasonRow, Row, Section

from kacheck import __version__
from kacheck.doctor.finding import Code
from kacheck.doctor.text import merged

ESCAPES = str.maketrans(
    {"\\": r"\e", "-": r"\-", "'": r"\(aq", "~": r"\(ti", "^": r"\(ha", '"': r"\(dq"}
)
"""What would not come out of roff as it went in, so that a command can be copied from the page."""


def synopsis(usages: Iterable[str]) -> str:
    """Return the lines of SYNOPSIS."""
    return "".join(f"{line(usage)}\n" for usage in usages)


def line(usage: str) -> str:
    """Return a usage: options and words bold, what is to be replaced in italics."""

    def word(found: re.Match[str]) -> str:
        font = "I" if found[0].isupper() else "B"
        return rf"\f{font}{roff(found[0])}\fR"

    return re.sub(r"--[a-z-]+|[A-Z_]+|[a-z]+(?: [a-z]+)*", word, usage)


def commands(sections: Iterable[Section]) -> str:
    """Return the options of each command."""
    return "".join(map(section_text, sections))


def keys(sections: Iterable[Section]) -> str:
    """Return the keys of a configuration."""
    return "".join(map(section_text, sections))


def section_text(section: Section) -> str:
    """Return a heading, paragraphs, and an entry for each row."""
    paragraphs = ".PP\n".join(f"{marked(text)}\n" for text in section.paragraphs)
    entries = "".join(f".TP\n{tag(row)}\n{marked(row.text)}\n" for row in section.rows)
    return f'.SS "{roff(section.title)}"\n{paragraphs}{entries}'


def tag(row: Row) -> str:
    """Return an option or key with its value."""
    names = ", ".join(rf"\fB{roff(name)}\fR" for name in row.names)
    if row.has_words:
        value = "|".join(rf"\fB{roff(word)}\fR" for word in row.value.split("|") if word)
    else:
        value = rf"\fI{roff(row.value)}\fR" if row.value else ""
    return f"{names} {value}".strip()


def reasons(rows: Iterable[ReasonRow]) -> str:
    """Return an entry for each reason."""
    return "".join(
        f".TP\n.B {roff(row.word)}\n{marked(f'{row.statuses}: {row.meaning}')}\n" for row in rows
    )


# --- kacheck-codes(7) -----------------------------------------------------------------------


def codes_page(codes: Iterable[Code], day: str) -> str:
    """Return the whole page."""
    head = rf""".\" Made by script/generate-docs from src/kacheck/doctor.
.TH KACHECK\-CODES 7 {day} "kacheck {__version__}" "kacheck manual"
.nh
.ad l
.SH NAME
kacheck\-codes \- what kacheck doctor finds
.SH DESCRIPTION
Each finding of
.B kacheck doctor
has a code, which is never used for another one.
.B kacheck doctor \-\-explain
.I CODE
shows the same text.
.PP
An error fails open, or can never work.
A warning causes trouble under some circumstances.
A note is worth knowing.
.SH CODES
"""
    foot = r""".SH SEE ALSO
.BR kacheck (1),
.BR kacheck.toml (5),
.BR kacheck\-process (8),
.BR keepalived.conf (5)
"""
    return head + "".join(map(code_section, codes)) + foot


def code_section(code: Code) -> str:
    """Return the title of a code, and its explanation in paragraphs."""
    title = f"{code.name} ({code.severity.word}): {code.title}"
    paragraphs = [
        line for paragraph in code.explanation.split("\n\n") for line in merged(paragraph)
    ]
    return f'.SS "{roff(title)}"\n' + ".PP\n".join(f"{marked(each)}\n" for each in paragraphs)


def marked(text: str) -> str:
    """Return a paragraph, with what is in backquotes in bold type."""
    parts = [roff(part) for part in text.split("`")]
    if len(parts) % 2 == 0:  # one that has no other
        return roff(text)
    bold = [rf"\fB{part}\fR" if index % 2 else part for index, part in enumerate(parts)]
    line = "".join(bold)
    return rf"\&{line}" if line.startswith(".") else line


def roff(text: str) -> str:
    """Return plain text, for a line that no full stop begins."""
    return text.translate(ESCAPES).replace("`", r"\(ga")
