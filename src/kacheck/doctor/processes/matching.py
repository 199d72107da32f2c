"""Which processes a vrrp_track_process counts: read_procs() of core/track_process.c. Pure."""

from typing import NamedTuple

from kacheck.doctor.machine.system import RunningProcess
from kacheck.procfs import COMM_MAX


class NativePattern(NamedTuple):
    """Which processes keepalived counts."""

    name: str
    arguments: tuple[str, ...]
    match: str | None
    """`exact`, `initial`, `partial`; None: arguments do not matter."""
    by_command_line: bool

    def matches(self, process: RunningProcess) -> bool:
        """Return whether it counts a process: read_procs().

        A zombie and a kernel thread have no command line.
        """
        if not self.by_command_line:
            return process.comm == self.name
        if process.argv[:1] != (self.name,):
            return False
        arguments, configured = "\0".join(process.argv[1:]), "\0".join(self.arguments)
        if self.match == "exact":
            return process.argv[1:] == self.arguments
        if self.match == "initial":
            return arguments.startswith(configured)
        return f"{arguments}\0".startswith(f"{configured}\0" if configured else "")


class ProcessIndex:
    """The processes that run, by name."""

    def __init__(self, processes: list[RunningProcess]) -> None:
        self._by_comm: dict[str, list[RunningProcess]] = {}
        self._by_program: dict[str, list[RunningProcess]] = {}
        for process in processes:
            self._by_comm.setdefault(process.comm, []).append(process)
            program = "".join(process.argv[:1]).rpartition("/")[2]
            self._by_program.setdefault(program, []).append(process)

    def candidates(self, pattern: NativePattern) -> list[RunningProcess]:
        """Return the processes that may match."""
        if pattern.by_command_line:
            return self._by_program.get(pattern.name.rpartition("/")[2], [])
        return self._by_comm.get(pattern.name, [])

    def alike(self, base: str) -> list[RunningProcess]:
        """Return the processes that may have been meant."""
        return self._by_program.get(base, []) or self._by_comm.get(base[:COMM_MAX], [])
