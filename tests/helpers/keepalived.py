"""The lab: a real keepalived in network namespaces, for the tests and for the demonstration.

    with Lab() as lab:
        a, b = lab.node("a"), lab.node("b")
        vault = a.process("vault")
        keepalived = a.keepalived(CONFIGURATION)
        keepalived.wait_for("MASTER")

A node is what an LXC container is to keepalived: separate network, pid and mount namespaces,
with its own /proc, /sys and /run. Its first process reads a pipe from this process: when the lab
ends, in whatever way, the pipe closes, that process exits, and the kernel kills everything else
in the node.

Needs root, iproute2 and util-linux; the standard library alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeVar

from helpers.child import environment, kacheck_command
from helpers.processes import has_started

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NETNS_DIR = Path("/run/netns")
PATIENCE = 30.0
"""Seconds within which what is waited for must have happened, on a busy machine too."""
STATES = frozenset({"MASTER", "BACKUP", "FAULT", "STOP", "DELETED"})
"""What a line of the notify FIFO calls a state (notify_fifo in vrrp_notify.c)."""

StrPath = str | Path
T = TypeVar("T")

Start = Literal["node", "host-network", "host"]
"""Where a keepalived of a node starts:

- `node`: in all namespaces of the node, as in an LXC container;
- `host-network`: in the node's pid and mount namespaces and the host's network namespace, as with
  `docker run --net=host`;
- `host`: in the host's namespaces, as where keepalived is the host's own service.

