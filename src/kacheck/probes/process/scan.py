"""One reading of /proc: which processes match, and why some of them do not count.

One small read for each process of the machine; only a process that matches is read further. Any
user can start a process of any name, so every read has a bound, and with `--user` nothing but the
comm of other users' processes is read. Not counted, because none of them is the service:

- a zombie; but a process whose main thread has exited is alive while another thread runs,
- the check itself, its parents, and other looks of kacheck, which keepalived starts beside it,
- processes of nested pid namespaces, which belong to containers on this host.

What may not be seen (hidepid, another user's executable) is `hidden`, never `missing`.
"""

from __future__ import annotations

import os

from kacheck import procfs
from kacheck.probes import MODULES
from kacheck.probes.process.pattern import Pattern
from kacheck.result import BadConfigError

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import NamedTuple

    from kacheck.probes.process.options import ProcessOptions
else:
    from kacheck.light import NamedTuple

ENTRY_POINTS = tuple(f"kacheck-{name}".encode() for name in (*MODULES, "verdict"))
ONE_SHOTS = tuple(name.encode() for name in (*MODULES, "run"))

ONE_SHOT_REACH = 4096
"""Bytes of a command line that tell a look of ours."""
LONGEST_UID = 10
"""Digits of the largest number that a user can have (chown(2))."""


class Match(NamedTuple):
    """One process that the pattern means, and why it does not count (None: it does)."""

    pid: int
    objection: str | None


class ScanResult(NamedTuple):
    """What one scan found."""

    counted: list[Match]
    not_counted: list[Match]
    hidden: str | None
    """Why the scan may have missed a process."""


def scan(options: ProcessOptions) -> ScanResult:
    """Read /proc once and sort every match into counted and not counted."""
    pattern = pattern_of(options)
    try:
        matcher = Matcher(options, pattern, procfs.own_pid(options.proc))
        if pattern.by_comm:
            pids = procfs.named(options.proc, pattern.name)
        else:
            pids = procfs.pids(options.proc)
    except OSError as error:
        return ScanResult(
            [], [], f"{options.proc} cannot be read ({error.strerror}); mount a procfs there"
        )
    matches: list[Match] = []
    denied: list[OSError] = []
    for pid in pids:
        try:
            match = matcher.match(procfs.Process(options.proc, pid))
            if match is not None:
                matches.append(match)
        except procfs.GONE:
            continue  # it ended between the listing and the reading
        except OSError as error:
            denied.append(error)
    return ScanResult(
        sorted(m for m in matches if m.objection is None),
        sorted(m for m in matches if m.objection is not None),
        hidden(options, denied),
    )


def pattern_of(options: ProcessOptions) -> Pattern:
    """Return the pattern in bytes, as /proc has them."""
    name = os.fsencode(options.name)
    args = tuple(os.fsencode(arg) for arg in options.args)
    resolved = os.path.realpath(name) if b"/" in name else None
    return Pattern(
        name, args, options.param_match, full_command=options.full_command, resolved=resolved
    )


class Matcher:
    """Which processes match, and why some of them do not count."""

    def __init__(self, options: ProcessOptions, pattern: Pattern, own_pid: int) -> None:
        self.options = options
        self.pattern = pattern
        self.own_pid = own_pid
        self.uid = user_id(options.user)
        self._own: tuple[list[int], int] | None = None

    def own(self) -> tuple[list[int], int]:
        """Return the parents of this check and the depth of its pid namespace.

        Read when first needed.
        """
        if self._own is None:
            proc, pid = self.options.proc, self.own_pid
            self._own = (procfs.ancestors(proc, pid), depth(procfs.Process(proc, pid).status()))
        return self._own

    def match(self, process: procfs.Process) -> Match | None:
        """Return a match with the first reason not to count it; None for any other process.

        Raises:
            OSError: it has gone, or may not be read.

        """
        if self.uid is not None and (foreign := another_user(process, self.uid)):
            try:  # contextlib would cost 0.5 ms of the start-up
                return Match(process.pid, foreign) if self.pattern.may_match(process) else None
            except OSError:
                return None
        if not self.pattern.matches(process):
            return None
        status = process.status()
        if status["State"][0] in procfs.DEAD and not process.live_thread():
            return Match(process.pid, "a zombie")  # first: a killed process often is one
        return Match(process.pid, self.objection(process, status))

    def objection(self, process: procfs.Process, status: dict[str, str]) -> str | None:
        """Return the first reason not to count a living process, or None."""
        pid, argv = process.pid, process.argv(ONE_SHOT_REACH)
        parents, own_depth = self.own()
        objections = {
            "this check itself": pid == self.own_pid,
            "a parent of this check": pid in parents,
            "another kacheck": is_one_shot(argv),
            "in a nested pid namespace (--all-namespaces counts it)": (
                depth(status) > own_depth and not self.options.all_namespaces
            ),
        }
        return next((objection for objection, holds in objections.items() if holds), None)


def another_user(process: procfs.Process, uid: int) -> str | None:
    """Return why a process does not belong to `uid`, or None.

    Any user can start a setuid program, such as su, under any name: its effective uid is that of
    the file's owner, its real uid that of whoever started it. A service has both from its user.
    """
    effective = process.effective_uid()
    if effective != uid:
        return f"run by another user (effective uid {effective})"
    real = process.real_uid()
    return None if real == uid else f"run by another user (real uid {real})"


def depth(status: dict[str, str]) -> int:
    """How many pid namespaces deep a process is, seen from here: the values of NSpid."""
    return len(status.get("NSpid", "0").split())


def is_one_shot(argv: list[bytes]) -> bool:
    """Return whether a command line is one of kacheck's looks or launchers; `watch` is neither."""
    for index, word in enumerate(argv[:5]):
        command = word.rpartition(b"/")[2]  # as such, or after -m
        if command in ENTRY_POINTS:
            return True
        if command == b"kacheck" or word.endswith(b"/kacheck/__main__.py"):
            return b"".join(argv[index + 1 : index + 2]) in ONE_SHOTS
    return False


def user_id(user: str | None) -> int | None:
    """Return the number of a user given by name or number."""
    if user is None:
        return None
    if user.isascii() and user.isdecimal() and len(user) <= LONGEST_UID:
        return int(user)
    import pwd

    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise BadConfigError(
            f"--user {user}: this machine has no such user; give a name it has, or a number"
        ) from None


def hidden(options: ProcessOptions, denied: list[OSError]) -> str | None:
    """Return why a scan may have missed a process, or None."""
    proc = options.proc
    if denied:
        first = f"{os.fsdecode(denied[0].filename or proc)}: {denied[0].strerror}"
        cure = "; run the check as root" if isinstance(denied[0], PermissionError) else ""
        return f"{len(denied)} of the processes could not be examined ({first}){cure}"
    try:
        mode = procfs.hidepid(proc)
    except OSError as error:
        return f"{proc} cannot be read ({error.strerror})"
    if mode in procfs.SHOWS_OWNERS and options.user is not None:
        return None  # what could not be read was another user's
    if mode:
        return f"{proc} is mounted with hidepid={mode}; run the check as root or in the gid= group"
    return None
