"""The command line: words to a namespace, or an error that says what to write instead.

After `--` every word belongs to the process that is looked for: `kacheck process -- vault server
-config=/etc/vault.d`. No option can be abbreviated: a script must not break when one is added.
"""

import argparse
import shlex
from collections.abc import Sequence
from typing import Any, NoReturn

from kacheck import __version__
from kacheck.commands import OTHERS, TextRequested, command
from kacheck.commands.options import with_limits
from kacheck.kinds import nearest, suggestion
from kacheck.probes import MODULES, probe
from kacheck.redact import redact_word
from kacheck.result import BadConfigError

HELP = (
    "show this help and exit\n\nUse it alone, or directly after the command: inside a check it "
    "would exit 0, which keepalived reads as healthy."
)
EXIT_CODES = "exit codes: 0 ok, 1 warning (such as a standby), 2 critical, 3 unknown or bad usage"


class ShowText(argparse.Action):
    """--help and --version, without argparse's own printing and exiting."""

    def __init__(self, *, text: str | None = None, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "nargs": 0, "default": argparse.SUPPRESS})
        self.text = text

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Show the text given, or the parser's help."""
        raise TextRequested(self.text or parser.format_help().rstrip("\n"))


class Formatter(argparse.HelpFormatter):
    """Help in paragraphs; of an option's help the first one, since the rest is for the manual.

    The width is fixed: argparse would ask for the terminal's with each option that is declared.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=88)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(fill(part, width, indent) for part in text.split("\n\n"))

    def _expand_help(self, action: argparse.Action) -> str:
        return super()._expand_help(action).partition("\n\n")[0]


class Parser(argparse.ArgumentParser):
    """argparse, but it neither prints nor exits: its code for bad usage, 2, reads as critical."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            add_help=False,
            allow_abbrev=False,
            epilog=EXIT_CODES,
            formatter_class=Formatter,
            **kwargs,
        )
        self.add_argument("-h", "--help", action=ShowText, help=HELP)
        version = f"kacheck {__version__}"
        self.add_argument(
            "--version", action=ShowText, text=version, help="show the version and exit"
        )

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found."""
        raise BadConfigError(f"{message}; see {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Name the word that was probably meant, as argparse does not before Python 3.14."""
        choices = tuple(map(str, action.choices or ()))
        if action.dest in ("command", "topic") and value not in choices:
            cure = suggestion(value, choices)
            mark = "" if cure.endswith("?") else ";"
            what = f"unknown command {redact_word(value)}"
            raise BadConfigError(f"{what}; {cure}{mark} see kacheck --help")
        if choices and value not in choices and (near := nearest(str(value), choices)):
            message = f"invalid choice: {value!r}; did you mean {near}?"
            raise argparse.ArgumentError(action, message)
        super()._check_value(action, value)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the command line as a namespace; `command` names the command.

    Of a probe it has the options that were given, by name, in `values`.

    Raises:
        BadConfigError: bad usage.
        TextRequested: --help or --version.

    """
    own, separated, rest = split(argv)
    own = with_limits(own)
    try:
        args, unknown = build(own).parse_known_args(own)
    except TextRequested:
        if len(argv) <= 2:  # alone, but for the command
            raise
        command_name = f" {argv[0]}" if argv[0] in (*MODULES, *OTHERS) else ""
        raise BadConfigError(
            "use --help and --version alone: inside a check they would exit 0, which keepalived "
            f"reads as healthy; {dashes_missing(argv)}see kacheck{command_name} --help"
        ) from None
    except BadConfigError as error:  # of a misspelt option, argparse takes the value for a word
        what, see, where = str(error).partition("see kacheck")
        raise BadConfigError(f"{what}{meant(own)}{see}{where}") from None
    if hasattr(args, "names") and not any(word.startswith("-") for word in unknown):
        args.names += unknown  # argparse takes no second helping of CHECKs after an option
        unknown = []
    takes_words = hasattr(args, "words")
    if unknown:
        raise BadConfigError(
            f"unrecognized arguments: {' '.join(map(redact_word, unknown))}; "
            f"{meant(own) or dashes_missing(argv)}see kacheck {args.command} --help"
        )
    if takes_words:
        args.words += rest
    elif separated:
        raise BadConfigError(f"-- has no meaning for kacheck {args.command}; leave it out")
    if args.command in MODULES:
        from kacheck.commands.probe import values_of

        args.values = values_of(probe(args.command), args)
    return args


def meant(words: Sequence[str]) -> str:
    """Return the options that misspelt ones probably are, for an error; or nothing."""
    parser = Parser(prog="kacheck")
    if words and words[0] in (*MODULES, *OTHERS):
        command(words[0]).declare(parser, words[0])
    known = tuple(word for action in parser._actions for word in action.option_strings)  # noqa: SLF001
    options = (word.partition("=")[0] for word in words if word.startswith("--"))
    near = (nearest(option, known) for option in options if option not in known)
    options_meant = " ".join(dict.fromkeys(filter(None, near)))
    return f"did you mean {options_meant}? " if options_meant else ""


def dashes_missing(argv: Sequence[str]) -> str:
    """Return where `--` belongs, for an error; or nothing."""
    words = with_dashes(argv)
    if words is None:
        return ""
    first = redact_word(words[words.index("--") + 1])
    line = shlex.join(map(redact_word, words))
    return f"put -- before {first} if these options are its own: kacheck {line}; "


def with_dashes(argv: Sequence[str]) -> list[str] | None:
    """Return the words with the `--` that separates those of a process or program; None if none."""
    if "--" in argv or meant(argv):
        return None
    for place, word in enumerate(argv[1:], 1):
        words = [*argv[:place], "--", *argv[place:]]
        if not word.startswith("-") and is_understood(words):
            return words
    return None


def is_understood(argv: Sequence[str]) -> bool:
    """Return whether a command line is one that a command takes."""
    try:
        parse(argv)
    except (BadConfigError, TextRequested):
        return False
    return True


def split(argv: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    """Return the words before the first `--`, whether there is one, and the words after it."""
    words = list(argv)
    if "--" not in words:
        return words, False, []
    end = words.index("--")
    return words[:end], True, words[end + 1 :]


def build(argv: Sequence[str] | None = None) -> Parser:
    """Return the parser of the whole command line.

    For the words `argv` it leaves out what they cannot reach: to declare every command and option
    takes a tenth of the start-up.
    """
    parser = Parser(
        prog="kacheck",
        description="Health checks for keepalived that fail closed and say why.\n\n"
        "`kacheck help COMMAND` explains a command.",
    )
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, prog="kacheck", title="commands"
    )
    known = (*MODULES, *OTHERS)
    names = argv[:1] if argv and argv[0] in known else known
    for name in names:
        each = command(name)
        usage = f"kacheck {name} [OPTION...]{each.usage}"
        subparser = subparsers.add_parser(
            name, usage=usage, help=each.summary, description=each.summary
        )
        if argv is None or name in argv:
            each.declare(subparser, name)
    return parser
