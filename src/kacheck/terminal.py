"""What the output can show, and a terminal's screen that is given back whatever ends it."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TextIO, TypeAlias

from kacheck.keyboard import Keyboard
from kacheck.status_table import View

ENTER = "\033[?1049h\033[?25l\033[?7l\033[2J"
"""Another screen (xterm), without a cursor; lines do not wrap."""
LEAVE = "\033[?7h\033[?25h\033[?1049l"
ENDING = (signal.SIGINT, signal.SIGTERM)
Handler: TypeAlias = Callable[[int, FrameType | None], Any] | signal.Handlers | int | None


class QuitError(Exception):
    """A key says that it is enough."""


class EndedError(BaseException):
    """A signal says that it is enough."""


def view_of(stream: TextIO | None, environ: Mapping[str, str]) -> View:
    """Return what can be shown there.

    A width and height only where it is a terminal that moves about.
    """
    try:
        if stream is None or not stream.isatty() or environ.get("TERM", "dumb") == "dumb":
            return View()
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # it is closed, or has no descriptor
        return View()
    return View(columns or 80, lines or 24, colours=not environ.get("NO_COLOR"))


def write(file: int, text: str) -> None:
    """Write all of it.

    Raises:
        OSError: nobody reads any more.

    """
    rest = text.encode("utf-8", "backslashreplace")
    while rest:
        rest = rest[os.write(file, rest) :]


def is_read(file: int, seconds: float, keyboard: Keyboard | None = None) -> bool:
    """Wait; False as soon as nobody reads any more.

    Raises:
        QuitError: a key says that it is enough.

    """
    poll = select.poll()
    poll.register(file, 0)
    if keyboard is not None and keyboard.file is not None:
        poll.register(keyboard.file, select.POLLIN)
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        ready = dict(poll.poll(rest * 1000))
        if ready.pop(file, 0) & ~select.POLLIN:
            return False
        if ready and keyboard is not None and keyboard.says_quit():
            raise QuitError
    return True


@contextmanager
def full_screen(file: int) -> Iterator[Keyboard]:
    """Show another screen, and the old one at the end, also while the program is stopped.

    Keys are those of the keyboard then. SIGINT and SIGTERM end it, and then do what they would have
    done without.
    """
    ended_by: list[int] = []
    keyboard = Keyboard()

    def end(number: int, _: FrameType | None) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        ended_by.append(number)
        raise EndedError

    def pause(*_: object) -> None:
        keyboard.give_back()
        write(file, LEAVE)
        os.kill(os.getpid(), signal.SIGSTOP)
        keyboard.take()
        write(file, ENTER)

    before = handle(dict.fromkeys(ENDING, end) | {signal.SIGTSTP: pause})
    try:
        keyboard.take()
        write(file, ENTER)
        yield keyboard
    except EndedError:
        pass
    finally:
        keyboard.give_back()
        with suppress(OSError):
            write(file, LEAVE)
        handle(before)
    for number in ended_by:
        os.kill(os.getpid(), number)


def handle(handlers: Mapping[signal.Signals, Handler]) -> dict[signal.Signals, Handler]:
    """Set these handlers; those that were there before."""
    return {number: signal.signal(number, handler) for number, handler in handlers.items()}
