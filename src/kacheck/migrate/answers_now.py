"""What a URL answers now, where the new check wants more of the answer than the script did."""

from functools import partial

from kacheck.deadline import Deadline, within
from kacheck.exchange.reasons import UNAUTHORIZED
from kacheck.migrate.one_liners.translation import Translation
from kacheck.probe import load
from kacheck.probes import probe
from kacheck.probes.http.reasons import UNEXPECTED_BODY, UNEXPECTED_STATUS
from kacheck.result import BadConfigError

TIMEOUT = 1.0
"""Seconds."""


def refusal(made: Translation) -> str | None:
    """Return why the new check fails with the answer that the service gives now.

    None if it passes, if nothing answers here, or if the script wanted the same.
    """
    if made.probe != "http" or not made.notes:
        return None
    declared = probe(made.probe)
    try:
        options = load(declared.prepare)(made.values)
        result = within(Deadline(TIMEOUT), partial(load(declared.look), options))
    except BadConfigError:  # a file that this user may not read, for example
        return None
    if result.reason not in (UNEXPECTED_STATUS, UNAUTHORIZED, UNEXPECTED_BODY):
        return None
    cure = "add the code to --expect"
    if result.reason is UNEXPECTED_BODY:
        cure = "look for another word with --contains"
    return f"it fails now: {result.message}; if that is healthy, {cure}"
