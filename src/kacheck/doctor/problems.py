"""KA0: the configuration file itself, and us."""

import re
from collections.abc import Iterator

from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.reading import Setup, found
from kacheck.keepalived import Configuration, Kind, Problem, ProblemKind

BUG = Code(
    "KA001",
    Severity.WARNING,
    "one of kacheck's own lints crashed",
    """\
A part of `kacheck doctor` raised an exception that it should not have. The other parts ran, so
their findings stand; what this one looks for was not looked for. Please report it with the line
that the finding names, and the configuration if you may show it.""",
)
QUOTE = Code(
    "KA002",
    Severity.ERROR,
    "a double quote that nothing closes",
    """\
keepalived's decomment() and alloc_strvec() (lib/parser.c) take a line with an odd number of
double quotes apart differently. 2.2.7 dies of SIGSEGV on it, at the start and at a reload, and
its parent starts it again and again; later versions report "Unmatched quote" and drop the rest
of the line, so a script may be gone and its instance runs untracked.

See it: keepalived -t -f FILE; echo $?   (139 is the crash).
Do: close the quote. keepalived knows no way to write a double quote inside double quotes.""",
)
BRACE = Code(
    "KA003",
    Severity.ERROR,
    "a brace too many or too few",
    """\
A block that is not closed swallows what follows: a vrrp_instance behind it is read as a part of
it, its keywords are reported as unknown, and it does not exist. A brace too many ends the outer
block early. Before 2.3.2 an extra `}` can crash keepalived. Braces count anywhere outside of
double quotes, also in the middle of a word or a script's command.

See it: keepalived -t -f FILE.
Do: close each block once; put a command that has a brace in double quotes.""",
)
INCLUDE = Code(
    "KA004",
    Severity.ERROR,
    "an include that brings nothing, or not what it looks like",
    """\
keepalived logs that an included file is missing or cannot be read, and starts without it. A
script that was to be defined there does not exist, its references are ignored, and the instance
runs untracked: the VIP stays whatever fails. Paths are relative to the file that has the
include.

See it: the log, from "Opening file" on.
Do: correct the path, or remove the include.""",
)
CYCLE = Code(
    "KA005",
    Severity.ERROR,
    "a file that includes itself",
    """\
keepalived opens the file again and again until it has no more descriptors (read_conf_file() in
lib/parser.c has no check), and then starts with a part of the configuration, or not at all.

Do: remove the include that closes the circle.""",
)
DEFINITION = Code(
    "KA006",
    Severity.ERROR,
    "a definition, ~SEQ or ~LST that keepalived rejects",
    """\
What keepalived cannot evaluate stays in the line as it stands, or the line is dropped; some
forms make it hang or crash. What the line was to configure does not exist then. The braces of a
${NAME} that is not defined above it are those of a block then, which end the one around it: what
follows, such as track_script, is ignored.

See it: keepalived -t -f FILE.
Do: write it as keepalived.conf(5) has it, "Conditional configuration and configuration id".""",
)
LINE = Code(
    "KA007",
    Severity.WARNING,
    "a line that keepalived does not read as one line",
    """\
Lines of more than 1023 bytes are cut and go on as a line of their own, and a NUL hides the rest;
since 2.4.0 a line with a NUL is ignored, and so are the first 1023 bytes of one that has more than
1022. Before 2.4.0 a `\\` at the end of a comment is read as the end of the last word:
`process nginx  # C:\\` looks for nginx\\. Since 2.2.0 `\\#` and `\\!` are a comment after all to
keepalived's VRRP process, which reads what its parent has already unescaped (decomment() in
lib/parser.c is called twice).

Do: write lines of at most 1022 bytes, end no comment in \\, and put # or ! in double quotes.""",
)
UNEVALUATED = Code(
    "KA008",
    Severity.NOTE,
    "what cannot be known before keepalived runs",
    """\
Random numbers, variables of keepalived's environment (${_ENV NAME}, since 2.4.0), and limits of
this program: nothing else is said of such a line, and what depends on it may be missing or wrong.
And which lines with @ID count, where none of them is for the ID that is taken: --config-id, else
that of the keepalived that runs, else the host's name.

Do: kacheck doctor --config-id ID, if that is the matter.""",
)
NO_FILE = Code(
    "KA009",
    Severity.NOTE,
    "there is no keepalived.conf",
    """\
Without a path `kacheck doctor` looks at /etc/keepalived/keepalived.conf. Where that does not
exist only the environment is examined: keepalived itself, the kernel, the container.

Do: kacheck doctor PATH.""",
)
CODES = (BUG, QUOTE, BRACE, INCLUDE, CYCLE, DEFINITION, LINE, UNEVALUATED, NO_FILE)

