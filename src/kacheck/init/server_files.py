"""The configuration files of Vault or OpenBao."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from kacheck.init import hcl
from kacheck.init.server_process import configurations_of

PLACES = (
    ("vault", "/etc/vault.d"),
    ("vault", "/etc/vault"),
    ("bao", "/etc/openbao"),
    ("bao", "/etc/openbao.d"),
    ("bao", "/etc/bao.d"),
)
"""Directories of configuration files, and the process that reads them."""
MAX_SIZE = 1 << 20


class ServerFiles(NamedTuple):
    """What a server's files say together."""

    body: hcl.Body
    place: str
    """The file or directory."""


def configured(root: str, pids: Iterable[int], remarks: list[str]) -> ServerFiles:
    """Return the first configuration that has a listener, or an empty one.

    What cannot be read is added to the remarks.
    """
    for path in configurations(root, pids):
        body: hcl.Body = {}
        for file in files_of(f"{root}{path}"):
            try:
                with open(file, encoding="utf-8", errors="replace") as stream:
                    said = hcl.parse(stream.read(MAX_SIZE))
            except (OSError, hcl.HclError) as error:
                why = getattr(error, "strerror", None) or error
                remarks.append(f"{file.removeprefix(root)} was not read: {why}")
                continue
            for key, values in said.items():
                body.setdefault(key, []).extend(values)
        if hcl.settings_of(body).address is not None:
            return ServerFiles(body, path)
    return ServerFiles({}, "")


def configurations(root: str, pids: Iterable[int]) -> Iterator[str]:
    """Yield what the running servers were given, then the usual places."""
    for pid in pids:
        yield from configurations_of(f"{root}/proc", pid)
    yield from (place for _, place in PLACES)


def files_of(path: str) -> list[str]:
    """Return the configuration files that a path names, as Vault reads them."""
    if not os.path.isdir(path):
        return [path] if os.path.isfile(path) else []
    with suppress(OSError):
        names = sorted(name for name in os.listdir(path) if name.endswith((".hcl", ".json")))
        return [f"{path}/{name}" for name in names]
    return []
