"""The command of the check that a one-liner becomes. Pure."""

from kacheck import arguments
from kacheck.deadline import DEFAULT_TIMEOUT
from kacheck.migrate.one_liners.translation import Translation
from kacheck.migrate.tracked import LeftError
from kacheck.probe import OptionError, load
from kacheck.probes import probe
from kacheck.result import BadConfigError
from kacheck.written import command_line

MARGIN = 0.2
"""Seconds by which a check's deadline is below keepalived's timeout, so that it can say why."""
LONGEST = 3600.0
"""Seconds: the longest deadline."""


def command_of(made: Translation, timeout: float) -> list[str]:
    """Return the entry point's name and its words, for a script that keepalived ends at a timeout.

    Raises:
        LeftError: the check refuses one of its values.

    """
    declared = probe(made.probe)
    words = command_line(declared, made.values)
    has_variables = made.probe == "vault"  # which may change what is the default
    if has_variables and "--address" not in words:
        words = ["--address", made.values["address"], *words]
    deadline = deadline_of(made.limit, timeout)
    if deadline != DEFAULT_TIMEOUT or has_variables:
        words = ["--timeout", f"{deadline:g}", *words]
    try:
        asked = arguments.parse([made.probe, *words])
        load(declared.prepare)(asked.values)
    except OptionError as error:
        flags = {option.name: option.flag for option in declared.options}
        raise refused(made, error.text(flags.__getitem__, flags)) from None
    except BadConfigError as error:
        raise refused(made, str(error)) from None
    return [f"kacheck-{made.probe}", *words]


def refused(made: Translation, why: str) -> LeftError:
    """Return the reason for a check that refuses one of its values."""
    return LeftError(f"kacheck-{made.probe} refuses it: {why}")


def deadline_of(own: float | None, timeout: float) -> float:
    """Return the deadline: the one-liner's limit, or just below the timeout of keepalived."""
    least = timeout - MARGIN if timeout >= 1 else timeout * (1 - MARGIN)
    return round(min(own or LONGEST, least, LONGEST), 3)
