"""KA20: vrrp_script: who runs it, how often and how long. Pure but for the system's users."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.reading import Definition, Setup, found, leading
from kacheck.doctor.system import System
from kacheck.keepalived import Node

NO_COMMAND = Code(
    "KA201",
    Severity.ERROR,
    "a vrrp_script without a command",
    """\
keepalived says "No script set for vrrp_script NAME - removing", and every instance that tracks
it runs untracked. A quote that is open inside the command has the same effect.

Do: script "/path/to/command with its arguments".""",
)
DROPPED = Code(
    "KA202",
    Severity.ERROR,
    "arguments outside of the quotes are dropped",
    """\
The command and all its arguments are one word to keepalived: of `script /usr/bin/pgrep vault`
only /usr/bin/pgrep is run (set_script_params_array() in lib/notify.c takes the second word
alone, and cuts that one again). Nothing warns.

See it: "Command = " in /tmp/keepalived.data after kill -USR1 of keepalived.
Do: double quotes around all of it: script "/usr/bin/pgrep vault". Single quotes inside part
words.""",
)
NO_USER = Code(
    "KA203",
    Severity.ERROR,
    "no user to run the script",
    """\
A script runs as its own `user`, else as global_defs' script_user, else as the account
keepalived_script, else as root. keepalived removes the script, and its instances run untracked:
the VIP stays whatever fails, where the user does not exist; or, with enable_script_security in
force when the script is read, where there is neither `user` nor script_user nor the account
keepalived_script (get_default_script_user() in lib/notify.c, vrrp_vscript_end_handler()).

See it: "Unable to set default user for vrrp script NAME - removing"; keepalived -t exits 5, before
2.2.0 4.
Do: `user root` in the vrrp_script, or script_user in a global_defs above it.""",
)
NOT_BELOW = Code(
    "KA204",
    Severity.WARNING,
    "a timeout that is not below the interval",
    """\
A run that takes as long as the interval meets the next one. keepalived from 2.1.3 to 2.3.2 logs
"Track script NAME is already running, expect idle - skipping run" and runs it again all the
same, so that hanging runs pile up. Failure is noticed after interval x fall + timeout.

Do: a timeout below the interval. kacheck's entry points end at their own deadline, and may have a
longer one.""",
)
NO_TIMEOUT = Code(
    "KA205",
    Severity.NOTE,
    "a script without a timeout",
    """\
Without `timeout` a run may take an interval. A command that hangs is found out that much later,
and meets its next run (KA204).

Do: `timeout N`, below the interval and above the command's own timeout, which can say why.""",
)
FRACTION = Code(
    "KA206",
    Severity.WARNING,
    "a time that keepalived cannot read",
    """\
Fractions of a second are read since 2.3.2. Earlier versions warn "invalid number '0.5'" and take
the whole seconds: 2.7 is 2, and 0.5 is 0, which becomes 1 (read_unsigned_func() in lib/parser.c;
seen with 2.2.7). keepalived -t fails. Any other word that is no number behaves alike.

Do: whole seconds, or keepalived 2.3.2.""",
)
CODES = (NO_COMMAND, DROPPED, NO_USER, NOT_BELOW, NO_TIMEOUT, FRACTION)
KEYWORDS = ("interval", "timeout", "weight", "rise", "fall", "user", "init_fail")
"""Of a vrrp_script, beside its script."""


class Runner(NamedTuple):
    """Who runs a script."""

    uid: int = 0
    gid: int = 0
    trouble: str | None = None
    """Why nobody does."""
    node: Node | None = None
    """The statement that says who."""


class Script(NamedTuple):
    """A vrrp_script."""

    definition: Definition
    node: Node
    """Its script statement, else its head."""
    argv: list[str]
    """What is run; empty if nothing is."""
    runner: Runner
    security: bool
    """Is enable_script_security on?"""

    @property
    def name(self) -> str:
        """As it is tracked."""
        return self.definition.name

    @property
    def interval(self) -> float:
        """Seconds, as keepalived takes it, fractions believed."""
        return seconds(self.definition.value("interval")) or 1.0

    @property
    def timeout(self) -> float:
        """Seconds; the interval where there is none, and 1 for 0, as keepalived has it."""
        word = self.definition.value("timeout")
        return self.interval if word is None else seconds(word) or 1.0

    @property
    def is_ours(self) -> bool:
        """Whether it is an entry point of kacheck's, which ends by itself at its own deadline."""
        return "".join(self.argv[:1]).rpartition("/")[2].startswith("kacheck-")

    @property
    def is_executed(self) -> bool:
        """`</path` asks whether a file can be opened, and runs nothing: check_script_secure()."""
        return bool(self.argv) and not re.match(r"<[ \t]*/", self.argv[0])


@lru_cache(maxsize=1)
def scripts(setup: Setup) -> list[Script]:
    """All of them, with who runs each."""
    security = any(
        each.find("enable_script_security") for each in setup.configuration.find("global_defs")
    )
    who = runners(setup)
    found_scripts = []
    for definition in setup.of_kind("track_script"):
        line = definition.last("script")
        argv = (line.command or []) if line is not None else []
        runner = who[definition.place]
        found_scripts.append(Script(definition, line or definition.node, argv, runner, security))
    return found_scripts


