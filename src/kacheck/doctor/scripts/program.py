"""The file that a vrrp_script runs: where keepalived finds it, and who may run it."""

from typing import NamedTuple

from kacheck.doctor.machine.system import FileStatus, System, which
from kacheck.doctor.scripts.script import Runner, Script

REMOVED = """\
keepalived removes the script, and its instances run unmonitored: the VIP stays whatever fails
(check_track_script_secure() in vrrp.c). """
UNTRACKED = "keepalived removes the script, and instances that track it run unmonitored"


class Program(NamedTuple):
    """The file of a script's command."""

    script: Script
    path: str | None
    """As keepalived finds it; None: it does not."""
    real: str = ""
    """Without links."""
    closed: str | None = None
    """A directory above it that the script's user may not enter, with owner and mode."""
    status: FileStatus | None = None
    """None: unknown."""

    @property
    def is_executable(self) -> bool:
        """Return whether keepalived can start it."""
        if self.path is None or self.closed is not None or self.status is None:
            return False
        return self.status.is_file and is_executable(self.status, self.script.runner)

    @property
    def is_checked(self) -> bool:
        """Return whether keepalived checks its path, as it does for user or group root."""
        runner = self.script.runner
        return self.is_executable and runner.trouble is None and 0 in runner[:2]


def find_programs(scripts: list[Script], system: System) -> list[Program]:
    """Return the programs of the scripts that run one."""
    return [_find(script, system) for script in scripts if script.is_executed]


def _find(script: Script, system: System) -> Program:
    path = which(script.argv[0], system)
    if path is None:
        return Program(script, None)
    real = system.realpath(path)
    closed = _closed_directory(system, script.runner, real)
    return Program(script, path, real, closed, system.status(real))


def _closed_directory(system: System, runner: Runner, real: str) -> str | None:
    """Return the first directory above a file that its runner may not enter."""
    for directory in prefixes(real)[:-1] if runner.uid else ():
        status = system.status(directory)
        if status is not None and not is_executable(status, runner):
            return f"{directory} ({described(system, status)})"
    return None


def is_executable(status: FileStatus, runner: Runner) -> bool:
    """Return whether the runner may execute a file, as lib/notify.c decides it."""
    if runner.uid == 0:
        return bool(status.mode & 0o111)
    if runner.uid == status.uid:
        return bool(status.mode & 0o100)
    return bool(status.mode & (0o010 if runner.gid == status.gid else 0o001))


def described(system: System, status: FileStatus) -> str:
    """Return owner and mode: `root:root, mode 0755`."""
    return f"{system.owner(status)}, mode {status.mode & 0o7777:04o}"


def unsafe_because(status: FileStatus) -> str | None:
    """Return why a component of a path fails check_security(); None where it passes."""
    if status.uid:
        return "is not owned by root"
    if status.is_link or (status.is_directory and status.mode & 0o1000):
        return None
    if status.gid and status.mode & 0o020:
        return "is writable by its group"
    return "is writable by everyone" if status.mode & 0o002 else None


def prefixes(path: str) -> list[str]:
    """Return a path's components from the root on: `/`, `/a`, `/a/b` of `/a/b`."""
    names = [name for name in path.split("/") if name]
    return ["/", *("/" + "/".join(names[: count + 1]) for count in range(len(names)))]
