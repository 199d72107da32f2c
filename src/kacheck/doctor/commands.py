"""KA24: what a vrrp_script's command says: one-liners that do not do what they seem to. Pure."""

import os
import re
from collections.abc import Iterator

from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.reading import Setup, found
from kacheck.doctor.scripts import Script, scripts, seconds
from kacheck.doctor.shell import Command, commands, shell_program

SHELL = Code(
    "KA241",
    Severity.ERROR,
    "shell syntax where no shell runs it",
    """\
keepalived starts no shell: it splits the command at blanks outside of quotes and calls
execve(2). `|`, `&&`, `||`, `;`, `>`, `$(...)`, backquotes, `$NAME` and globs reach the program
as arguments. So `curl -s URL | grep -q x` asks curl for four URLs, and its exit code is curl's.

See it: "Command = " in /tmp/keepalived.data after kill -USR1 of keepalived.
Do: a file with #!/bin/sh, or script "sh -c 'A | B'": single quotes inside of double ones.""",
)
TILDE = Code(
    "KA242",
    Severity.ERROR,
    "a ~ that nothing expands",
    """\
`~` for a home directory is the shell's. keepalived looks for a directory of that name: the
script is not found and removed, and its instances run untracked; as an argument it names no
file.

Do: the full path.""",
)
SH_C = Code(
    "KA243",
    Severity.ERROR,
    "sh -c runs its next word alone",
    """\
Of `sh -c curl -s URL` the shell runs `curl`, and the rest are $0, $1 and so on. keepalived
splits the command at blanks as a shell would, so the program for -c needs quotes of its own.

Do: script "sh -c 'curl -s URL'": single quotes inside of double ones.""",
)
GREP_ACTIVE = Code(
    "KA244",
    Severity.ERROR,
    "sys/health never says active",
    """\
The body of Vault's and OpenBao's /v1/sys/health is JSON with initialized, sealed and standby;
the word "active" is not in it, so that grep fails on the active node, too: FAULT for ever. The
role is the code: 200 is the active node, 429 a standby, 503 sealed.

Do: kacheck-vault; or curl -f, which fails on every code from 400 on.""",
)
CURL = Code(
    "KA245",
    Severity.WARNING,
    "curl without a time limit below the script's timeout",
    """\
Without -m (--max-time) curl waits for a server that does not answer until keepalived's timeout;
the endpoint of Vault hangs for up to 90 s while a node wins or loses leadership.
--connect-timeout ends with the connection. The SIGTERM of keepalived explains nothing, and a
script that exits with 0 after it counts as healthy.

Do: curl -m N with N below the timeout of the vrrp_script.""",
)
ZOMBIES = Code(
    "KA246",
    Severity.WARNING,
    "a command that takes a zombie for a running process",
    """\
pgrep, pkill -0 and killall -0 find a process that has exited and was not waited for (seen: exit
code 0 for a zombie). In a container whose first process does not reap, that is what is left of a
crashed service: the check is successful for ever.

Do: kacheck-process NAME; or pgrep -r S,R,D,I NAME (procps-ng 4).""",
)
ITSELF = Code(
    "KA247",
    Severity.ERROR,
    "ps | grep finds itself",
    """\
The command line of grep, and of the shell that runs it, has the word that is looked for: the
check is successful for ever.

Do: kacheck-process NAME; or pgrep -x NAME, which does not count itself.""",
)
FULL_MATCH = Code(
    "KA248",
    Severity.WARNING,
    "pgrep -f finds whatever mentions the word",
    """\
-f compares whole command lines: an editor, a tail of the service's log, a shell that runs this
very check, ssh with the word in its command, all count as the service.

Do: kacheck-process with its arguments: kacheck-process --param-match partial -- NAME ARG...""",
)
SUCCEEDS = Code(
    "KA249",
    Severity.ERROR,
    "a pipeline whose end always succeeds",
    """\
A pipeline's exit code is its last command's. wc, cat, tee, echo and true succeed whatever went
before them: the check is successful for ever.

Do: end it with the command that decides, such as grep -q.""",
)
CODES = (SHELL, TILDE, SH_C, GREP_ACTIVE, CURL, ZOMBIES, ITSELF, FULL_MATCH, SUCCEEDS)

OPERATOR = re.compile(r"\|\|?|&&?|;|(?:[0-9]|&)?>>?(?:&[0-9-]|\S+)?|<|.*;")
SUBSTITUTION = re.compile(r"\$\(|`|\$\{|\$[A-Za-z_]\w*$")
GLOB = re.compile(r"/[^?=]*[*?\[]")
ALWAYS = ("wc", "cat", "tee", "echo", "true", ":")
KILLERS = ("pkill", "killall")


def findings(setup: Setup) -> Iterator[Finding]:
    """All of them."""
    for script in scripts(setup):
        if not script.is_executed:
            continue
        program = shell_program(script.argv)
        if program is None:
            yield from unexpanded(script)
        else:
            yield from lost_words(script, program)
        for look in (grep_active, curl, zombies, itself, always):
            yield from look(script, commands(script.argv, program))


