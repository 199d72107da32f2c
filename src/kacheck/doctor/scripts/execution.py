"""KA221 to KA224, KA227 and KA228: whether keepalived can start what a vrrp_script names.

check_script_secure() and execve(2), asked beforehand.
"""

import os
import re
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.kacheck.entry_point_calls import COMMANDS
from kacheck.doctor.kacheck.entry_point_paths import script_line
from kacheck.doctor.machine.system import System, which
from kacheck.doctor.scripts.process_check import process_check
from kacheck.doctor.scripts.program import REMOVED, UNTRACKED, described
from kacheck.doctor.scripts.script import Script
from kacheck.doctor.scripts.shell import (
    ASSIGNMENT,
    KEYWORDS,
    in_a_shell,
    shell_command,
    shell_program,
)

BUILT_IN = (*KEYWORDS, "cd", "exit", "source", ".", ":")
MULTI_CALLS = ("killall5", "busybox", "toybox", "coreutils")
"""Programs that do what the name says by which they are called."""
WITHOUT_PORTS = ("dash", "busybox", "ash", "sh")
"""Shells that have no /dev/tcp."""


@finding(
    "KA221",
    Severity.ERROR,
    "a command that does not exist",
    REMOVED
    + """keepalived searches its PATH for a bare name once, when it reads
the configuration; under systemd that is not the PATH of your shell. A script counts as missing if
its user may not enter a directory above it, such as /root. What only a shell knows, such as `if`,
`!` and `A=b` before a command, is a name like any other.

See it: "Disabling track script NAME since not found/accessible".
Do: install it, write its full path, put it where its user may enter, or name another user.""",
)
def not_found(context: Context) -> Iterator[Observation]:
    """Find commands that are missing, or behind a directory that their user may not enter."""
    for program in context.programs:
        script = program.script
        if program.path is None:
            yield _missing(script, context.system.search_path)
        elif program.closed is not None:
            what = f"{script.name}: its user may not enter {program.closed}"
            yield at(script.node, what, UNTRACKED, "put it elsewhere, or name another user")


def _missing(script: Script, search_path: str) -> Observation:
    name = script.argv[0]
    where = "" if "/" in name else f" in {search_path}"
    cure = "install it, or correct the path"
    if name in BUILT_IN or ASSIGNMENT.match(name):
        cure = in_a_shell(["sh", "-c"], script.argv).replace("'source ", "'. ")
    if name in COMMANDS and name != "kacheck":
        cure = script_line(name, *script.argv[1:])
    return at(script.node, f"{script.name}: {name} does not exist{where}", UNTRACKED, cure)


@finding(
    "KA222",
    Severity.ERROR,
    "a command that is not executable",
    REMOVED
    + """keepalived -t does not even report it; the log has "is not executable for uid:gid ... -
disabling".

Do: chmod 755 FILE, or name another user.""",
)
def not_executable(context: Context) -> Iterator[Observation]:
    """Find files that are not executable."""
    for program in context.programs:
        status = program.status
        if program.closed is None and status is not None and not program.is_executable:
            owner = described(context.system, status)
            what = f"{program.script.name}: {program.path} ({owner}) is not executable"
            yield at(program.script.node, what, UNTRACKED, f"chmod 755 {program.real}")


@finding(
    "KA223",
    Severity.ERROR,
    "a script whose interpreter is missing counts as healthy",
    """\
When execve(2) fails, keepalived's child exits with 0, "Script errors aren't server errors"
(system_call_script() in lib/notify.c): the check is always successful. It fails for a #! line that
names a missing program or ends in a carriage return, and for a file without a #! line (with
libmagic, keepalived runs that file with sh, whose 126 and 127 count as healthy, too).

See it: "Error exec-ing command" in the log; run FILE from a shell.
Do: correct the #! line. #!/bin/sh always exists.""",
)
def no_interpreter(context: Context) -> Iterator[Observation]:
    """Find scripts that execve(2) cannot start."""
    why = "keepalived's child exits with 0 if the command cannot be executed"
    for program in context.programs:
        head = context.system.head(program.real) if program.is_executable else b""
        if not head or head.startswith(b"\x7fELF"):
            continue
        name, real = program.script.name, program.real
        line = _interpreter_line(head)
        if line is None:
            what = f"{name} counts as healthy whatever it does: {real} has no #! line"
            yield at(program.script.node, what, why, "begin it with #!/bin/sh")
            continue
        interpreter = _split(line)[0]
        if context.system.is_missing(interpreter):
            shown = interpreter.replace("\r", "\\r")
            what = f"{name} counts as always healthy: {shown}, the #! of {real}, is missing"
            cure = "save it without carriage returns" if "\r" in line else "correct the #! line"
            yield at(program.script.node, what, why, cure)


