"""Is the process alive? What vrrp_track_process asks, without the process connector.

A look costs one small read for each process of the machine; only what matched is looked at
closer. Any user's processes are among them, so every read has a bound, and where the user is
asked for, other users' processes are not read beyond comm. Not counted, because none of them is
the service that was asked for:

- a zombie; but a process whose main thread has exited is alive while another thread runs,
- the check itself, its parents, and any other look of kacheck's, which keepalived starts beside it,
- processes of nested pid namespaces: those are the containers' on this host.

What may not be seen (hidepid, another user's executable) is `hidden`, never `missing`.
"""

from __future__ import annotations

import os

from kacheck import procfs
from kacheck.probe import OptionError
from kacheck.probes import MODULES
from kacheck.probes.process.pattern import Pattern
from kacheck.probes.process.reasons import MISSING, RUNNING, TOO_FEW, TOO_MANY
from kacheck.result import HIDDEN, BadConfigError, Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    from kacheck.deadline import Deadline
else:
    from kacheck.light import NamedTuple

ENTRY_POINTS = tuple(f"kacheck-{name}".encode() for name in (*MODULES, "verdict"))
ONE_SHOTS = tuple(name.encode() for name in (*MODULES, "run"))

ONE_SHOT_REACH = 4096
"""Bytes of a command line that tell a look of ours."""
LONGEST_UID = 10
"""Digits of the largest number that a user can have (chown(2))."""


class ProcessOptions(NamedTuple):
    """What to look for, in vrrp_track_process's words (keepalived.conf(5))."""

    name: str
    args: tuple[str, ...] = ()
    quorum: int = 1
    quorum_max: int | None = None
    """0 means: must not run."""
    param_match: str | None = None
    full_command: bool = False
    user: str | None = None
    """Name or number of the real and effective user."""
    all_namespaces: bool = False
    describe: bool = False
    """Add user, age, command line and state of each match to the data (psutil: 20 ms)."""
    proc: str = "/proc"


class Match(NamedTuple):
    """One process that the pattern means, and why it does not count (None: it does)."""

    pid: int
    objection: str | None


class Look(NamedTuple):
    """What one scan found."""

    counted: list[Match]
    not_counted: list[Match]
    hidden: str | None
    """Why the scan may have missed a process."""


def probe(options: ProcessOptions, deadline: Deadline) -> Result:
    """Count the processes that match, and hold the number against quorum and quorum_max.

    Raises:
        BadConfigError: the user does not exist.

    """
    deadline.enter("scan", f"{options.proc} to be read in search of a process {wanted(options)}")
    return answer(options, scan(options))


def answer(options: ProcessOptions, look: Look) -> Result:
    """Return the result of a scan."""
    data: dict[str, Any] = {"count": len(look.counted), "pids": [m.pid for m in look.counted]}
    if look.not_counted:
        data["not_counted"] = [{"pid": m.pid, "why": m.objection} for m in look.not_counted]
    if options.describe:
        data |= described(look.counted)
    return judge(options, look, data)


def described(matches: list[Match]) -> dict[str, Any]:
    """More about each match; without psutil a warning instead, as the verdict does not need it."""
    import io
    from contextlib import redirect_stderr

    try:
        with redirect_stderr(io.StringIO()):  # psutil prints a traceback where /proc/stat is dead
            from kacheck.probes.process.describe import describe
    except ImportError as error:
        return {"warnings": [f"no details: {error}; install it: apt install python3-psutil"]}
    return {"matches": [describe(match.pid) for match in matches]}


def prepare(values: dict[str, Any]) -> ProcessOptions:
    """Return what is asked, as the probe's `prepare`.

    Raises:
        OptionError: no number of processes could satisfy the options.

    """
    options = ProcessOptions(**values)
    # The default quorum goes with a quorum_max of 0, which sets it to 0.
    if options.quorum_max is not None and options.quorum > max(options.quorum_max, 1):
        raise OptionError(
            "quorum_max",
            "{quorum} {least} is above {quorum_max} {most}; no number of processes satisfies both",
            least=options.quorum,
            most=options.quorum_max,
        )
    return options


