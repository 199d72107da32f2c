"""KA24: what a vrrp_script's command says: one-liners that do not do what they seem to. Pure."""

import itertools
import os
import re
from collections.abc import Iterator

from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.reading import Setup, found
from kacheck.doctor.scripts import Script, scripts, seconds
from kacheck.doctor.shell import (
    IN_A_SHELL,
    ShellCommand,
    commands,
    in_a_shell,
    programs,
    shell_command,
    shell_program,
)
from kacheck.doctor.system import which

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
pgrep, pkill -0, killall -0, kill -0, ps -C and ps -p find a process that has exited and was not
waited for (seen: exit code 0 for a zombie). In a container whose first process does not reap,
that is what is left of a crashed service: the check is successful for ever.

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
A pipeline's exit code is its last command's. wc, cat, tee, head, awk, echo, true and their like
succeed whatever went before them: the check is successful for ever. So is `CMD &>FILE` where sh
is dash, as Debian's and Ubuntu's: that is `CMD &`, which nobody waits for, and then `>FILE`.

Do: end it with the command that decides, such as grep -q; and >FILE 2>&1 for &>FILE.""",
)
ANY_ANSWER = Code(
    "KA250",
    Severity.ERROR,
    "curl of sys/health that is content with any answer",
    """\
curl exits with 0 as soon as it has an answer, whatever its code: 503 of a sealed Vault, 429 of a
standby, 501 of one that was never initialized. The check is successful as long as anything
listens.

