"""The command line: words to a namespace, or an error that says what to write instead.

After `--` every word belongs to the process that is looked for: `kacheck process -- vault server
-config=/etc/vault.d`. No option can be abbreviated: a script must not break when one is added.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

from kacheck import __version__, statedir
from kacheck.durations import seconds
from kacheck.redact import redact_word
from kacheck.render import FORMATS
from kacheck.result import BadConfigError

ROLES = ("active", "standby", "performance-standby", "dr-secondary")
PARAM_MATCHES = ("exact", "initial", "partial")
CONFIGURATION = "/etc/kacheck/kacheck.toml"
EXIT_CODES = "exit codes: 0 ok, 1 warning (such as a standby), 2 critical, 3 unknown or bad usage"


class Shown(Exception):  # noqa: N818 - no error
    """The user asked for the text of --help or --version, not for a look."""


class ShowText(argparse.Action):
    """--help and --version, without argparse's own printing and exiting."""

    def __init__(self, *, text: str | None = None, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "nargs": 0, "default": argparse.SUPPRESS})
        self.text = text

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Show the text given, or the parser's help."""
        raise Shown(self.text or parser.format_help().rstrip("\n"))


class Parser(argparse.ArgumentParser):
    """argparse, but it neither prints nor exits: its code for bad usage, 2, reads as critical."""

    def __init__(self, **kwargs: Any) -> None:
        # A fixed width: argparse would ask for the terminal's with each option that is declared.
        formatter = partial(argparse.HelpFormatter, width=88)
        super().__init__(
            add_help=False,
            allow_abbrev=False,
            epilog=EXIT_CODES,
            formatter_class=formatter,
            **kwargs,
        )
        self.add_argument("-h", "--help", action=ShowText, help="show this help and exit")
        version = f"kacheck {__version__}"
        self.add_argument(
            "--version", action=ShowText, text=version, help="show the version and exit"
        )

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found."""
        raise BadConfigError(f"{message}; see {self.prog} --help")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line as a namespace; `check` names the command.

    Raises:
        BadConfigError: bad usage.
        Shown: --help or --version.

    """
    own, separated, rest = split(argv)
    try:
        args, unknown = build(own).parse_known_args(own)
    except Shown:
        if len(argv) <= 2:  # it stands alone, but for the command
            raise
        raise BadConfigError(
            "--help and --version stand alone: as part of a check they would be a success for ever "
            "(words for the process itself go after --)"
        ) from None
    if hasattr(args, "names") and not any(word.startswith("-") for word in unknown):
        args.names += unknown  # argparse takes no second helping of CHECKs after an option
        unknown = []
    if unknown:
        hint = " (words for the process itself go after --)" if args.check == "process" else ""
        raise BadConfigError(
            f"unrecognized arguments: {' '.join(map(redact_word, unknown))}{hint}; "
            f"see kacheck {args.check} --help"
        )
    if args.check == "process":
        args.command += rest
        if not args.command:
            raise BadConfigError("NAME is missing: give the name of the process, such as vault")
    elif separated:
        raise BadConfigError(f"-- has no meaning for kacheck {args.check}; leave it out")
    return args


def split(argv: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    """The words before the first `--`, whether there is one, and the words after it."""
    words = list(argv)
    if "--" not in words:
        return words, False, []
    place = words.index("--")
    return words[:place], True, words[place + 1 :]


def build(argv: Sequence[str] | None = None) -> Parser:
    """The parser of the whole command line.

    For the words `argv` it leaves out what they cannot reach: to declare every command and option
    takes a tenth of the start-up.
    """
    parser = Parser(
        prog="kacheck", description="Health checks for keepalived that fail closed and say why."
    )
    commands = parser.add_subparsers(dest="check", metavar="COMMAND", required=True, prog="kacheck")
    table = COMMANDS
    if argv and argv[0] in COMMANDS:
        table = {argv[0]: COMMANDS[argv[0]]}
    for name, (words, summary, *add_options) in table.items():
        usage = f"kacheck {name} [OPTION...]{words}"
        command = commands.add_parser(name, usage=usage, help=summary, description=summary)
        for add in add_options if argv is None or name in argv else ():
            add(command)
    return parser


def add_common(parser: Parser) -> argparse._ArgumentGroup:
    """What every check takes."""
    group = parser.add_argument_group("common options")
    volume = group.add_mutually_exclusive_group()
    volume.add_argument(
        "-v", "--verbose", action="store_true", help="print everything that was seen"
    )
    volume.add_argument(
        "-q", "--quiet", action="store_true", help="print no answer, only exit with it"
    )
    group.add_argument("--format", choices=FORMATS, default="text", help="default: text, one line")
    group.add_argument(
        "--misc",
        action="store_true",
        help="exit with 1 on every failure, for MISC_CHECK with misc_dynamic",
    )
    group.add_argument(
        "--log", choices=("syslog",), help="send one line for each failure to syslog as well"
    )
    add_state_dir(group)
    return group


def add_one_shots(parser: Parser) -> None:
    """What every check takes for which no configuration file says it."""
    group = add_common(parser)
    group.add_argument(
        "-t",
        "--timeout",
        metavar="SECONDS",
        type=timeout,
        help="total deadline, after which the answer is critical timeout; default 0.8, "
        "for Vault VAULT_CLIENT_TIMEOUT if it is set. Keep it below keepalived's timeout",
    )
    group.add_argument(
        "--on-unknown",
        choices=("fail", "ok"),
        default="fail",
        help="what it counts as when the state could not be told; a bad configuration "
        "always fails; default: fail",
    )


def add_state_dir(parser: argparse._ActionsContainer) -> None:
    """Where drains are, and what the resident says."""
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        type=directory,
        default=statedir.DEFAULT,
        help=f"where drains and the resident's verdicts are; default {statedir.DEFAULT}",
    )


