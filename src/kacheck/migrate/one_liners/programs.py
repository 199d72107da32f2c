"""Programs whose exit code is the answer: monitoring plugins, and `systemctl is-active`. Pure."""

import re
from collections.abc import Sequence

from kacheck.migrate.equivalents import LIBEXEC
from kacheck.migrate.one_liners.options import Grammar, read, spellings
from kacheck.migrate.one_liners.shell_words import Simple, refuse_files
from kacheck.migrate.one_liners.translation import Translation
from kacheck.migrate.tracked import LeftError

PLUGIN = re.compile(r"/(?:[^/]+/)*(?:nagios|icinga|monitoring-plugins)[^/]*/(?:[^/]+/)*check_[^/]+")
"""The path of a monitoring plugin: /usr/lib/nagios/plugins/check_http."""
SYSTEMCTL = Grammar({}, spellings("q quiet, no-pager"))
UNIT = re.compile(r"[A-Za-z0-9@:_.\\-]+")


def plugin(commands: Sequence[Simple]) -> Translation:
    """Return the check that runs a monitoring plugin.

    Raises:
        LeftError: it is in a pipe, or a file is written.

    """
    if len(commands) > 1:
        raise LeftError("a plugin in a pipe has no equivalent; let its exit code decide")
    refuse_files(commands[0])
    return Translation("command", {"argv": commands[0].words})


def systemctl(commands: Sequence[Simple]) -> Translation:
    """Return the check that asks whether a unit is active.

    No probe asks systemd, and a process of the right name proves less than an active unit. So
    systemctl is still what answers, below a deadline and where `kacheck drain` works; without
    --quiet, so that its word, such as failed, is the message.

    Raises:
        LeftError: it is another question.

    """
    command = commands[0]
    given = read(command.words[1:], SYSTEMCTL)
    verb, *units = given.operands or [""]
    if len(commands) > 1 or verb != "is-active":
        raise LeftError(
            f"systemctl {verb} is not the question whether a unit is active; write systemctl"
            " is-active UNIT"
        )
    refuse_files(command)
    if len(units) != 1 or not UNIT.fullmatch(units[0]):
        raise LeftError(
            "systemctl is-active succeeds as soon as one of several units is active; write a check"
            " for each"
        )
    note = f"to know of a death within milliseconds, ask for its process: {LIBEXEC}/kacheck-process"
    argv = (command.words[0], "is-active", units[0])
    return Translation("command", {"argv": argv}, notes=(note,))


def docker(_: Sequence[Simple]) -> Translation:
    """Leave docker alone.

    Raises:
        LeftError: always.

    """
    raise LeftError(
        "docker inspect succeeds for a stopped container as well, and no check of kacheck asks"
        f" docker; for the service itself, write {LIBEXEC}/kacheck-http URL, or"
        f" {LIBEXEC}/kacheck-process --all-namespaces NAME"
    )
