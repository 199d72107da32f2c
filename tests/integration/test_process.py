"""`kacheck process` against real processes."""

import errno
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import kacheck
from helpers.answer import Answer
from helpers.needs import needs
from helpers.processes import has_started
from kacheck import procfs
from kacheck.deadline import Deadline
from kacheck.probes.process.describe import describe
from kacheck.probes.process.look import probe
from kacheck.probes.process.options import ProcessOptions
from kacheck.probes.process.scan import is_one_shot
from kacheck.statedir import user_name

Look = Callable[..., Answer]
Start = Callable[..., subprocess.Popen[bytes]]
Script = Callable[..., list[str]]

NAME = f"ktest-{os.getpid()}"  # fits comm, and another run on this machine has another one
LONG = f"{NAME}-with-a-long-name"

NAMED = "import ctypes; ctypes.CDLL(None).prctl(15, sys.argv[1].encode());"
ZOMBIE = f"""
import os, sys, time
child = os.fork()
if not child:
    {NAMED}
    os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
print(child, flush=True)
time.sleep(60)
"""
MAIN_THREAD_GONE = f"""
import ctypes, os, sys, threading, time
{NAMED}
libc = ctypes.CDLL(None)
def stay():
    while open(f"/proc/self/task/{{os.getpid()}}/stat").read().rpartition(") ")[2][0] != "Z":
        time.sleep(0.001)
    print(os.getpid(), flush=True)
    time.sleep(60)
threading.Thread(target=stay).start()
libc.syscall(60 if os.uname().machine == "x86_64" else 93, 0)  # exit(2): of this thread alone
"""
NOBODY = f"""
import ctypes, os, sys, time
os.setuid(65534)
{NAMED}
ctypes.CDLL(None).prctl(4, 0)  # PR_SET_DUMPABLE
print(os.getpid(), flush=True)
time.sleep(60)
"""

WITH_UIDS = f"""
import ctypes, os, sys, time
os.setresuid(*map(int, sys.argv[2].split()))
{NAMED}
print(os.getpid(), flush=True)
time.sleep(60)
"""
HUGE = f"""
import ctypes, os, struct, sys, time
os.setgroups([])
os.setresuid(*map(int, sys.argv[2].split()))
libc = ctypes.CDLL(None)
libc.mmap.restype = libc.sbrk.restype = ctypes.c_void_p
size = 1 << 30
area = libc.mmap(None, ctypes.c_size_t(size), 3, 0x4022, -1, 0)  # MAP_NORESERVE: zeros, no memory
fields = open("/proc/self/stat").read().rpartition(") ")[2].split()
code, data, stack, environ = fields[23:25], fields[42:44], fields[25], fields[47:49]
places = [*code, *data, libc.sbrk(0), libc.sbrk(0), stack, area, area + size, *environ, 0]
exe = 0xFFFFFFFF  # stays
memory = struct.pack("12Q2I", *map(int, places), 0, exe)
refused = libc.prctl(35, 14, memory, len(memory), 0)  # PR_SET_MM, PR_SET_MM_MAP
{NAMED}
print("refused" if refused else "huge", os.getpid(), flush=True)
time.sleep(60)
"""
"""A process with a command line of 1 GiB, which takes no privilege."""
MANY_GROUPS = f"""
import ctypes, os, sys, time
os.setgroups(range(65536))
os.setresuid(*map(int, sys.argv[2].split()))
{NAMED}
print(os.getpid(), flush=True)
time.sleep(60)
"""


def run_as(start: Start, uids: str, code: str, name: str, *args: str) -> list[str]:
    """Run Python code under that name and those uids; return the words of its first line."""
    argv = [name, "-I", "-c", code, name, uids, *args]
    child = start(argv, executable=os.path.realpath(sys.executable), stdout=subprocess.PIPE)
    assert child.stdout is not None
    return child.stdout.readline().decode().split()


def test_a_running_process_is_ok(look: Look, start: Start) -> None:
    pid = start(NAME, "60").pid
    answer = look("process", NAME)
    assert (answer.code, answer.verdict) == (0, "ok running")
    assert answer.data["pids"] == [pid]
    assert str(pid) in answer.message