Do: kacheck-vault; or curl -f, which fails on every code from 400 on.""",
)
CODES = (
    SHELL, TILDE, SH_C, GREP_ACTIVE, CURL, ZOMBIES, ITSELF, FULL_MATCH, SUCCEEDS, ANY_ANSWER,
)  # fmt: skip

OPERATOR = re.compile(r"\|\|?|&|;|.*(?:&&|\|\|).*|(?:[0-9]|&)?>>?(?:&[0-9-]|\S+)?|<(?:/.*)?|.*;")
SUBSTITUTION = re.compile(r"\$\(|`|\$\{|\$[A-Za-z_]\w*$")
GLOB = re.compile(r"/[^?=]*(?:[*?]|\[.+\])")
ALWAYS = ("echo", "logger", "true", ":")
FILTERS = ("wc", "cat", "tee", "head", "tail", "sort", "uniq", "cut", "tr")
"""What succeeds at the end of a pipe."""
AWKS = ("awk", "gawk", "mawk")
"""They succeed at the end of a pipe, too, unless their program has an exit."""
KILLERS = ("pkill", "killall", "kill")
GREPS = ("grep", "egrep", "fgrep")
READERS = (*GREPS, *AWKS, "jq", "sed")
"""What may judge an answer that was put into a file."""
SHOWN = ("cat", "echo", "printf", "}")
"""What hands such an answer on."""
BACKGROUND = re.compile(r"(&>>?\s*[^\s;&|()]+)\s*(?:\|\|.*)?$")
LOW = {"-gt": 1, "-ge": 2, "-ne": 0}
"""The numbers that ps | grep is above, as it finds the shell that runs it and its grep."""
FAILS = re.compile(r"-[#0-6aBgGiIjJkLlMnNOpqRsSvZ]*f|--fail")
"""curl(1): --fail, behind short options that take no value."""
SELECTING = re.compile(r"-\w*[CGUgpqtu]|--(?:pid|ppid|user|group|tty|sid)\b")
"""ps(1): options that show some processes only."""


def findings(setup: Setup) -> Iterator[Finding]:
    """All of them."""
    for script in scripts(setup):
        if not script.is_executed:
            continue
        program = shell_program(script.argv)
        if program is None:
            yield from unexpanded(script)
            yield from one_liners(script, [commands(script.argv, None)])
        else:
            yield from lost_words(script, program)
            runs = [commands([], each) for each in programs(program)]
            yield from one_liners(script, runs)
            if not ends_before(script, runs[0]):
                yield from background(setup, script, program)


def one_liners(script: Script, runs: list[list[ShellCommand]]) -> Iterator[Finding]:
    """What is wrong with the commands: of the program, then of what is substituted in it."""
    every = [command for simple in runs for command in simple]
    for look in (grep_active, curl, zombies):
        yield from look(script, every)
    for simple in runs:
        is_grepped = all(command.name in ("ps", "wc", *GREPS) for command in simple)
        if simple is runs[0] or not is_counted(simple) or (is_grepped and is_low(script)):
            yield from itself(script, simple)
    yield from always(script, runs[0])
    yield from any_answer(script, runs[0])


def unexpanded(script: Script) -> Iterator[Finding]:
    """What a shell would have understood."""
    arguments = [word for word in script.argv[1:] if not is_literal(script, word)]
    syntax = [w for w in arguments if OPERATOR.fullmatch(w) or SUBSTITUTION.search(w)]
    syntax += [word for word in (script.argv[0], *arguments) if GLOB.match(word)]
    if syntax:
        what = f"{script.name}: {os.path.basename(script.argv[0])} gets {syntax[0]} as an argument"
        why = "keepalived starts no shell"
        yield found(SHELL, script.node, what, why, IN_A_SHELL)
    homes = [word for word in script.argv if re.match(r"~[a-z_0-9-]*(/|$)", word)]
    if homes:
        what = f"{script.name}: {homes[0]} is a directory named ~ to keepalived"
        yield found(TILDE, script.node, what, "keepalived starts no shell", "the full path")


def is_literal(script: Script, word: str) -> bool:
    """Is it in quotes, so that a shell would have taken it as it is, too?"""
    return word not in script.node.line.text.replace('"', " ").split()


def lost_words(script: Script, program: str) -> Iterator[Finding]:
    """Words behind the program of sh -c that were meant to be part of it."""
    place = script.argv.index(program)
    rest = script.argv[place + 1 :]
    if rest and not re.search(r"[\s$]", program):
        what = f"{script.name}: the shell runs {program} without {' '.join(rest)}"
        cure = in_a_shell(script.argv[:place], script.argv[place:])
        yield found(SH_C, script.node, what, "-c takes one word", cure)


def grep_active(script: Script, simple: list[ShellCommand]) -> Iterator[Finding]:
    """Does it look for a word that is never there?"""
    asked: list[str] = []
    source = ShellCommand([])
    for command in simple:
        source = source if command.joint == "|" else command
        is_variable = source.name == "curl" and any("$" in word for word in source.words)
        if asks_health(source.words) or is_variable or source.name in (*GREPS, *SHOWN):
            words = command.words
            asked += itertools.dropwhile(lambda w: os.path.basename(w) not in GREPS, words)
    is_asked = any("active" in word.lower() and "/" not in word for word in asked)
    if is_asked and asks_health(script.argv):
        what = f"{script.name}: the answer of sys/health never has the word active in it"
        why = "it says initialized, sealed and standby; the role is the HTTP code"
        yield found(GREP_ACTIVE, script.node, what, why, "kacheck-vault, or curl -f")


def curl(script: Script, simple: list[ShellCommand]) -> Iterator[Finding]:
    """Can it hang?"""
    for command in simple:
        if command.name != "curl":
            continue
        own, around = curl_limit(command.words), seconds(command.limit.rstrip("s"))
        limit = min(filter(None, (own, around)), default=None)
        if limit is None or limit >= script.timeout:
            has = f"-m {own:g}" if own else "no -m"
            what = f"{script.name}: curl has {has}, and keepalived waits {script.timeout:g} s"
            why = "keepalived ends it by a signal, which says nothing of the cause"
            yield found(CURL, script.node, what, why, "curl -m N, below the script's timeout")


def curl_limit(words: list[str]) -> float:
    """Seconds of -m or --max-time; 0, as for curl, for none."""
    for index, word in enumerate(words):
        short = re.fullmatch(r"-[a-zA-Z]*m([0-9.]*)", word)
        if short or word.startswith("--max-time"):
            value = short[1] if short else word.partition("=")[2]
            return seconds(value or "".join(words[index + 1 : index + 2]))
    return 0.0


def any_answer(script: Script, simple: list[ShellCommand]) -> Iterator[Finding]:
    """Is curl's exit code, which is 0 for every answer, what counts?"""
    for index, command in enumerate(simple):
        words, after = command.words, simple[index + 1 :]
        is_read = any(
            (each.name in READERS and (each.joint != "|" or last.name in SHOWN))
            or "_" in each.words
            for last, each in itertools.pairwise((command, *after))
        )
        counts = command.name == "curl" and not is_read and (not after or after[0].joint != "|")
        fails = any(map(FAILS.match, words))
        if counts and not fails and asks_health(words) and not any(map(OPERATOR.fullmatch, words)):
            what = f"{script.name}: curl succeeds on every answer, that of a sealed Vault too"
            why = "without -f its exit code does not depend on the HTTP code"
            yield found(ANY_ANSWER, script.node, what, why, "kacheck-vault, or curl -f")


def asks_health(words: list[str]) -> bool:
    """Is it Vault's or OpenBao's health that is asked for?"""
    return "sys/health" in " ".join(words)


def zombies(script: Script, simple: list[ShellCommand]) -> Iterator[Finding]:
    """Does it count what is dead?"""
    for command in simple:
        name, options = command.name, command.words[1:]
        asks = {"-0", "0", "-s0", "--signal=0"} & {*options}
        runs = any(word.startswith(("-r", "--runstates")) for word in options)
        shown = name == "ps" and re.search(r"(?:^| )-\w*[Cp]", " ".join(options))
        if (name == "pgrep" and not runs) or (name in KILLERS and asks) or shown:
            what = f"{script.name}: {name} finds zombies, too"
            why = "a process that has exited stays in /proc until its parent has waited for it"
            yield found(ZOMBIES, script.node, what, why, "kacheck-process NAME")
        if name == "pgrep" and is_loose(options):
            what = f"{script.name}: pgrep -f finds any process that mentions {options[-1]}"
            why = "it compares whole command lines, of shells and editors, too"
            yield found(FULL_MATCH, script.node, what, why, "kacheck-process NAME")


