"""Which processes a vrrp_track_process counts: read_procs() of core/track_process.c. Pure."""

from typing import NamedTuple

from kacheck.doctor.system import RunningProcess

COMM = 15
"""Bytes that a comm has at most: TASK_COMM_LEN without its NUL."""


class NativePattern(NamedTuple):
    """Which processes keepalived counts."""

    name: str
    arguments: tuple[str, ...]
    match: str | None
    """`exact`, `initial`, `partial`; None: arguments do not matter."""
    by_command_line: bool

    def matches(self, process: RunningProcess) -> bool:
        """read_procs(): of a zombie's or kernel thread's command line nothing is left."""
        if not self.by_command_line:
            return process.comm == self.name
        if process.argv[:1] != (self.name,):
            return False
        given, wanted = "\0".join(process.argv[1:]), "\0".join(self.arguments)
        if self.match == "exact":
            return process.argv[1:] == self.arguments
        if self.match == "initial":
            return given.startswith(wanted)
        return f"{given}\0".startswith(f"{wanted}\0" if wanted else "")


class Running:
    """The processes that run, by name."""

    def __init__(self, processes: list[RunningProcess]) -> None:
        self._by_comm: dict[str, list[RunningProcess]] = {}
        self._by_program: dict[str, list[RunningProcess]] = {}
        for process in processes:
            self._by_comm.setdefault(process.comm, []).append(process)
            program = "".join(process.argv[:1]).rpartition("/")[2]
            self._by_program.setdefault(program, []).append(process)

    def candidates(self, pattern: NativePattern) -> list[RunningProcess]:
        """All that may match."""
        if pattern.by_command_line:
            return self._by_program.get(pattern.name.rpartition("/")[2], [])
        return self._by_comm.get(pattern.name, [])

    def alike(self, base: str) -> list[RunningProcess]:
        """Processes that may have been meant."""
        return self._by_program.get(base, []) or self._by_comm.get(base[:COMM], [])
