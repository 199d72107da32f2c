"""A vrrp_track_process as keepalived reads it, and the processes that it counts now. Pure."""

from functools import cached_property

from kacheck.doctor.machine.system import RunningProcess, System
from kacheck.doctor.processes.matching import NativePattern, ProcessIndex
from kacheck.keepalived import Node
from kacheck.keepalived.limits import MOST_PROCESSES, whole_number
from kacheck.keepalived.tracking import Definition, Tracking
from kacheck.procfs import COMM_MAX

MATCHES = ("exact", "initial", "partial")
"""Of which keepalived knows the first by the bare param_match alone."""

KEYWORDS = ("quorum", "quorum_max", "weight", "delay", "fork_delay", "terminate_delay")
"""Of a vrrp_track_process; behind a process they are its arguments."""


class TrackedProcess:
    """A vrrp_track_process that names a process."""

    def __init__(self, definition: Definition, line: Node, running: ProcessIndex) -> None:
        self.definition = definition
        self.line = line
        """Its `process` statement."""
        self.running = running
        self.pattern = pattern_of(definition, line)

    @property
    def name(self) -> str:
        """The name by which it is tracked."""
        return self.definition.name

    @cached_property
    def count(self) -> int:
        """How many processes match now."""
        candidates = self.running.candidates(self.pattern)
        return sum(self.pattern.matches(process) for process in candidates)

    @property
    def has_quotes(self) -> bool:
        """Return whether quotes or blanks are part of its name, and nothing has that name now."""
        name = self.pattern.name
        is_one_word = " " in name and ": " not in name and not self.pattern.arguments
        return not self.count and (name.startswith("'") or is_one_word)

    @property
    def has_slash(self) -> bool:
        """Return whether it has a path where keepalived compares names."""
        return not self.count and self._is_by_name and "/" in self.pattern.name

    @property
    def is_too_long(self) -> bool:
        """Return whether its name is longer than the kernel keeps."""
        is_long = len(self.pattern.name.encode("utf-8", "surrogateescape")) > COMM_MAX
        return not self.count and self._is_by_name and not self.has_slash and is_long

    @property
    def _is_by_name(self) -> bool:
        return not self.has_quotes and not self.pattern.by_command_line

    @property
    def can_match(self) -> bool:
        """Return whether a process can have such a name at all."""
        return not (self.has_quotes or self.has_slash or self.is_too_long)

    @property
    def quorum(self) -> tuple[int, int]:
        """The least and the most processes for success, as far as the lines are valid."""
        least = whole_number(self.definition.value("quorum") or "")
        most = whole_number(self.definition.value("quorum_max") or "")
        if most == 0 and self.definition.last("quorum") is None:
            return 0, 0
        return (
            least if least is not None and 1 <= least <= MOST_PROCESSES else 1,
            most if most is not None and 0 <= most <= MOST_PROCESSES else MOST_PROCESSES,
        )

    @property
    def is_outside_quorum(self) -> bool:
        """Return whether another number of processes runs than the quorum allows."""
        least, most = self.quorum
        return self.can_match and least <= most and not least <= self.count <= most

    @property
    def keyword_among_arguments(self) -> str | None:
        """The first argument that is a keyword of the block, where nothing matches."""
        if self.count:
            return None
        return next((word for word in self.pattern.arguments if word in KEYWORDS), None)

    @property
    def base(self) -> str:
        """Its name without a directory."""
        return self.pattern.name.rpartition("/")[2]

    @property
    def alike(self) -> list[RunningProcess]:
        """Processes that may have been meant, where nothing matches."""
        if self.count or not self.pattern.by_command_line or self.keyword_among_arguments:
            return []
        return self.running.alike(self.base)


def read_tracked_processes(tracking: Tracking, system: System) -> list[TrackedProcess]:
    """Return the vrrp_track_process blocks that name a process."""
    definitions = tracking.of_kind("track_process")
    running = ProcessIndex(system.processes() if definitions else [])
    lines = [(definition, definition.first("process")) for definition in definitions]
    return [
        TrackedProcess(definition, line, running)
        for definition, line in lines
        if line is not None and line.arguments
    ]


def pattern_of(definition: Definition, line: Node) -> NativePattern:
    """Return what a block means: vrrp_tprocess_*_handler() in vrrp_parser.c."""
    name, *arguments = line.arguments
    statement = definition.last("param_match")
    match = None
    if statement is not None:
        word = "".join(statement.arguments[:1]) or "exact"
        match = word if word in MATCHES and statement.arguments[:1] != ["exact"] else None
    if arguments and match is None:
        match = "exact"
    by_command_line = match is not None or definition.first("full_command") is not None
    return NativePattern(name, tuple(arguments), match, by_command_line)
