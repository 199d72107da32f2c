"""Packages that are not Python's own, and a start that looks for none.

To find site-packages takes a third of an interpreter's start, and most one-shots need nothing from
there. So the entry points start Python without it (-S), and whatever turns out to need httpx or
psutil starts the command once more, with everything. Nothing has been printed by then, and the
deadline goes on.
"""

import os
import sys
import time

from kacheck.result import KacheckError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

STARTED = "kacheck-started"
"""The option -X that tells the second start when the first one began."""
LONGEST = 3600.0
"""Seconds that may pass between the two; after more it is not ours."""


class PackagesNeededError(BaseException):
    """The command has to be started once more; no error of the look, so nothing may catch it."""


def need() -> None:
    """Say that what comes next imports a package, or may.

    Raises:
        PackagesNeededError: Python was started without them.

    """
    if sys.flags.no_site:
        raise PackagesNeededError


def start_again(words: "Sequence[str]", started: float) -> "NoReturn":
    """Execute this command once more, with packages.

    Raises:
        KacheckError: that was not possible.

    """
    program = os.path.join(os.path.dirname(__file__), "__main__.py")
    argv = [sys.executable, "-IB", f"-X{STARTED}={started!r}", program, *words]
    try:
        os.execv(argv[0], argv)
    except OSError as error:
        raise KacheckError(
            f"cannot start {argv[0]} again, with httpx and psutil: {error.strerror}"
        ) from None


def is_second_start() -> bool:
    """Return whether the command was started for the sake of packages."""
    return STARTED in sys._xoptions  # noqa: SLF001 - where Python documents it to be


def start() -> float:
    """Return when the command was started, of time.monotonic(), which goes on through execve(2)."""
    now = time.monotonic()
    try:
        started = float(sys._xoptions.get(STARTED, now))  # noqa: SLF001 - as above
    except ValueError:
        return now
    return started if 0 <= now - started <= LONGEST else now
