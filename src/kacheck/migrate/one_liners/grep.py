"""`| grep WORD`: a fixed text that an answer has to contain. Pure."""

import re

from kacheck.migrate.one_liners.options import Grammar, read, spellings
from kacheck.migrate.one_liners.shell_words import Simple, refuse_files
from kacheck.migrate.tracked import LeftError

GRAMMAR = Grammar(
    valued=spellings("e regexp, m max-count"),
    flags=spellings(
        "q quiet silent quiet, s no-messages, c count, a text, F fixed-strings, E extended-regexp,"
        " G basic-regexp, P perl-regexp, i ignore-case, v invert-match, w word-regexp,"
        " x line-regexp, o only-matching, n line-number"
    ),
)
REFUSED = {
    "ignore-case": "grep -i ignores the case, and --contains does not; look for the word as it is"
    " answered, without -i",
    "invert-match": "grep -v looks for another line, and finds none in an empty answer as well;"
    " look for a word that a good answer has",
    "word-regexp": "grep -w looks for a whole word, and --contains for any part; leave out -w",
    "line-regexp": "grep -x looks for a whole line, and --contains for any part; leave out -x",
}
SPECIAL = re.compile(r"[][\\.*^$+?{}()|\n]")
"""What a regular expression may take for something else."""


def fixed_text(command: Simple, *, any_case: bool = False) -> str | None:
    """Return the text that a grep looks for; None where the command is another one.

    `any_case` allows grep -i.

    Raises:
        LeftError: it is a regular expression, or an option changes its meaning.

    """
    if command.name not in ("grep", "fgrep", "egrep"):
        return None
    refuse_files(command)
    given = read(command.words[1:], GRAMMAR)
    given.refuse(
        {name: why for name, why in REFUSED.items() if name != "ignore-case" or not any_case}
    )
    patterns, files = given.all("regexp"), given.operands
    if not patterns:
        patterns, files = files[:1], files[1:]
    if len(patterns) != 1 or not patterns[0] or files:
        raise LeftError("its grep does not look for one text in its input; keep the script")
    is_fixed = command.name == "fgrep" or given.has("fixed-strings")
    if not is_fixed and SPECIAL.search(patterns[0]):
        raise LeftError(
            f"{patterns[0]} is a regular expression, which --contains does not read; use grep -F"
            " if it is a fixed text"
        )
    return patterns[0]