def directory(text: str) -> str:
    """`--state-dir` without slashes at its end."""
    if not text:
        raise argparse.ArgumentTypeError(
            f"it is empty: give a directory such as {statedir.DEFAULT}"
        )
    return text.rstrip("/") or "/."


def timeout(text: str) -> float:
    """`--timeout`, with an error in our words."""
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_process_options(parser: Parser) -> None:
    """vrrp_track_process's own words, and two that it lacks."""
    parser.add_argument(
        "command",
        nargs="*",
        metavar="NAME [ARG...]",
        help="the process; with ARGs its arguments must match too. Put -- before a NAME or ARG "
        "that begins with a dash",
    )
    parser.add_argument(
        "--quorum", metavar="N", type=count, default=1, help="at least N processes; default 1"
    )
    parser.add_argument(
        "--quorum-max",
        metavar="N",
        type=count_or_none,
        help="at most N processes; 0: it must not run",
    )
    parser.add_argument(
        "--param-match",
        choices=PARAM_MATCHES,
        help="exact: the ARGs are all there are (the default with ARGs); initial: the last ARG "
        "may be a prefix; partial: they are the first ones",
    )
    parser.add_argument(
        "--full-command",
        action="store_true",
        help="NAME is argv[0] to the letter, as keepalived compares it: no part of it, no "
        "executable or script of that name",
    )
    add_scope_options(parser)


def count(text: str) -> int:
    """A quorum: 1..65535, as in keepalived."""
    return bounded(text, 1)


def count_or_none(text: str) -> int:
    """A quorum_max: 0..65535."""
    return bounded(text, 0)


def bounded(text: str, least: int) -> int:
    """A number from `least` to keepalived's 65535."""
    most = 65535
    number = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if not (number and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text} is not a number from {least} to {most}")
    return int(text)


def add_scope_options(parser: Parser) -> None:
    """Whose processes count."""
    parser.add_argument(
        "--user", metavar="USER", help="count only processes whose real and effective user is USER"
    )
    parser.add_argument(
        "--all-namespaces",
        action="store_true",
        help="count processes of nested pid namespaces, such as containers on this host, too",
    )


def add_combined_options(parser: Parser) -> None:
    """The process by its name, and all of Vault's options."""
    parser.add_argument(
        "--process", metavar="NAME", required=True, help="the process that must be alive"
    )
    add_scope_options(parser)
    add_vault_options(parser)


def add_vault_options(parser: Parser) -> None:
    """Where Vault is, what it must be, and how to trust it."""
    parser.add_argument(
        "--address",
        metavar="URL",
        help="VAULT_ADDR; default https://127.0.0.1:8200; or unix:///PATH",
    )
    parser.add_argument(
        "--accept",
        action="append",
        choices=ROLES,
        help="a role that counts as up; may be given more than once; default: active",
    )
    parser.add_argument(
        "--ca-cert", metavar="FILE", help="VAULT_CACERT: trust these authorities only"
    )
    parser.add_argument("--ca-path", metavar="DIR", help="VAULT_CAPATH: the same, all files of DIR")
    parser.add_argument("--client-cert", metavar="FILE", help="VAULT_CLIENT_CERT")
    parser.add_argument("--client-key", metavar="FILE", help="VAULT_CLIENT_KEY")
    parser.add_argument(
        "--tls-server-name", metavar="NAME", help="VAULT_TLS_SERVER_NAME: ask for and verify NAME"
    )
    parser.add_argument(
        "--insecure", action="store_true", help="VAULT_SKIP_VERIFY: believe any certificate"
    )
    parser.add_argument(
        "--remote",
        action="store_true",
        help="the address is another machine on purpose: do not warn",
    )


def add_config(parser: Parser) -> None:
    """Where checks are configured."""
    parser.add_argument(
        "--config", metavar="FILE", default=CONFIGURATION, help=f"default {CONFIGURATION}"
    )


