"""A command as a shell would take it apart: which simple commands it runs. Pure."""

import os
import re
import shlex
from typing import NamedTuple

SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh")
WRAPPERS = {
    "busybox": ("", 0),
    "env": ("-u -C", 0),
    "flock": ("-w -E", 1),
    "ionice": ("-c -n", 0),
    "nice": ("-n", 0),
    "nohup": ("", 0),
    "runuser": ("-u -g -G", 0),
    "setsid": ("", 0),
    "stdbuf": ("-i -o -e", 0),
    "sudo": ("-u -g -C -D -h -p -R -T", 0),
    "time": ("-f -o", 0),
    "timeout": ("-s -k --signal --kill-after", 1),
}
"""What runs the rest of its words: the options that take the next word, and how many words that
are no options stand before the rest."""
KEYWORDS = ("!", "{", "if", "then", "elif", "else", "while", "until", "do", "exec", "command")
"""What stands before a command in a shell's program."""
OPERATORS = {*";&|()"}
VALUED = re.compile(r"[-+][a-zA-Z]*[oO]|--(?:rc|init-)file")
"""A shell's options that take the next word."""
IN_A_SHELL = "script \"sh -c '...'\", or a file"
"""The cure for what takes a shell, where quotes of the words are lost."""
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
SUBSTITUTION = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
REDIRECTION = re.compile(r"[0-9]?[<>]>?(.*)")


class ShellCommand(NamedTuple):
    """A simple command of what a script runs, without what wraps it and without redirections."""

    words: list[str]
    joint: str = ""
    """What is before it: `|`, `&&`, `||`, `;` or nothing."""
    limit: str = ""
    """What timeout(1) around it was given."""

    @property
    def name(self) -> str:
        """The program without its directory."""
        return os.path.basename(self.words[0]) if self.words else ""


def shell_command(argv: list[str]) -> list[str]:
    """Return the words of a shell and its arguments; empty if another program is run."""
    words = unwrapped(argv)[0]
    return words if words and os.path.basename(words[0]) in SHELLS else []


def in_a_shell(shell: list[str], program: list[str]) -> str:
    """Return the cure for what takes a shell: the words as the program of this one."""
    if " " in "".join([*shell, *program]):
        return IN_A_SHELL
    return f"script \"{' '.join(shell)} '{' '.join(program)}'\""


def shell_program(argv: list[str]) -> str | None:
    """Return the program of `sh -c`; None for any other command."""
    words = shell_command(argv)
    for index, word in enumerate(words[1:-1], 1):
        if re.fullmatch(r"-[a-z]*c", word):
            rest = [word for word in words[index + 1 :] if word != "--"]
            return rest[0] if rest else None
        if word[:1] not in "-+" and not VALUED.fullmatch(words[index - 1]):
            return None  # a file, and its arguments
    return None


def programs(program: str) -> list[str]:
    """Return a shell's program and those in its `$(...)` and backquotes, replaced by a word."""
    inner = []
    while match := SUBSTITUTION.search(program):
        inner.append(match[1] or match[2] or "")
        program = f"{program[: match.start()]}_{program[match.end() :]}"
    return [program, *inner]


def commands(argv: list[str], program: str | None) -> list[ShellCommand]:
    """Return the simple commands of a shell's program, or the command itself."""
    if program is None:
        return [command_of(argv, "")]
    lexer = shlex.shlex(
        re.sub(r"[0-9]?>&[0-9-]|&(?=>)", "", program), posix=True, punctuation_chars=";&|()"
    )
    lexer.whitespace_split = True
    lexer.commenters = ""
    simple: list[ShellCommand] = []
    words: list[str] = []
    joint = ""
    try:
        for word in lexer:
            if not OPERATORS.issuperset(word):
                words.append(word)
                continue
            if words:
                simple.append(command_of(words, joint))
                joint, words = "", []
            joint = word.strip("()") or joint
    except ValueError:  # a quote is open
        return []
    return [*simple, command_of(words, joint)] if words else simple


def command_of(words: list[str], joint: str) -> ShellCommand:
    """Return the simple command that words are."""
    kept: list[str] = []
    is_target = False
    for word in words:
        redirection = None if is_target else REDIRECTION.fullmatch(word)
        if not is_target and redirection is None:
            kept.append(word)
        is_target = redirection is not None and not redirection[1]
    rest, limit = unwrapped(kept)
    return ShellCommand(rest, joint, limit)


def unwrapped(words: list[str]) -> tuple[list[str], str]:
    """Return the words without `env`, `timeout` and other wrappers, and timeout's seconds."""
    limit = ""
    while words:
        name = os.path.basename(words[0])
        if ASSIGNMENT.match(words[0]):
            words = words[1:]
            continue
        if name not in WRAPPERS and name not in KEYWORDS:
            break
        valued, operands = WRAPPERS.get(name, ("", 0))
        words = words[1:]
        while words and (words[0][:1] == "-" or "=" in words[0]):
            words = words[2 if words[0] in valued.split() else 1 :]
        limit = "".join(words[:operands]) if name == "timeout" else limit
        words = words[operands:]
    return words, limit
