"""A configuration judged as the user that the watcher runs as; root can read what it cannot."""

import os
import subprocess
import sys

import kacheck
from kacheck.result import BadConfigError
from kacheck.service_user import ServiceUser, service_user, unreadable

PROGRAM = f"{os.path.dirname(os.path.realpath(kacheck.__file__))}/__main__.py"
TIMEOUT = 30


def refuse_unreadable(path: str, *, is_installed: bool) -> None:
    """Refuse a configuration that the installed watcher's user would refuse, if this is root.

    A file that is not installed yet need not be readable itself; what it names has to be.

    Raises:
        BadConfigError: what that user was answered, with the cure for its unit.

    """
    user = service_user() if os.geteuid() == 0 else None
    if user is None or user.uid == 0:
        return
    if not is_installed and unreadable(os.path.abspath(path), user) is not None:
        return
    done = judged_as(user, path)
    if done.returncode != 0:
        raise BadConfigError(done.stderr.strip().removeprefix("kacheck: "))


def judged_as(user: ServiceUser, path: str) -> subprocess.CompletedProcess[str]:
    """Return what `kacheck watch --check-config` answers to a user."""
    argv = [sys.executable, "-IB", PROGRAM, "watch", "--check-config", "--config", path]
    return subprocess.run(
        argv,
        user=user.uid,
        group=user.gid,
        extra_groups=list(user.groups),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
