"""Options that several commands take, and how their values are read."""

from __future__ import annotations

from kacheck import statedir
from kacheck.kinds import FLAG, ValueKind, one_of
from kacheck.probe import Option
from kacheck.render import FORMATS

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

CONFIGURATION = "/etc/kacheck/kacheck.toml"


def directory(text: str) -> str:
    """Return the value of `--state-dir`, without slashes at its end.

    Raises:
        ValueError: the value is empty; says what to give.

    """
    if not text:
        raise ValueError(f"it is empty: give a directory such as {statedir.DEFAULT}")
    return text.rstrip("/") or "/."


def timeout(text: str) -> float:
    """Return the value of `--timeout`; raises ValueError, too."""
    from kacheck.durations import seconds

    return seconds(text)


STATE_DIR = Option(
    "state_dir",
    ValueKind(directory, directory),
    f"the directory of the drains and of the watcher's files; default {statedir.DEFAULT}",
    metavar="DIR",
    default=statedir.DEFAULT,
    details="Give the same directory to the checks and to the watcher.",
)
VOLUME = (
    Option(
        "verbose",
        FLAG,
        "print everything that was seen",
        letter="v",
        default=False,
        details="This includes pids, users and command lines; the fields of the answer, the end of "
        "the certificate, and the milliseconds of each phase.",
    ),
    Option(
        "quiet",
        FLAG,
        "print nothing to standard output: the exit code is the answer",
        letter="q",
        default=False,
        details="Warnings and errors of usage still go to standard error.",
    ),
)
"""One of them at most."""
COMMON = (
    *VOLUME,
    Option(
        "format",
        one_of(*FORMATS),
        "a line of text, a JSON object, or a Nagios line with performance data; default text",
        default="text",
        details="The keys of the JSON object are a contract: `schema` 1, `check`, `status`, "
        "`reason`, `message`, `exit_code`, `duration_ms` and `data`.",
    ),
    Option(
        "misc",
        FLAG,
        "exit with 1 on every failure, for keepalived's MISC_CHECK",
        default=False,
        details='MISC_CHECK with `misc_dynamic` reads 2 to 255 as "up, with this weight".',
    ),
    Option(
        "log",
        one_of("syslog"),
        "send one line for each failure and warning to syslog as well",
        details="keepalived throws away what a script prints.",
    ),
    STATE_DIR,
)
"""What every check takes."""
LOOK = (
    Option(
        "timeout",
        ValueKind(timeout, timeout),
        "the deadline of the whole check, at which it fails with critical timeout; default 0.8, "
        "for Vault VAULT_CLIENT_TIMEOUT if it is set",
        metavar="SECONDS",
        letter="t",
        details="A number, or a duration such as 800ms; above 0, at most 3600. Keep it below the "
        "`timeout` of the vrrp_script: a check that keepalived ends by SIGTERM cannot say why.",
    ),
    Option(
        "on_unknown",
        one_of("fail", "ok"),
        "what the check does if it cannot determine the state; default fail",
        default="fail",
        details="A bad configuration and a bug always fail.",
    ),
)
"""What a check takes whose configuration is the command line."""


def add_common(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Declare what every check takes."""
    group = parser.add_argument_group("common options")
    volume = group.add_mutually_exclusive_group()
    for option in COMMON:
        add(volume if option in VOLUME else group, option)
    return group


def add_state_dir(parser: argparse._ActionsContainer) -> None:
    """Declare where drains and the watcher's files are."""
    add(parser, STATE_DIR)


def add(parser: argparse._ActionsContainer, option: Option) -> None:
    """Declare an option, which the namespace has by its name, given or not."""
    details = f"\n\n{option.details}" if option.details else ""
    settings: dict[str, Any] = {"help": option.help + details, "default": option.default}
    if option.kind.takes_value:
        settings["type"] = None if option.kind.choices else whole_message(option.kind.from_word)
        settings["metavar"] = option.metavar or None
        settings["choices"] = option.kind.choices or None
    else:
        settings["action"] = "store_true"
    short = (f"-{option.letter}",) if option.letter else ()
    parser.add_argument(*short, option.flag, **settings)


def whole_message(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return the reader for argparse, which would otherwise add its own words to the error."""
    from argparse import ArgumentTypeError

    def read_word(word: str) -> Any:
        try:
            return read(word)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return read_word


def add_wait(parser: argparse._ActionsContainer, *, default: str, help: str) -> None:  # noqa: A002
    """Declare `--wait [LIMIT]`, in seconds; None where it is not given."""
    read = whole_message(lambda word: timeout(word or default))
    parser.add_argument("--wait", nargs="?", metavar="LIMIT", type=read, help=help)


def with_limits(words: list[str]) -> list[str]:
    """Return the words with each LIMIT in its `--wait=`: a CHECK that follows is not one."""
    if words[:1] not in (["status"], ["drain"]):
        return words
    joined: list[str] = []
    for word in words:
        if joined[-1:] == ["--wait="] and word[:1].isdigit():
            joined[-1] += word
        else:
            joined.append("--wait=" if word == "--wait" else word)
    return joined


def add_config(parser: argparse._ActionsContainer, **options: Any) -> None:
    """Declare where checks are configured."""
    help_text = f"the configuration file; default {CONFIGURATION}"
    options = {"default": CONFIGURATION, "help": help_text} | options
    parser.add_argument("--config", metavar="FILE", **options)
