"""Verdicts to the state directory's files, whatever becomes of the directory.

A disk that is full or a watcher that is out of descriptors must not keep a failure from
keepalived. So each track file's failing value lies ready in failing/, on the same file system: to
rename it takes neither space nor a descriptor. A verdict that cannot be renewed is removed, and
kacheck-verdict looks for itself. If it cannot be removed either, the watcher changes its own
command name (comm), which kacheck-verdict reads.
"""

import os
from collections.abc import Callable
from contextlib import suppress

from kacheck.files import make_directory, replace
from kacheck.statedir import Published, StateDirectoryError, names_in, uptime, verdicts
from kacheck.watch.lock import Lock, is_same, refuse_foreign
from kacheck.watch.track_files import TrackFiles

DIRECTORIES = ("track", "verdict", "failing", "watcher")
CURE = "systemd-tmpfiles --create kacheck.conf"
"""What makes the directories that only root can make."""
COMM = "kacheck"
MUTE = "kacheck-mute"
"""The comm of a watcher that cannot publish: its files do not contain its verdict."""


class Publisher:
    """Writes the files of one state directory; there is one watcher for each.

    Raises:
        StateDirectoryError: another watcher has the directory, or it cannot be written.

    """

    def __init__(
        self,
        directory: str,
        report: Callable[[str | None], None],
        notice: Callable[[str, str], None],
    ) -> None:
        self.directory = directory
        self._report = report
        """Called with what is wrong, when that changes; None: it is well again."""
        self._trouble: str | None = None
        self._lasting: tuple[str | None, str | None] = (None, None)
        """What is wrong until keepalived has been reloaded, which nobody can see from here."""
        self._unwell: set[str] = set()
        """The checks that could not be published at once; "": the directory itself is not well."""
        self._untrue: set[str] = set()
        """The checks whose files say something that is not their verdict."""
        self._comm = COMM
        set_comm(COMM)
        self._track = TrackFiles(directory, notice)
        self.lock = Lock(directory)
        self._directory_file = -1
        """The directory that keepalived watches; while it is open no other can have its inode."""
        self._earlier: dict[str, Published] = {}
        """What this process published before it re-executed."""
        try:
            self._prepare()
        except OSError as error:
            raise StateDirectoryError(
                f"{error.filename or directory} cannot be written ({error.strerror}): make the "
                f"state directory ({CURE}), or give another one with --state-dir"
            ) from None
        if self.lock.was_ours:
            self._earlier = self._fresh()

    def expect(self, name: str, failing: int) -> Published | None:
        """Get ready to publish for a check whose failing value is this.

        A verdict that an earlier watcher left behind is not ours to vouch for. One that this
        process published before it re-executed, and that has not expired, is returned.
        """
        earlier = self._earlier.pop(name, None)
        if earlier is None:
            self._remove("verdict", name)
        else:
            self._track.adopt(name)
        self._track.expect(name, failing)
        self._try(name, lambda: self._track.make_ready(name))
        return earlier

    def end_others(self) -> None:
        """Let the checks fail that were published before, and that nobody expects any more."""
        self._earlier = {}
        for name in names_in(self._path("failing")):
            if name not in self._track.failing:
                self._track.rename(name)
                self._remove("verdict", name)

    def _fresh(self) -> dict[str, Published]:
        """Return the verdicts that have not expired."""
        try:
            now = uptime()
        except OSError:
            return {}
        left = verdicts(self.directory)
        return {name: verdict for name, (verdict, _) in left.items() if now < verdict.expiry}

    def publish(self, name: str, track: int, verdict: Published | None) -> None:
        """Write the track file, if it is not as it should be, and the verdict; None: remove it."""
        has_track, has_verdict = self._write(name, track, verdict)
        if has_track and has_verdict:
            self._recover(name)
        else:
            self._remove("verdict", name)  # its room may be all that there is to be had
            has_track, has_verdict = self._write(name, track, verdict)
        if (has_track or self._track.fail(name, track)) and (
            has_verdict or self._remove("verdict", name)
        ):
            self._untrue.discard(name)
        else:
            self._untrue.add(name)
        self._set_comm(MUTE if self._untrue else COMM)

    def _write(self, name: str, track: int, verdict: Published | None) -> tuple[bool, bool]:
        """Return whether the track file is as it should be, and whether the verdict is."""
        has_track = self._try(name, lambda: self._track.write(name, track))
        if verdict is None:
            return has_track, self._remove("verdict", name)
        path, line = self._path("verdict", name), verdict.line()
        return has_track, self._try(name, lambda: replace(path, line))

    def forget(self, name: str, verdict: Published) -> None:
        """Leave the failing value and this verdict behind."""
        self.publish(name, self._track.failing[name], verdict)
        self._track.forget(name)
        self._untrue.discard(name)
        self._recover(name)
        self._remove("failing", name)

    def check_lock(self) -> None:
        """Find out whether the state directory is still the one that was locked.

        Raises:
            StateDirectoryError: another watcher has it now; or track/ is missing, and this user
                cannot make it, but whatever starts the watcher again may, as its unit does.

        """
        if (self.lock.holds() and self._has_track_directory()) or self._try("", self._prepare):
            self._recover("")
        elif not os.path.isdir(self._path("track")):
            raise StateDirectoryError(
                f"{self._path('track')} is gone, and this user cannot make it: make it "
                f"({CURE}) and start the watcher again"
            )

    def close(self) -> None:
        """Let another watcher have the directory."""
        self.lock.close()
        os.close(self._directory_file)

    def _path(self, *parts: str) -> str:
        return "/".join((self.directory, *parts))

    def _prepare(self) -> None:
        """Make the directories and take the lock."""
        os.makedirs(os.path.dirname(self.directory) or ".", exist_ok=True)
        make_directory(self.directory)
        refuse_foreign(self.directory, self.directory, 0, os.geteuid())
        for path in map(self._path, DIRECTORIES):
            make_directory(path)
            refuse_foreign(path, self.directory, os.geteuid())
        self.lock.take()
        if not self._has_track_directory():
            self._take_track_directory(self._path("track"))

    def _has_track_directory(self) -> bool:
        return is_same(self._path("track"), self._directory_file)

    def _take_track_directory(self, path: str) -> None:
        directory = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        if self._directory_file >= 0:
            os.close(self._directory_file)
            words = (
                f"{path} is another directory than before: reload keepalived, which watches the "
                "old one until then"
            )
            self._lasting = "another directory", words
            self._set_trouble(*self._lasting)
        self._directory_file = directory

    def _remove(self, *parts: str) -> bool:
        try:
            os.unlink(self._path(*parts))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _try(self, name: str, write: Callable[[], None]) -> bool:
        """Write; where the directory is gone, make it and try again; report what is wrong."""
        try:
            try:
                write()
            except FileNotFoundError:
                self._prepare()
                write()
        except OSError as error:
            self._unwell.add(name)
            what = error.strerror or str(error)
            self._set_trouble(
                what,
                f"{error.filename or self.directory}: {what}: verdicts cannot be published; "
                "a check that fails is still reported as failed",
            )
            return False
        return True

    def _recover(self, name: str) -> None:
        """Note that a check can be published again; the trouble ends with the last one."""
        self._unwell.discard(name)
        if not self._unwell:
            self._set_trouble(*self._lasting)

    def _set_trouble(self, trouble: str | None, words: str | None) -> None:
        """Report what is wrong once, though it is wrong with many files."""
        if trouble != self._trouble:
            self._trouble = trouble
            self._report(words)

    def _set_comm(self, comm: str) -> None:
        if comm != self._comm:
            with suppress(OSError):
                set_comm(comm)
                self._comm = comm


def set_comm(name: str) -> None:
    """Name this process, as `ps` and /proc/PID/stat show it (proc(5), /proc/PID/comm)."""
    file = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, name.encode())
    finally:
        os.close(file)