def test_no_process_is_critical_missing_and_names_it(look: Look) -> None:
    answer = look("process", NAME)
    assert (answer.code, answer.verdict) == (2, "critical missing")
    assert NAME in answer.message


def test_a_killed_process_is_missing(look: Look, start: Start) -> None:
    process = start(NAME, "60")
    process.kill()
    process.wait()
    assert look("process", NAME).verdict == "critical missing"


@pytest.mark.parametrize(
    ("options", "running", "verdict"),
    [
        (["--quorum", "2"], 0, "critical missing"),
        (["--quorum", "2"], 1, "critical too-few"),
        (["--quorum", "2"], 2, "ok running"),
        (["--quorum-max", "1"], 2, "critical too-many"),
        (["--quorum-max", "2"], 2, "ok running"),
        (["--quorum-max", "2"], 0, "critical missing"),
        (["--quorum-max", "0"], 0, "ok missing"),
        (["--quorum-max", "0"], 1, "critical too-many"),
        (["--quorum", "2", "--quorum-max", "2"], 2, "ok running"),
        (["--quorum", "3", "--quorum-max", "2"], 2, "unknown bad-config"),
        (["--quorum", "2", "--quorum-max", "0"], 0, "unknown bad-config"),
    ],
)
def test_quorum_and_quorum_max_mean_what_they_mean_in_keepalived(
    look: Look, start: Start, options: list[str], running: int, verdict: str
) -> None:
    for _ in range(running):
        start(NAME, "60")
    assert look("process", *options, NAME).verdict == verdict


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (["60"], "ok running"),
        (["6"], "critical missing"),
        (["--param-match", "initial", "6"], "ok running"),
        (["--param-match", "partial", "60"], "ok running"),
        (["--param-match", "exact"], "critical missing"),
    ],
)
def test_arguments_are_compared(look: Look, start: Start, words: list[str], verdict: str) -> None:
    start(NAME, "60")
    *options, arg = words if words[-1].isdigit() else [*words, ""]
    assert look("process", *options, NAME, *filter(None, [arg])).verdict == verdict


def test_full_command_is_all_of_argv_0_and_nothing_else(look: Look, start: Start) -> None:
    process = procfs.Process("/proc", start(NAME, "60").pid)
    while not process.argv(procfs.PAGE):
        pass  # execve(2) gives it last
    path = process.argv(procfs.PAGE)[0].decode()
    assert look("process", "--full-command", path).verdict == "ok running"
    assert look("process", "--full-command", path, "60").verdict == "ok running"
    assert look("process", "--full-command", NAME).verdict == "critical missing"


def test_a_name_longer_than_comm_is_found(look: Look, start: Start) -> None:
    start(LONG, "60")
    assert look("process", LONG).verdict == "ok running"
    assert look("process", LONG[:-1]).verdict == "critical missing"


def test_a_path_is_found_by_argv_and_by_executable(look: Look, start: Start, tmp_path: Any) -> None:
    start(NAME, "60")
    assert look("process", str(tmp_path / NAME)).verdict == "ok running"
    copy = tmp_path / "copy"
    shutil.copy("/bin/sleep", copy)
    start(["not-the-path", "60"], executable=str(copy))
    assert look("process", str(copy)).verdict == "ok running"
    link = tmp_path / "link"
    link.symlink_to(copy)
    assert look("process", str(link)).verdict == "ok running"
    copy.unlink()  # as an upgrade does under a running daemon
    assert look("process", str(copy)).verdict == "ok running"
    assert look("process", "/nowhere/" + NAME).verdict == "critical missing"


