"""What is made from the code: the reference in docs/ and man/, a page of codes, and completion.

Pages that are checked in have their prose by hand. What is between the comments `begin NAME` and
`end NAME` is made here. Needs Python and nothing else. The same checkout gives the same bytes.
"""  # noqa: INP001

import os
import re
import sys
from collections.abc import Mapping, Sequence

from script import completion, markdown, reference, roff

from kacheck.commands import command
from kacheck.doctor.catalogue import CODES

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
PAGES = (
    *("docs/codes.md", "docs/commands.md", "docs/configuration.md", "docs/reasons.md"),
    *("man/kacheck.1", "man/kacheck.toml.5"),
)
"""The pages that have generated parts."""


def main(argv: Sequence[str]) -> int:
    """Bring the pages of the checkout up to date, or write what a package needs to a directory."""
    if len(argv) > 1 or any(word.startswith("-") for word in argv):
        print("usage: script/generate-docs [OUTDIR]", file=sys.stderr)
        return 3
    if argv:
        os.makedirs(argv[0], exist_ok=True)
        write(argv[0], for_package())
    else:
        write(ROOT, pages())
    return 0


def write(directory: str, texts: Mapping[str, str]) -> None:
    """Write files, by their names."""
    for name, text in texts.items():
        with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def for_package() -> dict[str, str]:
    """Return what is not checked in: the page of codes, and the shells' completion."""
    commands = completion.commands()
    return {
        "kacheck-codes.7": roff.codes_page(CODES.values(), date()),
        "kacheck.bash": completion.bash(commands),
        "_kacheck": completion.zsh(commands),
        "kacheck.fish": completion.fish(commands),
    }


def pages() -> dict[str, str]:
    """Return the pages of the checkout as they ought to be."""
    commands, keys = [*reference.command_sections()], [*reference.key_sections()]
    names = reference.command_names()
    usages = [f"kacheck {name} [OPTION...]{command(name).usage}" for name in names]
    reasons = reference.reason_rows()
    in_docs = {
        "codes": markdown.codes(CODES.values()),
        "commands": markdown.commands(commands),
        "keys": markdown.keys(keys),
        "reasons": markdown.reasons(reasons),
    }
    in_man = {
        "commands": roff.commands(commands),
        "keys": roff.keys(keys),
        "reasons": roff.reasons(reasons),
        "synopsis": roff.synopsis(usages),
    }
    return {page: filled(page, in_docs if page.endswith(".md") else in_man) for page in PAGES}


def filled(page: str, parts: Mapping[str, str]) -> str:
    """Return a page with its generated parts."""
    with open(f"{ROOT}/{page}", encoding="utf-8") as file:
        text = file.read()
    gap = "\n" if page.endswith(".md") else ""  # a table of Markdown begins after an empty line
    return re.sub(
        r"^(.* begin (\w+)\b.*\n)(?s:.*?)^(.* end \2\b)",
        lambda found: f"{found[1]}{gap}{parts[found[2]]}{gap}{found[3]}",
        text,
        flags=re.MULTILINE,
    )


def date() -> str:
    """Return the date of the pages that are written by hand."""
    with open(f"{ROOT}/man/kacheck.1", encoding="utf-8") as file:
        found = re.search(r"^\.TH KACHECK 1 (\S+) ", file.read(), re.MULTILINE)
    if found is None:
        raise ValueError("man/kacheck.1 has no .TH KACHECK 1 DATE")
    return found[1]
