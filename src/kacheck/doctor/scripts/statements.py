"""KA201 to KA206: the statements of a vrrp_script."""

import re
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.scripts.script import KEYWORDS
from kacheck.keepalived.limits import leading_number


@finding(
    "KA201",
    Severity.ERROR,
    "a vrrp_script without a command",
    """\
keepalived says "No script set for vrrp_script NAME - removing", and every instance that tracks
it runs unmonitored. A quote that is open inside the command has the same effect.

Do: script "/path/to/command with its arguments".""",
)
def no_command(context: Context) -> Iterator[Observation]:
    """Find scripts without a command that can be read."""
    for script in context.scripts:
        if not script.argv:
            what = f"{script.name} has no command that can be read"
            why = "keepalived removes it, and instances that track it run unmonitored"
            yield at(script.node, what, why, 'script "/path/to/command"')


@finding(
    "KA202",
    Severity.ERROR,
    "arguments outside of the quotes are dropped",
    """\
keepalived expects the command and all its arguments in one word: of `script /usr/bin/pgrep vault`
it runs only /usr/bin/pgrep (set_script_params_array() in lib/notify.c takes the second word alone,
and splits that one). Nothing warns.

See it: "Command = " in /tmp/keepalived.data after kill -USR1 of keepalived.
Do: put double quotes around all of it: script "/usr/bin/pgrep vault". Inside, single quotes keep
words together.""",
)
def dropped_arguments(context: Context) -> Iterator[Observation]:
    """Find arguments outside of the quotes."""
    for script in context.scripts:
        words = script.node.escaped or []
        if not script.argv or len(words) <= 2:
            continue
        what = f"{script.name} runs {words[1]} without {' '.join(words[2:])}"
        why = "the command is the first word after `script`; double quotes make several words one"
        arguments = " ".join(f"'{word}'" if " " in word else word for word in words[2:])
        cure = f'script "{words[1]} {arguments}"'
        if words[2] in KEYWORDS:
            cure = f"write {' '.join(words[2:])} on a separate line"
        yield at(script.node, what, why, cure)


@finding(
    "KA203",
    Severity.ERROR,
    "no user to run the script",
    """\
A script runs as its own `user`, else as global_defs' script_user, else as the account
keepalived_script, else as root. keepalived removes a script whose user does not exist. If
enable_script_security is on when it reads the script, it also removes one that has no `user` where
there is neither script_user nor the account keepalived_script (get_default_script_user() in
lib/notify.c, vrrp_vscript_end_handler()). Instances that track it then run unmonitored: the VIP
stays whatever fails.

See it: "Unable to set default user for vrrp script NAME - removing"; keepalived -t exits 5 (before
2.2.0: 4).
Do: write `user root` in the vrrp_script, or script_user in a global_defs above it.""",
)
def no_user(context: Context) -> Iterator[Observation]:
    """Find scripts that no user can run."""
    for script in context.scripts:
        runner = script.runner
        if runner.trouble is not None:
            node = runner.node or script.definition.node
            what = f"{script.name} is removed, and instances that track it run unmonitored: "
            what += runner.trouble
            why = "keepalived does not run a script without a user"
            yield at(node, what, why, "write `user root` in the vrrp_script")


@finding(
    "KA204",
    Severity.WARNING,
    "a timeout that is not below the interval",
    """\
A run that takes as long as the interval overlaps the next one. keepalived from 2.1.3 to 2.3.2 logs
"Track script NAME is already running, expect idle - skipping run" and runs it again nevertheless,
so that hanging runs pile up. Failure is noticed after interval x fall + timeout.

Do: write a timeout below the interval. kacheck's entry points may have a longer one, since they end
at their own deadline.""",
)
def timeout_not_below_interval(context: Context) -> Iterator[Observation]:
    """Find timeouts that are not below the interval."""
    for script in context.scripts:
        line = script.definition.last("timeout")
        if line is None or script.timeout < script.interval or script.ends_by_itself:
            continue
        what = f"timeout {script.timeout:g} of {script.name} is not below its interval "
        what += f"{script.interval:g}"
        why = "a run that hangs overlaps the next one, which 2.1.3 to 2.3.2 start nevertheless"
        cure = "write a timeout below the interval"
        if script.interval <= 1 and context.is_before(2, 3, 2):
            cure = "write interval 2 and timeout 1: before 2.3.2 there are whole seconds only"
        yield at(line, what, why, cure)


@finding(
    "KA205",
    Severity.NOTE,
    "a script without a timeout",
    """\
Without `timeout` a run may take a whole interval. A command that hangs is noticed that much later,
and overlaps its next run (KA204).

Do: write `timeout N`, below the interval and above the command's own timeout, which says why.""",
)
def no_timeout(context: Context) -> Iterator[Observation]:
    """Find scripts without a timeout."""
    for script in context.scripts:
        if script.definition.last("timeout") is None:
            what = (
                f"{script.name} has no timeout: a run may take an interval, {script.interval:g} s"
            )
            why = "a run that hangs overlaps the next one"
            yield at(script.definition.node, what, why, "write a timeout below the interval")


@finding(
    "KA206",
    Severity.WARNING,
    "a time that keepalived cannot read",
    """\
keepalived reads fractions of a second since 2.3.2. Earlier versions warn "invalid number '0.5'" and
take the whole seconds: 2.7 is 2, and 0.5 is 0, which becomes 1 (read_unsigned_func() in
lib/parser.c; seen with 2.2.7). keepalived -t fails. The same happens to any word that is not a
number.

Do: write whole seconds, or upgrade keepalived to 2.3.2.""",
)
def unreadable_time(context: Context) -> Iterator[Observation]:
    """Find intervals and timeouts that keepalived reads as another number."""
    for script in context.scripts:
        for keyword in ("interval", "timeout"):
            line = script.definition.last(keyword)
            word = "".join(line.arguments[:1]) if line is not None else "1"
            is_whole = word.isdecimal() and int(word) > 0
            is_fraction = re.fullmatch(r"[0-9]*\.[0-9]+|[0-9]+\.", word) is not None
            if line is None or is_whole or (is_fraction and not context.is_before(2, 3, 2)):
                continue
            taken = max(leading_number(word), 1)
            old, new = (" before 2.3.2", ", or keepalived 2.3.2") if is_fraction else ("", "")
            what = f"{keyword} {word} of {script.name} is {taken} to keepalived{old}"
            yield at(line, what, "it reads whole seconds, from 1", f"{keyword} {taken}{new}")
