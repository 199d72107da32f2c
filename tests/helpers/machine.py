"""A Debian machine with systemd as its first process, for what only a whole machine can show.

    with Machine(debian("bookworm", ("keepalived", "systemd-sysv"))) as machine:
        machine.systemctl("start", "keepalived")
        machine.run(["journalctl", "-u", "keepalived"])

mmdebstrap makes a root directory, once for each suite in a run (about 25 s), whichever of
the run's processes asks first; systemd-nspawn boots it in a second, in a separate network, and
with an overlay that takes what is written. The machine dies with this process, in whatever way that
ends; what a killed run has left on the disk is swept by the next one.

Needs root, mmdebstrap and systemd-container; the standard library alone.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import hashlib
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from helpers.keepalived import LabError, Process, StrPath, children_of, command, sweep, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
# nspawn's death alone leaves its machine running; as the first of a pid namespace it does not.
UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")
JOIN = 'for group in $0; do echo $$ >"$group/cgroup.procs" || exit; done; exec "$@"'
# What the machine writes is in memory; so are the traces of nspawn, which cannot clean up when it is
# killed.
MOUNT = """
set -e
mkdir -p /run/systemd/nspawn
mount -n -t tmpfs -o mode=755 tmpfs /run/systemd/nspawn
mount -n -t tmpfs -o mode=755 tmpfs "$0"
mkdir "$0/upper" "$0/work" "$0/root"
mount -n -t overlay -o "lowerdir=$1,upperdir=$0/upper,workdir=$0/work" overlay "$0/root"
shift
exec "$@"
"""
RUN = "KACHECK_TEST_RUN"
WIRE_SERVICE = """
[Unit]
Before=keepalived.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip link add eth0 type veth peer name wire
ExecStart=ip link set wire up
ExecStart=ip link set eth0 up
ExecStart=ip address add 192.0.2.1/24 dev eth0
[Install]
WantedBy=multi-user.target
"""
"""A unit for keepalived's interface: 192.0.2.1 on one end of a veth pair."""
BOOTED_BY_SYSTEMD = Path("/run/systemd/system").is_dir()
_numbers = itertools.count(1)


@functools.cache
def debian(suite: str, packages: Sequence[str], downloaded: Sequence[str] = ()) -> Path:
    """Return a root directory with these packages, made once in a run and removed at its end.

    It comes from where the host's own packages come from. What is `downloaded`, and all that it
    needs, can be installed without a network. Boot it, do not change it.
    """
    words = " ".join([*packages, "+", *downloaded])
    name = f"{suite}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    directory = directory_of_the_run()
    target, new = directory / name, directory / f"{name}.new"
    with locked(target):
        if not target.exists():
            shutil.rmtree(new, ignore_errors=True)
            _make_root(suite, packages, downloaded, new)
            new.rename(target)
    return target


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait while another process makes that file."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_root(
    suite: str, packages: Sequence[str], downloaded: Sequence[str], target: Path
) -> None:
    include = f"--include={','.join(packages)}"
    options = ["--quiet", "--variant=minbase", include, *_apt_options()]
    if downloaded:
        apt = (
            f"apt-get -qq -y --no-install-recommends --download-only install {' '.join(downloaded)}"
        )
        options += ["--skip=cleanup/apt", f'--customize-hook=chroot "$1" {apt}']
    # The tests beside it watch clocks: it waits for them, and not they for it.
    argv: list[StrPath] = [*DIES_WITH_US, "nice", "-n", "19", "mmdebstrap", *options, suite, target]
    command([*argv, *_mirrors(suite)], timeout=600)


def directory_of_the_run() -> Path:
    """Return the directory that all processes of a run share.

    RUN names it. Who finds none makes it, for its children too, and removes it at its end: it is
    script/test, or else the first process of pytest.
    """
    if RUN not in os.environ:
        sweep()
        made = tempfile.mkdtemp(prefix=f"kacheck-{os.getpid()}-")
        Path(made).chmod(0o755)  # for apt's own user
        os.environ[RUN] = made
        atexit.register(_remove, made, os.getpid())
    return Path(os.environ[RUN]).resolve()


