"""Runs of kacheck against a stand-in for Vault, and what each of its answers means."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeAlias

from helpers.vault import StandInVault
from helpers.waiting import eventually

STATUSES = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}
KEYS = {"schema", "check", "status", "reason", "message", "exit_code", "duration_ms", "data"}

DEADLINE = 0.5
GRACE = 3.0
"""Seconds after the deadline within which the answer is there; bench/ measures how near it is."""

BAD = ("critical", "bad-response")
ENDLESS = ("hang", "drip", "drip-chunked", "drip-headers", "drip-hints")


class Outcome(NamedTuple):
    """One run of kacheck."""

    status: str
    reason: str
    message: str
    data: dict[str, Any]
    duration: float
    """Seconds, as it says itself."""
    wall: float
    """Seconds, as measured around it."""

    @property
    def said(self) -> tuple[str, str]:
        return self.status, self.reason


Kacheck: TypeAlias = Callable[..., Outcome]


def not_json(word: str) -> NoReturn:
    raise AssertionError(f"{word} is no JSON, though Python reads it")


def threads_and_files() -> tuple[int, int]:
    return threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir())


@contextmanager
def nothing_left_behind(vault: StandInVault) -> Iterator[None]:
    """Check that the block leaves no thread, file or connection; the caller has warmed up."""
    assert vault.wait_until_idle()
    before = threads_and_files()
    yield
    assert vault.wait_until_idle(), "a connection was left open"
    assert eventually(lambda: threads_and_files() == before), (before, threads_and_files())


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


ROLES = ("active", "standby", "performance-standby", "dr-secondary")


def assert_in_time(outcome: Outcome, deadline: float = DEADLINE) -> None:
    assert outcome.said == ("critical", "timeout")
    assert deadline - 0.001 <= outcome.duration < deadline + GRACE
    assert outcome.wall < deadline + GRACE