def test_a_script_with_a_long_name_is_found(look: Look, start: Start, tmp_path: Any) -> None:
    path = tmp_path / f"{LONG}.py"
    path.write_text(f"#!{sys.executable} -I\nprint(flush=True)\nimport time; time.sleep(60)\n")
    path.chmod(0o755)
    child = start([str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert look("process", f"{LONG}.py").verdict == "ok running"
    assert look("process", str(path)).verdict == "ok running"


def test_a_zombie_is_missing_and_the_message_explains_it(look: Look, script: Script) -> None:
    (pid,) = script(ZOMBIE, NAME)
    answer = look("process", NAME)
    assert answer.verdict == "critical missing"
    assert f"pid {pid} is a zombie" in answer.message


def test_a_process_whose_main_thread_has_gone_is_alive(look: Look, script: Script) -> None:
    (pid,) = script(MAIN_THREAD_GONE, NAME)
    assert look("process", NAME).data["pids"] == [int(pid)]
    named = ["process", "--param-match", "initial", os.path.realpath(sys.executable), "--", "-I"]
    assert int(pid) in look(*named).data["pids"]


def test_a_process_in_a_nested_pid_namespace_counts_only_when_asked(
    look: Look, start: Start, tmp_path: pathlib.Path
) -> None:
    needs("unshare", root=True)
    (tmp_path / NAME).symlink_to("/bin/sleep")
    ready = f"echo ready; exec {tmp_path / NAME} 60"
    child = start(
        ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", ready], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    while not any(has_started(pid, NAME) for pid in procfs.pids("/proc")):
        pass  # bounded by the test's own timeout
    answer = look("process", NAME)
    assert answer.verdict == "critical missing"
    assert "nested pid namespace" in answer.message
    assert look("process", "--all-namespaces", NAME).verdict == "ok running"


def test_the_highest_pid_is_found(tmp_path: pathlib.Path) -> None:
    needs("unshare", root=True)
    (tmp_path / NAME).symlink_to("/bin/sleep")
    code = f"""
        mount -t proc proc /proc
        echo 4194304 > /proc/sys/kernel/pid_max
        echo 4194302 > /proc/sys/kernel/ns_last_pid
        {tmp_path / NAME} 60 & echo $!
        {sys.executable} -I -m kacheck process {NAME}
        echo $?
        """
    shown = subprocess.run(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.stdout.split()[0] == "4194303", shown.stderr
    assert shown.stdout.split()[-1] == "0", shown
    assert "ok running" in shown.stdout


@pytest.fixture
def public_copy() -> Iterator[list[str]]:
    """The command of a kacheck that every user may read and run; $TMPDIR may be for one alone."""
    needs("/usr/bin/python3")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o755)
        package = pathlib.Path(kacheck.__file__).parent
        shutil.copytree(package, f"{name}/kacheck", ignore=shutil.ignore_patterns("__pycache__"))
        yield ["/usr/bin/python3", "-IB", f"{name}/kacheck/__main__.py"]


@pytest.mark.parametrize("hidepid", ["1", "2", "4"])
def test_what_hidepid_hides_is_unknown_hidden_never_missing(
    public_copy: list[str], tmp_path: pathlib.Path, hidepid: str
) -> None:
    needs("unshare", "setpriv", root=True)
    user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    look = " ".join([*public_copy, "process", "no-such-process"])
    mount = f"mount -t proc -o hidepid={hidepid} proc /proc"
    # So many mounts before it that one read(2) of mountinfo does not bring them all.
    many = f"for n in $(seq 80); do mkdir -p {tmp_path}/$n; mount -t tmpfs none {tmp_path}/$n; done"
    nobody, own_root = " ".join(user), "unshare --user --map-root-user"
    code = f"{many}; {mount}; {nobody} {look}; echo $?; {nobody} {own_root} {look}; {look}"
    argv = ["unshare", "--pid", "--fork", "--mount", "sh", "-c", code]
    shown = subprocess.run(argv, capture_output=True, text=True, check=False)
    unprivileged, code_line, root_of_nothing, root = shown.stdout.splitlines()
    assert unprivileged.startswith("unknown hidden: cannot tell"), shown
    assert "root" in unprivileged
    assert code_line == "3"
    assert root_of_nothing.startswith("unknown hidden"), "a user namespace's own capability"
    assert root.startswith("critical missing"), "CAP_SYS_PTRACE sees through hidepid"


def test_a_proc_that_is_not_mounted_is_hidden(tmp_path: pathlib.Path) -> None:
    result = probe(ProcessOptions("vault", proc=str(tmp_path / "none")), Deadline(1))
    assert (result.status.word, result.reason) == ("unknown", "hidden")
    assert "none" in result.message
    result = probe(ProcessOptions("vault", proc=str(tmp_path)), Deadline(1))
    assert result.reason == "hidden", "an empty directory is not procfs"


def test_running_out_of_descriptors_during_a_scan_is_not_a_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hidepid(_: str) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(procfs, "hidepid", hidepid)
    result = probe(ProcessOptions("kacheck-none"), Deadline(10))
    assert (result.status.word, result.reason) == ("unknown", "hidden")
    assert "/proc cannot be read (Too many open files)" in result.message


def test_an_unreadable_process_is_hidden_unless_enough_others_are_seen(
    monkeypatch: pytest.MonkeyPatch, look: Look, start: Start
) -> None:
    seen, unseen = start(NAME, "60").pid, start("ktest-other", "60").pid
    real = procfs.read

    def read(path: str, limit: int = procfs.LONGEST) -> bytes:
        if path.startswith(f"/proc/{unseen}/"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, limit)

    monkeypatch.setattr(procfs, "read", read)
    assert look("process", "ktest-nobody").verdict == "unknown hidden"
    assert f"/proc/{unseen}/comm: Permission denied" in look("process", "ktest-nobody").message
    assert look("process", NAME).data["pids"] == [seen]
    assert look("process", "--quorum", "2", NAME).verdict == "unknown hidden"
    assert look("process", "--quorum-max", "1", NAME).verdict == "unknown hidden"
    assert look("process", "--quorum-max", "0", NAME).verdict == "critical too-many"
    assert look("process", "--on-unknown", "ok", "ktest-nobody").code == 0


@pytest.mark.parametrize("file", ["comm", "cmdline", "status"])
def test_a_process_that_ends_while_it_is_read_is_skipped(
    monkeypatch: pytest.MonkeyPatch, look: Look, start: Start, file: str
) -> None:
    """The file is read when the process has just exited: ENOENT on opening, ESRCH on reading."""
    stays, goes = start(NAME, "60").pid, start(NAME, "60")
    real = procfs.read

    def read(path: str, limit: int = procfs.LONGEST) -> bytes:
        if path == f"/proc/{goes.pid}/{file}":
            goes.kill()
            goes.wait()
        return real(path, limit)

    monkeypatch.setattr(procfs, "read", read)
    answer = look("process", NAME)
    assert answer.verdict == "ok running"
    assert answer.data["pids"] == [stays]


def test_it_never_counts_itself_or_its_parents(tmp_path: pathlib.Path) -> None:
    """A shell of the wanted name runs an interpreter of the wanted name."""
    for name, target in ((NAME, "/bin/sh"), ("python", sys.executable)):
        (tmp_path / name).symlink_to(target)
    look = f"{sys.executable} -I -m kacheck process {NAME}; true"
    shown = subprocess.run(
        [tmp_path / NAME, "-c", look], capture_output=True, text=True, check=False
    )
    assert shown.stdout.startswith("critical missing"), shown
    assert "a parent of this check" in shown.stdout
    itself = pathlib.Path(sys.executable).name
    shown = subprocess.run(
        [sys.executable, "-I", "-m", "kacheck", "process", itself, "--verbose"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "this check itself" in shown.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python3|-I|-m|kacheck|process|vault", True),
        ("/usr/bin/python3|-IB|/opt/x/src/kacheck/__main__.py|combined|--process|vault", True),
        (
            "/usr/bin/python3|-ISB|/usr/lib/python3/dist-packages/kacheck/__main__.py|process|x",
            True,
        ),
        ("/x/python3|-IB|-Xkacheck-started=1.5|/x/kacheck/__main__.py|vault|--address|x", True),
        ("/bin/sh|/usr/libexec/kacheck/kacheck-process|vault", True),
        ("/usr/bin/python3|/usr/bin/kacheck|vault|--timeout|1.5", True),
        ("kacheck|watch", False),
        ("python3|-I|-m|kacheck|watch", False),
        ("/opt/kacheck/vault|server", False),
        ("vault|server|-config=/etc/kacheck/vault.hcl", False),
        ("python3|-c|code|/run/kacheck-mysvc.pid|mysvc", False),
    ],
)
def test_kachecks_own_looks_are_not_counted_as_the_service(line: str, expected: bool) -> None:
    assert is_one_shot(line.encode().split(b"|")) is expected


def test_another_look_that_runs_is_not_counted(look: Look, start: Start) -> None:
    """keepalived starts all scripts of one interval together, and all run the same interpreter."""
    wait = "import sys; print(flush=True); sys.stdin.read()"
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    service = start([sys.executable, "-c", wait, "my", "kacheck", "notes"], **options)
    other = start([sys.executable, "-c", wait, "kacheck", "vault", "--timeout", "1.5"], **options)
    for child in (service, other):
        assert child.stdout is not None
        child.stdout.readline()
    answer = look("process", pathlib.Path(f"/proc/{other.pid}/comm").read_text().strip())
    assert service.pid in answer.data["pids"]
    assert {"pid": other.pid, "why": "another kacheck"} in answer.data["not_counted"]


def test_only_the_wanted_users_processes_count(look: Look, script: Script) -> None:
    needs(root=True)
    script(NOBODY, NAME)
    nobody = pwd.getpwuid(65534).pw_name
    assert look("process", "--user", nobody, NAME).verdict == "ok running"
    assert look("process", "--user", "65534", NAME).verdict == "ok running"
    answer = look("process", "--user", "root", NAME)
    assert answer.verdict == "critical missing"
    assert "run by another user (effective uid 65534)" in answer.message
    answer = look("process", "--user", "no-such-user", NAME)
    assert (answer.code, answer.verdict) == (3, "unknown bad-config")
    assert "--user no-such-user" in answer.message
    for number in ("\u0661", "1" * 5000):
        assert look("process", "--user", number, NAME).verdict == "unknown bad-config"


@pytest.mark.parametrize("name", [NAME, LONG], ids=["short", "long"])
@pytest.mark.parametrize(
    ("uids", "objection"),
    [
        ("0 0 0", None),
        ("65534 65534 65534", None),  # a daemon that has dropped its privileges
        ("65534 0 0", "real uid 65534"),  # a setuid program, such as su
        ("65534 65534 0", None),  # a setuid program that has put its privilege aside
        ("0 65534 0", "real uid 0"),  # root's, which acts as another user for a while
    ],
)
def test_a_process_belongs_to_a_user_by_real_and_effective_uid(
    look: Look, start: Start, name: str, uids: str, objection: str | None
) -> None:
    needs(root=True)
    (pid,) = run_as(start, uids, WITH_UIDS, name)
    effective = uids.split()[1]
    for user in ("0", "65534"):
        answer = look("process", "--user", user, name)
        counts = objection is None and user == effective
        assert answer.verdict == ("ok running" if counts else "critical missing"), user
        if objection and user == effective:
            assert f"pid {pid} is run by another user ({objection})" in answer.message


def test_su_that_waits_for_a_password_is_not_roots_nginx(look: Look, start: Start) -> None:
    needs("su", "setpriv", root=True)
    with tempfile.TemporaryDirectory(dir="/tmp") as public:
        os.chmod(public, 0o755)
        link = pathlib.Path(public, NAME)
        link.symlink_to(str(shutil.which("su")))
        nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
        waits = start([*nobody, str(link), "root"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        while not has_started(waits.pid, NAME):
            assert waits.poll() is None
        assert os.stat(f"/proc/{waits.pid}").st_uid == 0, "a process whose effective user is root"
        assert look("process", NAME).verdict == "ok running", "without --user it is anybody's"
        answer = look("process", "--user", "root", NAME)
        assert waits.poll() is None
    assert answer.verdict == "critical missing"
    assert "run by another user (real uid 65534)" in answer.message


def test_the_effective_user_counts_even_if_a_process_hides_its_memory(
    look: Look, script: Script
) -> None:
    """Vault with cap_ipc_lock is not dumpable: its files in /proc belong to root."""
    needs(root=True)
    (pid,) = script(NOBODY, NAME)
    assert os.stat(f"/proc/{pid}/comm").st_uid == 0, "not dumpable"
    assert look("process", "--user", "65534", NAME).data["pids"] == [int(pid)]


def test_verbose_shows_pid_user_age_command_and_state(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    from kacheck.cli import main

    pid = start(NAME, "60").pid
    assert main(["process", "--verbose", NAME]) == 0
    (shown,) = (row for row in capsys.readouterr().out.splitlines() if f"pid {pid}, " in row)
    for part in (f"user {pwd.getpwuid(os.geteuid()).pw_name}", "age_s ", "state ", f"{NAME} 60"):
        assert part in shown


def test_a_processs_age_does_not_depend_on_proc_stats_boot_time(
    look: Look, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under lxcfs, which shows the container's own boot time."""
    monkeypatch.setattr("psutil.boot_time", lambda: 4_000_000_000.0)
    start(NAME, "60")
    (match,) = look("process", NAME).data["matches"]
    assert 0 <= match["age_s"] < 30


def test_a_process_whose_main_thread_has_gone_is_described_as_that(
    look: Look, script: Script
) -> None:
    script(MAIN_THREAD_GONE, NAME)
    (match,) = look("process", NAME).data["matches"]
    assert match["state"] == "main thread exited"


def test_without_psutil_the_verdict_is_the_same(
    look: Look, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "kacheck.probes.process.describe", raising=False)
    monkeypatch.setitem(sys.modules, "psutil", None)
    start(NAME, "60")
    answer = look("process", NAME)
    assert (answer.code, answer.verdict) == (0, "ok running")
    assert "apt install python3-psutil" in answer.data["warnings"][0]


def test_a_process_that_ends_while_it_is_described_is_gone() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert describe(child.pid) == {"pid": child.pid, "state": "gone"}


def test_a_user_without_a_name_is_a_number() -> None:
    assert user_name(4_000_000_000) == "4000000000"


def test_a_command_line_longer_than_one_read_is_compared_whole(look: Look, start: Start) -> None:
    long = "x" * 9000
    start([sys.executable, "-c", "import time; time.sleep(60)", long, "end"])
    wanted = [sys.executable, "--", "-c", "import time; time.sleep(60)", long]
    assert look("process", *wanted, "end").verdict == "ok running"
    assert look("process", *wanted, "other").verdict == "critical missing"


# --- what other users' processes can do to a look -----------------------------------------------


class Reads:
    """How many bytes were read from which files of /proc."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: dict[str, int] = {}
        self._paths: dict[int, str] = {}
        self._open, self._read = os.open, os.read
        monkeypatch.setattr(os, "open", self.open)
        monkeypatch.setattr(os, "read", self.read)

    def open(self, path: Any, *args: Any, **options: Any) -> int:
        file = self._open(path, *args, **options)
        self._paths[file] = os.fsdecode(path)
        return file

    def read(self, file: int, size: int) -> bytes:
        data = self._read(file, size)
        path = self._paths.get(file, "")
        self.sizes[path] = self.sizes.get(path, 0) + len(data)
        return data

    def of(self, pid: str | int) -> dict[str, int]:
        """Return the files of one process, by their names."""
        start = f"/proc/{pid}/"
        return {p.removeprefix(start): n for p, n in self.sizes.items() if p.startswith(start)}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


def attacked(start: Start, name: str, uids: str = "65534 65534 65534") -> str:
    """Start the service, and an unprivileged process of its name with a huge command line."""
    needs(root=True)
    answer, pid = run_as(start, uids, HUGE, name)
    if answer == "refused":
        pytest.skip("this kernel has no PR_SET_MM_MAP: it needs CONFIG_CHECKPOINT_RESTORE")
    start(name, "60")
    return pid


@pytest.mark.parametrize("options", [[], ["--user", "root"]], ids=["anybody", "root"])
@pytest.mark.parametrize("words", [[NAME], [LONG], [NAME, "60"]], ids=["short", "long", "args"])
def test_a_strangers_huge_command_line_does_not_delay_a_look(
    look: Look, start: Start, reads: Reads, words: list[str], options: list[str]
) -> None:
    pid = attacked(start, words[0])
    answer = look("process", "--timeout", "5", *options, *words)
    assert answer.verdict == "ok running"
    # Where comm decides: 4 KiB to tell a look of kacheck's, and 4 KiB that are shown.
    most = 2 * 4096 if words == [NAME] else 3 * 4096 + 100
    assert reads.of(pid).get("cmdline", 0) <= most


@pytest.mark.parametrize("uids", ["65534 65534 65534", "65534 0 0"], ids=["own", "setuid"])
@pytest.mark.parametrize("words", [[NAME], [LONG], [NAME, "60"]], ids=["short", "long", "args"])
def test_an_owners_check_does_not_read_other_users_processes_closely(
    look: Look, start: Start, reads: Reads, words: list[str], uids: str
) -> None:
    pid = attacked(start, words[0], uids)
    answer = look("process", "--timeout", "5", "--user", "root", *words)
    assert answer.verdict == "ok running"
    assert int(pid) not in answer.data["pids"]
    assert set(reads.of(pid)) <= {"comm", "status"}
    why = {each["pid"]: each["why"] for each in answer.data.get("not_counted", [])}
    assert ("by another user" in why.get(int(pid), "")) == (len(words) == 1), "args are unread"


def test_the_user_is_read_despite_65536_groups(look: Look, start: Start, reads: Reads) -> None:
    needs(root=True)
    (pid,) = run_as(start, "65534 65534 65534", MANY_GROUPS, NAME)
    calls = 0
    read = os.read

    def count(file: int, size: int) -> bytes:
        nonlocal calls
        calls += 1
        return read(file, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "read", count)
        status = procfs.Process("/proc", int(pid)).status()
    assert reads.of(pid)["status"] > 300_000
    assert status["NSpid"] == pid
    assert calls <= 2, "a chunk at a time would take time with its square"
    assert look("process", "--user", "65534", NAME).verdict == "ok running"


def test_a_match_is_described_with_the_beginning_of_its_command_line(
    look: Look, start: Start, reads: Reads
) -> None:
    start(NAME, "60", *["0" * 100_000] * 15)
    answer = look("process", NAME)
    (match,) = answer.data["matches"]
    assert "60 000" in match["command"]
    assert match["command"].endswith("...")
    assert len(match["command"]) <= 4096 + 3
    assert reads.of(match["pid"])["cmdline"] <= 3 * 4096


@pytest.mark.parametrize("uids", ["65533 65533 65533", "65533 65534 65534"], ids=["own", "setuid"])
def test_another_users_unreadable_executable_does_not_disturb_an_owners_check(
    public_copy: list[str], start: Start, uids: str
) -> None:
    """With a maximum a process that could be one more makes the answer unknown."""
    needs("setpriv", root=True)
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
    child = start(
        ["other-name", "-I", "-c", WITH_UIDS, LONG, uids],
        executable=os.path.realpath(sys.executable),
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    shown = [
        subprocess.run(
            [*nobody, *public_copy, "process", *options, "--quorum-max", "0", LONG],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        for options in ([], ["--user", "65534"])
    ]
    assert shown[0].startswith("unknown hidden"), "anybody's: it could be one"
    assert f"(/proc/{child.pid}/exe: Permission denied)" in shown[0]
    assert shown[1].startswith("ok missing"), shown[1]


def test_hidepid_that_shows_owners_hides_nothing_from_an_owners_check(
    public_copy: list[str],
) -> None:
    """hidepid=1 lists every process: those that cannot be read are another user's."""
    needs("unshare", "setpriv", root=True)
    nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups --"
    look = f"{nobody} {' '.join(public_copy)} process --quorum-max 1 --user"
    code = f"""
        mount -t proc -o hidepid=$1 proc /proc
        {nobody} sleep 60 &
        until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done
        {look} 65534 sleep; {look} root sleep
        """
    for mode, own in (("1", "ok running"), ("2", "unknown hidden")):
        argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c", code, "", mode]
        shown = subprocess.run(argv, capture_output=True, text=True, check=False)
        nobodys, roots = shown.stdout.splitlines()
        assert nobodys.startswith(own), shown
        assert roots.startswith("unknown hidden"), shown
