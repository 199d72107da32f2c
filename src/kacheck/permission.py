"""A file that this user may not read: which part of its path refuses, and the cure."""

import grp
import os
import shlex
import stat
from contextlib import suppress

from kacheck import statedir

SERVICE_USER = "kacheck"
UNIT = "kacheck.service"
HOMES = ("/home", "/root", "/run/user")
"""What the unit's ProtectHome= hides."""


def refused(path: str) -> str:
    """Return who may not read a file, what refuses, and the commands that change it."""
    user = statedir.user_name(os.geteuid())
    blocked = refusing(path)
    what = f"Permission denied: user {user} may not "
    what += f"read {blocked}" if blocked == path else f"enter {blocked}"
    with suppress(OSError):
        what += f" ({access_of(os.stat(blocked))})"
    return f"{what}; {cure(blocked, user)}"


def refusing(path: str) -> str:
    """Return the first component of a path that this user may not pass or read."""
    parts = os.path.abspath(path).split("/")
    for depth in range(2, len(parts)):
        component = "/".join(parts[:depth])
        if not os.access(component, os.X_OK, effective_ids=True):
            return component
    return path


def access_of(status: os.stat_result) -> str:
    """Return the mode and owner, as `ls -l` shows them: `drwxr-x--- root:vault`."""
    group = str(status.st_gid)
    with suppress(KeyError):
        group = grp.getgrgid(status.st_gid).gr_name
    return f"{stat.filemode(status.st_mode)} {statedir.user_name(status.st_uid)}:{group}"


def cure(blocked: str, user: str) -> str:
    """Return what lets the watcher read it; anybody else may run the command as root."""
    if not is_service_user(user):
        return "run it as root"
    if blocked in HOMES:
        return drop_in("homes.conf", "ProtectHome=read-only")
    group = opening_group(blocked)
    if group is not None:
        return drop_in("groups.conf", f"SupplementaryGroups={group}")
    return f"allow it: setfacl -m u:{user}:rX {shlex.quote(blocked)}; systemctl restart kacheck"


def drop_in(name: str, setting: str) -> str:
    """Return the commands that add a setting to the watcher's unit."""
    directory = f"/etc/systemd/system/{UNIT}.d"
    return (
        f"mkdir -p {directory}; printf '[Service]\\n{setting}\\n' >{directory}/{name}; "
        "systemctl daemon-reload; systemctl restart kacheck"
    )


def is_service_user(user: str) -> bool:
    """Return whether the watcher runs as this user."""
    if user == SERVICE_USER:
        return True
    with suppress(OSError):
        return os.geteuid() == os.stat(f"{statedir.DEFAULT}/track").st_uid != 0
    return False


def opening_group(blocked: str) -> str | None:
    """Return the group that may do what this user may not; not root's."""
    with suppress(OSError, KeyError):
        status = os.stat(blocked)
        needed = stat.S_IXGRP if stat.S_ISDIR(status.st_mode) else stat.S_IRGRP
        if status.st_gid != 0 and status.st_mode & needed:
            return grp.getgrgid(status.st_gid).gr_name
    return None
