"""KA22: the file that a vrrp_script runs: check_script_secure() and execve(2), asked beforehand."""

import os
import re
from collections.abc import Iterator

from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.reading import Setup, found
from kacheck.doctor.scripts import Runner, Script, scripts
from kacheck.doctor.shell import ASSIGNMENT, KEYWORDS, in_a_shell, shell_command, shell_program
from kacheck.doctor.system import FileStatus, System, which

REMOVED = """\
keepalived removes the script, and its instances run untracked: the VIP stays whatever fails
(check_track_script_secure() in vrrp.c). """
NOT_FOUND = Code(
    "KA221",
    Severity.ERROR,
    "a command that is not there",
    REMOVED
    + """A bare name is looked for along the PATH that keepalived has, once, when the
configuration is read; below systemd that is not the PATH of your shell. A script that is there
counts as missing where its user may not enter a directory above it, such as /root; and what only a
shell knows, such as `if`, `!` and `A=b` before a command, is a name like any other.

See it: "Disabling track script NAME since not found/accessible".
Do: install it, write its full path, put it where its user may go, or name another user.""",
)
NOT_EXECUTABLE = Code(
    "KA222",
    Severity.ERROR,
    "a command that is not executable",
    REMOVED
    + """keepalived -t does not even report it; the log has "is not executable for uid:gid ... -
disabling".

Do: chmod 755 FILE, or another user.""",
)
NO_INTERPRETER = Code(
    "KA223",
    Severity.ERROR,
    "a script whose interpreter is missing counts as healthy",
    """\
When execve(2) fails, keepalived's child exits with 0, "Script errors aren't server errors"
(system_call_script() in lib/notify.c): the check is successful for ever. Such are a #! line that
names a program that is not there, one with a carriage return at its end, and a file without a #!
line (with libmagic that one is run by sh, whose 126 and 127 count as healthy, too).

See it: "Error exec-ing command" in the log; run FILE from a shell.
Do: correct the #! line. #!/bin/sh is always there.""",
)
NO_ENV = Code(
    "KA224",
    Severity.ERROR,
    "env does not find the script's interpreter",
    """\
`#!/usr/bin/env X` searches the PATH that keepalived has. Where X is not there env exits with
127: the script fails each time, FAULT for ever. Below systemd that PATH has no home directory,
no pyenv or nvm. All that follows env is one word to the kernel: `#!/usr/bin/env X -u` looks for a
program named "X -u".

See it: "Script `NAME` now returning 127".
Do: the full path in the #! line; env -S where there are options.""",
)
UNSAFE = Code(
    "KA225",
    Severity.ERROR,
    "a path that enable_script_security rejects",
    REMOVED
    + """With enable_script_security, of what root or group root runs every component from / to
the file must be owned by root, not writable by a group other than root, and not by everyone (a
directory may, if it is sticky): check_security() in lib/notify.c. That is the resolved path, and
since 2.3.0 the configured one, too. With use_symlink_paths 2.3 looks at the configured path alone,
so that the target of a link may belong to anybody; since 2.4.0 it looks at both again.

See it: "Unsafe permissions found for script"; keepalived -t exits 5 (before 2.2.0: 4).
Do: chown root:root and chmod go-w what the finding names; or put the script elsewhere.""",
)
LINKED_DIRECTORY = Code(
    "KA226",
    Severity.ERROR,
    "a path through a link to a directory, since keepalived 2.3",
    REMOVED
    + """Since 2.3.0 the path is checked as it is configured, and each component before the last
must be a real directory, for what root or group root runs, with or without enable_script_security
and use_symlink_paths: /bin/x and /sbin/x are rejected where /bin is a link to usr/bin. 2.2 resolves
the path first.

See it: "Wrong file type found in script path".
Do: write the real path, as readlink -f shows it; only the file itself may be a link.""",
)
MULTI_CALL = Code(
    "KA227",
    Severity.ERROR,
    "a link to a program that goes by its own name",
    """\
Before 2.3.0 keepalived passes the resolved path as argv[0], unless the same file has the link's
name in the target's directory as well (check_script_secure() in lib/notify.c). Debian's pidof is
a link to /sbin/killall5, so `pidof vault` runs as killall5, which exits with 1: FAULT for ever.
Applets of busybox in another directory are not found.

See it: "Command = " in /tmp/keepalived.data after kill -USR1 of keepalived.
Do: kacheck-process NAME; or a script that calls it; or keepalived 2.3.""",
)
NO_BASH = Code(
    "KA228",
    Severity.ERROR,
    "a /dev/tcp check where sh is not bash",
    """\
A command that begins with `</` is handed to /bin/sh by system(3), which asks whether the file
can be opened; and `sh -c` is the same shell. /dev/tcp/HOST/PORT is a file to bash only; dash,
Debian's and Ubuntu's sh, finds nothing there and exits with 2: FAULT for ever.

See it: sh -c '</dev/tcp/127.0.0.1/22'; echo $?
Do: script "bash -c '</dev/tcp/127.0.0.1/80'", or nc -z 127.0.0.1 80.""",
)
CODES = (
    NOT_FOUND, NOT_EXECUTABLE, NO_INTERPRETER, NO_ENV, UNSAFE, LINKED_DIRECTORY, MULTI_CALL,
    NO_BASH,
)  # fmt: skip
WITHOUT_PORTS = ("dash", "busybox", "ash", "sh")
"""Shells that have no /dev/tcp."""
BUILT_IN = (*KEYWORDS, "cd", "exit", "source", ".", ":")
MULTI_CALLS = ("killall5", "busybox", "toybox", "coreutils")
TRUE, FALSE = ("true", "on", "yes"), ("false", "off", "no")
"""check_true_false() in lib/parser.c."""
UNTRACKED = "keepalived removes the script, and who tracks it runs untracked"


