"""Reading /proc, one small file at a time (proc(5)).

Whatever is read may end while it is read: FileNotFoundError and ProcessLookupError mean that a
process has gone, any other OSError that it may not be looked at.
"""

import os
import time

COMM_MAX = 15
"""Bytes of a comm: TASK_COMM_LEN less its NUL (linux/sched.h)."""
CAP_SYS_PTRACE = 19
"""The capability that sees through hidepid (linux/capability.h)."""
GONE = (FileNotFoundError, ProcessLookupError)
"""What reading a process raises once it has ended."""
DEAD = ("Z", "X")
"""States of a thread that no longer runs."""
SHOWS_OWNERS = ("1", "noaccess")
"""Modes of hidepid that list every process and its owner (proc(5))."""
PAGE = 4096
"""Bytes that hold nearly every file of one record."""
LONGEST = 1 << 20
"""Bytes above any record but a command line: 65536 groups of 11 digits in status."""


class Process:
    """One directory of /proc; every method reads it again."""

    __slots__ = ("path", "pid")

    def __init__(self, proc: str, pid: int) -> None:
        self.pid = pid
        self.path = f"{proc}/{pid}"

    def comm(self) -> bytes:
        """Return the command name: at most 15 bytes, no path."""
        return read(f"{self.path}/comm").removesuffix(b"\n")

    def effective_uid(self) -> int:
        """Return the owner of the directory: the effective user, whatever the process hides."""
        return os.stat(self.path).st_uid

    def real_uid(self) -> int:
        """Return the user that started the process; a setuid file does not change it."""
        # status() would cost more: with --user this is read of many processes.
        return int(read(f"{self.path}/status").partition(b"\nUid:")[2].split(None, 1)[0])

    def argv(self, limit: int) -> list[bytes]:
        """Return the command line's first `limit` bytes; empty for kernel threads and zombies.

        Without privilege a process can show gigabytes there (PR_SET_MM_MAP in prctl(2)). A word
        that is cut off ends with a NUL, so that it equals no other word.
        """
        line = read(f"{self.path}/cmdline", limit)
        if not line:
            # A main thread that has exited has no memory map; the threads that live on share one.
            thread = self.live_thread()
            line = read(f"{thread}/cmdline", limit) if thread else b""
        words = line.removesuffix(b"\0").split(b"\0") if line else []
        if len(line) == limit:
            words[-1] += b"\0"
        return words

    def executable(self) -> bytes:
        """Return the path of the executable, also after an upgrade has deleted it.

        Needs permission.
        """
        try:
            path = os.readlink(os.fsencode(f"{self.path}/exe"))
        except FileNotFoundError:
            thread = self.live_thread()
            if thread is None:
                raise
            path = os.readlink(os.fsencode(f"{thread}/exe"))
        return path.removesuffix(b" (deleted)")

    def status(self) -> dict[str, str]:
        """Return /proc/PID/status: field to text."""
        lines = read(f"{self.path}/status").decode(errors="replace").splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def started_ticks(self) -> int:
        """When it was started, in clock ticks since the machine's boot (field 22 of stat)."""
        return int(self.stat_from_state(self.path)[19])

    def live_thread(self) -> str | None:
        """Return the directory of a running thread, if only the main thread has exited."""
        if self.state(self.path) not in DEAD:
            return None
        for thread in os.listdir(f"{self.path}/task"):
            path = f"{self.path}/task/{thread}"
            try:
                if self.state(path) not in DEAD:
                    return path
            except GONE:
                continue
        return None

    @staticmethod
    def state(path: str) -> str:
        """Return the state letter of a process or thread."""
        return Process.stat_from_state(path)[0].decode()

    @staticmethod
    def stat_from_state(path: str) -> list[bytes]:
        """Return the fields of stat from the third on.

        Comm may hold any `)`, so look for the last.
        """
        return read(f"{path}/stat").rpartition(b") ")[2].split()


