"""The user that the watcher runs as, and what that user can read."""

import grp
import os
import pwd
import re
import shlex
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from kacheck import statedir
from kacheck.permission import UNIT, drop_in

UNITS = (
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/usr/local/lib/systemd/system",
    "/run/systemd/system",
    "/etc/systemd/system",
)
"""Where units are, the last one counts."""
SETTING = re.compile(r"^(User|SupplementaryGroups)\s*=\s*(.*?)\s*$", re.MULTILINE)
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - nothing is made there
"""What the unit hides from the watcher: ProtectHome= and PrivateTmp=."""


class ServiceUser(NamedTuple):
    """A user, with the unit's groups."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    source: str


def service_user(root: str = "", state_dir: str = statedir.DEFAULT) -> ServiceUser | None:
    """Return the user that the watcher runs as; None: this is not known here."""
    user, groups = None, list[int]()
    source = UNIT
    for key, value in settings(root):
        if key == "User":
            user = value
        for name in value.split() if key == "SupplementaryGroups" else ():
            with suppress(KeyError):
                groups.append(grp.getgrnam(name).gr_gid)
    with suppress(KeyError):
        if user:
            entry = pwd.getpwnam(user)
            return ServiceUser(user, entry.pw_uid, entry.pw_gid, tuple(groups), source)
    with suppress(OSError, KeyError):
        owner = os.stat(f"{root}{state_dir}/track").st_uid
        entry = pwd.getpwuid(owner)
        return ServiceUser(
            entry.pw_name, owner, entry.pw_gid, tuple(groups), f"the owner of {state_dir}/track"
        )
    return None


def settings(root: str) -> Iterator[tuple[str, str]]:
    """Yield the settings of the unit and its drop-ins, the last one counts."""
    units = [f"{root}{base}/{UNIT}" for base in UNITS]
    drop_ins = []
    for base in UNITS:
        directory = f"{root}{base}/{UNIT}.d"
        with suppress(OSError):
            drop_ins += sorted(f"{directory}/{name}" for name in os.listdir(directory))
    unit = [path for path in units if os.path.isfile(path)][-1:]
    for path in (*unit, *drop_ins):
        with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            yield from SETTING.findall(file.read())


def unreadable(path: str, user: ServiceUser) -> str | None:
    """Return the first component of a path that a user cannot pass or read; None: it can."""
    parts = path.split("/")
    for depth in range(2, len(parts) + 1):
        component = "/".join(parts[:depth])
        try:
            status = os.stat(component)
        except OSError:
            return component
        needed = 1 if stat.S_ISDIR(status.st_mode) else 4
        if not may(status, user, needed):
            return component
    return None


def answered_to(user: ServiceUser, ask: Callable[[], str]) -> str:
    """Return what a function of the file system answers to a user; this process is root's."""
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(user.groups)
            os.setgid(user.gid)
            os.setuid(user.uid)
            os.write(sender, ask().encode())
        finally:
            os._exit(0)
    os.close(sender)
    with open(receiver, "rb") as file:
        said = file.read()
    os.waitpid(pid, 0)
    return said.decode()


def can_read(path: str, user: ServiceUser) -> bool:
    """Return whether a user can read a file, by an access control list as well."""
    if os.geteuid() != 0:
        return unreadable(path, user) is None
    return bool(answered_to(user, lambda: "yes" if os.access(path, os.R_OK) else ""))


def may(status: os.stat_result, user: ServiceUser, needed: int) -> bool:
    """Return whether the mode gives a user this permission."""
    if user.uid == 0:
        return True
    if status.st_uid == user.uid:
        return bool(status.st_mode >> 6 & needed)
    if status.st_gid in (user.gid, *user.groups):
        return bool(status.st_mode >> 3 & needed)
    return bool(status.st_mode & needed)


def cure(path: str, component: str) -> str:
    """Return the commands after which the watcher can read an authority's file."""
    group = group_that_reads(path, component)
    if group is None:
        return (
            f"install -D -m 644 {shlex.quote(path)} /etc/kacheck/vault-ca.pem, then give"
            " --ca-cert /etc/kacheck/vault-ca.pem; a CA certificate is not secret"
        )
    return drop_in("groups.conf", f"SupplementaryGroups={group}")


def group_that_reads(path: str, component: str) -> str | None:
    """Return the group that can read the file and pass everything from `component` on."""
    with suppress(OSError, KeyError):
        group = os.stat(component).st_gid
        user = ServiceUser("", -1, group, (), "")
        if group != 0 and unreadable(path, user) is None:
            return grp.getgrgid(group).gr_name
    return None
