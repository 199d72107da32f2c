"""KA002 to KA008: what keepalived's parser rejects, or reads otherwise than it looks."""

import re
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.keepalived import Configuration, Kind, Node, ProblemKind

OUTERMOST = ("global_defs", "vrrp_script", "vrrp_instance", "vrrp_sync_group", "virtual_server")
"""Blocks that are always outermost."""
OTHER_DEFINITION = re.compile(r"@\S+\s+\$([A-Za-z_]\w*)=")


def _problems(context: Context, kind: ProblemKind, why: str, cure: str) -> Iterator[Observation]:
    """Yield the parser's problems of a kind."""
    configuration = context.configuration
    for problem in (*configuration.problems, *configuration.unevaluated):
        if problem.kind is kind:
            position = problem.position
            yield Observation(problem.message, why, cure, position.file, position.line)


@finding(
    "KA002",
    Severity.ERROR,
    "a double quote that is not closed",
    """\
keepalived's decomment() and alloc_strvec() (lib/parser.c) split a line with an odd number of
double quotes differently. 2.2.7 dies of SIGSEGV on it, at the start and at a reload, and its
parent starts it again and again. Later versions report "Unmatched quote" and drop the rest of the
line, so a script may be missing, and its instance runs unmonitored.

See it: keepalived -t -f FILE; echo $?   (139 is the crash).
Do: close the quote. keepalived has no way to write a double quote inside double quotes.""",
)
def open_quote(context: Context) -> Iterator[Observation]:
    """Find double quotes that nothing closes."""
    why = "keepalived 2.2.7 crashes on it"
    yield from _problems(context, ProblemKind.QUOTE, why, "close the quote")


@finding(
    "KA003",
    Severity.ERROR,
    "a brace too many or too few",
    """\
A block that is not closed swallows what follows. A vrrp_instance after it is read as a part of it:
its keywords are reported as unknown, and the instance does not exist. A brace too many ends the
outer block early. Before 2.3.2 an extra `}` can crash keepalived. Braces count anywhere outside of
double quotes, also in the middle of a word or of a script's command.

See it: keepalived -t -f FILE.
Do: close each block once; put a command that has a brace in double quotes.""",
)
def unbalanced_brace(context: Context) -> Iterator[Observation]:
    """Find braces without a partner, and blocks inside of one that should have ended."""
    why = "keepalived reads what follows as part of another block"
    cure = "close each block once; braces that are meant literally belong in double quotes"
    for each in _problems(context, ProblemKind.BRACE, why, cure):
        head, has_none, _ = each.what.partition(" has no {")
        yield each._replace(cure=f"{head} {{") if has_none else each
    for outer in context.configuration.root.children or ():
        for node in outer.walk():
            if node.keyword in OUTERMOST and node.children is not None:
                what = f"{node.line.text} is inside {outer.line.text}"
                why = "keepalived ignores its { and ends the block around it at its }"
                yield at(node, what, why, "close the block around it before this line")
                break


@finding(
    "KA004",
    Severity.ERROR,
    "an include that matches no file, or is misread",
    """\
keepalived logs that an included file is missing or cannot be read, and starts without it. A
script that the file defines does not exist then, its references are ignored, and the instance
runs unmonitored: the VIP stays whatever fails. Paths are relative to the file that has the
include.

See it: the log, from "Opening file" on.
Do: correct the path, or remove the include.""",
)
def failed_include(context: Context) -> Iterator[Observation]:
    """Find includes that match no file, or are misread."""
    why = "keepalived logs it and continues: what is defined there does not exist for it"
    cure = "correct the path, or remove the line"
    yield from _problems(context, ProblemKind.INCLUDE, why, cure)


@finding(
    "KA005",
    Severity.ERROR,
    "a file that includes itself",
    """\
keepalived opens the file again and again until it has no more descriptors (read_conf_file() in
lib/parser.c has no check), and then starts with a part of the configuration, or not at all.

Do: remove the include that closes the cycle.""",
)
def include_cycle(context: Context) -> Iterator[Observation]:
    """Find files that include themselves."""
    why = "keepalived opens it again and again until it has no more file descriptors"
    cure = "remove the include that closes the cycle"
    yield from _problems(context, ProblemKind.CYCLE, why, cure)


