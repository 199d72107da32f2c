"""What a test needs of the machine: without it the test is skipped, and fails where CI is set."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess

import pytest

PACKAGES = {
    "ip": "iproute2",
    "killall5": "sysvinit-utils",
    "nsenter": "util-linux",
    "pidof": "sysvinit-utils",
    "ps": "procps",
    "setpriv": "util-linux",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}

# From the kernel's include/uapi/linux: netlink.h, connector.h, cn_proc.h.
NETLINK_CONNECTOR = 11
NLMSG_DONE = 3
CN_IDX_PROC = 1
CN_VAL_PROC = 1
PROC_CN_MCAST_LISTEN = 1
PROC_CN_MCAST_IGNORE = 2


def needs(*commands: str, root: bool = False, process_events: bool = False) -> None:
    """Skip the test, with the cure, unless the commands are here and we may do what it does.

    `root` is a root who may make namespaces; `process_events` is a kernel that reports them here,
    as vrrp_track_process needs it. With the environment variable CI the test fails.
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
    if process_events and not _has_process_events():
        _give_up("no process events from the kernel: run it outside of containers")


def _may_make_namespaces() -> bool:
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "true"]
    return subprocess.run(unshare, check=False, capture_output=True).returncode == 0


def _has_process_events() -> bool:
    """Whether a listen is answered: not with ECONNREFUSED, and not with silence."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR) as connector:
            connector.bind((0, CN_IDX_PROC))
            connector.settimeout(1)
            connector.send(_process_connector_message(PROC_CN_MCAST_LISTEN))
            connector.recv(4096)
            connector.send(_process_connector_message(PROC_CN_MCAST_IGNORE))
    except OSError:
        return False
    return True


def _process_connector_message(operation: int) -> bytes:
    body = struct.pack("=IIIIHHI", CN_IDX_PROC, CN_VAL_PROC, 0, 0, 4, 0, operation)
    return struct.pack("=IHHII", 16 + len(body), NLMSG_DONE, 0, 0, 0) + body


def _give_up(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