The last two reach the node's network through `net_namespace`.
"""

# A /run of one's own keeps keepalived's and kacheck's files off the host. `net_namespace` still
# needs /run/netns in it.
PRIVATE_RUN = """
set -e
mount -n -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/netns"
mount -n --rbind /run/netns "$1/netns"
mount -n --move "$1" /run
shift
"""

# With SIGCHLD ignored the kernel reaps the orphans that this first process of the node inherits.
# (dash's own `trap "" CHLD` does not survive exec.)
NODE_INIT = PRIVATE_RUN + "echo ready; exec env --ignore-signal=CHLD cat >/dev/null"

HOST_START = PRIVATE_RUN + 'exec setpriv --pdeathsig TERM -- "$@"'

BARE_SHELL = 'cd "$0"; PATH=$PWD:$PATH; export PATH; exec "$@"'


# In the foreground, VRRP alone, all of the log to the console and nothing to the host's syslog.
OPTIONS = ("-n", "-P", "-D", "-l", "-G")


class LabError(RuntimeError):
    """The lab could not do what the caller asked: the message has the command and its output."""


class Event(NamedTuple):
    """One line of the notify FIFO; `at` is time.monotonic() when it was read."""

    at: float
    instance: str
    state: str
    priority: int


class Process:
    """A started process, perhaps behind a wrapper that forks, as nsenter does.

    `pid` is its own in the host's numbering; `popen` is the wrapper, with the pipes.
    """

    def __init__(self, argv: Sequence[StrPath], *, forks: bool = False, **options: Any) -> None:
        # A separate session: Ctrl-C at the terminal reaches the lab alone, which ends the rest.
        self.popen: subprocess.Popen[str] = subprocess.Popen(
            argv, text=True, start_new_session=True, **options
        )
        self._forks = forks
        self._pid: int | None = None

    @property
    def pid(self) -> int:
        if self._pid is None:
            self._pid = self._child_pid() if self._forks else self.popen.pid
        return self._pid

    def _child_pid(self) -> int:
        wrapper = self.popen
        wait_until(lambda: children_of(wrapper.pid) or wrapper.poll() is not None, "no child")
        if not (children := children_of(wrapper.pid)):
            raise LabError(f"{wrapper.args!r} has exited with {wrapper.returncode}")
        return children[0]

    @property
    def returncode(self) -> int | None:
        return self.popen.poll()

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Send it a signal; nothing happens if it has exited."""
        if self.popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)
            if signum in (signal.SIGKILL, signal.SIGCONT):
                self._continue_wrapper()

    def _continue_wrapper(self) -> None:
        """Continue the wrapper: it stops itself with its child, and would not reap it."""
        if self._forks:
            self.popen.send_signal(signal.SIGCONT)

    def wait(self, timeout: float = PATIENCE) -> int:
        return self.popen.wait(timeout)

    def end(self) -> None:
        """Kill it and its children, and reap it."""
        if self.popen.poll() is None:
            # Not the wrapper: it has to reap, the host's init may take its time.
            with contextlib.suppress(LabError):
                for pid in [self.pid, *children_of(self.pid)]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            self._continue_wrapper()
            self.popen.wait(PATIENCE)

    def close(self) -> None:
        """End it and close its pipes."""
        self.end()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class Place:
    """Somewhere to run programs, with a private directory: a node, or the host itself (`lab.host`).

    Every component of `dir` passes keepalived's script security check.
    """

    def __init__(self, stack: contextlib.ExitStack, directory: Path) -> None:
        self._stack = stack
        self.dir = directory
        self.dir.mkdir(mode=0o755)
        self.dir.chmod(0o755)

    def _enter(self, *, net: bool = True) -> list[str]:  # noqa: ARG002 - a node has its own
        return ["setpriv", "--pdeathsig", "KILL", "--"]

    _forks = False

    def run(
        self,
        argv: Sequence[StrPath],
        *,
        check: bool = True,
        timeout: float = 30,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; with `check`, LabError unless it exits 0."""
        return command([*self._enter(), *argv], check=check, timeout=timeout, env=env)

    def kacheck(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Run kacheck to its end."""
        return self.run(kacheck_command(*words), check=False, timeout=60, env=environment())

    def popen(self, argv: Sequence[StrPath], *, net: bool = True, **options: Any) -> Process:
        """Start a program, with options of subprocess.Popen; it dies with the lab at the latest.

        Without `net` it is in the host's network, with everything else of the node.
        """
        process = Process([*self._enter(net=net), *argv], forks=self._forks, **options)
        return self._started(process)

    def process(self, name: str, *args: str) -> Process:
        """Start an idle process whose comm and argv[0] are `name`, with the arguments `args`.

        It is a copy of the shell under that name, which reads from a pipe. The first argument
        names its script, so it cannot start with a dash or have a slash.
        """
        program = self.dir / "bin" / name
        if args and (args[0].startswith("-") or "/" in args[0]):
            raise LabError(f"{args[0]!r} cannot be the first argument of an idle process")
        for word in args[:1]:
            self.write(f"bin/{word}", "read _\n")
        if not program.exists():
            self.write(f"bin/{name}", "", 0o755)
            shutil.copyfile(os.path.realpath("/bin/sh"), program)
        process = self.popen(
            ["sh", "-c", BARE_SHELL, program.parent, name, *args], stdin=subprocess.PIPE
        )
        wait_until(lambda: has_started(process.pid, name), f"{name} did not start")
        return process

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """Write a file below `dir`, whatever the umask; its path is the same outside and inside."""
        path = self.dir / name
        for parent in reversed(path.parents):
            if not parent.exists():
                parent.mkdir()
                parent.chmod(0o755)
        path.write_text(text)
        path.chmod(mode)
        return path

    def _started(self, process: Process) -> Process:
        self._stack.callback(process.close)
        return process


class Node(Place):
    """A node of the lab: its `eth0` has `address`/24 and is joined to the other nodes'.

    Files outside of /proc, /sys and /run are the host's: use `overlay` before you change one.
    """

    _forks = True

    def __init__(
        self, stack: contextlib.ExitStack, directory: Path, netns: str, address: str
    ) -> None:
        super().__init__(stack, directory)
        self.netns = netns
        self.address = address
        if (NETNS_DIR / netns).exists():
            raise LabError(f"{netns} exists already")
        stack.callback(command, ["ip", "netns", "delete", netns], check=False)
        command(["ip", "netns", "add", netns])
        self._holder = self._started(
            Process(
                self._holder_argv(),
                forks=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
        assert self._holder.popen.stdout
        if (answer := self._holder.popen.stdout.readline()) != "ready\n":
            raise LabError(f"node {netns}: {answer}{self._holder.popen.stdout.read()}")
        self._overlays = 0
        self._keepaliveds = 0

    def _holder_argv(self) -> list[StrPath]:
        staging = self.dir / "run"
        staging.mkdir()
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        return ["ip", "netns", "exec", self.netns, *unshare, "sh", "-c", NODE_INIT, "init", staging]

    def _enter(self, *, net: bool = True) -> list[str]:
        # The holder, unshare, is in the node's mount and network namespaces; its child is the
        # first in the pid namespace.
        ns = f"/proc/{self._holder.popen.pid}/ns"
        network = [f"--net={ns}/net"] if net else []
        return ["nsenter", f"--mount={ns}/mnt", *network, f"--pid={ns}/pid_for_children", "--"]

    @property
    def root(self) -> Path:
        """The node's file system as the host sees it: `node.root / "run/kacheck"`."""
        return Path(f"/proc/{self._holder.popen.pid}/root")

    def addresses(self) -> set[str]:
        links = json.loads(command(["ip", "-n", self.netns, "-j", "address"]).stdout)
        return {address["local"] for link in links for address in link.get("addr_info", ())}

    def has_address(self, address: str) -> bool:
        return address in self.addresses()

    def mount_tmpfs(self, path: StrPath) -> None:
        """Put an empty directory over `path`, in the node alone; `path` has to exist."""
        self.run(["mount", "-n", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path])

    def bind(self, source: StrPath, target: StrPath) -> None:
        """Show `source` at `target`, in the node alone; `target` has to exist (see `overlay`)."""
        self.run(["mount", "-n", "--rbind", source, target])

    def overlay(self, path: StrPath) -> None:
        """Keep what is written below `path` to the node; what is there already stays visible."""
        self._overlays += 1
        layer = self.dir / f"overlay-{self._overlays}"
        layer.mkdir()
        self.mount_tmpfs(layer)
        self.run(["mkdir", layer / "upper", layer / "work"])
        self.run(["chmod", f"{stat.S_IMODE(Path(path).stat().st_mode):o}", layer / "upper"])
        layers = f"lowerdir={path},upperdir={layer}/upper,workdir={layer}/work"
        self.run(["mount", "-n", "-t", "overlay", "-o", layers, "overlay", path])

    def keepalived(
        self, conf: str, start: Start = "node", options: Sequence[str] = ()
    ) -> Keepalived:
        """Start a keepalived with the text `conf`, as it is: the lab's own file includes it.

        That file adds the `vrrp_notify_fifo` and, for the other starts, the `net_namespace`.
        Relative includes in `conf` are relative to `dir`. LabError if keepalived does not get into
        the node's network: it would announce its addresses in the host's.
        """
        self._keepaliveds += 1
        number = self._keepaliveds
        path = self.write(f"keepalived-{number}.conf", conf)
        fifo = self.dir / f"notify-{number}"
        main = self.write(f"lab-{number}.conf", self._lab_conf(path, fifo, start))
        os.mkfifo(fifo)
        argv: list[StrPath] = ["keepalived", *OPTIONS, "-f", main, *options]
        argv += ["-p", self.dir / f"keepalived-{number}.pid"]
        argv += ["-r", self.dir / f"vrrp-{number}.pid"]
        process = self._keepalived_process(argv, start)
        keepalived = Keepalived(process, path, fifo, on_host=start == "host")
        self._stack.callback(keepalived.close)
        if start != "node":
            self._require_network(keepalived)
        return keepalived

    def _require_network(self, keepalived: Keepalived) -> None:
        process = keepalived.process
        network = Path(f"/proc/{process.pid}/ns/net")

        def settled() -> bool:
            with contextlib.suppress(OSError):
                return network.samefile(NETNS_DIR / self.netns)
            return process.returncode is not None

        try:
            wait_until(settled, f"keepalived is not in {self.netns}")
        except LabError:
            keepalived.close()
            raise

    def _lab_conf(self, conf: Path, fifo: Path, start: Start) -> str:
        net_namespace = "" if start == "node" else f"net_namespace {self.netns}\n"
        return (
            f"{net_namespace}global_defs {{\n    vrrp_notify_fifo {fifo} root\n}}\ninclude {conf}\n"
        )

    def _keepalived_process(self, argv: Sequence[StrPath], start: Start) -> Process:
        if start == "host":
            staging = self.dir / f"run-{self._keepaliveds}"
            staging.mkdir()
            argv = ["unshare", "--mount", "sh", "-c", HOST_START, "init", staging, *argv]
        else:
            argv = [*self._enter(net=start == "node"), *argv]
        # TMPDIR takes keepalived's dumps (SIGUSR1), which else go to the host's /tmp.
        env = {**os.environ, "TMPDIR": str(self.dir), "LC_ALL": "C"}
        pipes = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
        }
        return Process(argv, forks=start != "host", env=env, **pipes)


class Keepalived:
    """A running keepalived: `log` and `events` (of its notify FIFO) grow as it writes them."""

    def __init__(self, process: Process, conf: Path, fifo: Path, *, on_host: bool) -> None:
        self.process = process
        self._on_host = on_host
        self.conf = conf
        self.events: list[Event] = []
        self.log = ""
        self._news = threading.Condition()
        self._gone = False
        # For writing too: no end of file while keepalived reopens it, and `_finish` can end it.
        self._fifo = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)
        readers = (self._read_fifo, self._read_log)
        self._threads = [threading.Thread(target=reader, daemon=True) for reader in readers]
        for thread in self._threads:
            thread.start()

    def wait_for(
        self,
        state: str,
        timeout: float = PATIENCE,
        *,
        instance: str | None = None,
        after: float = 0,
    ) -> Event:
        """Return the first event of that state (MASTER, BACKUP, FAULT, STOP...), even an earlier one.

        `instance` None takes any; `after` is a time.monotonic(), such as another event's `at`.
        """

        def found() -> Event | None:
            for event in self.events:
                if event.state == state and instance in (None, event.instance) and event.at > after:
                    return event
            return None

        return self._wait(found, timeout, f"no {state} of {instance or 'any instance'}")

    def wait_log(self, text: str, timeout: float = PATIENCE, *, after: int = 0) -> str:
        """Return the first log line with `text`, from the offset `after` on (a `len(log)`)."""

        def found() -> str | None:
            return next((line for line in self.log[after:].splitlines() if text in line), None)

        return self._wait(found, timeout, f"no {text!r} in the log")

    def states(self, instance: str, after: float = 0) -> list[str]:
        """Return the states that the instance has reported since `after`, in order.

        Other lines of the FIFO, MASTER_RX_LOWER_PRI and changes of the priority, are not states.
        """
        return [
            event.state
            for event in self.events
            if event.instance == instance and event.at > after and event.state in STATES
        ]

    def state(self, instance: str) -> str:
        """Return the last of them, or `none`."""
        return self.states(instance)[-1] if self.states(instance) else "none"

    def reload(self, conf: str | None = None) -> None:
        """Send SIGHUP, with a new configuration if one is given, and wait for its end."""
        if conf is not None:
            self.conf.write_text(conf)
        before = len(self.log)
        self.process.kill(signal.SIGHUP)
        self.wait_log("Reload complete", after=before)

    def stop(self) -> int:
        """Send SIGTERM and wait for the end: the exit status."""
        self.process.kill(signal.SIGTERM)
        status = self.process.wait()
        self._finish()
        return status

    def close(self) -> None:
        """End it: at once in a node, whose end takes what it leaves; with SIGTERM on the host."""
        if self._on_host and self.process.returncode is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.kill(signal.SIGTERM)
                self.process.wait()
        self.process.end()
        self._finish()
        self.process.close()

    def _finish(self) -> None:
        if self._threads:
            os.write(self._fifo, b"\n")
        for thread in self._threads:
            thread.join(PATIENCE)
        self._threads = []

    def _wait(self, found: Callable[[], T | None], timeout: float, failure: str) -> T:
        with self._news:
            self._news.wait_for(lambda: self._gone or found() is not None, timeout)
            if (result := found()) is None:
                why = "keepalived has exited" if self._gone else f"within {timeout} s"
                tail = "\n".join(self.log.splitlines()[-40:])
                raise AssertionError(f"{failure}: {why}\nevents: {self.events}\nlog:\n{tail}")
            return result

    def _read_fifo(self) -> None:
        with os.fdopen(self._fifo, "rb") as fifo:
            while (line := fifo.readline()) != b"\n":
                at = time.monotonic()
                if match := re.match(r'\w+ "(.*)" (\w+) (\d+)', line.decode()):
                    with self._news:
                        self.events.append(Event(at, match[1], match[2], int(match[3])))
                        self._news.notify_all()

    def _read_log(self) -> None:
        assert self.process.popen.stdout
        for line in self.process.popen.stdout:
            with self._news:
                self.log += line
                self._news.notify_all()
        with self._news:
            self._gone = True
            self._news.notify_all()


class Lab:
    """Some nodes on one wire, which is a bridge in a network namespace.

    Use one thread: processes outside of the nodes die with the thread that started them.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.nodes: dict[str, Node] = {}

    def __enter__(self) -> Self:
        sweep()
        with contextlib.ExitStack() as stack:
            self.dir = Path(tempfile.mkdtemp(prefix=f"kacheck-{os.getpid()}-")).resolve()
            stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
            self.dir.chmod(0o755)
            require_secure(self.dir)
            self._stack = stack.pop_all()
        self.host = Place(self._stack, self.dir / "host")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def node(self, name: str) -> Node:
        number = len(self.nodes) + 1
        wire = self._wire()
        netns = f"kacheck-{os.getpid()}-{name}"
        node = Node(self._stack, self.dir / name, netns, f"10.77.0.{number}")
        port = f"port-{number}"
        batch(f"-n {netns}", f"link add eth0 type veth peer name {port} netns {wire}")
        batch(f"-n {wire}", f"link set {port} master bridge", f"link set {port} up")
        batch(
            f"-n {netns}",
            f"address add {node.address}/24 dev eth0",
            "link set lo up",
            "link set eth0 up",
        )
        self.nodes[name] = node
        return node

    def _wire(self) -> str:
        """Make the bridge that joins the nodes, once; the name of its network namespace."""
        netns = f"kacheck-{os.getpid()}-wire"
        if not self.nodes:
            self._stack.callback(command, ["ip", "netns", "delete", netns], check=False)
            command(["ip", "netns", "add", netns])
            bridge = "link add bridge type bridge mcast_snooping 0"
            batch(f"-n {netns}", bridge, "link set bridge up")
        return netns


def keepalived_version() -> tuple[int, ...]:
    done = subprocess.run(["keepalived", "--version"], check=True, capture_output=True, text=True)
    match = re.search(r"Keepalived v(\d+)\.(\d+)\.(\d+)", done.stdout + done.stderr)
    assert match
    return tuple(map(int, match.groups()))


def sweep() -> None:
    """Remove what labs left whose process was killed: names of network namespaces, directories."""
    for path in NETNS_DIR.glob("kacheck-*-*"):
        if _is_orphan(path):
            command(["ip", "netns", "delete", path.name], check=False)
    for path in Path(tempfile.gettempdir()).glob("kacheck-*-*"):
        if _is_orphan(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_orphan(path: Path) -> bool:
    pid = path.name.split("-")[1]
    return pid.isdigit() and not Path("/proc", pid).exists()


def children_of(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in children.split()]


def require_secure(path: Path) -> None:
    """Raise LabError if `path` fails keepalived's script security check (notify.c)."""
    for part in (path, *path.parents):
        status = part.stat()
        by_group = status.st_mode & stat.S_IWGRP and status.st_gid != 0
        writable = by_group or status.st_mode & stat.S_IWOTH
        if status.st_uid != 0 or (writable and not status.st_mode & stat.S_ISVTX):
            mode = stat.filemode(status.st_mode)
            raise LabError(f"not for root alone to write: {part} ({mode}); set TMPDIR")


def wait_until(condition: Callable[[], object], failure: str, timeout: float = PATIENCE) -> None:
    """Wait for something that only /proc tells, by looking every millisecond."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"{failure} within {timeout:g} s")
        time.sleep(0.001)


def batch(option: str, *lines: str) -> None:
    command(["ip", *option.split(), "-batch", "-"], stdin="\n".join(lines))


def command(
    argv: Sequence[StrPath],
    *,
    check: bool = True,
    timeout: float = 30,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        argv,
        input=stdin,
        env=env,
        timeout=timeout,
        check=False,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    if check and done.returncode != 0:
        raise LabError(f"{argv!r} exited with {done.returncode}: {done.stdout}{done.stderr}")
    return done
