"""kacheck on this machine: its configuration, its state directory and what is drained."""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from kacheck import config
from kacheck.check import Check
from kacheck.doctor.files.tracked_file import below_run
from kacheck.result import BadConfigError
from kacheck.statedir import StateDirectoryError


class Installation(NamedTuple):
    """What kacheck's files say."""

    config: str
    """The path of kacheck.toml."""
    state_dir: str
    checks: Mapping[str, Check] | None = None
    """By name; None: the configuration is missing or invalid."""
    error: str | None = None
    """Why the configuration cannot be used."""
    is_missing: bool = False
    """Whether the configuration does not exist."""
    drains: tuple[tuple[str, str], ...] = ()
    """What is drained (a check, or ALL), and a sentence."""

    @property
    def track_directory(self) -> str:
        """The directory of the track files, below /run where it is below /var/run."""
        return below_run(f"{self.state_dir}/track")

    def track_files(self) -> dict[str, Check]:
        """Return the checks by the path of their track file."""
        checks = self.checks or {}
        return {f"{self.track_directory}/{name}": check for name, check in checks.items()}


def gather(path: str, state_dir: str) -> Installation:
    """Read kacheck's files."""
    from kacheck.drain import all_drains

    drains: tuple[tuple[str, str], ...] = ()
    with suppress(StateDirectoryError, OSError):
        drains = tuple((drain.name, drain.sentence()) for drain in all_drains(state_dir))
    installation = Installation(path, state_dir, drains=drains)
    try:
        loaded = config.load(path)
    except BadConfigError as error:
        is_missing = not os.path.exists(path)
        return installation._replace(error=str(error), is_missing=is_missing)
    return installation._replace(checks={check.name: check for check in loaded.checks})
