"""KA246 to KA248: commands that look for a process and find something else."""

import re
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.scripts.command_line import GREPS
from kacheck.doctor.scripts.script import Script
from kacheck.doctor.scripts.shell import ShellCommand

KILLERS = ("pkill", "killall", "kill")
LOW = {"-gt": 1, "-ge": 2, "-ne": 0}
"""The numbers that ps | grep is above, as it finds the shell that runs it and its grep."""
SELECTING = re.compile(r"-\w*[CGUgpqtu]|--(?:pid|ppid|user|group|tty|sid)\b")
"""ps(1): options that show some processes only."""


@finding(
    "KA246",
    Severity.WARNING,
    "a command that takes a zombie for a running process",
    """\
pgrep, pkill -0, killall -0, kill -0, ps -C and ps -p find a process that has exited and was not
waited for (seen: exit code 0 for a zombie). In a container whose first process does not reap,
that is what is left of a crashed service: the check is always successful.

Do: kacheck-process NAME; or pgrep -r S,R,D,I NAME (procps-ng 4).""",
)
def counts_zombies(context: Context) -> Iterator[Observation]:
    """Find commands that take a zombie for a running process."""
    for command_line in context.command_lines:
        script = command_line.script
        for command in filter(_finds_zombies, command_line.commands):
            what = f"{script.name}: {command.name} finds zombies, too"
            why = "a process that has exited stays in /proc until its parent has waited for it"
            yield at(script.node, what, why, "kacheck-process NAME")


def _finds_zombies(command: ShellCommand) -> bool:
    name, options = command.name, command.words[1:]
    if name == "pgrep":
        return not any(word.startswith(("-r", "--runstates")) for word in options)
    if name in KILLERS:
        return not {"-0", "0", "-s0", "--signal=0"}.isdisjoint(options)
    return name == "ps" and bool(re.search(r"(?:^| )-\w*[Cp]", " ".join(options)))


@finding(
    "KA247",
    Severity.ERROR,
    "ps | grep finds itself",
    """\
The command line of grep, and of the shell that runs it, has the word that is looked for: the
check is always successful.

Do: kacheck-process NAME; or pgrep -x NAME, which does not count itself.""",
)
def grep_finds_itself(context: Context) -> Iterator[Observation]:
    """Find a `ps | grep` whose grep is in the output of ps."""
    for script, _, runs in context.command_lines:
        for commands in runs:
            is_grepped = all(command.name in ("ps", "wc", *GREPS) for command in commands)
            is_harmless = _is_counted(commands) and not (is_grepped and _is_low(script))
            if _has_grep_of_ps(script, commands) and (commands is runs[0] or not is_harmless):
                what = f"{script.name}: grep finds its own command line in the output of ps"
                why = "its own command line contains the word that it looks for"
                yield at(script.node, what, why, "kacheck-process NAME")


def _is_counted(commands: list[ShellCommand]) -> bool:
    """Return whether the number of lines is what matters."""
    return any(
        command.name == "wc"
        or (command.name in GREPS and any(re.match(r"-\w*c|--count", w) for w in command.words))
        for command in commands
    )


def _is_low(script: Script) -> bool:
    """Return whether it is compared with a number that it is above without the service, too."""
    compared = re.findall(r"\s(-[a-z]{2})\s+['\"]?([0-9]+)\b", " ".join(script.argv))
    return len(compared) == 1 and int(compared[0][1]) <= LOW.get(compared[0][0], -1)


def _has_grep_of_ps(script: Script, commands: list[ShellCommand]) -> bool:
    lists = [index for index, command in enumerate(commands) if _shows_command_lines(command)]
    greps = [each for each in commands[lists[0] :] if each.name in GREPS] if lists else []
    has_brackets = re.search(r"\[[^]\s]\]", " ".join(script.argv))
    return bool(greps) and not any(map(_leaves_itself_out, greps)) and not has_brackets


def _leaves_itself_out(grep: ShellCommand) -> bool:
    """Return whether it drops the line of a grep, or looks for the beginning or end of a line."""
    if any(re.match(r"-\w*x|--line-regexp", word) for word in grep.words[1:]):
        return True
    is_inverted = any(re.match(r"-\w*v|--invert", word) for word in grep.words[1:])
    pattern = r"\[?g\]?rep|root" if is_inverted else r"^\^|\$$"
    return any(re.search(pattern, word) for word in grep.words[1:] if word[:1] != "-")


def _shows_command_lines(command: ShellCommand) -> bool:
    """Return whether ps(1) shows all processes, with their arguments."""
    options = [re.sub("^-(?=aux)", "", word) for word in command.words[1:]]
    if command.name != "ps" or not options or any(map(SELECTING.match, options)):
        return False
    if columns := re.search(r"(?:^|\s)-?\w*o\s*(\S+)", " ".join(options)):
        return bool(re.search(r"args|cmd|command", columns[1]))
    if options[0].isalpha():
        return "c" not in options[0]
    return any(re.match(r"-\w*[fFx]|f$", word) for word in options)


@finding(
    "KA248",
    Severity.WARNING,
    "pgrep -f finds whatever mentions the word",
    """\
-f compares whole command lines: an editor, a tail of the service's log, a shell that runs this
very check, ssh with the word in its command, all count as the service.

Do: kacheck-process with its arguments: kacheck-process --param-match partial -- NAME ARG...""",
)
def pgrep_of_full_lines(context: Context) -> Iterator[Observation]:
    """Find a `pgrep -f` that any command line with the word matches."""
    for command_line in context.command_lines:
        script = command_line.script
        for command in command_line.commands:
            options = command.words[1:]
            if command.name == "pgrep" and _matches_anywhere(options):
                what = f"{script.name}: pgrep -f finds any process that mentions {options[-1]}"
                why = "it compares whole command lines, of shells and editors, too"
                yield at(script.node, what, why, "kacheck-process NAME")


def _matches_anywhere(options: list[str]) -> bool:
    full, exact = (
        any(re.fullmatch(pattern, word) for word in options)
        for pattern in (r"-[a-zA-Z]*f[a-z]*|--full", r"-[a-zA-Z]*x[a-z]*|--exact")
    )
    return full and not exact and options[-1][:1] != "^"
