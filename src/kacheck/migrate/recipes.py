"""`--recipes`: one-liners whose meaning is certain, made kacheck's checks. Pure.

Only the command changes; its interval, weight and user stay. What is not recognized word for
word is left as it is.
"""

import re
import shlex
from collections.abc import Iterator

from kacheck.doctor.machine.system import Machine
from kacheck.keepalived import Configuration, Node
from kacheck.migrate.equivalents import LIBEXEC, script_word
from kacheck.migrate.survey import Survey
from kacheck.migrate.tracked import LeftError, plain
from kacheck.procfs import COMM_MAX

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
"""Words that pgrep takes literally."""
LEADS = {
    ("pidof",), ("pidof", "-s"), ("pgrep", "-x"), ("killall", "-0"),
    ("killall", "-q", "-0"), ("killall", "-0", "-q"), ("killall", "-s", "0"),
}  # fmt: skip
"""The words before the NAME. A bare pgrep is not among them: a part of a name is enough for it."""
HEALTH = re.compile(r"(https?://[A-Za-z0-9.:\[\]-]+)/v1/sys/health")
GREP = re.compile(r"-[qis]+")
ACTIVE = re.compile(r'active|"?standby"?: ?false')
"""What is looked for in the body of an active node; the first of them in vain."""
SHELLS = ("sh", "bash", "dash")


def replace_recipes(configuration: Configuration, survey: Survey) -> None:
    """Edit the scripts that are recognized."""
    for block, script in _scripts(configuration):
        command = replacement(script.command or [])
        source = script.source
        if command is not None and (why := renamed(script.command or [], command)):
            survey.leave("", script, LeftError(why))
            continue
        if command is None or source is None or source.tree is None or survey.is_shared(source):
            continue
        source.tree.replace(source, f"script {script_word(command, configuration.release)}")
        name = " ".join(block.arguments)
        survey.note(script, f"{name}: {shlex.join(script.command or [])} is {command[0]} now")


def renamed(old: list[str], new: list[str]) -> str | None:
    """Return why pidof finds what a check by command name would not; None: it does not, now.

    pidof(8) compares the executable, argv[0] and scripts as well.
    """
    words = shlex.split(old[-1]) if "".join(old[:1]).rpartition("/")[2] in SHELLS else old
    if "".join(words[:1]).rpartition("/")[2] != "pidof":
        return None
    name = new[-1]
    processes = [each for each in Machine().processes() if each.argv]
    if any(each.comm == name[:COMM_MAX] for each in processes):
        return None
    for each in processes:
        program = each.argv[0].rpartition("/")[2]
        script = "".join(each.argv[1:2]).rpartition("/")[2]
        if name in (program, script) and each.comm not in ("kacheck", "sh", "bash", "pidof"):
            return (
                f"pidof {name} finds pid {each.pid}, which calls itself {each.comm}, and"
                f" kacheck-process {name} would not; write kacheck-process with the path of its"
                " program"
            )
    return None


def _scripts(configuration: Configuration) -> Iterator[tuple[Node, Node]]:
    """Each vrrp_script and its only command."""
    for block in configuration.find("vrrp_script"):
        scripts = block.find("script")
        try:
            plain(block)
        except LeftError:
            continue
        if len(scripts) == 1 and len(scripts[0].words) == 2:
            yield block, scripts[0]


def replacement(command: list[str]) -> list[str] | None:
    """Return the command that asks what this one wants to know; None if that is not certain."""
    words = ["".join(command[:1]).rpartition("/")[2], *command[1:]]
    if words[0] in SHELLS and words[1:2] == ["-c"] and len(words) == 3:
        try:
            lexer = shlex.shlex(words[2], posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words = list(lexer)
        except ValueError:
            return None
        words[:1] = ["".join(words[:1]).rpartition("/")[2]]
    if tuple(words[:-1]) in LEADS and NAME.fullmatch(words[-1]):
        return [f"{LIBEXEC}/kacheck-process", "--all-namespaces", words[-1]]
    return _of_curl(words) if words[:1] == ["curl"] else None


def _of_curl(words: list[str]) -> list[str] | None:
    """`curl ... URL | grep -q WORD`."""
    if words.count("|") != 1:
        return None
    index = words.index("|")
    asked, grep = words[1:index], words[index + 1 :]
    is_grep = grep[:1] == ["grep"] and all(GREP.fullmatch(word) for word in grep[1:-1])
    if not (is_grep and len(grep) > 1 and ACTIVE.fullmatch(grep[-1])):
        return None
    return _of_options(asked)


def _of_options(words: list[str]) -> list[str] | None:
    """Curl's own words; an option that is not known here makes it uncertain."""
    options: list[str] = []
    address = None
    rest = iter(words)
    for word in rest:
        if word in ("-m", "--max-time", "--connect-timeout"):
            next(rest, None)
        elif word == "--cacert":
            options += ["--ca-cert", next(rest, "")]
        elif word in ("-k", "--insecure"):
            options += ["--insecure"]
        elif address is None and (match := HEALTH.fullmatch(word)):
            address = match[1]
        elif re.fullmatch(r"-[sSfk]+", word):
            options += ["--insecure"] if "k" in word else []
        elif word not in ("--silent", "--show-error", "--fail"):
            return None
    return None if address is None else [f"{LIBEXEC}/kacheck-vault", "--address", address, *options]
