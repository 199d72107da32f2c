"""The directories below /run that systemd makes anew with a service."""

import re

from kacheck.doctor.system import System

UNITS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


def runtime_directories(system: System) -> dict[str, str]:
    """The directories that units make anew, and whose they are."""
    directories: dict[str, str] = {}
    for base in UNITS:
        for name in system.names(base):
            names = [name]
            if name.endswith(".service.d"):
                names = [f"{name}/{each}" for each in system.names(f"{base}/{name}")]
            for each in names:
                if each.endswith((".service", ".conf")):
                    text = system.head(f"{base}/{each}").decode("utf-8", "replace")
                    for directory in runtime_of(text):
                        directories.setdefault(directory, f"{base}/{each}")
    return directories


def runtime_of(unit: str) -> list[str]:
    """What a unit has as RuntimeDirectory=, if it is not kept."""
    if re.search(r"^RuntimeDirectoryPreserve\s*=\s*(yes|true|on|1|restart)\b", unit, re.MULTILINE):
        return []
    lines = re.findall(r"^RuntimeDirectory\s*=[ \t]*(.*)$", unit, re.MULTILINE)
    return [f"/run/{word.partition(':')[0].rstrip('/')}" for line in lines for word in line.split()]
