"""The keepalived that runs here: its file, its id and its network."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from kacheck import procfs

DEFAULT_FILE = "/etc/keepalived/keepalived.conf"
FILE_OPTIONS = ("-f", "--use-file")
ID_OPTIONS = ("-i", "--config-id")


class RunningKeepalived(NamedTuple):
    """What its command line says."""

    pid: int
    file: str
    config_id: str | None

    def shares_network(self) -> bool:
        """Return whether it has the interfaces that this process sees, as far as can be told."""
        with suppress(OSError):
            return os.readlink(f"/proc/{self.pid}/ns/net") == os.readlink("/proc/self/ns/net")
        return True


def running() -> RunningKeepalived | None:
    """Return the keepalived with our interfaces, or else any; None if none runs.

    Of several processes it is the oldest one, whose children have the same command line.
    """
    here = [*keepaliveds()]
    return next((each for each in here if each.shares_network()), here[0] if here else None)


def keepaliveds() -> Iterator[RunningKeepalived]:
    """Yield root's: any user can give a process this name."""
    for pid in sorted(procfs.named("/proc", b"keepalived")):
        with suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == 0:
                text = os.fsdecode(procfs.read(f"/proc/{pid}/cmdline"))
                words = text.split("\0")[:-1]
                if words:
                    file = option(words[1:], FILE_OPTIONS) or DEFAULT_FILE
                    yield RunningKeepalived(pid, file, option(words[1:], ID_OPTIONS))


def option(words: Sequence[str], names: tuple[str, str]) -> str | None:
    """Return the value of the last of an option: `-fX`, `-f X`, `--use-file=X`, `--use-file X`."""
    short, long = names
    value = None
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word in names:
            value = following
        elif word.startswith(f"{long}="):
            value = word.partition("=")[2]
        elif word.startswith(short) and not word.startswith("--"):
            value = word[len(short) :]
    return value or None
