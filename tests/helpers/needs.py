"""What a test needs of the machine: without it the test is skipped, and fails where CI is set."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

import kacheck
from kacheck.doctor.machine.process_events import ListenAnswer, try_them

PACKAGES = {
    "etcd": "etcd-server",
    "groff": "groff-base",
    "ip": "iproute2",
    "killall": "psmisc",
    "killall5": "sysvinit-utils",
    "lexgrog": "man-db",
    "nc": "netcat-openbsd",
    "nsenter": "util-linux",
    "pidof": "sysvinit-utils",
    "ps": "procps",
    "setpriv": "util-linux",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}
IS_PACKAGE = kacheck.__file__.startswith("/usr/lib/python3/dist-packages/")
"""Is it the Debian package that is tested, and not what pip has installed?"""


def needs(
    *commands: str, root: bool = False, process_events: bool = False, fuse: bool = False
) -> None:
    """Skip the test, with the cure, unless the commands are here and we may do what it does.

    `root` is a root who may make namespaces; `process_events` is a kernel that reports them here,
    as vrrp_track_process needs it; `fuse` is a kernel that lets us mount file systems of our own.
    With the environment variable CI the test fails.
    """
    for command in commands:
        if not shutil.which(command):
            _give_up(
                f"{command} is not installed: apt-get install {PACKAGES.get(command, command)}"
            )
    if root and os.geteuid() != 0:
        _give_up("needs root: run it with sudo")
    if root and not _may_make_namespaces():
        _give_up("may not make namespaces: in a container, run it with --privileged")
    if fuse and not os.access("/dev/fuse", os.R_OK | os.W_OK):
        _give_up("/dev/fuse cannot be opened: modprobe fuse, or run it outside of containers")
    if process_events and try_them().answer is not ListenAnswer.WORKS:
        _give_up("no process events from the kernel: run it outside of containers")


def _may_make_namespaces() -> bool:
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "true"]
    return subprocess.run(unshare, check=False, capture_output=True).returncode == 0


def _give_up(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
