"""What findings ask the machine. Nothing here raises; tests have a separate machine."""

import grp
import itertools
import os
import pwd
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, cached_property
from typing import NamedTuple, Protocol

from kacheck import procfs, statedir
from kacheck.probes.process.scan import another_user

SYSTEMD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""systemd.exec(5): what a service's PATH is where nothing says otherwise."""
HEAD = 4096
"""Bytes that are read of a file."""
COMMAND_LINE = 1 << 14
"""Bytes that are read of a command line; without privilege a process can show gigabytes."""


class FileStatus(NamedTuple):
    """The type, mode and owner of a path: lstat(2)."""

    mode: int
    uid: int = 0
    gid: int = 0

    @property
    def is_link(self) -> bool:
        """Return whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_directory(self) -> bool:
        """Return whether it is a directory."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Return whether it is a regular file."""
        return stat.S_ISREG(self.mode)


class RunningProcess(NamedTuple):
    """A process that is not a zombie."""

    pid: int
    comm: str
    argv: tuple[str, ...]


def is_trusted(pid: int) -> bool:
    """Return whether a process is root's or ours: any user can name one keepalived."""
    process = procfs.Process("/proc", pid)
    with suppress(OSError):
        return not all(another_user(process, uid) for uid in {0, os.geteuid()})
    return False


class System(Protocol):
    """A machine as keepalived sees it."""

    @property
    def search_path(self) -> str:
        """The PATH that keepalived has."""

    def status(self, path: str) -> FileStatus | None:
        """Return the status of a path, of a link itself; None if it is missing or unknown."""

    def is_missing(self, path: str) -> bool:
        """Return whether it is certain that no such file exists, with links followed."""

    def realpath(self, path: str) -> str:
        """Return the path without links, as far as it exists."""

    def head(self, path: str) -> bytes:
        """Return the beginning of a regular file; empty if it cannot be read."""

    def names(self, directory: str) -> list[str]:
        """Return the names in a directory; none if it cannot be read."""

    def user(self, name: str) -> tuple[int, int] | None:
        """Return a user's uid and gid."""

    def group(self, name: str) -> int | None:
        """Return a group's gid."""

    def owner(self, status: FileStatus) -> str:
        """Return `USER:GROUP`, by name where there is one."""

    def processes(self) -> list[RunningProcess]:
        """Return the processes that run."""

    def uptime(self) -> float:
        """Return the seconds since boot."""


class Machine:
    """The machine that the doctor runs on."""

    @cached_property
    def search_path(self) -> str:
        """The PATH of the keepalived that runs, if we may know; else what systemd would give it."""
        for process in self._keepaliveds:
            for entry in self._read(f"/proc/{process.pid}/environ", 1 << 20).split(b"\0"):
                if entry.startswith(b"PATH="):
                    return os.fsdecode(entry[5:])
        return SYSTEMD_PATH

    @property
    def config_id(self) -> str | None:
        """The --config-id of the keepalived that runs; None: none runs, or several disagree."""
        running = [process.argv[1:] for process in self._keepaliveds]
        ids = {value for argv in running for value in config_ids(argv)}
        return ids.pop() if len(ids) == 1 else None

    @cached_property
    def _keepaliveds(self) -> list[RunningProcess]:
        """Those of root and of our user: any user can give a process the name keepalived."""
        named = [process for process in self.processes() if process.comm == "keepalived"]
        return [process for process in named if is_trusted(process.pid)]

    @cache  # noqa: B019 - it lives as long as the command
    def status(self, path: str) -> FileStatus | None:
        """Return the status of a path, of a link itself."""
        with suppress(OSError, ValueError):
            status = os.lstat(path)
            return FileStatus(status.st_mode, status.st_uid, status.st_gid)
        return None

    @cache  # noqa: B019
    def is_missing(self, path: str) -> bool:
        """Return whether it is certain that no such file exists."""
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except (OSError, ValueError):
            return False
        return False

    @cache  # noqa: B019
    def realpath(self, path: str) -> str:
        """Return the path without links."""
        with suppress(OSError, ValueError):
            return os.path.realpath(path)
        return path

    @cache  # noqa: B019
    def head(self, path: str) -> bytes:
        """Return the beginning of a regular file."""
        return self._read(path, HEAD)

    @cache  # noqa: B019
    def names(self, directory: str) -> list[str]:
        """Return the names in a directory."""
        with suppress(OSError, ValueError):
            return sorted(os.listdir(directory))
        return []

    @cache  # noqa: B019
    def user(self, name: str) -> tuple[int, int] | None:
        """Return a user's uid and gid."""
        with suppress(KeyError, ValueError):
            user = pwd.getpwnam(name)
            return user.pw_uid, user.pw_gid
        return None

    @cache  # noqa: B019
    def group(self, name: str) -> int | None:
        """Return a group's gid."""
        with suppress(KeyError, ValueError):
            return grp.getgrnam(name).gr_gid
        return None

    def owner(self, status: FileStatus) -> str:
        """Return `USER:GROUP`."""
        user, group = str(status.uid), str(status.gid)
        with suppress(KeyError):
            user = pwd.getpwuid(status.uid).pw_name
        with suppress(KeyError):
            group = grp.getgrgid(status.gid).gr_name
        return f"{user}:{group}"

    @cache  # noqa: B019
    def processes(self) -> list[RunningProcess]:
        """Return the processes that run; those that exit meanwhile are left out."""
        pids = [int(name) for name in self.names("/proc") if name.isdecimal()]
        return [process for pid in pids if (process := self._process(pid)) is not None]

    def uptime(self) -> float:
        """Return the seconds since boot."""
        with suppress(OSError, ValueError):
            return statedir.uptime()
        return 0.0

    def _process(self, pid: int) -> RunningProcess | None:
        text = os.fsdecode(self._read(f"/proc/{pid}/stat", HEAD))
        comm, _, rest = text.partition("(")[2].rpartition(") ")
        if not rest or rest.startswith("Z"):
            return None
        words = os.fsdecode(self._read(f"/proc/{pid}/cmdline", COMMAND_LINE)).split("\0")
        return RunningProcess(pid, comm, tuple(words[:-1]))

    def _read(self, path: str, size: int) -> bytes:
        with suppress(OSError, ValueError):
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return os.read(file, size) if stat.S_ISREG(os.fstat(file).st_mode) else b""
            finally:
                os.close(file)
        return b""


def config_ids(argv: tuple[str, ...]) -> Iterator[str]:
    """Yield the IDs of `-i ID`, `-iID`, `--config-id ID` and `--config-id=ID`."""
    for option, value in itertools.pairwise((*argv, "")):
        match = re.fullmatch(r"(?:-i|--config-id=)(.+)", option)
        if match or option in ("-i", "--config-id"):
            yield from filter(None, [match[1] if match else value])


def which(name: str, system: System) -> str | None:
    """Return where keepalived finds a program: find_path() in its lib/notify.c.

    A bare name is looked for along PATH; any other is a path already.
    """
    if "/" in name:
        return None if system.is_missing(name) else name
    for directory in system.search_path.split(":"):
        path = f"{directory}/{name}"
        status = system.status(system.realpath(path))
        if status is not None and status.is_file and status.mode & 0o111:
            return path
    return None
