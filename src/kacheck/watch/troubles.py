"""What the watcher cannot do for a while: said once, and once more when it is well again."""

import errno
import os
from contextlib import suppress

from kacheck.statedir import UPTIME, uptime, uptime_of
from kacheck.watch.bounded_read import BoundedRead, is_mounted
from kacheck.watch.journal import NOTICE, WARNING, Journal


class Troubles:
    """Reports of the watcher's parts; each calls its method with what is wrong, or None: nothing.

    Called when that changes, by whichever thread.
    """

    def __init__(self, directory: str, journal: Journal) -> None:
        self._directory = directory
        self._journal = journal
        self._publishing: dict[str, str | None] = {}

    @property
    def of_publishing(self) -> str | None:
        """What keeps verdicts from being published."""
        return "; ".join(filter(None, self._publishing.values())) or None

    def report_files(self, trouble: str | None) -> None:
        """Report whether the state directory can be written."""
        self._publishing["files"] = trouble
        self._say(trouble, f"{self._directory} can be written again")

    def report_uptime(self, trouble: str | None) -> None:
        """Report whether the uptime can be read; called as often as it is read."""
        if trouble != self._publishing.get("uptime"):
            self._publishing["uptime"] = trouble
            self._say(trouble, f"{UPTIME} can be read again")

    def report_status(self, trouble: str | None) -> None:
        """Report whether `kacheck status` can be answered."""
        wrong = trouble and f"{trouble}: kacheck status is not answered"
        self._say(wrong, "kacheck status is answered again")

    def report_metrics(self, trouble: str | None) -> None:
        """Report whether metrics can be written."""
        wrong = trouble and f"{trouble}: metrics are not written"
        self._say(wrong, "metrics are written again")

    def _say(self, wrong: str | None, well: str) -> None:
        if wrong is None:
            self._journal.say(NOTICE, well)
        else:
            self._journal.say(WARNING, wrong)


class UptimeClock:
    """The uptime that readers of verdict files will compare with.

    lxcfs may hang, too; then the read is left behind.
    """

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles
        self._read = (
            BoundedRead(self._read_file, "uptime") if is_mounted(UPTIME) else self._read_file
        )
        self._file = -1
        with suppress(OSError):
            self._file = os.open(UPTIME, os.O_RDONLY | os.O_CLOEXEC)

    def now(self) -> float | None:
        """Return the uptime; None, and say so, if it cannot be read."""
        trouble, now = None, None
        try:
            now = self._read()
        except OSError as error:
            trouble = (
                f"{UPTIME}: {error.strerror}: verdict files are withdrawn, and kacheck-verdict "
                f"looks for itself. If lxcfs has died: umount -l {UPTIME} in this container, "
                "or start lxcfs and restart the container"
            )
        self._troubles.report_uptime(trouble)
        return now

    def _read_file(self) -> float:
        """Read it; it is opened again each time, since lxcfs may cache what is kept open."""
        try:
            return uptime()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            return uptime_of(self._file)
