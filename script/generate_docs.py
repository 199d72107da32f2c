"""What is made from the code: the manual's page of the doctor's codes, and the shells' completion.

Needs Python and nothing else. The same checkout gives the same bytes.
"""  # noqa: INP001

import os
import re
import sys
from collections.abc import Iterable, Sequence

from script import completion

from kacheck import __version__
from kacheck.doctor.catalogue import CODES
from kacheck.doctor.finding import Code
from kacheck.doctor.text import merged

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
ESCAPES = str.maketrans(
    {"\\": r"\e", "-": r"\-", "'": r"\(aq", "~": r"\(ti", "^": r"\(ha", '"': r"\(dq"}
)
"""What would not come out of roff as it went in, so that a command can be copied from the page."""


def main(argv: Sequence[str]) -> int:
    """Write all files to a directory."""
    if len(argv) != 1 or argv[0].startswith("-"):
        print("usage: script/generate-docs OUTDIR", file=sys.stderr)
        return 3
    directory = argv[0]
    os.makedirs(directory, exist_ok=True)
    commands = completion.commands()
    texts = {
        "kacheck-codes.7": codes_page(CODES.values(), date()),
        "kacheck.bash": completion.bash(commands),
        "_kacheck": completion.zsh(commands),
        "kacheck.fish": completion.fish(commands),
    }
    for name, text in texts.items():
        with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    return 0


def date() -> str:
    """The date of the pages that are written by hand."""
    with open(f"{ROOT}/man/kacheck.1", encoding="utf-8") as file:
        found = re.search(r"^\.TH KACHECK 1 (\S+) ", file.read(), re.MULTILINE)
    if found is None:
        raise ValueError("man/kacheck.1 has no .TH KACHECK 1 DATE")
    return found[1]


# --- kacheck-codes(7) -----------------------------------------------------------------------


def codes_page(codes: Iterable[Code], day: str) -> str:
    """The page, in man(7)."""
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
shows what stands here.
.PP
An error fails open, or can never work.
A warning will bite under some circumstances.
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
    """One code: its title, and its explanation in paragraphs."""
    title = f"{code.name} ({code.severity.word}): {code.title}"
    paragraphs = [
        line for paragraph in code.explanation.split("\n\n") for line in merged(paragraph)
    ]
    return f'.SS "{roff(title)}"\n' + ".PP\n".join(f"{marked(each)}\n" for each in paragraphs)


def marked(text: str) -> str:
    """A paragraph as roff, with what stands in backquotes in bold type."""
    parts = [roff(part) for part in text.split("`")]
    if len(parts) % 2 == 0:  # one that has no other
        return roff(text)
    bold = [rf"\fB{part}\fR" if index % 2 else part for index, part in enumerate(parts)]
    line = "".join(bold)
    return rf"\&{line}" if line.startswith(".") else line


def roff(text: str) -> str:
    """Plain text, for a line of its own that no full stop begins."""
    return text.translate(ESCAPES).replace("`", r"\(ga")
