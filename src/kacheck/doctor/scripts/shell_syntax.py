"""KA241 to KA243: what only a shell understands, in a command that none runs."""

import os
import re
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.scripts.command_line import OPERATOR
from kacheck.doctor.scripts.script import Script
from kacheck.doctor.scripts.shell import IN_A_SHELL, in_a_shell

SUBSTITUTION = re.compile(r"\$\(|`|\$\{|\$[A-Za-z_]\w*$")
GLOB = re.compile(r"/[^?=]*(?:[*?]|\[.+\])")
HOME = re.compile(r"~[a-z_0-9-]*(/|$)")


@finding(
    "KA241",
    Severity.ERROR,
    "shell syntax where no shell runs it",
    """\
keepalived starts no shell: it splits the command at blanks outside of quotes and calls
execve(2). `|`, `&&`, `||`, `;`, `>`, `$(...)`, backquotes, `$NAME` and globs reach the program
as arguments. So `curl -s URL | grep -q x` makes curl ask for further URLs, `|`, `grep` and `x`, and
the exit code is curl's.

See it: "Command = " in /tmp/keepalived.data after kill -USR1 of keepalived.
Do: write a file with #!/bin/sh, or script "sh -c 'A | B'": single quotes inside of double ones.""",
)
def syntax_without_shell(context: Context) -> Iterator[Observation]:
    """Find operators, substitutions and globs that reach a program as arguments."""
    for script, program, _ in context.command_lines:
        if program is not None:
            continue
        arguments = [word for word in script.argv[1:] if not _is_quoted(script, word)]
        syntax = [w for w in arguments if OPERATOR.fullmatch(w) or SUBSTITUTION.search(w)]
        syntax += [word for word in (script.argv[0], *arguments) if GLOB.match(word)]
        if syntax:
            name = os.path.basename(script.argv[0])
            what = f"{script.name}: {name} gets {syntax[0]} as an argument"
            yield at(script.node, what, "keepalived starts no shell", IN_A_SHELL)


def _is_quoted(script: Script, word: str) -> bool:
    """Return whether a word is in quotes, so that a shell would have left it alone, too."""
    return word not in script.node.line.text.replace('"', " ").split()


@finding(
    "KA242",
    Severity.ERROR,
    "a ~ that nothing expands",
    """\
Only a shell reads `~` as a home directory. keepalived looks for a directory named ~: it does not
find the script and removes it, and the instances run unmonitored. As an argument it names no file.

Do: write the full path.""",
)
def unexpanded_home(context: Context) -> Iterator[Observation]:
    """Find a `~` that nothing expands."""
    for script, program, _ in context.command_lines:
        homes = [word for word in script.argv if program is None and HOME.match(word)]
        if homes:
            what = f"{script.name}: {homes[0]} is a directory named ~ to keepalived"
            yield at(script.node, what, "keepalived starts no shell", "write the full path")


@finding(
    "KA243",
    Severity.ERROR,
    "sh -c runs only its next word",
    """\
Of `sh -c curl -s URL` the shell runs `curl`, and the rest are $0, $1 and so on. keepalived
splits the command at blanks as a shell would, so the program for -c needs quotes.

Do: script "sh -c 'curl -s URL'": single quotes inside of double ones.""",
)
def words_after_program(context: Context) -> Iterator[Observation]:
    """Find words behind the program of `sh -c` that were meant to be part of it."""
    for script, program, _ in context.command_lines:
        index = script.argv.index(program) if program is not None else len(script.argv)
        rest = script.argv[index + 1 :]
        if rest and not re.search(r"[\s$]", script.argv[index]):
            what = f"{script.name}: the shell runs {program} without {' '.join(rest)}"
            cure = in_a_shell(script.argv[:index], script.argv[index:])
            yield at(script.node, what, "-c takes one word", cure)
