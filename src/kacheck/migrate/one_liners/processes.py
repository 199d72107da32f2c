"""pidof, pgrep, pkill -0, killall -0 and ps -C: is there a process of a name? Pure."""

import re
from collections.abc import Sequence

from kacheck.migrate.equivalents import LIBEXEC
from kacheck.migrate.one_liners.options import Grammar, read, spellings
from kacheck.migrate.one_liners.shell_words import Simple, refuse_files
from kacheck.migrate.one_liners.translation import Translation
from kacheck.migrate.tracked import LeftError

GRAMMARS = {
    "pidof": Grammar({}, spellings("s single-shot, q quiet")),
    "pgrep": Grammar(
        {}, spellings("x exact, f full, c count, l list-name, a list-full, n newest, o oldest")
    ),
    "pkill": Grammar(spellings("signal"), spellings("x exact, f full")),
    "killall": Grammar(spellings("s signal, signal"), spellings("q quiet, v verbose, e exact")),
    "ps": Grammar(
        spellings("C command, o format, format"), spellings("no-headers, no-header no-headers")
    ),
}
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
"""Words that all of them take literally."""


def process(commands: Sequence[Simple]) -> Translation:
    """Return the check for a process.

    Raises:
        LeftError: it is not certain that both find the same.

    """
    command = commands[0]
    tool = command.name
    if len(commands) > 1:
        raise LeftError(f"{tool} in a pipe has no equivalent; {hint('NAME')}")
    refuse_files(command)
    words = ["--signal=0" if word == "-0" else word for word in command.words[1:]]
    given = read(words, GRAMMARS[tool])
    found = given.all("command") if tool == "ps" else given.operands
    name = found[0] if found else "NAME"
    if tool in ("pkill", "killall") and given.last("signal") != "0":
        raise LeftError(f"{tool} without -0 ends the processes; {hint(name)}")
    if given.has("full"):
        raise LeftError(
            f"{tool} -f finds every process with {name} in its command line;"
            f" {hint(name)}, or add its arguments"
        )
    if tool in ("pgrep", "pkill") and not given.has("exact"):
        raise LeftError(
            f"{tool} without -x finds every process with {name} in its name; {hint(name)}"
        )
    if len(found) != 1:
        raise LeftError(f"{tool} is content with any one of several names; write a check for each")
    if not NAME.fullmatch(name):
        raise LeftError(f"{tool} and kacheck-process may read {name} differently; {hint(name)}")
    return Translation("process", {"name": name, "all_namespaces": True})


def hint(name: str) -> str:
    """Return the cure."""
    fit = name if re.fullmatch(r"[\w./+-]+", name) else "NAME"
    return f"to ask for one name exactly, write {LIBEXEC}/kacheck-process {fit}"