def unexpanded(script: Script) -> Iterator[Finding]:
    """What a shell would have understood."""
    words = script.argv
    syntax = [w for w in words[1:] if OPERATOR.fullmatch(w) or SUBSTITUTION.search(w)]
    syntax += [word for word in words if GLOB.match(word)]
    if syntax:
        what = f"{script.name}: {os.path.basename(words[0])} gets {syntax[0]} as an argument"
        why = "keepalived starts no shell"
        yield found(SHELL, script.node, what, why, "script \"sh -c '...'\", or a file")
    homes = [word for word in words if re.match(r"~[a-z_0-9-]*(/|$)", word)]
    if homes:
        what = f"{script.name}: {homes[0]} is a directory named ~ to keepalived"
        yield found(TILDE, script.node, what, "keepalived starts no shell", "the full path")


def lost_words(script: Script, program: str) -> Iterator[Finding]:
    """Words behind the program of sh -c that were meant to be part of it."""
    rest = script.argv[script.argv.index(program) + 1 :]
    if rest and not re.search(r"[\s$]", program):
        what = f"{script.name}: the shell runs {program} without {' '.join(rest)}"
        cure = f"script \"sh -c '{' '.join([program, *rest])}'\""
        yield found(SH_C, script.node, what, "-c takes one word", cure)


def grep_active(script: Script, simple: list[Command]) -> Iterator[Finding]:
    """Does it look for a word that is never there?"""
    text = " ".join(script.argv)
    words = [word for command in simple for word in command.words]
    if "sys/health" in text and "grep" in text and "active" in (w.strip("\"'") for w in words):
        what = f"{script.name}: the answer of sys/health never has the word active in it"
        why = "it says initialized, sealed and standby; the role is the HTTP code"
        yield found(GREP_ACTIVE, script.node, what, why, "kacheck-vault, or curl -f")


def curl(script: Script, simple: list[Command]) -> Iterator[Finding]:
    """Can it hang?"""
    for command in simple:
        if command.name != "curl":
            continue
        limit = curl_limit(command.words)
        if limit is None or limit >= script.timeout:
            has = "no -m" if limit is None else f"-m {limit:g}"
            what = f"{script.name}: curl has {has}, and keepalived waits {script.timeout:g} s"
            why = "keepalived ends it by a signal, which says nothing of the cause"
            yield found(CURL, script.node, what, why, "curl -m N, below the script's timeout")


def curl_limit(words: list[str]) -> float | None:
    """Seconds of -m or --max-time."""
    for index, word in enumerate(words):
        short = re.fullmatch(r"-[a-zA-Z]*m([0-9.]*)", word)
        if short or word.startswith("--max-time"):
            value = short[1] if short else word.partition("=")[2]
            return seconds(value or "".join(words[index + 1 : index + 2]))
    return None


def zombies(script: Script, simple: list[Command]) -> Iterator[Finding]:
    """Does it count what is dead?"""
    for command in simple:
        name, options = command.name, command.words[1:]
        asks = {"-0", "0", "-s0", "--signal=0"} & {*options}
        runs = any(word.startswith(("-r", "--runstates")) for word in options)
        if (name == "pgrep" and not runs) or (name in KILLERS and asks):
            what = f"{script.name}: {name} finds zombies, too"
            why = "a process that has exited stays in /proc until its parent has waited for it"
            yield found(ZOMBIES, script.node, what, why, "kacheck-process NAME")
        if name == "pgrep" and any(re.fullmatch(r"-[a-zA-Z]*f[a-z]*|--full", w) for w in options):
            what = f"{script.name}: pgrep -f finds any process that mentions {options[-1]}"
            why = "it compares whole command lines, of shells and editors, too"
            yield found(FULL_MATCH, script.node, what, why, "kacheck-process NAME")


def itself(script: Script, simple: list[Command]) -> Iterator[Finding]:
    """Does ps | grep find its grep?"""
    text = " ".join(script.argv)
    names = [command.name for command in simple]
    if "ps" not in names or "grep" not in names[names.index("ps") :]:
        return
    if not re.search(r"grep -\w*v\w* ['\"]?\[?g|\[\w\]", text):
        what = f"{script.name}: grep finds its own command line in the output of ps"
        why = "the word that it looks for stands there"
        yield found(ITSELF, script.node, what, why, "kacheck-process NAME")


def always(script: Script, simple: list[Command]) -> Iterator[Finding]:
    """Does its end succeed whatever went before?"""
    last = simple[-1:] or [Command([])]
    if last[0].name in ALWAYS and last[0].joint in ("|", "||", ";"):
        what = f"{script.name} is successful for ever: it ends with {last[0].name}"
        why = "the last command's exit code is the script's"
        yield found(SUCCEEDS, script.node, what, why, "end it with the command that decides")
