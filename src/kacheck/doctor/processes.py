"""KA3: vrrp_track_process: names that can never match, and numbers that are not what they seem."""

from collections.abc import Iterator

from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.matching import COMM, NativePattern, Running
from kacheck.doctor.reading import Definition, Setup, found, number
from kacheck.keepalived import Node

MOST = 65535
LONG = Code(
    "KA301",
    Severity.ERROR,
    "a process name that is too long to match",
    """\
Without arguments, param_match and full_command keepalived compares the name with the comm of
each process, exactly (read_procs() in core/track_process.c). The kernel cuts a comm to 15 bytes,
so a longer name never matches: quorum 0, FAULT for ever. Nothing warns.

See it: cat /proc/PID/comm; "quorum not achieved" in the log.
Do: the first 15 bytes; or full_command, and the name exactly as argv[0] has it; or kacheck
process, which takes names of any length.""",
)
SLASH = Code(
    "KA302",
    Severity.ERROR,
    "a process name with a slash",
    """\
Without arguments, param_match and full_command keepalived compares the name with the comm of
each process, which has no path: /usr/sbin/haproxy never matches. FAULT for ever, and nothing
warns.

Do: the name without its directory; or full_command, if argv[0] is that path.""",
)
QUOTED = Code(
    "KA303",
    Severity.ERROR,
    "command and arguments in one pair of quotes",
    """\
A quoted string is one word: `process "vault server"` looks for a process whose name is "vault
server". There is none: FAULT for ever. Nothing warns (vrrp_tprocess_process_handler() in
vrrp_parser.c). Single quotes are letters like any other: the name begins with one.

Do: leave the quotes out: process /usr/bin/vault server. With arguments argv[0] must be that
path.""",
)
OTHER_NAME = Code(
    "KA304",
    Severity.WARNING,
    "it runs, but argv[0] is another",
    """\
With arguments, param_match or full_command argv[0] must equal the configured name, path and all:
a service that systemd starts as /usr/bin/vault is not `vault`. Arguments must be all there are,
unless param_match says otherwise: `initial`, the last one may be a prefix; `partial`, they are
the first ones.

See it: tr '\\0' ' ' </proc/PID/cmdline.
Do: write argv[0] as it is; or, if the comm will do, leave out full_command and the arguments.""",
)
QUORUM = Code(
    "KA305",
    Severity.WARNING,
    "the number of processes is not in the quorum now",
    """\
This is how many processes match now, by keepalived's own rules (zombies and threads do not
count). With weight 0, the default, the instance is in FAULT as long as there are fewer than
quorum or more than quorum_max. In a container only the processes that it can see count.

Do: start the service; or correct the name, the quorum or quorum_max.""",
)
CONFLICT = Code(
    "KA306",
    Severity.ERROR,
    "quorum above quorum_max",
    """\
keepalived takes the lines one after the other and ignores the one that contradicts: "Quorum is
greater than quorum_max - ignoring", "quorum_max is less than quorum - ignoring". The other one
holds alone, and the range is not what either line says.

Do: quorum at most quorum_max.""",
)
MUST_NOT_RUN = Code(
    "KA307",
    Severity.NOTE,
    "quorum_max 0: the process must not run",
    """\
With quorum_max 0 and no quorum the instance is up while there is no such process, and fails when
one comes: for a backup or an upgrade that must not meet the VIP. A name that can never match
makes it a check that never fails.

Do: nothing, if it is meant so.""",
)
NO_ARGUMENTS = Code(
    "KA308",
    Severity.WARNING,
    "param_match without arguments",
    """\
A bare `param_match` means exact, and without arguments on the process line it matches only
processes that have none. `initial` and `partial` without arguments match whatever they have,
like full_command (check_params() in core/track_process.c).

Do: put the arguments on the process line, or write full_command in place of param_match.""",
)
NUMBER = Code(
    "KA309",
    Severity.WARNING,
    "a number that keepalived ignores",
    """\
quorum takes 1 to 65535, quorum_max 0 to 65535, the delays 0.000001 to 3600 seconds. What is out
of range is reported and ignored, so the default holds: quorum 1, no quorum_max, no delay.

Do: a number in the range.""",
)
NO_PROCESS = Code(
    "KA310",
    Severity.ERROR,
    "a vrrp_track_process without a process",
    """\
keepalived drops the block: "process name not specified". Its references are "not found,
ignoring...", and the instances run untracked: the VIP stays whatever dies.

Do: process NAME.""",
)
CODES = (
    LONG, SLASH, QUOTED, OTHER_NAME, QUORUM, CONFLICT, MUST_NOT_RUN, NO_ARGUMENTS, NUMBER,
    NO_PROCESS,
)  # fmt: skip
MATCHES = ("exact", "initial", "partial")
"""Of which keepalived knows the first by the bare param_match alone."""
KEYWORDS = ("quorum", "quorum_max", "weight", "delay", "fork_delay", "terminate_delay")
"""Of a vrrp_track_process; behind a process they are its arguments."""
RANGES = {
    "quorum": (1, MOST),
    "quorum_max": (0, MOST),
    "fork_delay": (0.000001, 3600),
    "terminate_delay": (0.000001, 3600),
    "delay": (0.000001, 3600),
}


def findings(setup: Setup) -> Iterator[Finding]:
    """All of them."""
    definitions = setup.of_kind("track_process")
    running = Running(setup.system.processes() if definitions else [])
    for definition in definitions:
        line = definition.first("process")
        if line is None or not line.arguments:
            what = f"{definition.name} names no process: who tracks it runs untracked"
            why = "keepalived drops the block"
            yield found(NO_PROCESS, definition.node, what, why, "process NAME")
            continue
        pattern = pattern_of(definition, line)
        matches = any(map(pattern.matches, running.candidates(pattern)))
        troubles = [] if matches else [*impossible(line, pattern)]
        yield from troubles
        yield from param_match(definition, pattern)
        yield from numbers(definition)
        if not troubles:
            yield from now(running, definition, line, pattern)