def age(pid: int) -> float:
    """Return the seconds since the process was started.

    psutil's create_time() does not serve: it adds the start to the boot time of /proc/stat, where
    lxcfs shows the container's, so the age would be below zero.
    """
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return since_boot - Process("/proc", pid).started_ticks() / os.sysconf("SC_CLK_TCK")


def read(path: str, limit: int = LONGEST) -> bytes:
    """Return the first `limit` bytes of a /proc file of one record.

    With system calls: io.open() costs four times as much.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(file, min(PAGE, limit))
        if len(text) == PAGE < limit:
            text += os.read(file, limit - PAGE)
        return text
    finally:
        os.close(file)


def pids(proc: str) -> list[int]:
    """Return the processes that the listing of /proc shows to this user."""
    return [int(name) for name in os.listdir(proc) if name.isdecimal()]


def named(proc: str, comm: bytes) -> list[int]:
    """Return the processes with this comm, and those whose comm cannot be read.

    What a death waits for before it is a verdict (bench/failover.py): nothing is done twice here.
    """
    pids: list[int] = []
    line = comm + b"\n"
    for name in os.listdir(proc):
        if name.isdecimal():
            try:
                if read(f"{proc}/{name}/comm") == line:
                    pids.append(int(name))
            except GONE:
                continue  # it ended between the listing and the reading
            except OSError:
                pids.append(int(name))
    return pids


def own_pid(proc: str) -> int:
    """Return this process's pid in the pid namespace of `proc`, which may be an outer one."""
    return int(os.readlink(f"{proc}/self"))


def ancestors(proc: str, pid: int) -> list[int]:
    """Return the parent of `pid`, its parent, and so on."""
    chain: list[int] = []
    while pid > 0 and len(chain) < 1000:
        try:
            pid = int(Process.stat_from_state(f"{proc}/{pid}")[1])
        except OSError:
            break
        chain.append(pid)
    return chain


def mount_options(proc: str) -> dict[str, str]:
    """Return the options of `proc`'s mount; none where it does not show them.

    Raises:
        OSError: no descriptor is free; `proc` may hide processes.

    """
    try:
        # Of many records one read(2) may bring only some: read() is for files that have one.
        with open(f"{proc}/self/mountinfo", errors="replace") as file:
            mounts = file.read().splitlines()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    options: dict[str, str] = {}
    for mount in mounts:
        left, _, right = mount.partition(" - proc ")
        if right and left.split()[4] == proc:  # the last mount on one place is the one that shows
            pairs = (option.partition("=") for option in right.split()[-1].split(","))
            options = {key: value for key, _, value in pairs}
    return options


def hidepid(proc: str) -> str | None:
    """Return the hidepid option of `proc`'s mount, where it keeps other users' processes from us.

    Source: fs/proc/base.c, has_pid_permissions(): CAP_SYS_PTRACE sees through it, and so does
    the group of gid= except with `ptraceable`. In a user namespace both may be ours and yet not
    the ones that are meant: then the first process is hidden nevertheless.
    """
    is_first_shown = os.path.exists(f"{proc}/1/comm")
    if is_first_shown and sees_other_users(proc):
        return None  # without reading mountinfo, which takes longer than all the rest
    options = mount_options(proc)
    mode = options.get("hidepid", "off")
    if mode in ("0", "off"):
        return None
    groups = [os.getegid(), *os.getgroups()]
    in_group = mode not in ("4", "ptraceable") and int(options.get("gid", "0")) in groups
    return None if in_group and is_first_shown else mode


def sees_other_users(proc: str) -> bool:
    """Return whether pid 1, which is shown, is another user's, or we have the capability."""
    if os.stat(f"{proc}/1").st_uid != os.geteuid():
        return True
    capabilities = int(Process(proc, own_pid(proc)).status()["CapEff"], 16)
    return bool(capabilities >> CAP_SYS_PTRACE & 1)
