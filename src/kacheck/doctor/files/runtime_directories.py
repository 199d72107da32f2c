"""The directories below /run that systemd recreates with a service."""

import re
from collections.abc import Iterator

from kacheck.doctor.machine.system import System

UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


def runtime_directories(system: System) -> dict[str, str]:
    """Return the directories that units recreate, with the path of the unit."""
    directories: dict[str, str] = {}
    for path in _unit_files(system):
        text = system.head(path).decode("utf-8", "replace")
        for directory in _runtime_directories_of(text):
            directories.setdefault(directory, path)
    return directories


def _unit_files(system: System) -> Iterator[str]:
    """Yield the paths of services and their drop-ins."""
    for base in UNIT_DIRECTORIES:
        for name in system.names(base):
            if name.endswith(".service.d"):
                paths = [f"{base}/{name}/{part}" for part in system.names(f"{base}/{name}")]
            else:
                paths = [f"{base}/{name}"]
            yield from (path for path in paths if path.endswith((".service", ".conf")))


def _runtime_directories_of(unit: str) -> list[str]:
    """Return what a unit has as RuntimeDirectory=, unless it is preserved."""
    if re.search(r"^RuntimeDirectoryPreserve\s*=\s*(yes|true|on|1|restart)\b", unit, re.MULTILINE):
        return []
    lines = re.findall(r"^RuntimeDirectory\s*=[ \t]*(.*)$", unit, re.MULTILINE)
    return [f"/run/{word.partition(':')[0].rstrip('/')}" for line in lines for word in line.split()]