def pattern_of(definition: Definition, line: Node) -> NativePattern:
    """What a block means: vrrp_tprocess_*_handler() in vrrp_parser.c."""
    name, *arguments = line.arguments
    asked = definition.last("param_match")
    match = None
    if asked is not None:
        word = "".join(asked.arguments[:1]) or "exact"
        match = word if word in MATCHES and asked.arguments[:1] != ["exact"] else None
    if arguments and match is None:
        match = "exact"
    whole = match is not None or definition.first("full_command") is not None
    return NativePattern(name, tuple(arguments), match, whole)


def impossible(line: Node, pattern: NativePattern) -> Iterator[Finding]:
    """Names that nothing can have."""
    name = pattern.name
    size = len(name.encode("utf-8", "surrogateescape"))
    if name.startswith("'"):
        what = f"no process is named {name}: FAULT for ever"
        plain = " ".join((name, *pattern.arguments)).replace("'", "")
        why = "a single quote is a letter like any other here"
        yield found(QUOTED, line, what, why, f"process {plain}")
    elif " " in name and ": " not in name and not pattern.arguments:
        what = f'no process is named "{name}": FAULT for ever'
        why = "what is in quotes is one word, the name"
        yield found(QUOTED, line, what, why, f"process {name}")
    elif pattern.by_command_line:
        return
    elif "/" in name:
        what = f"no process is named {name}: FAULT for ever"
        why = "it is compared with the comm, which has no path"
        base = name.rpartition("/")[2][:COMM]
        yield found(SLASH, line, what, why, f"process {base}; or full_command")
    elif size > COMM:
        what = f"no process is named {name}, {size} bytes: FAULT for ever"
        why = "it is compared with the comm, which has 15 bytes at most"
        yield found(LONG, line, what, why, f"process {name[:COMM]}; or full_command")


def param_match(definition: Definition, pattern: NativePattern) -> Iterator[Finding]:
    """A way to compare arguments, and none to compare with."""
    asked = definition.last("param_match")
    if asked is not None and not pattern.arguments:
        only = "only processes without arguments count"
        what = only if pattern.match == "exact" else "whatever their arguments, processes count"
        cure = "arguments behind the process, or full_command in its place"
        yield found(NO_ARGUMENTS, asked, what, "there is no argument to match", cure)


def numbers(definition: Definition) -> Iterator[Finding]:
    """Numbers that are ignored, or mean more than they seem."""
    for keyword, (least, most) in RANGES.items():
        for line in definition.node.find(keyword):
            word = "".join(line.arguments[:1])
            if not is_number(word, least, most, whole=keyword.startswith("quorum")):
                what = f"{keyword} {word} of {definition.name} is ignored"
                why = f"it is no number from {least:g} to {most}"
                yield found(NUMBER, line, what, why, f"a number from {least:g} to {most}")
    least, most = quorum(definition)
    limit = definition.last("quorum_max")
    if limit is not None and most == 0 and definition.last("quorum") is None:
        what = f"{definition.name} is up while there is no such process"
        why = "quorum_max is 0"
        yield found(MUST_NOT_RUN, limit, what, why, "nothing, if it is meant so")
    elif limit is not None and least > most:
        what = f"quorum {least} of {definition.name} is above quorum_max {most}"
        why = "keepalived ignores whichever comes second"
        yield found(CONFLICT, limit, what, why, "quorum at most quorum_max")


def is_number(word: str, least: float, most: float, *, whole: bool) -> bool:
    """Is it one, in the range?"""
    try:
        value = float(word)
    except ValueError:
        return False
    return least <= value <= most and not (whole and number(word) is None)


def quorum(definition: Definition) -> tuple[int, int]:
    """The range of numbers that are up, as far as the lines are good."""
    least = number(definition.value("quorum") or "")
    most = number(definition.value("quorum_max") or "")
    if most == 0 and definition.last("quorum") is None:
        return 0, 0
    return (
        least if least is not None and 1 <= least <= MOST else 1,
        most if most is not None and 0 <= most <= MOST else MOST,
    )


def now(
    running: Running, definition: Definition, line: Node, pattern: NativePattern
) -> Iterator[Finding]:
    """How it is with the processes that run."""
    count = sum(pattern.matches(process) for process in running.candidates(pattern))
    least, most = quorum(definition)
    if least <= count <= most or least > most:
        return
    keyword = next((word for word in pattern.arguments if word in KEYWORDS), None)
    if keyword is not None and not count:
        rest = " ".join(pattern.arguments[pattern.arguments.index(keyword) :])
        what = f"{definition.name}: no process {pattern.name} runs that has the arguments {rest}"
        why = "what stands behind the name are its arguments"
        yield found(QUORUM, line, what, why, f"{keyword} on a line of its own")
        return
    base = pattern.name.rpartition("/")[2]
    others = [] if count or not pattern.by_command_line else running.alike(base)
    if others:
        shown = " ".join(others[0].argv)
        what = f"{pattern.name} does not match what runs as pid {others[0].pid}: {shown[:120]}"
        why = "argv[0] and the arguments must be the configured ones"
        cure = f"process {shown[:120]}; or only `process {base[:COMM]}`"
        yield found(OTHER_NAME, line, what, why, cure)
    else:
        what = f"{definition.name}: {count} processes {pattern.name} run now"
        why = f"the quorum is {least}" + (f", quorum_max {most}" if most < MOST else "")
        yield found(QUORUM, line, what, why, "start the service, or correct the name")
