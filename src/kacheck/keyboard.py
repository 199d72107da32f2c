"""The keys that are pressed at a terminal, one by one, while it shows a live view."""

import os
import sys
import termios
from contextlib import suppress

QUIT = b"q"


class Keyboard:
    """Standard input, if it is a terminal and ours: keys come as they are pressed, and unseen.

    Ctrl-C and Ctrl-Z stay signals.
    """

    def __init__(self) -> None:
        self.file: int | None = None
        """The terminal; None: no key can come."""
        self._before: list[object] = []

    def take(self) -> None:
        """Have keys come one by one, where that does not stop us as a background process."""
        with suppress(AttributeError, OSError, ValueError, termios.error):
            file = sys.stdin.fileno()
            before = termios.tcgetattr(file)
            if is_background(file):
                return
            mode = [*before]
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(file, termios.TCSANOW, mode)
            self.file, self._before = file, [*before]

    def give_back(self) -> None:
        """Have the terminal as it was."""
        if self.file is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.file, termios.TCSANOW, self._before)  # type: ignore[arg-type]
            self.file = None

    def says_quit(self) -> bool:
        """Return whether what was typed ends the view; a terminal that has gone does, too."""
        if self.file is None:
            return False
        try:
            typed = os.read(self.file, 1024)
        except OSError:
            return True
        return not typed or QUIT in typed.lower()


def is_background(file: int) -> bool:
    """Return whether a terminal would stop us for setting it: it is ours, and another job's now."""
    try:
        return os.tcgetpgrp(file) != os.getpgrp()
    except OSError:  # it is not the one that controls us
        return False