def findings(setup: Setup) -> Iterator[Finding]:
    """All of them, for what is run at all."""
    for script in scripts(setup):
        if script.is_executed:
            yield from of_script(setup, script)
            program = shell_program(script.argv) or ""
            yield from no_bash(setup.system, script, shell_command(script.argv)[:1], program)
        elif script.argv:
            yield from no_bash(setup.system, script, ["/bin/sh"], script.argv[0])


def no_bash(system: System, script: Script, shell: list[str], program: str) -> Iterator[Finding]:
    """Does the shell know /dev/tcp?"""
    port = re.search(r"/dev/(?:tcp|udp)/[^\s;&|)]+", program)
    real = system.realpath(which("".join(shell), system) or "/")
    if port and os.path.basename(real) in WITHOUT_PORTS:
        what = f"{script.name} fails for ever: {port[0]} is no file to {real}"
        why = "/dev/tcp is bash's own"
        yield found(NO_BASH, script.node, what, why, f"script \"bash -c '{program}'\"")


def of_script(setup: Setup, script: Script) -> Iterator[Finding]:
    """From the path to the interpreter."""
    system = setup.system
    path = which(script.argv[0], system)
    if path is None:
        bare = "/" not in script.argv[0]
        where = f" in {system.search_path}" if bare else ""
        what = f"{script.name}: {script.argv[0]} does not exist{where}"
        cure = "install it, or correct the path"
        if script.argv[0] in BUILT_IN or ASSIGNMENT.match(script.argv[0]):
            cure = in_a_shell(["sh", "-c"], script.argv).replace("'source ", "'. ")
        yield found(NOT_FOUND, script.node, what, UNTRACKED, cure)
        return
    real = system.realpath(path)
    closed = closed_directory(system, script.runner, real)
    if closed is not None:
        what = f"{script.name}: its user may not enter {closed}"
        yield found(NOT_FOUND, script.node, what, UNTRACKED, "put it elsewhere, or another user")
        return
    status = system.status(real)
    if status is None:  # no telling
        return
    if not status.is_file or not is_executable(status, script.runner):
        what = f"{script.name}: {path} ({described(system, status)}) is not executable"
        yield found(NOT_EXECUTABLE, script.node, what, UNTRACKED, f"chmod 755 {real}")
        return
    yield from multi_call(setup, script, path, real)
    yield from interpreter(system, script, real)
    if script.runner.trouble is None and 0 in script.runner[:2]:
        yield from linked_directories(setup, script, path)
        if script.security:
            yield from unsafe(setup, script, path, real)


def closed_directory(system: System, runner: Runner, real: str) -> str | None:
    """The first directory above a file that its runner may not enter, with owner and mode."""
    for directory in prefixes(real)[:-1] if runner.uid else ():
        status = system.status(directory)
        if status is not None and not is_executable(status, runner):
            return f"{directory} ({described(system, status)})"
    return None


def is_executable(status: FileStatus, runner: Runner) -> bool:
    """May the runner execute it? As lib/notify.c has it."""
    if runner.uid == 0:
        return bool(status.mode & 0o111)
    if runner.uid == status.uid:
        return bool(status.mode & 0o100)
    return bool(status.mode & (0o010 if runner.gid == status.gid else 0o001))


def described(system: System, status: FileStatus) -> str:
    """`root:root, mode 0755`."""
    return f"{system.owner(status)}, mode {status.mode & 0o7777:04o}"


