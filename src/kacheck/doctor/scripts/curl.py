"""KA244, KA245 and KA250: questions that curl asks of a server."""

import itertools
import os
import re
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.kacheck.entry_point_paths import script_line
from kacheck.doctor.scripts.command_line import AWKS, GREPS, OPERATOR
from kacheck.doctor.scripts.script import seconds
from kacheck.doctor.scripts.shell import ShellCommand

READERS = (*GREPS, *AWKS, "jq", "sed")
"""What may judge an answer that was put into a file."""
SHOWN = ("cat", "echo", "printf", "}")
"""What hands such an answer on."""
FAILS = re.compile(r"-[#0-6aBgGiIjJkLlMnNOpqRsSvZ]*f|--fail")
"""curl(1): --fail, behind short options that take no value."""


@finding(
    "KA244",
    Severity.ERROR,
    "sys/health never says active",
    """\
The body of Vault's and OpenBao's /v1/sys/health is JSON with initialized, sealed and standby. It
does not contain the word "active", so grep fails on the active node, too: permanent FAULT. The
HTTP code says the role: 200 is the active node, 429 a standby, 503 sealed.

Do: use kacheck-vault; or curl -f, which fails on every code from 400 on.""",
)
def grep_for_active(context: Context) -> Iterator[Observation]:
    """Find a grep for a word that sys/health never says."""
    for command_line in context.command_lines:
        script = command_line.script
        words = _searched_words(command_line.commands)
        is_searched = any("active" in word.lower() and "/" not in word for word in words)
        if is_searched and asks_health(script.argv):
            what = f"{script.name}: the answer of sys/health never contains the word active"
            why = "it says initialized, sealed and standby; the role is the HTTP code"
            yield at(script.node, what, why, f"{script_line('kacheck-vault')}, or curl -f")


def _searched_words(commands: list[ShellCommand]) -> list[str]:
    """Return the words of each grep, from its name on, that may read an answer of sys/health."""
    searched: list[str] = []
    source = ShellCommand([])
    for command in commands:
        source = source if command.joint == "|" else command
        is_variable = source.name == "curl" and any("$" in word for word in source.words)
        if asks_health(source.words) or is_variable or source.name in (*GREPS, *SHOWN):
            searched += itertools.dropwhile(
                lambda word: os.path.basename(word) not in GREPS, command.words
            )
    return searched


def asks_health(words: list[str]) -> bool:
    """Return whether words ask for the health of Vault or OpenBao."""
    return "sys/health" in " ".join(words)


@finding(
    "KA245",
    Severity.WARNING,
    "curl without a time limit below the script's timeout",
    """\
Without -m (--max-time) curl waits for a server that does not answer until keepalived's timeout.
The endpoint of Vault hangs for up to 90 s while a node wins or loses leadership. --connect-timeout
only limits the time to connect. keepalived's SIGTERM explains nothing, and a script that exits
with 0 after it counts as healthy.

Do: write curl -m N with N below the timeout of the vrrp_script.""",
)
def curl_without_limit(context: Context) -> Iterator[Observation]:
    """Find a curl that may wait longer than keepalived does."""
    for command_line in context.command_lines:
        script = command_line.script
        for command in command_line.commands:
            if command.name != "curl":
                continue
            own, around = _time_limit(command.words), seconds(command.limit.rstrip("s"))
            limit = min(filter(None, (own, around)), default=None)
            if limit is None or limit >= script.timeout:
                option = f"-m {own:g}" if own else "no -m"
                waits = f"keepalived waits {script.timeout:g} s"
                what = f"{script.name}: curl has {option}, and {waits}"
                why = "keepalived ends it by a signal, which does not show the cause"
                cure = "write curl -m N, with N below the script's timeout"
                yield at(script.node, what, why, cure)


def _time_limit(words: list[str]) -> float:
    """Return the seconds of -m or --max-time; 0, as for curl, for none."""
    for index, word in enumerate(words):
        short = re.fullmatch(r"-[a-zA-Z]*m([0-9.]*)", word)
        if short or word.startswith("--max-time"):
            value = short[1] if short else word.partition("=")[2]
            return seconds(value or "".join(words[index + 1 : index + 2]))
    return 0.0


@finding(
    "KA250",
    Severity.ERROR,
    "curl of sys/health that accepts any answer",
    """\
curl exits with 0 when it has an answer, whatever its code: 503 from a sealed Vault, 429 from a
standby, 501 from a Vault that was never initialized. The check is successful as long as anything
listens.

Do: use kacheck-vault; or curl -f, which fails on every code from 400 on.""",
)
def any_answer_succeeds(context: Context) -> Iterator[Observation]:
    """Find a curl whose exit code, which is 0 for every answer, decides."""
    for script, _, runs in context.command_lines:
        for index, command in enumerate(runs[0]):
            is_health = asks_health(command.words)
            if is_health and takes_any_answer(command, runs[0][index + 1 :]):
                what = f"{script.name}: curl succeeds on every answer, that of a sealed Vault too"
                why = "without -f its exit code does not depend on the HTTP code"
                yield at(script.node, what, why, f"{script_line('kacheck-vault')}, or curl -f")


def takes_any_answer(command: ShellCommand, after: list[ShellCommand]) -> bool:
    """Return whether a curl without -f decides, and nothing reads the answer."""
    words = command.words
    if command.name != "curl" or any(map(FAILS.match, words)):
        return False
    is_piped = bool(after) and after[0].joint == "|"
    is_read = any(
        (reader.name in READERS and (reader.joint != "|" or source.name in SHOWN))
        or "_" in reader.words
        for source, reader in itertools.pairwise((command, *after))
    )
    return not is_piped and not is_read and not any(map(OPERATOR.fullmatch, words))