@finding(
    "KA224",
    Severity.ERROR,
    "env does not find the script's interpreter",
    """\
`#!/usr/bin/env X` searches keepalived's PATH. If X is not there, env exits with 127: the script
fails each time, permanent FAULT. Under systemd that PATH contains no home directory, so neither
pyenv nor nvm. To the kernel all that follows env is one word: `#!/usr/bin/env X -u` looks for a
program named "X -u".

See it: "Script `NAME` now returning 127".
Do: write the full path in the #! line; with options, env -S.""",
)
def interpreter_not_in_path(context: Context) -> Iterator[Observation]:
    """Find scripts whose interpreter env does not find."""
    for program in context.programs:
        head = context.system.head(program.real) if program.is_executable else b""
        interpreter, rest = _split(_interpreter_line(head) or "")
        is_env = os.path.basename(interpreter) == "env"
        name = _env_looks_for(rest.strip()) if is_env else ""
        if not name or context.system.is_missing(interpreter) or which(name, context.system):
            continue
        what = f"{program.script.name} exits with 127 each time: env does not find {name}"
        why = f"keepalived's PATH is {context.system.search_path}"
        cure = f"write the full path in the #! line of {program.real}"
        if " " in name:
            why = "what follows env is one word to the kernel"
            cure = f"write env -S in the #! line of {program.real}"
        yield at(program.script.node, what, why, cure)


def _interpreter_line(head: bytes) -> str | None:
    """Return what follows `#!` at the beginning of a file; None if it has no such line."""
    return os.fsdecode(head[2:].split(b"\n")[0]).strip(" \t") if head.startswith(b"#!") else None


def _split(line: str) -> tuple[str, str]:
    """Return the interpreter of a `#!` line, and the rest."""
    interpreter, _, rest = line.replace("\t", " ").partition(" ")
    return interpreter, rest


def _env_looks_for(rest: str) -> str:
    """Return what `#!/usr/bin/env REST` runs: REST is one word, which only -S takes apart."""
    if not rest.startswith("-"):
        return rest
    words = [word for word in rest.split() if word[:1] != "-" and "=" not in word]
    return words[0] if words else ""


@finding(
    "KA227",
    Severity.ERROR,
    "a link to a program that acts by the name it is run as",
    """\
Before 2.3.0 keepalived passes the resolved path as argv[0], unless the same file has the link's
name in the target's directory as well (check_script_secure() in lib/notify.c). Debian's pidof is
a link to /sbin/killall5, so `pidof vault` runs as killall5, which exits with 1: permanent FAULT.
Applets of busybox in another directory are not found.

See it: "Command = " in /tmp/keepalived.data after kill -USR1 of keepalived.
Do: use kacheck-process NAME; or write a script that calls pidof; or upgrade keepalived to 2.3.""",
)
def multi_call_program(context: Context) -> Iterator[Observation]:
    """Find links to programs that would run under another name than was configured."""
    for program in context.programs:
        if program.path is None or not program.is_executable:
            continue
        real, script = program.real, program.script
        name, real_name = os.path.basename(program.path), os.path.basename(real)
        sibling = f"{os.path.dirname(real)}/{name}"
        is_kept = name == real_name or context.system.realpath(sibling) == real
        if real_name in MULTI_CALLS and not is_kept and context.is_before(2, 3, 0):
            what = f"{script.name}: {name} is a link to {real}, and runs as {real_name}"
            why = "keepalived before 2.3.0 passes the resolved path as argv[0]"
            cure = "write a script that calls it"
            if name == "pidof":
                cure = process_check(context, script.argv)
            yield at(script.node, what, why, cure)


@finding(
    "KA228",
    Severity.ERROR,
    "a /dev/tcp check where sh is not bash",
    """\
keepalived hands a command that begins with `</` to /bin/sh with system(3), which tries to open the
file; `sh -c` is the same shell. Only bash takes /dev/tcp/HOST/PORT for a connection. dash, which is
sh in Debian and Ubuntu, finds no such file and exits with 2: permanent FAULT.

See it: sh -c '</dev/tcp/127.0.0.1/22'; echo $?
Do: script "bash -c '</dev/tcp/127.0.0.1/80'", or nc -z 127.0.0.1 80.""",
)
def shell_without_ports(context: Context) -> Iterator[Observation]:
    """Find uses of /dev/tcp in shells that do not know it."""
    for script in context.scripts:
        for shell, program in _shell_programs(script):
            port = re.search(r"/dev/(?:tcp|udp)/[^\s;&|)]+", program)
            real = _real_shell(context.system, shell)
            if port and os.path.basename(real) in WITHOUT_PORTS:
                what = f"{script.name} always fails: {real} finds no file {port[0]}"
                cure = f"script \"bash -c '{program}'\""
                yield at(script.node, what, "only bash knows /dev/tcp", cure)


def _shell_programs(script: Script) -> Iterator[tuple[str, str]]:
    """Yield the shell that a script runs, and its program."""
    if script.is_executed:
        yield "".join(shell_command(script.argv)[:1]), shell_program(script.argv) or ""
    elif script.argv:  # `</path`, which is handed to system(3)
        yield "/bin/sh", script.argv[0]


def _real_shell(system: System, shell: str) -> str:
    return system.realpath(which(shell, system) or "/")