def multi_call(setup: Setup, script: Script, path: str, real: str) -> Iterator[Finding]:
    """Does it run under another name than was configured?"""
    name, real_name = os.path.basename(path), os.path.basename(real)
    sibling = f"{os.path.dirname(real)}/{name}"
    is_kept = name == real_name or setup.system.realpath(sibling) == real
    if real_name in MULTI_CALLS and not is_kept and setup.is_before(2, 3, 0):
        what = f"{script.name}: {name} is a link to {real}, and runs as {real_name}"
        why = "keepalived before 2.3.0 passes the resolved path as argv[0]"
        cure = "kacheck-process NAME" if name == "pidof" else "a script that calls it"
        yield found(MULTI_CALL, script.node, what, why, cure)


def interpreter(system: System, script: Script, real: str) -> Iterator[Finding]:
    """Can execve(2) start it?"""
    head = system.head(real)
    if not head or head.startswith(b"\x7fELF"):
        return
    failed = "keepalived's child exits with 0 where the command cannot be executed"
    if not head.startswith(b"#!"):
        what = f"{script.name} counts as healthy whatever it does: {real} has no #! line"
        yield found(NO_INTERPRETER, script.node, what, failed, "begin it with #!/bin/sh")
        return
    line = os.fsdecode(head[2:].split(b"\n")[0]).strip(" \t")
    program, _, rest = line.replace("\t", " ").partition(" ")
    if system.is_missing(program):
        shown = program.replace("\r", "\\r")
        what = f"{script.name} counts as healthy for ever: {shown}, the #! of {real}, is missing"
        cure = "save it without carriage returns" if "\r" in line else "correct the #! line"
        yield found(NO_INTERPRETER, script.node, what, failed, cure)
    elif os.path.basename(program) == "env":
        name = env_looks_for(rest.strip())
        if name and which(name, system) is None:
            what = f"{script.name} exits with 127 each time: env does not find {name}"
            why = f"keepalived's PATH is {system.search_path}"
            cure = f"the full path in the #! of {real}"
            if " " in name:
                why, cure = "what follows env is one word to the kernel", f"env -S in {real}"
            yield found(NO_ENV, script.node, what, why, cure)


def env_looks_for(rest: str) -> str:
    """The program that `#!/usr/bin/env REST` runs: REST is one word, which -S alone takes apart."""
    if not rest.startswith("-"):
        return rest
    words = [word for word in rest.split() if word[:1] != "-" and "=" not in word]
    return words[0] if words else ""


def linked_directories(setup: Setup, script: Script, path: str) -> Iterator[Finding]:
    """Links before the last component."""
    if not setup.is_from(2, 3, 0):
        return
    for directory in prefixes(os.path.normpath(path))[:-1]:  # clean_path()
        status = setup.system.status(directory)
        if status is not None and status.is_link:
            what = f"{script.name}: {directory} is a link, which keepalived since 2.3 rejects"
            cure = f"write {setup.system.realpath(os.path.dirname(path))}/{os.path.basename(path)}"
            yield found(LINKED_DIRECTORY, script.node, what, UNTRACKED, cure)
            return


def unsafe(setup: Setup, script: Script, path: str, real: str) -> Iterator[Finding]:
    """Components that others than root can change: check_security()."""
    paths = [] if is_target_unchecked(setup) else prefixes(real)
    if setup.is_from(2, 3, 0):
        paths += prefixes(os.path.normpath(path))
    for component in dict.fromkeys(paths):
        status = setup.system.status(component)
        trouble = status and rejected(status)
        if status and trouble:
            owner = described(setup.system, status)
            what = f"{script.name}: {component} ({owner}) {trouble}"
            cure = f"chown root:root {component} && chmod go-w {component}"
            if status.is_directory and status.uid:
                cure = "move the script to where only root writes, such as /etc/keepalived"
            yield found(UNSAFE, script.node, what, UNTRACKED, cure)


def is_target_unchecked(setup: Setup) -> bool:
    """Return whether only the configured path is checked: 2.3, with use_symlink_paths."""
    keeps_links = False
    for line in setup.configuration.find("global_defs", "use_symlink_paths"):
        word = "".join(line.arguments[:1]) or "true"
        keeps_links = word in TRUE or (keeps_links and word not in FALSE)
    return keeps_links and not setup.is_before(2, 3, 0) and not setup.is_from(2, 4, 0)


def rejected(status: FileStatus) -> str | None:
    """Why a component does not pass."""
    if status.uid:
        return "is not owned by root"
    if status.is_link or (status.is_directory and status.mode & 0o1000):
        return None
    if status.gid and status.mode & 0o020:
        return "is writable by its group"
    return "is writable by everyone" if status.mode & 0o002 else None


def prefixes(path: str) -> list[str]:
    """`/`, `/a`, `/a/b` of `/a/b`."""
    names = [name for name in path.split("/") if name]
    return ["/", *("/" + "/".join(names[: count + 1]) for count in range(len(names)))]
