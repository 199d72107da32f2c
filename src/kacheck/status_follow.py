"""`kacheck status --follow`: what the watcher answers, again and again."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

from kacheck.render import printable
from kacheck.status import NoWatcherError, ask, chosen, only, remains
from kacheck.status_table import (
    Section,
    View,
    blocks_of,
    left_behind,
    shortened,
    transition_line,
    watcher_line,
)

LEAVING = "q: quit"
"""What a live view says of how to leave it."""
FOLLOWED = 0.8
"""Seconds between two questions of --follow: what changes is shown within a second."""


class Followed(Protocol):
    """What --follow writes."""

    def news(self, view: View) -> str:
        """Return the text to write next."""


def followed(state_dir: str, names: Sequence[str], view: View) -> Followed:
    """Return a screen for a terminal, a log for anything else.

    Raises:
        BadConfigError: the watcher has no check of that name.

    """
    return Log(state_dir, names) if view.height is None else Screen(state_dir, names)


class Screen:
    """What a terminal shows, again and again; for one that does not wrap lines.

    Raises:
        BadConfigError: the watcher has no check of that name.

    """

    def __init__(self, state_dir: str, names: Sequence[str]) -> None:
        self._state_dir = state_dir
        self._names = names
        with suppress(NoWatcherError):
            chosen(ask(state_dir), names)

    def news(self, view: View) -> str:
        """How things are now, over what was there before."""
        now = time.time()
        try:
            reply = only(ask(self._state_dir), self._names)
        except NoWatcherError as error:
            head = printable(str(error))
            lines = [*left_behind(*remains(self._state_dir, self._names), view=view)]
            blocks = [Section([line], is_ok=False) for line in lines]
        else:
            head, blocks = watcher_line(reply, now), blocks_of(reply, view, now)
        clock = time.strftime("%H:%M:%S", time.localtime(now))
        shown = [f"{clock}  {LEAVING}  {head}", *shortened(blocks, view)]
        return "\033[H" + "\033[K\r\n".join(shown) + "\033[K\033[J"


class Log:
    """A line for each transition, as it happens.

    Raises:
        BadConfigError: the watcher has no check of that name.

    """

    def __init__(self, state_dir: str, names: Sequence[str]) -> None:
        self._state_dir = state_dir
        self._names = names
        self._watcher: tuple[int, float] | None = None
        self._seen: dict[str, dict[str, Any]] = {}
        """Each check as that watcher reply it last."""
        self._said = ""
        """What was said last of the watcher, or of there being none."""
        with suppress(NoWatcherError):
            reply = chosen(ask(state_dir), names)
            self._watcher = (reply["pid"], reply["started_at"])
            self._seen = {check["check"]: check for check in reply["checks"]}

    def news(self, _: View) -> str:
        """Return what has happened since the last time."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        try:
            reply = only(ask(self._state_dir), self._names)
        except NoWatcherError as error:
            if str(error) != self._said:
                self._said = str(error)
                yield printable(f"{stamp} {error}")
            return
        watcher = (reply["pid"], reply["started_at"])
        if watcher != self._watcher:
            self._watcher, self._seen = watcher, {}
        if str(watcher) != self._said:
            self._said = str(watcher)
            yield f"{stamp} {watcher_line(reply, time.time())}"
        yield from self._news(reply["checks"])

    def _news(self, checks: list[dict[str, Any]]) -> Iterator[str]:
        happened = []
        for check in checks:
            before = self._seen.get(check["check"], {"transitions": [], "transition_count": 0})
            new = [each for each in check["transitions"] if each not in before["transitions"]]
            happened += [(each["at"], check, each) for each in new]
            count = check["transition_count"]
            missed = count - before["transition_count"] - len(new)
            if missed > 0 and new:
                yield f"{check['check']}: {missed} earlier transitions were not kept"
        self._seen = {check["check"]: check for check in checks}
        for _, check, transition in sorted(happened, key=lambda each: each[0]):
            yield transition_line(check, transition)
