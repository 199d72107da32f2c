r"""How each release of keepalived reads its configuration, 2.0.20 to 2.4.3. Pure.

One field per difference, found in lib/parser.c between the tags; each is named after what holds
while it is true. tests/unit/keepalived/test_keepalived_releases.py states what they amount to, text
by text, and asks the installed keepalived.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from kacheck.keepalived.version import Version

DEFAULT = Version(2, 2, 7)
"""The release that is assumed where none is known: Debian 12's."""
MAXBUF = 1024
"""lib/parser.h: the size of a line's buffer, with its NUL."""
LONGEST_LINE = MAXBUF - 2
"""How many bytes a line may have in all releases: since 2.4.0 its end has to fit, too."""
BEHIND_INCLUDE = r"(?=[ \t\f\n\r\v])"


class Rules(NamedTuple):
    """What a release does with a configuration."""

    version: Version
    children_read_copy: bool
    r"""Since 2.2.0 VRRP reads its parent's copy, so that `\#` is unescaped and removed later."""
    include: re.Pattern[str]
    """The keywords of an include: `includer`, m, w, b and a came with 2.2.0."""
    include_is_words: bool
    """Before 2.1.4 an include has exactly two words, and quotes around the second are dropped."""
    reference: re.Pattern[str]
    """`$NAME` before a comma or `)` came with 2.1.0; other parameters than numbers with 2.4.0."""
    sequence_is_line: bool
    """Since 2.1.0 a ~SEQ takes the whole line, braces and definitions included; and ~LST, ~SEQx."""
    list_fills_up: bool
    """Since 2.2.0 a ~LST may have values missing; 2.1 reads memory that is not its own."""
    skips_comment_lines: bool
    """In 2.1.4 and 2.1.5 a comment does not end a definition of several lines."""
    reads_replaced: bool
    """Since 2.1.4 comments are removed from what definitions brought; `_HASH` and `_BANG`."""
    keeps_length: bool
    """Since 2.2.8 an `@id` that a definition brought does not crash keepalived."""
    unescapes_once: bool
    r"""Since 2.3.2 a command is unescaped once instead of twice, and `\x` takes two digits."""
    sequence_name_is_checked: bool
    """Since 2.4.0 a ~SEQ whose name begins with a brace is rejected."""
    evaluates_again: bool
    """Before 2.4.0 what a definition brought may be an `@id`, a ~SEQ or a definition itself."""
    comment_goes_on: bool
    r"""Before 2.4.0 a `\` at the end of a comment is the line's: it stays, as a word."""
    ignores_odd_lines: bool
    """Since 2.4.0 a line with NUL is ignored, and each 1023 bytes of one that is longer."""
    knows_environment: bool
    """Since 2.4.0 `${_ENV NAME}` is a variable of keepalived's environment."""

    @property
    def longest_line(self) -> int:
        """How many bytes a line may have."""
        return LONGEST_LINE if self.ignores_odd_lines else MAXBUF - 1


@lru_cache
def rules_of(version: Version) -> Rules:
    """Return how a release reads."""
    environment = version >= (2, 4, 0)
    parameters = "[ \\tA-Za-z0-9_]*" if environment else "[ 0-9]*"
    behind = "[ \\t,)]" if version >= (2, 1, 0) else "[ \\t]"
    name = "[A-Za-z_][A-Za-z0-9_]*"
    kinds = "[rmwba]?" if version >= (2, 2, 0) else ""
    return Rules(
        version=version,
        children_read_copy=version >= (2, 2, 0),
        include=re.compile(f"include{kinds}{BEHIND_INCLUDE}"),
        include_is_words=version < (2, 1, 4),
        reference=re.compile(
            rf"\$(?:\{{({name})({parameters})\}}|({name})(?={behind}|\Z))",
        ),
        sequence_is_line=version >= (2, 1, 0),
        list_fills_up=version >= (2, 2, 0),
        skips_comment_lines=(2, 1, 4) <= version < (2, 2, 0),
        reads_replaced=version >= (2, 1, 4),
        keeps_length=version >= (2, 2, 8),
        unescapes_once=version >= (2, 3, 2),
        sequence_name_is_checked=version >= (2, 4, 0),
        evaluates_again=version < (2, 4, 0),
        comment_goes_on=version < (2, 4, 0),
        ignores_odd_lines=version >= (2, 4, 0),
        knows_environment=environment,
    )
