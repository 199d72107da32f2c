"""A command as a shell would take it apart: which simple commands it runs. Pure."""

import os
import re
import shlex
from typing import NamedTuple

SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh")
WRAPPERS = ("env", "nice", "sudo", "exec", "command", "!")


class Command(NamedTuple):
    """A simple command of what a script runs."""

    words: list[str]
    joint: str = ""
    """What is before it: `|`, `&&`, `||`, `;` or nothing."""

    @property
    def name(self) -> str:
        """The program without its directory."""
        return os.path.basename(self.words[0]) if self.words else ""


def shell_program(argv: list[str]) -> str | None:
    """What `sh -c` is given; None if it is no such command."""
    words = argv[1:] if os.path.basename(argv[0]) == "busybox" else argv
    if words and os.path.basename(words[0]) in SHELLS:
        for index, word in enumerate(words[1:-1], 1):
            if re.fullmatch(r"-[a-z]*c", word):
                return words[index + 1]
    return None


def commands(argv: list[str], program: str | None) -> list[Command]:
    """The simple commands of a shell's program, or the one there is."""
    if program is None:
        return [Command(unwrapped(argv))]
    lexer = shlex.shlex(program, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    lexer.commenters = ""
    simple: list[Command] = []
    words: list[str] = []
    joint = ""
    try:
        for word in lexer:
            if set(word) <= {";", "&", "|"}:
                simple.append(Command(unwrapped(words), joint))
                joint, words = word, []
            else:
                words.append(word)
    except ValueError:  # a quote is open
        return []
    return [*simple, Command(unwrapped(words), joint)]


def unwrapped(words: list[str]) -> list[str]:
    """The words without `env`, `nice` and their kin, which run the rest."""
    while words and os.path.basename(words[0]) in WRAPPERS:
        words = words[1:]
        while words and (words[0][:1] == "-" or "=" in words[0]):
            words = words[1:]
    return words
