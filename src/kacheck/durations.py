"""Seconds, as options and Vault's environment write them."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_TIMEOUT = 3600.0
NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
"""The units of Go's time.ParseDuration."""


def parsed(text: str, units: Mapping[str, float] = UNITS) -> float | None:
    """Return the seconds of a number or of a duration in these units; None if it is neither."""
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    import re  # which takes 5 ms

    term = rf"({NUMBER})({'|'.join(units)})"
    if re.fullmatch(f"(?:{term})+", text, re.ASCII):
        return sum(float(amount) * units[unit] for amount, unit in re.findall(term, text))
    return None


def seconds(text: str) -> float:
    """Return a number of seconds, or a Go duration such as `1m30s` or `800ms`.

    Raises:
        ValueError: it is neither, or not above 0, or above LONGEST_TIMEOUT; says what to give.

    """
    value = parsed(text) or 0.0
    if not 0 < value <= LONGEST_TIMEOUT:
        raise ValueError(
            f'invalid time "{text}": give seconds such as 0.8, above 0 and at most 3600'
        )
    return value
