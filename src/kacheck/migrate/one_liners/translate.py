"""From a script's command to the check that it becomes. Pure."""

import re
from collections.abc import Callable, Sequence

from kacheck.doctor.scripts.shell import (
    ASSIGNMENT,
    KEYWORDS,
    SHELLS,
    WRAPPERS,
    shell_program,
    unwrapped,
)
from kacheck.migrate.one_liners.curl import curl
from kacheck.migrate.one_liners.ports import device, nc
from kacheck.migrate.one_liners.processes import GRAMMARS, process
from kacheck.migrate.one_liners.programs import PLUGIN, docker, plugin, systemctl
from kacheck.migrate.one_liners.shell_words import (
    Simple,
    first_operator,
    meant,
    pipeline,
    simple_commands,
)
from kacheck.migrate.one_liners.translation import Translation, seconds, shorter
from kacheck.migrate.one_liners.wget import wget
from kacheck.migrate.tracked import LeftError

Translator = Callable[[Sequence[Simple]], Translation]
TRANSLATORS: dict[str, Translator] = {
    "curl": curl,
    "wget": wget,
    **dict.fromkeys(("nc", "ncat", "netcat"), nc),
    **dict.fromkeys(GRAMMARS, process),
    "systemctl": systemctl,
    "docker": docker,
}
"""By the program's name."""
KNOWN = re.compile(
    rf"(?:^|[\s/;|&(`'\"])(?:{'|'.join((*TRANSLATORS, 'kill'))})(?=\s|$)|/dev/tcp/|/plugins/check_"
)
"""What makes it worth saying why a script is left alone; another script is the user's own."""
HARMLESS = ("timeout", "env", "exec", "command", "nice", "ionice", "nohup", "setsid", "stdbuf")
"""What may run a one-liner without changing its answer."""
CODE = r"[1-5][0-9]{2}"
ASKED = r"""["]?\$\(([^()$`]*%\{(?:http_code|response_code)\}[^()$`]*)\)["]?"""
COMPARED = re.compile(
    rf"""(?:test|\[\[?)\s+(?:{ASKED}\s+(?:==?|-eq)\s+["']?({CODE})["']?"""
    rf"""|["']?({CODE})["']?\s+(?:==?|-eq)\s+{ASKED})(?:\s+\]\]?)?"""
)
"""`[ $(curl -w %{{http_code}} ...) = 200 ]`, which is `curl ... | grep 200`."""
NO_SHELL = "keepalived starts no shell, so that `{}` and what is behind it are arguments of {}"
BACKGROUND = "where sh is dash, &> put it into the background, and it always passed"


DECIDES = re.compile(
    r"\s*if\s+(?P<kept>[^;!]+);\s*then\s+(?:exit 0|true|:)\s*;"
    r"\s*else\s+(?:exit [1-9][0-9]*|false)\s*;\s*fi\s*"
    r"|\s*if\s+!\s+(?P<denied>[^;!]+);\s*then\s+exit [1-9][0-9]*\s*;\s*fi\s*(?:;\s*exit 0\s*)?"
)
"""`if A; then exit 0; else exit 1; fi`, and `if ! A; then exit 1; fi`, which are A."""


def translate(argv: Sequence[str]) -> Translation | None:
    """Return the check that a command becomes; None where it is a script of the user's own.

    Raises:
        LeftError: it is known, and has no equivalent that means the same or fails closed.

    """
    try:
        return _translate([*argv])
    except LeftError:
        if KNOWN.search(" ".join(argv)):
            raise
        return None


def _translate(argv: list[str]) -> Translation | None:
    words, limit = run_by(argv)
    shell = words[0].rpartition("/")[2] if words else ""
    if shell in SHELLS:
        program = shell_program(words)
        if program is None:
            return None
        if words[-1] != program:
            raise LeftError(
                f"{shell} -c runs {program} alone, without what is behind it; put"
                " quotes around all of it"
            )
        return translated(program, shell, limit)
    text = meant(words)
    if text is None:
        return of_pipeline([Simple(tuple(words))], None, limit)
    note = NO_SHELL.format(first_operator(words), shell)
    try:
        made = translated(text, None, limit)
    except LeftError as error:
        raise LeftError(f"{note}; and {error}") from None
    return made and made._replace(notes=(*made.notes, note))


def translated(program: str, shell: str | None, limit: float | None) -> Translation | None:
    """Return the check that a shell's program becomes; None where it is another one."""
    if decides := DECIDES.fullmatch(program):
        program = decides["kept"] or decides["denied"]
    compared = COMPARED.match(program)
    if compared is not None:
        first, code, other_code, second = compared.groups()
        program = f"{first or second} | grep {code or other_code}{program[compared.end() :]}"
    commands = simple_commands(program)
    made = of_pipeline(pipeline(commands), shell, limit)
    is_hidden = any(file.operator[0] == "&" for each in commands for file in each.redirections)
    if made is not None and is_hidden and shell != "bash":
        made = made._replace(notes=(*made.notes, BACKGROUND))
    return made


def of_pipeline(
    commands: list[Simple], shell: str | None, limit: float | None
) -> Translation | None:
    """Return the check that a pipeline becomes; None where another program begins it."""
    words, own = run_by([*commands[0].words])
    if words[:1] and words[0].startswith("</"):
        commands = simple_commands(" ".join(words))
        words = []
    first = commands[0]._replace(words=tuple(words))
    commands = [first, *commands[1:]]
    made = device(commands, shell)
    if made is None:
        translator = plugin if PLUGIN.fullmatch("".join(words[:1])) else TRANSLATORS.get(first.name)
        made = translator(commands) if translator is not None else None
    return made and made._replace(limit=shorter(made.limit, shorter(own, limit)))


def run_by(argv: list[str]) -> tuple[list[str], float | None]:
    """Return the words without what runs them, and the time limit that this sets.

    Raises:
        LeftError: what runs them may change their answer.

    """
    words, limit = unwrapped(argv)
    for word in argv[: len(argv) - len(words)]:
        name = word.rpartition("/")[2]
        is_runner = (name in WRAPPERS or name in KEYWORDS) and name not in HARMLESS
        if is_runner or ASSIGNMENT.match(word):
            raise LeftError(
                f"{word} changes what its command does; leave it out, or keep the script"
            )
    return words, seconds(limit or None)
