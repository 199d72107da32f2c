"""The watcher's log: a line for each transition and trouble."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Full, Queue
from typing import Literal

from kacheck.deadline import start_thread
from kacheck.render import printable
from kacheck.result import Status
from kacheck.state import Verdict

LogFormat = Literal["text", "json"]
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6
"""Levels of syslog (RFC 5424, 6.2.1), which systemd reads from `<N>` before a line."""
LEVELS = {Status.OK: NOTICE, Status.WARNING: WARNING}


class LineWriter:
    """Writes lines in a separate thread, so that a stuck logger cannot delay a verdict.

    When MOST lines wait, the newest is lost.

    Raises:
        NoThreadError: the thread cannot be started.

    """

    MOST = 1000

    def __init__(self, write: Callable[[str], None]) -> None:
        self._lines: Queue[str | threading.Event | None] = Queue(self.MOST)
        self._write = write
        self._thread = start_thread(self._work, "log")

    def __call__(self, line: str) -> None:
        """Write it soon."""
        with suppress(Full):
            self._lines.put_nowait(line)

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            if isinstance(line, str):
                self._write(line)
            else:
                line.set()

    def flush(self, patience: float = 0.2) -> None:
        """Wait, at most that many seconds, until all that waits is written."""
        written = threading.Event()
        with suppress(Full):
            self._lines.put_nowait(written)
            written.wait(patience)

    def close(self, patience: float = 1.0) -> None:
        """Wait, at most that many seconds, until all is written."""
        end = time.monotonic() + patience
        with suppress(Full):
            self._lines.put(None, timeout=patience)
        self._thread.join(max(0.0, end - time.monotonic()))


class Journal:
    """Formats lines and hands them to `write`."""

    def __init__(
        self, write: Callable[[str], None], log_format: LogFormat = "text", *, levels: bool = False
    ) -> None:
        self._write = write
        self._format = log_format
        self._levels = levels

    def transition(self, check: str, old: Verdict | None, new: Verdict) -> None:
        """Write that a verdict has changed."""
        lasted = None if old is None else new.since - old.since
        before = "" if old is None else f"{old.status.word} {old.reason} -> "
        after = "" if lasted is None else f" after {duration(lasted)}"
        text = f"{check}: {before}{new.status.word} {new.reason}{after}: {new.message}"
        fields = {
            "check": check,
            "old_status": None if old is None else old.status.word,
            "old_reason": None if old is None else old.reason,
            "status": new.status.word,
            "reason": new.reason,
            "duration_s": None if lasted is None else round(lasted, 3),
            "message": new.message,
        }
        self._line(LEVELS.get(new.status, ERROR), "transition", text, fields)

    def say(self, level: int, message: str, check: str | None = None) -> None:
        """Anything else."""
        text = message if check is None else f"{check}: {message}"
        self._line(level, "message", text, {"check": check, "message": message})

    def _line(self, level: int, event: str, text: str, fields: Mapping[str, object]) -> None:
        if self._format == "json":
            named = {"time": round(time.time(), 3), "level": level, "event": event, **fields}
            self._write(json.dumps(named))
        else:
            self._write(f"<{level}>{printable(text)}" if self._levels else printable(text))


def duration(seconds: float) -> str:
    """Seconds in words: the two largest units, such as `3 h 2 min`."""
    if seconds < 60:
        return f"{seconds:.3f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if hours == 0:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{hours} h {minutes % 60} min" if days == 0 else f"{days} d {hours % 24} h"
