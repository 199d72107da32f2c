"""KA246 to KA248 and KA251: commands that look for a process and find something else."""

import re
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.machine.system import FileStatus, System
from kacheck.doctor.scripts.command_line import GREPS, CommandLine
from kacheck.doctor.scripts.process_check import process_check
from kacheck.doctor.scripts.script import Script
from kacheck.doctor.scripts.shell import ShellCommand

KILLERS = ("pkill", "killall", "kill")
SIGNAL_0 = {"-0", "0", "-s0", "--signal=0"}
SERVICELESS = ("nobody", "keepalived_script")
"""Users that run no services."""
LOW = {"-gt": 1, "-ge": 2, "-ne": 0}
"""The numbers that ps | grep is above, as it finds the shell that runs it and its grep."""
SELECTING = re.compile(r"-\w*[CGUgpqtu]|--(?:pid|ppid|user|group|tty|sid)\b")
"""ps(1): options that show some processes only."""


@finding(
    "KA246",
    Severity.WARNING,
    "a command that takes a zombie for a running process",
    """\
pgrep, pkill -0, killall -0, kill -0, ps -C and ps -p find a process that has exited and that its
parent has not waited for (seen: exit code 0 for a zombie). In a container whose first process does
not reap its children, a crashed service leaves such a zombie: the check is always successful.

Do: use kacheck-process NAME; or pgrep -r S,R,D,I NAME (procps-ng 4).""",
)
def counts_zombies(context: Context) -> Iterator[Observation]:
    """Find commands that take a zombie for a running process."""
    for command_line in context.command_lines:
        script = command_line.script
        for command in filter(_finds_zombies, command_line.commands):
            if foreign_process(context, command_line, command):
                continue  # the signal fails, zombie or not: KA251
            what = f"{script.name}: {command.name} finds zombies, too"
            why = "a process that has exited stays in /proc until its parent has waited for it"
            yield at(script.node, what, why, process_check(context, command.words))


@finding(
    "KA251",
    Severity.ERROR,
    "a signal to another user's process",
    """\
kill -0, killall -0 and pkill -0 ask whether a signal could be sent. Users may signal only their own
processes (kill(2): EPERM). So for a script that runs as nobody, keepalived_script or any user
but root, a service of another user counts as dead: the check fails each time.

See it: setpriv --reuid USER --clear-groups killall -0 NAME; echo $?
Do: ask without a signal: kacheck-process NAME.""",
)
def signal_to_another_user(context: Context) -> Iterator[Observation]:
    """Find signals to processes that the script's user may not signal."""
    for command_line in context.command_lines:
        script = command_line.script
        for command in command_line.commands:
            whose = foreign_process(context, command_line, command)
            if whose:
                user = context.system.owner(FileStatus(0, *script.runner[:2])).partition(":")[0]
                what = f"{script.name} always fails: {user} may not signal {whose}"
                why = "kill(2) allows a signal only to the user's own processes, and to root"
                yield at(script.node, what, why, process_check(context, command.words))


def foreign_process(
    context: Context, command_line: CommandLine, command: ShellCommand
) -> str | None:
    """Return the process that a signal 0 cannot reach, in words; None if it reaches one.

    Where none runs now, the accounts that own no service decide.
    """
    uid = command_line.script.runner.uid
    options = [word.replace("-SIG", "-") for word in command.words[1:]]
    is_signal = command.name in KILLERS and not SIGNAL_0.isdisjoint(options)
    if not is_signal or not uid or command_line.script.runner.trouble:
        return None
    owners = {
        pid: status.uid
        for pid in _signalled(context.system, command_line, command)
        if (status := context.system.status(f"/proc/{pid}")) is not None
    }
    if uid in owners.values():
        return None
    for pid, owner in owners.items():
        name = context.system.owner(FileStatus(0, owner, 0)).partition(":")[0]
        return f"{name}'s process, pid {pid}"
    idle = [user[0] for user in map(context.system.user, SERVICELESS) if user is not None]
    return "another user's process" if uid in idle else None


def _signalled(system: System, command_line: CommandLine, command: ShellCommand) -> Iterator[int]:
    """Yield the processes that are to get the signal; `$(cat FILE)` names them in a file."""
    if command.name == "kill":
        files = [each.words[-1] for each in command_line.commands if each.name == "cat"]
        words = command.words[1:]
        for path in files:
            words += system.head(path).decode("ascii", "replace").split()
        yield from (int(word) for word in words if word.isdecimal() and word != "0")
        return
    name = command.words[-1]
    for process in system.processes():
        program = "".join(process.argv[:1]).rpartition("/")[2]
        if name.rpartition("/")[2] in (process.comm, program):
            yield process.pid


def _finds_zombies(command: ShellCommand) -> bool:
    name, options = command.name, command.words[1:]
    if name == "pgrep":
        return not any(word.startswith(("-r", "--runstates")) for word in options)
    if name in KILLERS:
        return not SIGNAL_0.isdisjoint(options)
    return name == "ps" and bool(re.search(r"(?:^| )-\w*[Cp]", " ".join(options)))


@finding(
    "KA247",
    Severity.ERROR,
    "ps | grep finds itself",
    """\
The command lines of grep and of the shell that runs it contain the word that grep looks for: the
check is always successful.

Do: use kacheck-process NAME; or pgrep -x NAME, which does not count itself.""",
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
                greps = [word for each in commands if each.name in GREPS for word in each.words]
                yield at(script.node, what, why, process_check(context, greps))


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

Do: use kacheck-process with the arguments: kacheck-process --param-match partial -- NAME ARG...""",
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
                yield at(script.node, what, why, process_check(context, []))


def _matches_anywhere(options: list[str]) -> bool:
    full, exact = (
        any(re.fullmatch(pattern, word) for word in options)
        for pattern in (r"-[a-zA-Z]*f[a-z]*|--full", r"-[a-zA-Z]*x[a-z]*|--exact")
    )
    return full and not exact and options[-1][:1] != "^"
