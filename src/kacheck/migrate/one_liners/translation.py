"""What a one-liner becomes. Pure."""

import re
from typing import Any, NamedTuple

from kacheck.migrate.tracked import LeftError

DURATION = re.compile(r"([0-9]*\.?[0-9]+)([smhd]?)")
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Translation(NamedTuple):
    """A check of a probe."""

    probe: str
    values: dict[str, Any]
    limit: float | None = None
    """The one-liner's own time limit in seconds; None: it has none below keepalived's."""
    notes: tuple[str, ...] = ()
    """What is not the same."""


def shorter(first: float | None, second: float | None) -> float | None:
    """Return the shorter of two time limits."""
    return min(filter(None, (first, second)), default=None)


def seconds(word: str | None) -> float | None:
    """Return a time limit, as `timeout 2s` and `curl -m 0.5` have it; None for 0, which is none.

    Raises:
        LeftError: it is not one.

    """
    if word is None:
        return None
    found = DURATION.fullmatch(word)
    if found is None:
        raise LeftError(f"{word!r} is not a number of seconds; correct it")
    return float(found[1]) * UNITS[found[2]] or None
