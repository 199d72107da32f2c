"""Waiting for what a test has caused, in a loop of short looks."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 30.0
"""Seconds within which what a test waits for must have happened, on a busy machine too."""


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until a condition is true, and return its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.005)
    return value


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Return whether a condition becomes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
