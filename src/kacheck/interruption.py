"""Signals that end a program: they wait, so that no file stays half-way."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from kacheck.result import KacheckError

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Signals that end a program wait for `now()`, and are a KeyboardInterrupt there.

    Between any two steps they would leave what `undo()` does not know of. The program dies of
    them at the end of the `with`, unless that ends with something to say.
    """

    def __init__(self) -> None:
        self._handlers: dict[signal.Signals, Any] = {}
        self._came: int | None = None
        self._is_now = False

    def __enter__(self) -> Self:
        for number in ENDINGS:
            if signal.getsignal(number) not in (None, signal.SIG_IGN):  # nohup's
                self._handlers[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._came is not None and not (kind and issubclass(kind, KacheckError)):
            os.kill(os.getpid(), self._came)

    @property
    def is_hangup(self) -> bool:
        """Whether the terminal has gone, which nobody has asked for."""
        return self._came == signal.SIGHUP

    @contextmanager
    def now(self) -> Iterator[None]:
        """Be interrupted, also by what has come already."""
        self._is_now = True
        try:
            if self._came is not None:
                self._interrupt()
            yield
        finally:
            self._is_now = False

    def _handle(self, number: int, _: object) -> None:
        self._came = number
        if self._is_now:
            self._interrupt()

    def _interrupt(self) -> None:
        self._is_now = False  # a second one shall not interrupt what this one has begun
        raise KeyboardInterrupt
