"""Facts about the machine under keepalived: looked up here, judged by the findings."""

import gzip
import os
import pwd
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from kacheck import procfs
from kacheck.doctor.machine.process_events import EventsTrial, try_them
from kacheck.keepalived.program import Keepalived, find_keepalived

INITIAL = {"pid": 0xEFFFFFFC, "user": 0xEFFFFFFD}
"""The initial namespaces' inodes: PROC_PID_INIT_INO and PROC_USER_INIT_INO (include/linux/
proc_ns.h, since Linux 3.8); others begin at 0xF0000000. The network's has none before 6.18."""
DEFAULT_USER = "keepalived_script"
"""The default script user, if the account exists (keepalived.conf(5), script_user)."""


class Container(NamedTuple):
    """The kind of container that this looks like, and the evidence."""

    kind: str
    evidence: str


class Facts(NamedTuple):
    """What is known of a machine. None is unknown."""

    keepalived: Keepalived | None
    events: EventsTrial
    namespaces: Mapping[str, int | None]
    """The inodes of our namespaces: `pid` and `user`."""
    kernel_reports: bool | None
    """Whether the kernel has CONFIG_PROC_EVENTS."""
    is_root: bool
    pid_max: int
    container: Container | None
    user: str
    """The user who runs the checks."""
    hidepid: str | None
    """How /proc hides processes from that user; None: it does not."""


def gather(
    *,
    root: str = "",
    environ: Mapping[str, str] = os.environ,
    trial: Callable[[], EventsTrial] = try_them,
) -> Facts:
    """Look at the machine; `root` is put before every path. It takes a second at most.

    The checks are taken to run as keepalived's default user; `run_by()` changes that.
    """
    user = _default_user()
    return Facts(
        keepalived=find_keepalived(root, environ.get("PATH", "")),
        events=trial(),
        namespaces={name: _namespace(f"{root}/proc/self/ns/{name}") for name in INITIAL},
        kernel_reports=_kernel_reports(root),
        is_root=os.geteuid() == 0,
        pid_max=int(_text(f"{root}/proc/sys/kernel/pid_max") or 0),
        container=find_container(root, environ),
        user=user,
        hidepid=hidepid_for(user, f"{root}/proc"),
    )


def run_by(facts: Facts, user: str | None, root: str = "") -> Facts:
    """Return the facts for checks that run as this user; None is keepalived's default."""
    if user is None:
        return facts
    return facts._replace(user=user, hidepid=hidepid_for(user, f"{root}/proc"))


def find_container(root: str, environ: Mapping[str, str]) -> Container | None:
    """Return which container this looks like, by the plainest sign."""
    return next(_signs(root, environ), None)


def _signs(root: str, environ: Mapping[str, str]) -> Iterator[Container]:
    if "KUBERNETES_SERVICE_HOST" in environ:
        yield Container("Kubernetes", "KUBERNETES_SERVICE_HOST")
    if name := _text(f"{root}/run/systemd/container"):
        yield Container(KINDS.get(name, name), "/run/systemd/container")
    for path, kind in (("/run/.containerenv", "podman"), ("/.dockerenv", "Docker")):
        if os.path.exists(root + path):
            yield Container(kind, path)
    for entry in _text(f"{root}/proc/1/environ").split("\0"):
        name = entry.removeprefix("container=")
        if name and name != entry:
            yield Container(KINDS.get(name, name), "/proc/1/environ")
    cgroups = _text(f"{root}/proc/1/cgroup")
    for part, kind in CGROUPS.items():
        if f"/{part}" in cgroups:
            yield Container(kind, "/proc/1/cgroup")
    if "microsoft" in _text(f"{root}/proc/sys/kernel/osrelease").lower():
        yield Container("WSL", "/proc/sys/kernel/osrelease")


KINDS = {
    "docker": "Docker",
    "lxc": "LXC",
    "lxc-libvirt": "LXC",
    "oci": "OCI",
    "systemd-nspawn": "systemd-nspawn",
    "wsl": "WSL",
}
"""systemd's words for containers (systemd-detect-virt(1)) as people write them."""
CGROUPS = {
    "kubepods": "Kubernetes",
    "docker": "Docker",
    "libpod": "podman",
    "lxc": "LXC",
}


def hidepid_for(user: str, proc: str = "/proc") -> str | None:
    """Return how /proc hides other users' processes from a user; None: it does not, or is unknown.

    procfs.hidepid() knows it for our own user. Under keepalived another user has no capabilities,
    except for root, and only its primary group: keepalived clears the supplementary groups.
    """
    try:
        other = pwd.getpwnam(user)
    except KeyError:
        return None
    if other.pw_uid == os.geteuid():
        return procfs.hidepid(proc)
    options = procfs.mount_options(proc)
    mode = options.get("hidepid", "off")
    sees = other.pw_uid == 0 or (
        mode not in ("4", "ptraceable") and int(options.get("gid", "0")) == other.pw_gid
    )
    return None if sees or mode in ("0", "off") else mode


def _default_user() -> str:
    try:
        return pwd.getpwnam(DEFAULT_USER).pw_name
    except KeyError:
        return "root"


def _namespace(link: str) -> int | None:
    with suppress(OSError):
        if match := re.fullmatch(r"\w+:\[(\d+)\]", os.readlink(link)):
            return int(match[1])
    return None


def _kernel_reports(root: str) -> bool | None:
    """Return whether the kernel has process events, by its callbacks or its configuration.

    /proc/net/connector (Documentation/driver-api/connector.rst) is there in the initial network
    namespace alone.
    """
    if callbacks := _text(f"{root}/proc/net/connector"):
        return "cn_proc" in callbacks
    release = _text(f"{root}/proc/sys/kernel/osrelease")
    options = _unpacked(f"{root}/proc/config.gz") or _text(f"{root}/boot/config-{release}")
    return "CONFIG_PROC_EVENTS=y" in options.splitlines() if options else None


def _unpacked(path: str) -> str:
    with suppress(OSError, EOFError), gzip.open(path, "rt", errors="replace") as file:
        return file.read()
    return ""


def _text(path: str) -> str:
    """Return a file's content without the newline at its end; empty if it cannot be read."""
    with suppress(OSError), open(path, errors="replace") as file:
        return file.read().rstrip("\n")
    return ""
