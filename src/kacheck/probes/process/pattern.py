"""Which processes a NAME and its ARGs mean: vrrp_track_process's rules, less their traps. No I/O.

keepalived compares a bare NAME with comm, and everything else with argv[0] alone (read_procs()
and check_params() in its core/track_process.c). comm holds 15 bytes and no path, and argv[0] is
whatever the caller of execve(2) liked, so some patterns could never match there. Here

- a bare NAME that fits is compared with comm, as keepalived does;
- with full_command NAME is argv[0] to the letter, as it is there;
- any other is compared with argv[0] (its last component, if NAME has no slash), with the script
  that the kernel handed to an interpreter, and with the executable.
"""

from __future__ import annotations

from kacheck.procfs import COMM_MAX

PATH_MAX = 4096
"""Bytes of a path, its NUL among them (linux/limits.h)."""


TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class ProcessView(Protocol):
    """What of a process a pattern asks for; each call may raise OSError."""

    def comm(self) -> bytes:
        """Return the command name, at most 15 bytes."""

    def argv(self, limit: int) -> list[bytes]:
        """Return the first bytes of the command line, a word that is cut off with a NUL."""

    def executable(self) -> bytes:
        """Return the path of the executable."""


class Pattern:
    """A process to look for, in the words of vrrp_track_process.

    `param_match` is exact, initial (the last ARG may be a prefix) or partial (the first ARGs);
    None: any. With `full_command` NAME is argv[0], all of it, and nothing else is. `resolved` is
    NAME with its symbolic links followed, where it has a slash.
    """

    def __init__(
        self,
        name: bytes,
        args: tuple[bytes, ...] = (),
        param_match: str | None = None,
        *,
        full_command: bool = False,
        resolved: bytes | None = None,
    ) -> None:
        self.name = name
        self.args = args
        self.param_match = param_match
        self.full_command = full_command
        self.resolved = resolved
        plain = not (args or param_match or full_command or b"/" in name)
        self.by_comm = plain and len(name) <= COMM_MAX
        """Whether comm is enough."""
        # Before the ARGs are at most an interpreter, its argument and a script.
        before = 3 * max(PATH_MAX, len(name) + 1)
        self.reach = before + sum(len(arg) + 1 for arg in args) + 1
        """Bytes of a command line that decide; the last one shows whether more follows."""

    def matches(self, process: ProcessView) -> bool:
        """Return whether the pattern means this process.

        Raises:
            OSError: it has gone, or it may not be looked at and could be the one.

        """
        if self.by_comm:
            return process.comm() == self.name
        argv = process.argv(self.reach)
        if not argv:
            return False
        if self.full_command:
            return argv[0] == self.name and self.args_match(argv[1:])
        index = self.place(argv, process)
        if index is not None:
            return self.args_match(argv[index + 1 :])
        # The executable last: to read another user's takes permission.
        return self.args_match(argv[1:]) and self.runs(process)

    def may_match(self, process: ProcessView) -> bool:
        """Return whether comm, which alone is read, is the wanted one and no ARG is asked for."""
        return not self.args and self.param_match is None and self.comm_agrees(process)

    def place(self, argv: list[bytes], process: ProcessView) -> int | None:
        """Where in argv the wanted command stands: at 0, or further on for a script."""
        if self.same(argv[0]) or argv[0] == self.resolved:
            return 0
        # For `#!interpreter [argument]` the kernel puts the script here, and its name in comm.
        for index, word in enumerate(argv[1:3], start=1):
            if self.same(word) and self.comm_agrees(process):
                return index
        return None

    def runs(self, process: ProcessView) -> bool:
        """Return whether the executable is the wanted one."""
        try:
            executable = process.executable()
        except PermissionError:
            # Another user's process: only where comm agrees could it be the one.
            if self.comm_agrees(process):
                raise
            return False
        return self.same(executable) or executable == self.resolved

    def same(self, path: bytes) -> bool:
        """Return whether a path (without a slash in NAME its last part) is the wanted command."""
        return self.name == (path if b"/" in self.name else path.rpartition(b"/")[2])

    def comm_agrees(self, process: ProcessView) -> bool:
        """Return whether comm is the start of the name, or of the file that it links to."""
        names = (name.rpartition(b"/")[2][:COMM_MAX] for name in (self.name, self.resolved or b"/"))
        return process.comm() in filter(None, names)

    def args_match(self, args: list[bytes]) -> bool:
        """Keepalived's check_params()."""
        if self.param_match is None and not self.args:
            return True
        first = tuple(args[: len(self.args)])
        if self.param_match == "partial" or (self.param_match == "initial" and not self.args):
            return first == self.args
        if self.param_match == "initial":
            same_length = len(first) == len(self.args)
            return (
                same_length and first[:-1] == self.args[:-1] and first[-1].startswith(self.args[-1])
            )
        return tuple(args) == self.args
