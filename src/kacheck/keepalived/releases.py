"""What the releases of keepalived do differently with a configuration that they all read. Pure.

`kacheck doctor` warns of it and `kacheck migrate` writes accordingly. The commits are in the
doctor's table, kacheck/doctor/versions.py.
"""

from typing import NamedTuple

from kacheck.keepalived.version import Version, version_of

OLDEST = Version(2, 0, 20)
"""The oldest release that kacheck supports."""


class Releases(NamedTuple):
    """The releases from `since` on, up to the one before `fixed`."""

    since: Version
    fixed: Version | None
    """The first one that does not belong to them; None: every later one that is known does."""

    def include(self, version: Version | None) -> bool:
        """Return whether a release belongs to them; one that is not known may."""
        if version is None:
            return True
        return version >= self.since and (self.fixed is None or version < self.fixed)


def between(since: str, fixed: str | None) -> Releases:
    """Return the releases from one on, up to the one before another."""
    return Releases(version_of(since), version_of(fixed) if fixed else None)


MEMBERS_LOSE_SCRIPTS = between("2.1.0", "2.2.0")
"""Instances whose priority must not change lose every script; those that have weight 0, too."""
MEMBERS_LOSE_FILES = between("2.1.0", "2.2.2")
"""The same of files."""
GROUPS_IGNORE_PROCESSES = between("2.0.11", "2.2.0")
"""A track_process in a vrrp_sync_group has no effect."""
TEST_EXITS_ONE_LOWER = between("2.0.0", "2.2.0")
"""`keepalived -t` exits with 3, 4, 5 instead of 4, 5, 6: cannot run, errors, script security."""