def runners(setup: Setup) -> dict[int, Runner]:
    """Who runs the script at each place; the default is settled where it is first needed."""
    found_runners: dict[int, Runner] = {}
    default: Runner | None = None
    security = False
    for place, node in enumerate(setup.configuration.root.children or ()):
        if node.keyword == "global_defs":
            for line in node.children or ():
                security = security or line.keyword == "enable_script_security"
                if line.keyword == "script_user":
                    default = runner_of(line, setup.system)
        elif node.keyword == "vrrp_script":
            users = node.find("user")
            if not users:
                default = default or default_runner(setup.system, security=security)
            own = runner_of(users[-1], setup.system) if users else default
            found_runners[place] = own or Runner()
    return found_runners


def runner_of(line: Node, system: System) -> Runner:
    """The user of a `user` or `script_user` statement: set_uid_gid()."""
    name, group = (*line.arguments, "", "")[:2]
    user = system.user(name)
    if user is None:
        return Runner(trouble=f"user {name or '(none)'} does not exist", node=line)
    gid = system.group(group) if group else user[1]
    if gid is None:
        return Runner(trouble=f"group {group} does not exist", node=line)
    return Runner(user[0], gid, node=line)


def default_runner(system: System, *, security: bool) -> Runner:
    """get_default_script_user()."""
    user = system.user("keepalived_script")
    if user is not None:
        return Runner(*user)
    if security:
        missing = "there is no user, no script_user above it and no account keepalived_script"
        return Runner(trouble=missing)
    return Runner()


def seconds(text: str | None) -> float:
    """A time; 0 for none, for no number and for 0."""
    try:
        return max(float(text or 0), 0.0)
    except ValueError:
        return float(max(leading(text or ""), 0))


def findings(setup: Setup) -> Iterator[Finding]:
    """All of them."""
    for script in scripts(setup):
        yield from command(script)
        yield from user(script)
        yield from times(setup, script)


def command(script: Script) -> Iterator[Finding]:
    """Is there one, and all of it?"""
    removed = "keepalived removes it, and who tracks it runs untracked"
    if not script.argv:
        what = f"{script.name} has no command that can be read"
        yield found(NO_COMMAND, script.node, what, removed, 'script "/path/to/command"')
        return
    words = script.node.escaped or []
    if len(words) > 2:
        what = f"{script.name} runs {words[1]} without {' '.join(words[2:])}"
        why = "the command is the first word behind `script`, quotes make it all of them"
        whole = " ".join(f"'{word}'" if " " in word else word for word in words[2:])
        cure = f'script "{words[1]} {whole}"'
        if words[2] in KEYWORDS:
            cure = f"{' '.join(words[2:])} on a line of its own"
        yield found(DROPPED, script.node, what, why, cure)


def user(script: Script) -> Iterator[Finding]:
    """Is there one?"""
    runner = script.runner
    if runner.trouble is not None:
        node = runner.node or script.definition.node
        what = f"{script.name} is removed, and who tracks it runs untracked: {runner.trouble}"
        why = "keepalived does not run a script without a user"
        yield found(NO_USER, node, what, why, "`user root` in the vrrp_script")


def times(setup: Setup, script: Script) -> Iterator[Finding]:
    """Its interval and timeout."""
    definition = script.definition
    for keyword in ("interval", "timeout"):
        line = definition.last(keyword)
        word = "".join(line.arguments[:1]) if line is not None else "1"
        is_whole = word.isdecimal() and int(word) > 0
        is_fraction = re.fullmatch(r"[0-9]*\.[0-9]+|[0-9]+\.", word) is not None
        if line is None or is_whole or (is_fraction and not setup.is_before(2, 3, 2)):
            continue
        taken = max(leading(word), 1)
        old, new = (" before 2.3.2", ", or keepalived 2.3.2") if is_fraction else ("", "")
        what = f"{keyword} {word} of {script.name} is {taken} to keepalived{old}"
        why = "it reads whole seconds, from 1"
        yield found(FRACTION, line, what, why, f"{keyword} {taken}{new}")
    timeout = definition.last("timeout")
    if timeout is None:
        what = f"{script.name} has no timeout: a run may take an interval, {script.interval:g} s"
        why = "a run that hangs meets the next one"
        yield found(NO_TIMEOUT, definition.node, what, why, "a timeout below the interval")
    elif script.timeout >= script.interval and not script.is_ours:
        what = (
            f"timeout {script.timeout:g} of {script.name} is not below its interval "
            f"{script.interval:g}"
        )
        why = "a run that hangs meets the next one, which 2.1.3 to 2.3.2 start all the same"
        cure = "a timeout below the interval"
        if script.interval <= 1 and setup.is_before(2, 3, 2):
            cure = "interval 2 and timeout 1: before 2.3.2 there are whole seconds only"
        yield found(NOT_BELOW, timeout, what, why, cure)
