"""The process look of a watcher: what keeps the check up is held, and only verified.

As many of the matching processes as the quorum needs, the oldest ones, are held by a pidfd each:
it becomes readable when the whole process has exited, threads included, in any namespace and
without privilege (pidfd_open(2)). While they are all there, a look reads what the pattern asks for
of each of them and nothing else: its cost does not depend on how many processes the machine has.
All of /proc is read when one of them has gone or become another program, while there are too few,
and at every look that has a maximum to watch.
"""

import errno
import os
import select

from kacheck import procfs
from kacheck.deadline import Deadline
from kacheck.probes.process.look import answer, description
from kacheck.probes.process.options import ProcessOptions
from kacheck.probes.process.scan import Match, another_user, pattern_of, scan, user_id
from kacheck.result import Loss, Result, Status

ATTEMPTS = 3
"""Scans in a row that find a process which is gone before it is held; then it goes unheld."""


class Tracker:
    """Looks for the same processes again and again."""

    def __init__(self, options: ProcessOptions) -> None:
        self.options = options
        self._pattern = pattern_of(options)
        self._held: dict[int, int] = {}
        """pid to pidfd."""
        self._exits = select.poll()
        """All the pidfds."""
        self._result: Result | None = None
        """What the last scan said, while all of the quorum is held."""
        self._loss = Loss.NOTHING
        self._counted: set[int] = set()
        """Whom the last scan has counted."""

    def __call__(self, deadline: Deadline) -> Result:
        """One look."""
        what = description(self.options)
        deadline.enter("verify", f"{self.options.proc} to tell of the processes {what}")
        if self._result is not None and self.is_verified():
            return self._result
        deadline.enter("scan", f"{self.options.proc} to be read in search of a process {what}")
        return self.scan()

    def quick_result(self) -> Result | None:
        """Return what a look would say, if that can be told without waiting; None: make one.

        To read a command line can wait for the process's memory map, to read comm cannot.
        """
        by_comm = self._pattern.by_comm and self.options.user is None
        return self._result if by_comm and self.is_verified() else None

    def loss(self) -> Loss:
        """Return what has exited since the look before."""
        loss, self._loss = self._loss, Loss.NOTHING
        return loss

    def watched(self) -> list[int]:
        """Return the descriptors that become readable when a held process exits."""
        return list(self._held.values())

    def close(self) -> None:
        """Let go of all processes."""
        self.hold([], set())

    def is_verified(self) -> bool:
        """Return whether the whole quorum is held, alive, and still matches."""
        if self._result is None or self._exits.poll(0):
            return False
        try:
            return all(self.still_matches(pid) for pid in self._held)
        except OSError:
            return False  # a scan tells what it means

    def still_matches(self, pid: int) -> bool:
        """Return whether a held process is still the same program of the same user."""
        process = procfs.Process(self.options.proc, pid)
        uid = user_id(self.options.user)
        if uid is not None and another_user(process, uid):
            return False
        return self._pattern.matches(process)

    def scan(self) -> Result:
        """Read all of /proc, and hold what was found."""
        self._result = None
        self._pattern = pattern_of(self.options)  # a symbolic link may lead elsewhere now
        for _ in range(ATTEMPTS):
            look = scan(self.options)
            result = answer(self.options, look)
            counted = {match.pid for match in look.counted}
            stayed, self._counted = self._counted & counted, counted
            try:
                self.hold(self.quorum(look.counted), stayed)
            except procfs.GONE:
                continue
            except OSError as error:
                warning = f"exits are seen only at the next look: pidfd_open: {error.strerror}"
                return result._replace(data={**result.data, "warnings": [warning]})
            if result.status is Status.OK and self.options.quorum_max is None:
                self._result = result
            break
        return result

    def quorum(self, counted: list[Match]) -> list[int]:
        """Return the pids to hold: the oldest, as the longest to live.

        All where there is a maximum.
        """
        if self.options.quorum_max is not None or len(counted) <= self.options.quorum:
            return [match.pid for match in counted]
        ages = {m.pid: procfs.Process(self.options.proc, m.pid).started_ticks() for m in counted}
        return sorted(ages, key=ages.__getitem__)[: self.options.quorum]

    def hold(self, pids: list[int], stayed: set[int]) -> None:
        """Hold these processes and no others; `stayed`: those that the scan before found, too.

        Raises:
            ProcessLookupError, FileNotFoundError: one of them has gone.
            OSError: the system gives no pidfd.

        """
        if pids and procfs.own_pid(self.options.proc) != os.getpid():
            raise OSError(errno.EXDEV, f"{self.options.proc} belongs to another pid namespace")
        exited = [pidfd for pidfd, _ in self._exits.poll(0)]
        if exited:
            gone = {pid for pid, pidfd in self._held.items() if pidfd in exited}
            loss = Loss.SOME if stayed - gone else Loss.ALL
            self._loss = max(self._loss, loss)
        for pid, pidfd in [*self._held.items()]:
            if pid not in pids or pidfd in exited:
                self._exits.unregister(pidfd)
                os.close(pidfd)
                del self._held[pid]
        for pid in pids:
            if pid not in self._held:
                self._held[pid] = os.pidfd_open(pid)
                self._exits.register(self._held[pid], select.POLLIN)
                # Between the scan and now another process may have got the number.
                if not self.still_matches(pid):
                    raise ProcessLookupError(pid)
        if self._exits.poll(0):
            raise ProcessLookupError