def detailed(options: ProcessOptions) -> ProcessOptions:
    """Return the same, with more about each process that matches."""
    return options._replace(describe=True)


def scan(options: ProcessOptions) -> Look:
    """Read /proc once and sort every match into counted and not counted."""
    pattern = pattern_of(options)
    try:
        judgement = Judgement(options, pattern, procfs.own_pid(options.proc))
        if pattern.by_comm:
            pids = procfs.named(options.proc, pattern.name)
        else:
            pids = procfs.pids(options.proc)
    except OSError as error:
        return Look(
            [], [], f"{options.proc} cannot be read ({error.strerror}); mount a procfs there"
        )
    matches: list[Match] = []
    denied: list[OSError] = []
    for pid in pids:
        try:
            match = judgement.match(procfs.Process(options.proc, pid))
            if match is not None:
                matches.append(match)
        except procfs.GONE:
            continue  # it ended between the listing and the reading
        except OSError as error:
            denied.append(error)
    return Look(
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


class Judgement:
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
        return f"of another user (effective uid {effective})"
    real = process.real_uid()
    return None if real == uid else f"of another user (real uid {real})"


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
        return f"{len(denied)} could not be looked at ({first}){cure}"
    try:
        mode = procfs.hidepid(proc)
    except OSError as error:
        return f"{proc} cannot be read ({error.strerror})"
    if mode in procfs.SHOWS_OWNERS and options.user is not None:
        return None  # what could not be read was another user's
    if mode:
        return f"{proc} is mounted with hidepid={mode}; run the check as root or in the gid= group"
    return None


# --- the answer -----------------------------------------------------------------------------


def judge(options: ProcessOptions, look: Look, data: dict[str, Any]) -> Result:
    """Status and reason for what a scan found."""
    found = len(look.counted)
    most = options.quorum_max
    least = 0 if most == 0 else options.quorum  # as vrrp_parser.c has it for quorum_max 0
    what = wanted(options)
    some = f"{plural(found)} {what} ({pid_list(look.counted)})" if found else f"no process {what}"
    if most is not None and found > most:
        return Result(Status.CRITICAL, TOO_MANY, f"{some}, at most {most} wanted", data)
    if look.hidden and (found < least or most is not None):
        message = f"cannot tell whether a process {what} runs: {look.hidden}"
        return Result(Status.UNKNOWN, HIDDEN, message, data)
    if found < least:
        reason = TOO_FEW if found else MISSING
        need = f", at least {least} wanted" if found else ""
        message = some + need + aside(look.not_counted)
        is_bare = not (options.args or options.full_command or options.user)
        if not found and not look.not_counted and is_bare and "/" not in options.name:
            from kacheck.probes.process.other_names import other_name

            message += other_name(options.name, options.proc)
        return Result(Status.CRITICAL, reason, message, data)
    return Result(Status.OK, RUNNING if found else MISSING, some, data)


def plural(count: int) -> str:
    """`1 process`, `2 processes`."""
    return "1 process" if count == 1 else f"{count} processes"


def pid_list(matches: list[Match]) -> str:
    """Return the first pids, for a message."""
    shown = ", ".join(str(match.pid) for match in matches[:5])
    return f"pid {shown}, ..." if len(matches) > 5 else f"pid {shown}"


def aside(not_counted: list[Match]) -> str:
    """Return what matched and did not count: what a person asks next when told `missing`."""
    notes = "; ".join(f"pid {match.pid} is {match.objection}" for match in not_counted[:3])
    return f" (not counted: {notes})" if notes else ""


def wanted(options: ProcessOptions) -> str:
    """Return the pattern in words, such as `named vault with arguments server`."""
    words = f"named {options.name}"
    if options.args:
        words += f" with arguments {' '.join(options.args)}"
    elif options.param_match == "exact":
        words += " without arguments"
    return words if options.user is None else f"{words} of user {options.user}"
