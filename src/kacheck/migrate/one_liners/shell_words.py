"""A script's command as simple commands, with what joins them. Pure.

Only what means the same in every POSIX shell and in bash is read: words, quotes, redirections,
pipes and lists. For everything else, such as a variable, the script is left alone.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kacheck.doctor.scripts.command_line import OPERATOR
from kacheck.migrate.equivalents import LIBEXEC
from kacheck.migrate.tracked import LeftError

WRITE_IT = "write it as one check of kacheck, or keep it"
TOKEN = re.compile(
    r"""(?P<blank>[ \t\n]+)
    | (?P<joint>\|\||&&|;|\|(?!&))
    | (?P<redirection>[0-9]*(?:<>|>>|>\||<&|>&|<(?!<)|>)|&>>?)
    | (?P<word>(?!\#)(?:[^\s'"\\`$|&;<>()]|'[^']*'|"(?:[^"$`\\]|\\["\\$`])*"|\\[^\n])+)
    """,
    re.VERBOSE,
)
PIECE = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^'"\\]+)""", re.DOTALL)
EXPANDED = re.compile(r"[*?]|^~|\[.+\]|\{.*(?:,|\.\.).*\}|^[{}!]$")
"""What a shell makes something else of, outside of quotes."""
ADDRESS = re.compile(r"https?://")
"""No file has such a name, so that `?` and `*` in it stay."""
NAMES = {
    "$": "a variable or $(...)", "`": "a command in backquotes", "(": "a subshell",
    "&": "a command in the background", "#": "a comment", "'": "an open quote",
    '"': "an open quote, or a variable in quotes", "<": "a here-document",
}  # fmt: skip


class Redirection(NamedTuple):
    """An operator, such as `2>&`, and what follows it."""

    operator: str
    target: str


class Simple(NamedTuple):
    """A simple command."""

    words: tuple[str, ...] = ()
    joint: str = ""
    """What is before it: `|`, `&&`, `||`, `;` or nothing."""
    redirections: tuple[Redirection, ...] = ()

    @property
    def name(self) -> str:
        """The program without its directory."""
        return "".join(self.words[:1]).rpartition("/")[2]


def meant(argv: Sequence[str]) -> str | None:
    """Return the program that a command without a shell seems to be; None where it is a command."""
    if first_operator(argv) is None:
        return None
    return " ".join(word if OPERATOR.fullmatch(word) else shlex.quote(word) for word in argv)


def first_operator(argv: Sequence[str]) -> str | None:
    """Return the first argument that only a shell understands."""
    return next((word for word in argv[1:] if OPERATOR.fullmatch(word)), None)


def simple_commands(text: str) -> list[Simple]:
    """Return the simple commands of a shell's program.

    Raises:
        LeftError: something in it is not read here.

    """
    found = [Simple()]
    tokens = tokens_of(text)
    for kind, token in tokens:
        last = found[-1]
        if kind == "joint":
            found.append(Simple(joint=token))
        elif kind == "word":
            found[-1] = last._replace(words=(*last.words, word_of(token)))
        else:
            target = next((word_of(word) for kind, word in tokens if kind == "word"), "")
            each = Redirection(token, target)
            found[-1] = last._replace(redirections=(*last.redirections, each))
    return [each for each in found if each.words or each.redirections]


def tokens_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield kind and text of each token, without blanks."""
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            what = NAMES.get(text[at], text[at])
            raise LeftError(f"it has {what}, which only a shell understands; {WRITE_IT}")
        at = found.end()
        if found.lastgroup and found.lastgroup != "blank":
            yield found.lastgroup, found[0]


def word_of(token: str) -> str:
    """Return what a shell makes of a word."""
    parts: list[str] = []
    for single, double, escaped, plain in PIECE.findall(token):
        if plain and EXPANDED.search(plain) and not ADDRESS.match(token):
            raise LeftError(f"a shell makes something else of {plain}; {WRITE_IT}")
        parts.append(single or re.sub(r'\\(["\\$`])', r"\1", double) or escaped or plain)
    return "".join(parts)


def pipeline(commands: Sequence[Simple]) -> list[Simple]:
    """Return the pipeline whose exit code a list of commands has.

    Raises:
        LeftError: the exit code is not that of one pipeline.

    """
    kept = [*commands]
    while len(kept) > 1 and is_tail(kept[-1], kept[-2]):
        kept.pop()
    for each in kept[1:]:
        if each.joint != "|":
            why = f"{each.joint} {' '.join(each.words[:2])} does not reduce to one check"
            if each.joint != "&&" and is_success(each):
                why = f"it ends with {each.joint} {' '.join(each.words)}, so that it always passes"
            raise LeftError(
                f"{why}; write a vrrp_script for each check, or {LIBEXEC}/kacheck-combined"
            )
    return kept


def is_tail(command: Simple, before: Simple) -> bool:
    """Return whether a command at the end of a list changes nothing about success and failure."""
    if command.redirections:
        return False
    if command.joint == ";":
        return is_failure(command) and before.joint == "&&" and before.words == ("exit", "0")
    return (command.joint == "&&" and is_success(command)) or (
        command.joint == "||" and is_failure(command)
    )


def is_success(command: Simple) -> bool:
    """Return whether a command always succeeds."""
    return command.words in (("exit", "0"), ("true",), (":",)) or command.name in ("echo", "logger")


def is_failure(command: Simple) -> bool:
    """Return whether a command always fails."""
    is_exit = command.words[:1] == ("exit",) and len(command.words) == 2
    code = command.words[1] if is_exit else ""
    return command.words == ("false",) or (code.isdecimal() and 0 < int(code) < 256)


def refuse_files(command: Simple) -> None:
    """Raise LeftError where a command reads or writes a file beside /dev/null, or closes one."""
    for operator, target in command.redirections:
        if operator.endswith(("<&", ">&")):
            if not target.isdecimal():
                raise LeftError(f"its redirection {operator}{target} may change what its command"
                                " does; leave it out, or keep the script")  # fmt: skip
        elif target != "/dev/null":
            verb = "reads" if "<" in operator else "writes"
            raise LeftError(f"it {verb} {target}, which no check of kacheck does; keep the script")


def piped(command: Simple) -> tuple[bool, bool]:
    """Return whether a pipe behind a command reads its output, and its errors."""
    output, errors = "|", ""
    for operator, target in command.redirections:
        if operator in ("2>", "2>>", "2>|"):
            errors = target
        elif (operator, target) == ("2>&", "1"):
            errors = output
        elif operator[0] == "&":
            output = errors = target
        elif operator in (">", ">>", ">|", "1>", "1>>", "1>|"):
            output = target
        elif (operator, target) in ((">&", "2"), ("1>&", "2")):
            output = errors
    return output == "|", errors == "|"