@finding(
    "KA006",
    Severity.ERROR,
    "a definition, ~SEQ or ~LST that keepalived rejects",
    """\
What keepalived cannot evaluate stays in the line unchanged, or keepalived drops the line; some
forms make it hang or crash. What the line should configure does not exist then. If a ${NAME} is not
defined above, keepalived takes its braces for those of a block, and they end the block around it:
what follows, such as track_script, is ignored.

See it: keepalived -t -f FILE.
Do: write it as keepalived.conf(5) says in "Conditional configuration and configuration id".""",
)
def rejected_definition(context: Context) -> Iterator[Observation]:
    """Find definitions that keepalived rejects, and uses of a ${NAME} that nothing defines."""
    why = "keepalived rejects it, so what it stands for is not configured"
    cure = "write it as keepalived.conf(5) says; keepalived -t shows how it is read"
    yield from _problems(context, ProblemKind.DEFINITION, why, cure)
    for name, node in _undefined(context.configuration):
        what = f"${{{name}}} is not defined above, and stays as it is"
        why = "keepalived takes its braces for those of a block, and misreads what follows"
        yield at(node, what, why, f"define it above: ${name}=..., without blanks before the =")


def _undefined(configuration: Configuration) -> Iterator[tuple[str, Node]]:
    """Yield each undefined ${NAME} once, where it is used: what remains is a $ and a block.

    A name that is defined for other nodes counts as undefined only where the configuration has
    lines for this one, too.
    """
    names: set[str] = set()
    if _line_for_other_id(configuration) is not None:
        lines = [node.line.text for node in configuration.written()]
        names = {match[1] for match in map(OTHER_DEFINITION.match, lines) if match}
    for node in configuration.root.walk():
        inner = node.children[:1] if node.children and node.words else ()
        if not inner or not node.words[-1].value.endswith("$"):
            continue
        name = inner[0].keyword
        if inner[0].position.line != node.position.line:
            continue  # a block whose name ends so
        if re.fullmatch(r"[A-Za-z_]\w*", name) and name not in names:
            names.add(name)
            yield name, node


@finding(
    "KA007",
    Severity.WARNING,
    "a line that keepalived does not read as one line",
    """\
keepalived cuts a line of more than 1023 bytes and reads the rest as another line, and a NUL hides
the rest of a line. Since 2.4.0 it ignores a line with a NUL, and the first 1023 bytes of a line
that has more than 1022. Before 2.4.0 a `\\` at the end of a comment becomes the end of the last
word: `process nginx  # C:\\` looks for nginx\\. Since 2.2.0 `\\#` and `\\!` begin a comment
nevertheless, because keepalived's VRRP process reads what its parent has already unescaped
(decomment() in lib/parser.c is called twice).

Do: write lines of at most 1022 bytes, end no comment in \\, and put # or ! in double quotes.""",
)
def misread_line(context: Context) -> Iterator[Observation]:
    """Find lines that keepalived cuts or unescapes twice."""
    why = "keepalived reads lines of at most 1022 bytes, and may unescape them twice"
    cure = "write shorter lines, with # and ! in double quotes and no comment that ends in \\"
    yield from _problems(context, ProblemKind.LINE, why, cure)


@finding(
    "KA008",
    Severity.NOTE,
    "what cannot be known before keepalived runs",
    """\
The line has a random number, a variable of keepalived's environment (${_ENV NAME}, since 2.4.0), or
meets a limit of this program. The doctor says nothing else about it, and findings that depend on it
may be missing or wrong. Lines with @ID belong here as well, if none of them is for the ID in
use: that of --config-id, else of the keepalived that runs, else the host's name.

Do: nothing; for @ID, kacheck doctor --config-id ID.""",
)
def unknown_before_start(context: Context) -> Iterator[Observation]:
    """Find what is decided when keepalived starts."""
    cure = "nothing, if that is intended; the doctor says nothing else about this line"
    why = "it is decided when keepalived starts"
    yield from _problems(context, ProblemKind.UNEVALUATED, why, cure)
    other = _line_for_other_id(context.configuration)
    if other is not None:
        what = f"lines for @{other.condition} are left out, and none is for @"
        what += f"{context.configuration.config_id or '(none)'}"
        why = "keepalived's --config-id decides; without it, the host's name does"
        yield at(other, what, why, "kacheck doctor --config-id ID")


def _line_for_other_id(configuration: Configuration) -> Node | None:
    """Return the first line for another @ID, if no line is for the one that was used."""
    nodes = [*configuration.written()]
    if any(node.condition == configuration.config_id for node in nodes):
        return None
    others = (node for node in nodes if node.kind is Kind.OTHER_ID)
    return next((node for node in others if not (node.condition or "^").startswith("^")), None)