def _remove(directory: str, maker: int) -> None:
    if os.getpid() == maker:  # and not a child that it has forked
        shutil.rmtree(directory, ignore_errors=True)


def _mirrors(suite: str) -> list[str]:
    """Return the host's sources of Debian packages for that suite, or none: mmdebstrap's own."""
    host = _os_release().get("VERSION_CODENAME", "")
    what = ["--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    lines = command(["apt-get", "indextargets", *what]).stdout.splitlines()
    sources = [line.split() for line in sorted(set(lines))]
    ours = {host: suite, f"{host}-updates": f"{suite}-updates"}
    ours[f"{host}-security"] = f"{suite}-security"
    found = [f"deb {uri} {ours[name]} {part}" for uri, name, part in sources if name in ours]
    return found if _os_release().get("ID") == "debian" else []


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def _apt_options() -> list[str]:
    """Return the host's proxy and certificates, and that lists may be old: a mirror is behind."""
    lines = command(["apt-config", "dump", "Acquire::http", "Acquire::https"]).stdout.splitlines()
    lines = [line for line in lines if not line.endswith(' "";')]
    return [f"--aptopt={line}" for line in (*lines, 'Acquire::Check-Valid-Until "false";')]


def put(root: Path, name: str, text: str, mode: int = 0o644) -> None:
    """Write a file of a root directory that is not booted, with its directories."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


class Machine:
    """A booted root directory, which stays as it is; several machines may share it.

    `prepare` is given an empty directory, which is laid over the root before it boots; `options` go
    to systemd-nspawn. `leader` is the machine's first process, in the host's numbering.
    """

    def __init__(
        self,
        root: Path,
        prepare: Callable[[Path], object] = lambda _: None,
        options: Sequence[str] = (),
    ) -> None:
        self._root = root
        self._prepare = prepare
        self._options = options
        self._stack = contextlib.ExitStack()
        self.leader = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._boot(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _boot(self, stack: contextlib.ExitStack) -> None:
        name = f"kacheck-{os.getpid()}-{next(_numbers)}"
        self.dir = Path(tempfile.mkdtemp(prefix=f"{name}-")).resolve()
        stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        layer, mounts = self.dir / "layer", self.dir / "mounts"
        for directory in (layer, mounts):
            directory.mkdir()
            directory.chmod(0o755)
        self._prepare(layer)
        groups = stack.enter_context(_control_groups(name))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(self.dir / "notify"))
            argv: list[StrPath] = ["sh", "-c", JOIN, " ".join(groups), *UNSHARE]
            argv += ["sh", "-c", MOUNT, mounts, f"{layer}:{self._root}", *_nspawn(name)]
            argv += self._options
            self._start(stack, [*argv, f"--directory={mounts}/root"])
            self._wait_until_booted(notify)

    def _start(self, stack: contextlib.ExitStack, argv: list[StrPath]) -> None:
        env = {"PATH": PATH, "NOTIFY_SOCKET": str(self.dir / "notify")}
        with (self.dir / "console").open("wb") as console:
            output = {"stdin": subprocess.DEVNULL, "stdout": console, "stderr": subprocess.STDOUT}
            self._nspawn = Process([*DIES_WITH_US, *argv], forks=True, env=env, **output)
        stack.callback(self._nspawn.end)

    def _wait_until_booted(self, notify: socket.socket, timeout: float = 60) -> None:
        end = time.monotonic() + timeout
        notify.settimeout(0.2)
        said: dict[str, str] = {}
        while said.get("READY") != "1":
            if self._nspawn.returncode is not None or time.monotonic() > end:
                raise LabError(f"no boot: {(self.dir / 'console').read_text()}")
            with contextlib.suppress(TimeoutError):
                lines = notify.recv(4096).decode().splitlines()
                said |= {key: value for key, _, value in (line.partition("=") for line in lines)}
        self.leader = next(pid for pid in children_of(self._nspawn.pid) if _is_first(pid))
        self.run(["systemctl", "is-system-running", "--wait"], check=False, timeout=timeout)

    @property
    def root(self) -> Path:
        """Its file system as the host sees it; an absolute symbolic link there leads astray."""
        return Path(f"/proc/{self.leader}/root")

    def _enter(self) -> list[str]:
        env = ["env", "-i", f"PATH={PATH}", "LANG=C.UTF-8", "HOME=/root"]
        return ["nsenter", f"--target={self.leader}", "--all", "--", *env]

    def run(
        self, argv: Sequence[StrPath], *, check: bool = True, timeout: float = 60, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as root to its end; with `check`, LabError unless it exits 0."""
        argv = [*DIES_WITH_US, *self._enter(), *argv]
        return command(argv, check=check, timeout=timeout, stdin=stdin)

    def popen(self, argv: Sequence[StrPath], **options: Any) -> Process:
        """Start a program as root; it dies with the machine at the latest."""
        process = Process([*DIES_WITH_US, *self._enter(), *argv], forks=True, **options)
        self._stack.callback(process.close)
        return process

    def systemctl(self, *words: str, check: bool = True) -> str:
        """Return what systemctl prints."""
        return self.run(["systemctl", "--no-pager", *words], check=check).stdout.rstrip("\n")

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.systemctl("show", "--value", "--property", name, unit)

    def main_pid(self, unit: str) -> int:
        """Return the main process of a service, in the machine's numbering; 0 if it has none."""
        return int(self.show(unit, "MainPID"))

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file, with its directories; it is never seen half written."""
        new = f"{path}.new"
        self.run(["install", "-D", "-m", f"{mode:o}", "/dev/stdin", new], stdin=text)
        self.run(["mv", "-f", new, path])

    def journal(self, unit: str) -> str:
        """Return a unit's messages since boot."""
        return self.run(["journalctl", "--no-pager", "-o", "cat", "-u", unit]).stdout

    def has_address(self, address: str) -> bool:
        """Return whether it has this IPv4 address, without starting a process in it."""
        return f"|-- {address}\n" in Path(f"/proc/{self.leader}/net/fib_trie").read_text()

    def process(self, pid: int) -> dict[str, str]:
        """Return /proc/PID/status of one of its processes, in its numbering."""
        lines = (self.root / f"proc/{pid}/status").read_text().splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _is_first(pid: int) -> bool:
    """Return whether it is the first process of its pid namespace."""
    return bool(re.search(r"^NSpid:.*\t1$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))


def _nspawn(name: str) -> list[StrPath]:
    options = ["--quiet", "--boot", "--private-network", "--notify-ready=yes", "--register=no"]
    options += ["--settings=no", "--resolv-conf=off", "--timezone=off", "--link-journal=no"]
    # Without systemd on the host there are no scopes; the caller has made control groups.
    options += [] if BOOTED_BY_SYSTEMD else ["--keep-unit"]
    return ["systemd-nspawn", *options, "--console=pipe", f"--machine={name}"]


@contextlib.contextmanager
def _control_groups(name: str) -> Iterator[list[str]]:
    """Make a control group in each hierarchy that systemd manages; two machines cannot share one.

    Where systemd runs on the host, nspawn asks it for a scope.
    """
    groups = [] if BOOTED_BY_SYSTEMD else [f"{group}/{name}" for group in _own_control_groups()]
    with contextlib.ExitStack() as stack:
        for group in groups:
            _sweep_control_groups(Path(group).parent)
            Path(group).mkdir()
            stack.callback(_remove_control_group, Path(group))
        yield groups


def _own_control_groups() -> list[str]:
    """Return the directories of the control groups that this process is in."""
    groups = []
    own = dict(
        line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines()
    )
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        *_, kind, _, options = line.split()
        name = "" if kind == "cgroup2" else "name=systemd"
        if kind == "cgroup2" or (kind == "cgroup" and name in options.split(",")):
            groups.append(line.split()[4] + own.get(name, "/").rstrip("/"))
    return groups


def _sweep_control_groups(parent: Path) -> None:
    for group in parent.glob("kacheck-*-*"):
        pid = group.name.split("-")[1]
        if pid.isdigit() and not Path("/proc", pid).exists():
            _remove_control_group(group)


def _remove_control_group(group: Path) -> None:
    def removed() -> bool:
        for directory, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)
        return not group.exists()

    for pids in group.rglob("cgroup.procs"):
        for pid in pids.read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    wait_until(removed, f"{group} is in use")