BY_KIND = {
    ProblemKind.QUOTE: (QUOTE, "keepalived 2.2.7 crashes on it", "close the quote"),
    ProblemKind.BRACE: (
        BRACE,
        "keepalived reads what follows as part of another block",
        "close each block once; braces that are meant literally belong in double quotes",
    ),
    ProblemKind.INCLUDE: (
        INCLUDE,
        "keepalived logs it and goes on without: what was to be defined there does not exist",
        "correct the path, or remove the line",
    ),
    ProblemKind.CYCLE: (
        CYCLE,
        "keepalived opens it again and again until it has no more file descriptors",
        "remove the include that closes the circle",
    ),
    ProblemKind.DEFINITION: (
        DEFINITION,
        "keepalived rejects it, so what it stands for is not configured",
        "write it as keepalived.conf(5) has it; keepalived -t shows what it makes of it",
    ),
    ProblemKind.LINE: (
        LINE,
        "keepalived reads lines of at most 1022 bytes, and may unescape them twice",
        "write shorter lines, with # and ! in double quotes and no comment that ends in \\",
    ),
    ProblemKind.UNEVALUATED: (
        UNEVALUATED,
        "it is decided when keepalived starts",
        "nothing, if it is meant so; nothing else is said of this line",
    ),
}
OUTERMOST = ("global_defs", "vrrp_script", "vrrp_instance", "vrrp_sync_group", "virtual_server")
"""Blocks that stand in no other."""
OTHER_DEFINITION = re.compile(r"@\S+\s+\$([A-Za-z_]\w*)=")


def findings(setup: Setup) -> Iterator[Finding]:
    """What the parser has found."""
    for problem in (*setup.configuration.problems, *setup.configuration.unevaluated):
        yield of_problem(problem)
    others = [*other_ids(setup.configuration)]
    yield from others
    yield from undefined(setup.configuration, is_ours=not others)
    yield from inside(setup.configuration)


def other_ids(configuration: Configuration) -> Iterator[Finding]:
    """Are there lines for IDs, and none for ours? Then keepalived may be started with another."""
    nodes = [*configuration.written()]
    ours = any(node.condition == configuration.config_id for node in nodes)
    others = [
        n for n in nodes if n.kind is Kind.OTHER_ID and not (n.condition or "^").startswith("^")
    ]
    if others and not ours:
        what = f"lines for @{others[0].condition} are left out, and none is for @"
        what += f"{configuration.config_id or '(none)'}"
        why = "keepalived's --config-id decides, which is the host's name where it is not given"
        yield found(UNEVALUATED, others[0], what, why, "kacheck doctor --config-id ID")


def undefined(configuration: Configuration, *, is_ours: bool) -> Iterator[Finding]:
    """Uses of a ${NAME} that nothing has defined: what remains of it is a $ and a block.

    One that is defined for other nodes is none unless the configuration `is_ours`, too.
    """
    names: set[str] = set()
    if not is_ours:
        lines = [node.line.text for node in configuration.written()]
        names = {found[1] for found in map(OTHER_DEFINITION.match, lines) if found}
    for node in configuration.root.walk():
        inner = node.children[:1] if node.children and node.words else ()
        if not inner or not node.words[-1].value.endswith("$"):
            continue
        name = inner[0].keyword
        if inner[0].position.line != node.position.line:
            continue  # a block whose name ends so
        if re.fullmatch(r"[A-Za-z_]\w*", name) and name not in names:
            names.add(name)
            what = f"${{{name}}} is not defined above, and stays as it is"
            why = "keepalived takes its braces for those of a block, and reads what follows wrongly"
            cure = f"define it above: ${name}=..., without blanks before the ="
            yield found(DEFINITION, node, what, why, cure)


def inside(configuration: Configuration) -> Iterator[Finding]:
    """Blocks that cannot stand in another one: a brace is missing above, and is too many below."""
    for outer in configuration.root.children or ():
        for node in outer.walk():
            if node is not outer and node.keyword in OUTERMOST and node.children is not None:
                what = f"{node.line.text} stands inside of {outer.line.text}"
                why = "keepalived ignores its { and ends the block around it at its }"
                yield found(BRACE, node, what, why, "close the block around it before this line")
                break


def of_problem(problem: Problem) -> Finding:
    """One of its problems."""
    code, why, cure = BY_KIND[problem.kind]
    place = problem.position
    return Finding(code, problem.message, why, cure, place.file, place.line)


def no_file(path: str) -> Finding:
    """The default configuration does not exist."""
    return Finding(
        NO_FILE,
        f"{path} does not exist: only the environment was examined",
        "no configuration was named",
        "name it: kacheck doctor PATH",
    )


def bug(lint: str, error: BaseException) -> Finding:
    """A lint crashed."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else "?"
    return Finding(
        BUG,
        f"{lint} crashed: {type(error).__name__}: {error} ({where})",
        "that is our bug; the other lints ran",
        "please report it",
    )
