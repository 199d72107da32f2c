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
        ValueError: there is none; says what to give.

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
    f"where drains and the watcher's verdicts are; default {statedir.DEFAULT}",
    metavar="DIR",
    default=statedir.DEFAULT,
)
VOLUME = (
    Option("verbose", FLAG, "print everything that was seen", letter="v", default=False),
    Option("quiet", FLAG, "print no answer, only exit with it", letter="q", default=False),
)
"""One of them at most."""
COMMON = (
    *VOLUME,
    Option("format", one_of(*FORMATS), "default: text, one line", default="text"),
    Option(
        "misc",
        FLAG,
        "exit with 1 on every failure, for MISC_CHECK with misc_dynamic",
        default=False,
    ),
    Option("log", one_of("syslog"), "send one line for each failure to syslog as well"),
    STATE_DIR,
)
"""What every check takes."""
LOOK = (
    Option(
        "timeout",
        ValueKind(timeout, timeout),
        "total deadline, after which the answer is critical timeout; default 0.8, for Vault "
        "VAULT_CLIENT_TIMEOUT if it is set. Keep it below keepalived's timeout",
        metavar="SECONDS",
        letter="t",
    ),
    Option(
        "on_unknown",
        one_of("fail", "ok"),
        "what it counts as when the state could not be told; a bad configuration always fails; "
        "default: fail",
        default="fail",
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
    settings: dict[str, Any] = {"help": option.help, "default": option.default}
    if option.kind.takes_value:
        settings["type"] = None if option.kind.choices else whole_message(option.kind.from_word)
        settings["metavar"] = option.metavar or None
        settings["choices"] = option.kind.choices or None
    else:
        settings["action"] = "store_true"
    short = (f"-{option.letter}",) if option.letter else ()
    parser.add_argument(*short, option.flag, **settings)


def whole_message(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return the reader for argparse, which would put words of its own around the error's."""
    from argparse import ArgumentTypeError

    def read_word(word: str) -> Any:
        try:
            return read(word)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return read_word


def add_config(parser: argparse._ActionsContainer, **options: Any) -> None:
    """Declare where checks are configured."""
    options = {"default": CONFIGURATION, "help": f"default {CONFIGURATION}"} | options
    parser.add_argument("--config", metavar="FILE", **options)