def is_loose(options: list[str]) -> bool:
    """Does pgrep look for a word anywhere in the command line?"""
    full, exact = (
        any(re.fullmatch(pattern, word) for word in options)
        for pattern in (r"-[a-zA-Z]*f[a-z]*|--full", r"-[a-zA-Z]*x[a-z]*|--exact")
    )
    return full and not exact and options[-1][:1] != "^"


def is_counted(simple: list[ShellCommand]) -> bool:
    """Is it the number of lines that matters?"""
    return any(
        command.name == "wc"
        or (command.name in GREPS and any(re.match(r"-\w*c|--count", w) for w in command.words))
        for command in simple
    )


def is_low(script: Script) -> bool:
    """Is it compared with a number that it is above without the service, too?"""
    compared = re.findall(r"\s(-[a-z]{2})\s+['\"]?([0-9]+)\b", " ".join(script.argv))
    return len(compared) == 1 and int(compared[0][1]) <= LOW.get(compared[0][0], -1)


def itself(script: Script, simple: list[ShellCommand]) -> Iterator[Finding]:
    """Does ps | grep find its grep?"""
    text = " ".join(script.argv)
    lists = [index for index, each in enumerate(simple) if shows_command_lines(each)]
    greps = [each for each in simple[lists[0] :] if each.name in GREPS] if lists else []
    if greps and not any(map(leaves_itself_out, greps)) and not re.search(r"\[[^]\s]\]", text):
        what = f"{script.name}: grep finds its own command line in the output of ps"
        why = "the word that it looks for stands there"
        yield found(ITSELF, script.node, what, why, "kacheck-process NAME")


def leaves_itself_out(grep: ShellCommand) -> bool:
    """Does it drop the line of a grep, or look for the beginning or end of a line, or all of it?"""
    if any(re.match(r"-\w*x|--line-regexp", word) for word in grep.words[1:]):
        return True
    is_inverted = any(re.match(r"-\w*v|--invert", word) for word in grep.words[1:])
    wanted = r"\[?g\]?rep|root" if is_inverted else r"^\^|\$$"
    return any(re.search(wanted, word) for word in grep.words[1:] if word[:1] != "-")


def shows_command_lines(command: ShellCommand) -> bool:
    """Does ps(1) show all processes, grep among them, with what was searched for?"""
    options = [re.sub("^-(?=aux)", "", word) for word in command.words[1:]]
    if command.name != "ps" or not options or any(map(SELECTING.match, options)):
        return False
    if asked := re.search(r"(?:^|\s)-?\w*o\s*(\S+)", " ".join(options)):
        return bool(re.search(r"args|cmd|command", asked[1]))
    if options[0].isalpha():
        return "c" not in options[0]
    return any(re.match(r"-\w*[fFx]|f$", word) for word in options)


def always(script: Script, simple: list[ShellCommand]) -> Iterator[Finding]:
    """Does its end succeed whatever went before?"""
    last = simple[-1] if simple else ShellCommand([])
    ends = last.name in ALWAYS and last.joint in ("|", "||", ";")
    first = next((each for each in reversed(simple) if each.joint != "|"), last)
    is_awk = last.name in AWKS and not may_exit(last) and first.joint != "&&"
    ends = ends or ((last.name in FILTERS or is_awk) and last.joint == "|")
    if ends and not ends_before(script, simple):
        what = f"{script.name} is successful for ever: it ends with {last.name}"
        why = "the last command's exit code is the script's"
        yield found(SUCCEEDS, script.node, what, why, "end it with the command that decides")


def may_exit(awk: ShellCommand) -> bool:
    """Has its program an exit, or is it in a file?"""
    return any("exit" in word or word.startswith("-f") for word in awk.words)


def background(setup: Setup, script: Script, program: str) -> Iterator[Finding]:
    """Does it end with bash's `&>`, which dash reads as `&` and `>`?"""
    shell = which(shell_command(script.argv)[0], setup.system)
    real = os.path.basename(setup.system.realpath(shell or "/"))
    behind = re.split(r"[;\n]", program)[-1]
    match = BACKGROUND.search(re.sub(r"'[^']*'|\"[^\"]*\"", "_", behind))
    if real == "dash" and match:  # busybox knows it
        what = f"{script.name} is successful for ever: {real} reads {match[1]} as & and >"
        why = "the command runs in the background, and nobody asks for its exit code"
        yield found(SUCCEEDS, script.node, what, why, ">FILE 2>&1, or bash -c")


def ends_before(script: Script, simple: list[ShellCommand]) -> bool:
    """Can it fail before its end: by exit, set -e or pipefail?"""
    options = [word for word in script.argv[1:] if re.fullmatch(r"-[a-z]*e[a-z]*", word)]
    return bool(
        options
        or any(command.name in ("exit", "set") for command in simple[:-1])
        or "pipefail" in script.argv
    )