def add_run_options(parser: Parser) -> None:
    """Checks by name, and where they are configured."""
    parser.add_argument("names", nargs="*", metavar="CHECK", help="its name in the file")
    add_config(parser)


def add_watch_options(parser: Parser) -> None:
    """The resident's files and how it logs."""
    add_config(parser)
    add_state_dir(parser)
    parser.add_argument(
        "--check-config",
        action="store_true",
        help="say whether the configuration is good, and exit: 0 good, 3 bad",
    )
    parser.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="how transitions and troubles are written to stderr, a line each; default: text",
    )


def add_status_options(parser: Parser) -> None:
    """Which checks, and how they are shown."""
    parser.add_argument("names", nargs="*", metavar="CHECK", help="only these; default: all")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one object, as the resident tells it")
    form.add_argument(
        "--follow",
        action="store_true",
        help="a live view; where the output is no terminal, a line for each transition",
    )
    add_state_dir(parser)


def add_drain_options(parser: Parser) -> None:
    """What is drained, for how long and why."""
    parser.add_argument(
        "action",
        choices=("on", "off", "status"),
        help="on: the checks fail from now on; off: they look again; status: what is drained",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="CHECK",
        help="its name in the configuration file; or process, vault or combined, for the checks "
        "that no file names",
    )
    parser.add_argument("--all", action="store_true", help="every check of this machine")
    parser.add_argument(
        "--for",
        dest="span",
        metavar="TIME",
        type=drain_time,
        help="end by itself after a time such as 30m, 2h or 3d, at most 30d; default: at `off`",
    )
    parser.add_argument("--message", metavar="TEXT", help="why, for whoever asks")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument(
        "--config", metavar="FILE", help=f"whose checks CHECK may name; default {CONFIGURATION}"
    )
    add_state_dir(parser)


def drain_time(text: str) -> int:
    """`--for`."""
    from kacheck.drain import span

    try:
        return span(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_migrate_options(parser: Parser) -> None:
    """What to migrate into what, and where to write it."""
    parser.add_argument("conf", metavar="CONF", help="such as /etc/keepalived/keepalived.conf")
    parser.add_argument(
        "--mode",
        choices=("watch", "script"),
        default="watch",
        help="watch: the resident looks, FAULT within milliseconds; script: keepalived starts a "
        "look every 2 seconds; default: watch",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-o", "--output", metavar="FILE", help="write the result there")
    where.add_argument(
        "--in-place",
        action="store_true",
        help="write it where it stands, all files or none, with backups; default: show a diff",
    )
    parser.add_argument(
        "--recipes",
        action="store_true",
        help="replace scripts that are pidof, pgrep, killall -0 or curl of Vault's health, too",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=CONFIGURATION,
        help=f"where checks are added; default {CONFIGURATION}",
    )
    parser.epilog = "exit codes: 0 migrated, 1 something was left alone, 3 nothing was written"
    add_state_dir(parser)


def add_doctor_options(parser: Parser) -> None:
    """What is examined, and how it is told."""
    parser.add_argument(
        "conf",
        nargs="?",
        metavar="KEEPALIVED_CONF",
        help="default /etc/keepalived/keepalived.conf; without one, the environment alone",
    )
    parser.add_argument("--explain", metavar="CODE", help="the long form of a code such as KA301")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument(
        "--config-id",
        metavar="ID",
        help="keepalived's --config-id, which decides on lines with @ID; default: that of the "
        "keepalived that runs, else the host's name",
    )
    parser.epilog = "exit codes: 0 no more than notes, 1 warnings, 2 errors, 3 it could not look"
    add_config(parser)
    add_state_dir(parser)


COMMANDS: dict[str, tuple[Any, ...]] = {
    "process": (" NAME [ARG...]", "is the process alive?", add_process_options, add_one_shots),
    "vault": ("", "is this node in the wanted Vault role?", add_vault_options, add_one_shots),
    "combined": (
        " --process NAME",
        "the process first, then Vault",
        add_combined_options,
        add_one_shots,
    ),
    "run": (" CHECK...", "checks by their names in the file", add_run_options, add_common),
    "watch": ("", "the resident: keeps every verdict current", add_watch_options),
    "status": (" [CHECK...]", "what the resident says now", add_status_options),
    "drain": (
        " on|off|status [CHECK...]",
        "maintenance: fail on purpose, so that the VIP leaves",
        add_drain_options,
    ),
    "doctor": (
        " [KEEPALIVED_CONF]",
        "why is it in FAULT, and what will bite?",
        add_doctor_options,
    ),
    "migrate": (
        " CONF",
        "vrrp_track_process made checks of kacheck",
        add_migrate_options,
    ),
}
"""By name: the words of its usage, its summary, and what declares its options."""
