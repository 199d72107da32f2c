"""A program in a separate process group, run to its end; all of the group ends with it.

A guard, a shell that reads from a pipe, leads the group. When the pipe closes it kills the group:
so whatever ends kacheck, a signal or a re-execution, no program is left behind. The guard is
reaped last, so until then the group's number belongs to nobody else.
"""

from __future__ import annotations

import _thread  # threading takes 2 ms to import
import os
import select

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NamedTuple, Self

    from kacheck.deadline import Deadline
else:
    from kacheck.light import NamedTuple

GUARD = ("/bin/sh", "-c", "read -r _; kill -9 0")
KEPT = 64 * 1024
"""Bytes of each output that are kept; the rest is read and dropped."""
SERVICE_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID")
"""What systemd tells kacheck alone; a program that took it for its own would speak in its name."""
SIGKILL, SIGPIPE, SIGXFSZ = 9, 13, 25
"""Of signal(7); the module of that name, which makes enums of them all, takes 6 ms to import."""
DEFAULTS = (SIGPIPE, SIGXFSZ)
"""Signals that Python ignores and programs do not expect to be ignored."""


class Ended(NamedTuple):
    """How a program ended, and what it wrote."""

    code: int | None
    """Its exit code, or the signal that it died of, negated; None: not known."""
    output: bytes
    errors: bytes


def run(argv: Sequence[str], deadline: Deadline, started: Callable[[int, int], None]) -> Ended:
    """Run the program; `started` is called with its pid and its group's number.

    Raises:
        OSError: it cannot be started.

    """
    fill_standard_files()
    with Group() as group:
        deadline.on_expiry(group.kill)
        output, errors = Pipe(group), Pipe(group)
        pid = group.spawn(argv, output.write_end, errors.write_end)
        try:
            exited = group.own(os.pidfd_open(pid))
        except ProcessLookupError:  # it has exited, and SIGCHLD is ignored
            return Ended(None, b"", b"")
        started(pid, group.number)
        read_until(exited, (output, errors))
        return Ended(group.reap(pid), output.seen, errors.seen)


def fill_standard_files() -> None:
    """Where an input or output was closed, no pipe may get its number."""
    while (file := os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)) <= 2:
        pass
    os.close(file)


class Group:
    """A process group, and the descriptors that are needed while it lives."""

    def __init__(self) -> None:
        self.number = 0
        """The guard's pid; 0 when it may be reaped."""
        self._children: list[int] = []
        self._files: set[int] = set()
        self._lock = _thread.allocate_lock()

    def __enter__(self) -> Self:
        try:
            read_end, _ = self.pipe()
            nowhere = [(os.POSIX_SPAWN_OPEN, file, os.devnull, os.O_WRONLY, 0) for file in (1, 2)]
            actions = [(os.POSIX_SPAWN_DUP2, read_end, 0), *nowhere]
            self.number = os.posix_spawn(
                GUARD[0], GUARD, {}, file_actions=actions, setpgroup=0, setsigmask=()
            )
            self._children.append(self.number)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Kill what is left of it, and reap it."""
        self.kill()
        with self._lock:
            self.number = 0
        while self._children:
            self.reap(self._children[-1])
        self._close()

    def spawn(self, argv: Sequence[str], output: int, errors: int) -> int:
        """Start a program in it; its pid."""
        environ = {key: value for key, value in os.environ.items() if key not in SERVICE_VARIABLES}
        spawn = os.posix_spawn if "/" in argv[0] else os.posix_spawnp
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, errors, 2),
        ]
        executed, until_exec = self.pipe()
        pid = spawn(
            argv[0],
            tuple(argv),
            environ,
            file_actions=actions,
            setpgroup=self.number,
            setsigmask=(),
            setsigdef=DEFAULTS,
        )
        self._children.append(pid)
        for file in (output, errors, until_exec):
            self.disown(file)
        # posix_spawn(3) may return while the program still has our memory, and with that our OOM
        # score; a descriptor that is closed on exec is closed after that.
        os.read(executed, 1)
        return pid

    def reap(self, pid: int) -> int | None:
        """Return how a program has ended that has exited or was killed; None: nobody knows."""
        self._children.remove(pid)
        try:
            _, status = os.waitpid(pid, 0)
        except ChildProcessError:  # SIGCHLD is ignored, so nobody keeps the code
            return None
        return os.waitstatus_to_exitcode(status)

    def kill(self) -> None:
        """Kill every process in it; called by any thread, at any time."""
        with self._lock:
            if self.number:
                try:  # noqa: SIM105 - contextlib would cost 0.4 ms
                    os.killpg(self.number, SIGKILL)
                except (ProcessLookupError, PermissionError):  # setuid programs alone are left
                    pass

    def pipe(self) -> tuple[int, int]:
        """Return the ends of a new pipe."""
        read_end, write_end = os.pipe()
        return self.own(read_end), self.own(write_end)

    def own(self, file: int) -> int:
        """Close this descriptor at the end."""
        self._files.add(file)
        return file

    def disown(self, file: int) -> None:
        """Close it now."""
        self._files.discard(file)
        os.close(file)

    def _close(self) -> None:
        while self._files:
            os.close(self._files.pop())


class Pipe:
    """An output of the program, as far as it was read."""

    def __init__(self, group: Group) -> None:
        self.read_end, self.write_end = group.pipe()
        os.set_blocking(self.read_end, False)
        self.seen = b""

    def read(self) -> bool:
        """Read what is there; return whether there was something."""
        try:
            chunk = os.read(self.read_end, KEPT)
        except BlockingIOError:
            return False
        self.seen += chunk[: KEPT - len(self.seen)]
        return bool(chunk)


def read_until(exited: int, pipes: Sequence[Pipe]) -> None:
    """Read until the program has exited; a process that it leaves behind is not waited for."""
    poll = select.poll()
    poll.register(exited, select.POLLIN)
    by_file = {pipe.read_end: pipe for pipe in pipes}
    for file in by_file:
        poll.register(file, select.POLLIN)
    has_exited = False
    while not has_exited:
        for file, _ in poll.poll():
            if file == exited:
                has_exited = True
            elif not by_file[file].read():
                poll.unregister(file)
    for pipe in pipes:
        for _ in range(KEPT // 4096):  # bounded: somebody else may go on writing
            if not pipe.read():
                break
