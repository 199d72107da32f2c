"""All that a finding function may look at."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

from kacheck.check import Check
from kacheck.doctor.features import features_of
from kacheck.doctor.files.tracked_file import TrackedFile, read_tracked_files
from kacheck.doctor.kacheck.entry_point_calls import Call, calls_of
from kacheck.doctor.kacheck.installation import Installation
from kacheck.doctor.kacheck.state_files import TrackedCheck, tracked_checks
from kacheck.doctor.machine.facts import Facts
from kacheck.doctor.machine.system import System
from kacheck.doctor.processes.tracked_process import TrackedProcess, read_tracked_processes
from kacheck.doctor.scripts.command_line import CommandLine, command_lines
from kacheck.doctor.scripts.program import Program, find_programs
from kacheck.doctor.scripts.script import Script, read_scripts
from kacheck.keepalived import Configuration, Node, Version
from kacheck.keepalived.program import Keepalived
from kacheck.keepalived.tracking import Tracking


@dataclass(eq=False)
class Context:
    """A configuration, the machine it is for, and kacheck's part of it.

    What several findings need is computed when the first of them asks for it.
    """

    path: str
    """Of keepalived.conf."""
    configuration: Configuration
    system: System
    release: Version | None
    """keepalived's; None: unknown, so that what any release does is found."""
    facts: Facts | None
    """None: gathering them failed."""
    kacheck: Installation

    def is_before(self, *release: int) -> bool:
        """Return whether keepalived is, or may be, older than a release."""
        return self.release is None or self.release < release

    def is_from(self, *release: int) -> bool:
        """Return whether keepalived is, or may be, as new as a release."""
        return self.release is None or self.release >= release

    @property
    def keepalived(self) -> Keepalived | None:
        """The keepalived that is installed here, if it is known."""
        return self.facts.keepalived if self.facts is not None else None

    @cached_property
    def tracking(self) -> Tracking:
        """The definitions and references of the configuration."""
        return Tracking(self.configuration)

    @cached_property
    def features(self) -> AbstractSet[str]:
        """What the configuration uses, in the words of features.py."""
        has_foreign_script = len(self.calls) < len(self.scripts)
        return features_of(self.configuration, self.tracking, foreign=has_foreign_script)

    @cached_property
    def scripts(self) -> list[Script]:
        """The vrrp_scripts, with the user who runs each."""
        return read_scripts(self.configuration, self.tracking, self.system)

    @cached_property
    def programs(self) -> list[Program]:
        """The files that scripts run, for those that run one."""
        return find_programs(self.scripts, self.system)

    @cached_property
    def command_lines(self) -> list[CommandLine]:
        """The commands of the scripts, taken apart as a shell would."""
        return command_lines(self.scripts)

    @cached_property
    def tracked_processes(self) -> list[TrackedProcess]:
        """The vrrp_track_process blocks that name a process."""
        return read_tracked_processes(self.tracking, self.system)

    @cached_property
    def tracked_files(self) -> list[TrackedFile]:
        """The track_file blocks that name a file."""
        path = ("virtual_server", "real_server", "FILE_CHECK", "track_file")
        nodes = [
            *self.configuration.find(*path),
            *self.configuration.find("virtual_server", "FILE_CHECK", "track_file"),
        ]
        file_checks = {"".join(node.arguments[:1]) for node in nodes}
        files, directory = self.kacheck.track_files(), self.kacheck.track_directory
        return read_tracked_files(self.tracking, files, directory, file_checks)

    @cached_property
    def calls(self) -> list[Call]:
        """The scripts that call kacheck."""
        return calls_of(self.scripts)

    @property
    def checks(self) -> Mapping[str, Check]:
        """Kacheck's checks by name; none where its configuration cannot be used."""
        return self.kacheck.checks or {}

    @cached_property
    def run_checks(self) -> list[tuple[str, Node]]:
        """The checks of kacheck's configuration that scripts run, with the script's statement."""
        config = self.kacheck.config
        return [(name, call.script.node) for call in self.calls for name in call.names(config)]

    @cached_property
    def tracked_checks(self) -> list[TrackedCheck]:
        """The checks whose track files are tracked, configured or not."""
        return tracked_checks(self.tracking, self.kacheck.track_directory)
