"""KA301 to KA304, KA308 and KA310: which processes a vrrp_track_process means."""

from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.processes.cures import cure_for
from kacheck.procfs import COMM_MAX

SHOWN = 120
"""Characters of a command line in a sentence; a cure has all of it."""
NO_LINE = (
    "kacheck migrate CONF; keepalived cannot name this process in one line: it is too long, or has"
    " a character that keepalived cannot quote"
)


@finding(
    "KA301",
    Severity.ERROR,
    "a process name that is too long to match",
    """\
Without arguments, param_match and full_command keepalived compares the name exactly with the comm
of each process (read_procs() in core/track_process.c). The kernel cuts a comm to 15 bytes, so a
longer name never matches: no process counts, permanent FAULT. Nothing warns.

See it: cat /proc/PID/comm; "quorum not achieved" in the log.
Do: write the first 15 bytes; or add full_command and write the name exactly as in argv[0]; or use
kacheck process, which takes names of any length.""",
)
def name_too_long(context: Context) -> Iterator[Observation]:
    """Find names that are longer than the kernel keeps."""
    for process in context.tracked_processes:
        if process.is_too_long:
            name = process.pattern.name
            size = len(name.encode("utf-8", "surrogateescape"))
            what = f"no process is named {name}, {size} bytes: permanent FAULT"
            why = "it is compared with the comm, which has 15 bytes at most"
            short = name.encode("utf-8", "surrogateescape")[:COMM_MAX].decode(errors="ignore")
            cure = cure_for(process, context.configuration.release)
            yield at(process.line, what, why, cure or f"process {short}")


@finding(
    "KA302",
    Severity.ERROR,
    "a process name with a slash",
    """\
Without arguments, param_match and full_command keepalived compares the name with the comm of
each process, which has no path: /usr/sbin/haproxy never matches. The result is a permanent FAULT,
and nothing warns.

Do: write the name without its directory; or add full_command, if argv[0] is that path.""",
)
def name_with_slash(context: Context) -> Iterator[Observation]:
    """Find paths where keepalived compares names."""
    for process in context.tracked_processes:
        if process.has_slash:
            name = process.pattern.name
            what = f"no process is named {name}: permanent FAULT"
            why = "it is compared with the comm, which has no path"
            base = name.rpartition("/")[2][:COMM_MAX]
            cure = cure_for(process, context.configuration.release)
            yield at(process.line, what, why, cure or f"process {base}")


@finding(
    "KA303",
    Severity.ERROR,
    "command and arguments in one pair of quotes",
    """\
A quoted string is one word: `process "vault server"` looks for a process whose name is "vault
server", which nothing has: permanent FAULT. Nothing warns (vrrp_tprocess_process_handler() in
vrrp_parser.c). Single quotes are ordinary characters: the name then begins with one.

Do: remove the quotes: process /usr/bin/vault server. With arguments argv[0] must be that path.""",
)
def name_with_quotes(context: Context) -> Iterator[Observation]:
    """Find names that quotes or blanks are part of."""
    for process in context.tracked_processes:
        if not process.has_quotes:
            continue
        name = process.pattern.name
        what = f'no process is named "{name}": permanent FAULT'
        why, cure = "a quoted string is one word, the name", f"process {name}"
        if name.startswith("'"):
            what = f"no process is named {name}: permanent FAULT"
            why = "a single quote is an ordinary character here"
            cure = " ".join(("process", name, *process.pattern.arguments)).replace("'", "")
        yield at(process.line, what, why, cure)


@finding(
    "KA304",
    Severity.WARNING,
    "the process runs, but its argv[0] or its arguments differ",
    """\
With arguments, param_match or full_command argv[0] must equal the configured name, path and all:
a service that systemd starts as /usr/bin/vault is not `vault`. The process must have the configured
arguments and no others, unless param_match allows more: with `initial` the last one may be a
prefix, with `partial` others may follow.

The cure in the finding matches the process that runs now. It is quoted as keepalived needs it,
where blanks or # are part of a word. A title that the program writes itself, as nginx does, may
change.

See it: tr '\\0' ' ' </proc/PID/cmdline.
Do: write argv[0] exactly; or, if the comm is enough, leave out full_command and the arguments.""",
)
def other_name_runs(context: Context) -> Iterator[Observation]:
    """Find processes that run under another argv[0] or with other arguments."""
    for process in context.tracked_processes:
        others = process.alike
        if not others or not process.is_outside_quorum:
            continue
        shown = " ".join(others[0].argv)
        shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
        pattern = process.pattern
        what = f"{pattern.name} does not match what runs as pid {others[0].pid}: {shown}"
        why = "argv[0] and the arguments must be the configured ones"
        cure = cure_for(process, context.configuration.release)
        yield at(process.line, what, why, cure or NO_LINE)


@finding(
    "KA308",
    Severity.WARNING,
    "param_match without arguments",
    """\
A bare `param_match` means exact: without arguments on the process line it matches only processes
that have none. `initial` and `partial` without arguments match processes with any arguments, like
full_command (check_params() in core/track_process.c).

Do: put the arguments on the process line, or write full_command in place of param_match.""",
)
def param_match_without_arguments(context: Context) -> Iterator[Observation]:
    """Find a way to compare arguments, and no arguments."""
    for process in context.tracked_processes:
        statement = process.definition.last("param_match")
        if statement is not None and not process.pattern.arguments:
            what = "processes count whatever their arguments are"
            if process.pattern.match == "exact":
                what = "only processes without arguments count"
            cure = "add the arguments to the process line, or write full_command instead"
            yield at(statement, what, "it has no argument to match", cure)


@finding(
    "KA310",
    Severity.ERROR,
    "a vrrp_track_process without a process",
    """\
keepalived drops the block: "process name not specified". Its references are "not found,
ignoring...", and the instances run unmonitored: the VIP stays whatever dies.

Do: process NAME.""",
)
def no_process(context: Context) -> Iterator[Observation]:
    """Find blocks that name no process."""
    named = {process.definition.order for process in context.tracked_processes}
    for definition in context.tracking.of_kind("track_process"):
        if definition.order not in named and definition.node.children is not None:
            what = f"{definition.name} names no process: instances that track it run unmonitored"
            yield at(definition.node, what, "keepalived drops the block", "process NAME")
