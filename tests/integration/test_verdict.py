"""kacheck-verdict believes the watcher only while there is every reason to; else it looks.

Here the watcher says `ok`, and the check of the configuration file finds nothing: whatever is not
believed ends as `critical missing`, and no accident ends as 0.
"""

import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from helpers.needs import needs
from helpers.paths import ROOT
from helpers.vault import StandInVault
from kacheck.statedir import uptime

Start = Callable[..., subprocess.Popen[bytes]]

SCRIPT = str(ROOT / "checks/kacheck-verdict")
SAID = "all is well"
SHELLS = {"sh": ["/bin/sh"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}


class Watcher(NamedTuple):
    """A state directory with a verdict, and a process in place of the watcher."""

    process: subprocess.Popen[bytes]
    state_dir: pathlib.Path
    config: pathlib.Path

    def says(self, text: str | bytes, check: str = "node") -> None:
        """Write a verdict; `{soon}` in it is a good expiry."""
        if isinstance(text, str):
            text = text.replace("{soon}", str(int(uptime()) + 60)).encode()
        (self.state_dir / "verdict" / check).write_bytes(text)

    def names(self, text: str | None = None) -> None:
        """Write the pid file, by default for the process."""
        text = f"{self.process.pid} {start_time(self.process)}\n" if text is None else text
        (self.state_dir / "watcher/pid").write_text(text)

    def words(self, *words: str) -> list[str]:
        """Return the command's words."""
        return ["--state-dir", str(self.state_dir), "--config", str(self.config), *words]


def stat(process: subprocess.Popen[bytes]) -> list[str]:
    """Return the fields from the state on, the third one (proc_pid_stat(5))."""
    text = pathlib.Path(f"/proc/{process.pid}/stat").read_text()
    return text.rpartition(") ")[2].split()


def start_time(process: subprocess.Popen[bytes]) -> str:
    return stat(process)[19]


@pytest.fixture
def directory() -> Iterator[pathlib.Path]:
    """One that everybody may enter, unlike tmp_path."""
    with tempfile.TemporaryDirectory(prefix="ktest-", dir="/tmp") as name:
        pathlib.Path(name).chmod(0o755)
        yield pathlib.Path(name)


@pytest.fixture
def watcher(directory: pathlib.Path, start: Start) -> Watcher:
    return prepared(directory, start("ktest-watcher", "60"))


def prepared(directory: pathlib.Path, process: subprocess.Popen[bytes]) -> Watcher:
    (directory / "verdict").mkdir()
    (directory / "watcher").mkdir()
    config = directory / "kacheck.toml"
    config.write_text(
        '[check.node]\nprobe = "process"\nname = "ktest-none"\ntimeout = 20\ninterval = 20\n'
    )
    made = Watcher(process, directory, config)
    made.says(f"0 {{soon}} ok running {SAID}\n")
    made.names()
    return made


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    argv = SHELLS[request.param]
    needs(argv[0])
    return argv


def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, check=False, capture_output=True, encoding="utf-8", timeout=30, **options
    )


def assert_believed(shown: subprocess.CompletedProcess[str]) -> None:
    assert (shown.returncode, shown.stdout) == (0, f"ok running: {SAID}\n"), shown
    assert shown.stderr == ""


def assert_looked(shown: subprocess.CompletedProcess[str], code: int = 2) -> None:
    answer = "critical missing: no process named ktest-none\n"
    assert (shown.returncode, shown.stdout) == (code, answer), shown
    assert shown.stderr == ""


# --- believed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code", "misc"),
    [
        ("0 {soon} ok active https://127.0.0.1:8200 is active", 0, 0),
        ("1 {soon} warning standby a | b ; $(c) * `d` \\n %s", 1, 1),
        ("2 {soon} critical ha-unhealthy  two spaces ", 2, 1),
        ("2 {soon} critical stopped ", 2, 1),
        ("3 {soon} unknown hidden ünïcode", 3, 1),
        ("0 {soon} unknown hidden passes", 0, 0),
        ("0 {soon} ok running 2 processes named vault (pid 1, 2)", 0, 0),
        ("2 {soon} critical too-few 1 process named x (pid 7), at least 2 wanted", 2, 1),
        ("2 {soon} critical bad-response it answered 500, not a health code,", 2, 1),
    ],
)
def test_a_verdict_is_exited_with_and_printed(
    watcher: Watcher, shell: list[str], line: str, code: int, misc: int
) -> None:
    watcher.says(line + "\n")
    status, reason, message = line.split(" ", 4)[2:]
    for words, expected in ((["node"], code), (["--misc", "node"], misc)):
        shown = run([*shell, SCRIPT, *watcher.words(*words)])
        assert shown.returncode == expected, shown
        assert shown.stdout == f"{status} {reason}: {message}\n"
        assert shown.stderr == ""


@pytest.mark.parametrize(
    ("line", "words", "answer"),
    [
        ("1 {soon} warning standby x", ["--accept", "standby"], (0, "ok standby: x")),
        ("1 {soon} warning standby x", ["--accept", "active", "--accept", "standby"], (0, "ok standby: x")),
        ("1 {soon} warning standby x", ["--misc", "--accept", "standby"], (0, "ok standby: x")),
        ("1 {soon} warning standby x", ["--accept", "performance-standby"], (1, "warning standby: x")),
        ("1 {soon} warning performance-standby x", ["--accept", "standby"], (1, "warning performance-standby: x")),
        ("0 {soon} ok active x", ["--accept", "standby"], (0, "ok active: x")),
        ("2 {soon} critical sealed x", ["--accept", "standby"], (2, "critical sealed: x")),
        ("3 {soon} unknown hidden x", ["--accept", "standby"], (3, "unknown hidden: x")),
    ],
)  # fmt: skip
def test_a_warning_that_is_accepted_is_ok_and_no_failure_is(
    watcher: Watcher, shell: list[str], line: str, words: list[str], answer: tuple[int, str]
) -> None:
    watcher.says(f"{line}\n")
    shown = run([*shell, SCRIPT, *watcher.words(*words, "node")])
    assert (shown.returncode, shown.stdout.rstrip("\n"), shown.stderr) == (*answer, "")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"PATH": "/nonexistent"},
        {"IFS": "0123456789/ok"},
        {"ENV": "/dev/full", "BASH_ENV": "/dev/full", "POSIXLY_CORRECT": "1", "CDPATH": "/"},
        {"LC_ALL": "tr_TR.UTF-8", "LANG": "C.UTF-8"},
        {"dir": "/x", "misc": "1", "code": "3", "line": "x", "end": "x", "stat": "x", "pid": "1"},
    ],
)
def test_the_environment_changes_nothing(watcher: Watcher, environ: dict[str, str]) -> None:
    assert_believed(run([SCRIPT, *watcher.words("node")], env=environ, umask=0o177, cwd="/"))
    watcher.says("0\n")
    looked = run([SCRIPT, *watcher.words("node")], env=environ, umask=0o177, cwd="/")
    assert_looked(looked)


@pytest.mark.parametrize(
    "redirection", [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", ">/dev/full 2>/dev/full"]
)
def test_no_output_changes_the_code(watcher: Watcher, shell: list[str], redirection: str) -> None:
    for line, code in (("0 {soon} ok running x", 0), ("1 {soon} warning standby x", 1)):
        watcher.says(line + "\n")
        wrapped = ["sh", "-c", f'exec "$@" {redirection}', "sh", *shell, SCRIPT]
        assert run([*wrapped, *watcher.words("node")]).returncode == code


def test_a_reader_that_has_gone_changes_nothing(watcher: Watcher, shell: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    argv = [*shell, SCRIPT, *watcher.words("node")]
    assert subprocess.run(argv, stdout=write, check=False, timeout=30).returncode == 0
    os.close(write)


def test_a_verdict_that_is_believed_costs_no_fork(
    watcher: Watcher, directory: pathlib.Path
) -> None:
    """By a user whose processes are too many already."""
    script = str(shutil.copy(SCRIPT, directory))

    def no_fork() -> None:
        if os.geteuid() == 0:
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))

    forked = run(["/bin/sh", "-c", "/bin/true; exit 0"], preexec_fn=no_fork)
    assert forked.returncode != 0, "this very test would show nothing"
    assert_believed(run([script, *watcher.words("node")], preexec_fn=no_fork))
    watcher.says("0\n")
    looked = run([script, *watcher.words("node")], preexec_fn=no_fork)
    assert looked.returncode != 0, "a shell that cannot fork fails"


# --- not believed ---------------------------------------------------------------------------


GARBLED = {
    "empty": "",
    "a newline": "\n",
    "no newline": "0 {soon} ok running x",
    "two lines": "0 {soon} ok running x\n0 {soon} ok running x\n",
    "a second line without a newline": "0 {soon} ok running x\ny",
    "an empty second line": "0 {soon} ok running x\n\n",
    "CRLF": "0 {soon} ok running x\r\n",
    "leading space": " 0 {soon} ok running x\n",
    "leading newline": "\n0 {soon} ok running x\n",
    "two spaces": "0  {soon} ok running x\n",
    "tabs": "0\t{soon}\tok\trunning\tx\n",
    "a byte order mark": "\ufeff0 {soon} ok running x\n",
    "only a code": "0\n",
    "no status": "0 {soon}\n",
    "no reason": "0 {soon} ok\n",
    "no message": "0 {soon} ok ok\n",
    "no reason, a message": "0 {soon} ok  x\n",
    "a capital": "0 {soon} OK running x\n",
    "an invalid reason": "0 {soon} ok Running! x\n",
    "an escape in the message": "0 {soon} ok running \x1b[31m\n",
    "another status": "0 {soon} critical missing x\n",
    "another code": "2 {soon} ok running x\n",
    "warning as 0": "0 {soon} warning standby x\n",
    "an unknown code": "4 {soon} unknown hidden x\n",
    "a code with a sign": "+0 {soon} ok running x\n",
    "a code of two digits": "00 {soon} ok running x\n",
    "beyond reason": "0 9999999999 ok running x\n",
    "beyond any number": f"0 {'9' * 400} ok running x\n",
    "2^64 and a bit": "0 18446744073709551700 ok running x\n",
    "an octal number": "0 0{soon} ok running x\n",
    "08": "0 08 ok running x\n",
    "hexadecimal": "0 0x7fffffff ok running x\n",
    "negative": "0 -1 ok running x\n",
    "an exponent": "0 1e9 ok running x\n",
    "a fraction": "0 {soon}.5 ok running x\n",
    "an expression": "0 uptime+9 ok running x\n",
    "a command": "0 $(id) ok running x\n",
    "an expiry of nothing": "0  ok running x y\n",
    "over": "0 1 ok running x\n",
}  # fmt: skip


@pytest.mark.parametrize("text", GARBLED.values(), ids=GARBLED)
def test_a_malformed_verdict_causes_a_look(watcher: Watcher, shell: list[str], text: str) -> None:
    watcher.says(text)
    assert_looked(run([*shell, SCRIPT, *watcher.words("node")]))


@pytest.mark.parametrize(
    "text", [b"\0" * 64, b"0 \0 ok running x\n", b"\xff\xfe0\0 \0", bytes(range(256))]
)
def test_bytes_that_are_not_text_cause_a_look(watcher: Watcher, text: bytes) -> None:
    watcher.says(text)
    assert_looked(run([SCRIPT, *watcher.words("node")]))


@pytest.mark.parametrize("name", ["verdict/node", "watcher/pid"])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda _: None, id="missing"),
        pytest.param(os.mkdir, id="directory"),
        pytest.param(os.mkfifo, id="FIFO"),
        pytest.param(lambda path: os.symlink("/dev/zero", path), id="device"),
        pytest.param(lambda path: os.symlink("nowhere", path), id="dangling"),
    ],
)
def test_anything_but_a_file_is_replaced_by_a_look(
    watcher: Watcher, shell: list[str], name: str, make: Callable[[pathlib.Path], None]
) -> None:
    path = watcher.state_dir / name
    path.unlink()
    make(path)
    assert_looked(run([*shell, SCRIPT, *watcher.words("node")]))


def test_an_unreadable_verdict_file_causes_a_look(watcher: Watcher) -> None:
    needs("setpriv", root=True)
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    for name in ("verdict/node", "watcher/pid"):
        path = watcher.state_dir / name
        path.chmod(0)
        shown = run([*nobody, SCRIPT, *watcher.words("node")])
        assert shown.returncode != 0, shown
        assert SAID not in shown.stdout
        path.chmod(0o644)


@pytest.mark.parametrize(
    ("now", "expiry", "believed"),
    [
        ("100.00 5.0", 101, True),
        ("100.99 5.0", 101, True),
        ("101.00 5.0", 101, False),
        ("102.00 5.0", 101, False),
        ("100.99 5.0", 222, True),
        ("100.99 5.0", 223, False),
        ("0.05 0.0", 1, True),
        ("31536000.00 5.0", 31536001, True),
        ("", 101, False),
        ("x", 101, False),
        ("-1.5 0", 101, False),
    ],
)
def test_the_time_is_the_uptime_and_nothing_far_ahead_of_it(
    watcher: Watcher, shell: list[str], now: str, expiry: int, believed: bool
) -> None:
    needs("unshare", "mount", root=True)
    clock = watcher.state_dir / "uptime"
    clock.write_text(f"{now}\n")
    watcher.says(f"0 {expiry} ok running {SAID}\n")
    code = f'mount --bind {clock} /proc/uptime && exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", code, "sh", *shell, SCRIPT, *watcher.words("node")]
    (assert_believed if believed else assert_looked)(run(argv))


def test_without_proc_it_looks_itself(watcher: Watcher) -> None:
    needs("unshare", "mount", root=True)
    hide = 'mount -t tmpfs tmpfs /proc && exec "$@"'
    shown = run(["unshare", "--mount", "sh", "-c", hide, "sh", SCRIPT, *watcher.words("node")])
    assert shown.returncode != 0
    assert SAID not in shown.stdout


# --- the watcher ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["", "\n", "{pid}\n", "{pid} \n", "{pid} {start}", "x {start}\n", "{pid} x\n", "{pid} 0\n",
     "{pid} {other}\n", "0{pid} {start}\n", "-{pid} {start}\n", "self {start}\n", "1/../{pid} {start}\n",
     "{pid} 0x{start}\n", "4194999 {start}\n"],
)  # fmt: skip
def test_a_pid_file_that_matches_no_running_process_is_not_believed(
    watcher: Watcher, shell: list[str], line: str
) -> None:
    start = start_time(watcher.process)
    words = {"pid": watcher.process.pid, "start": start, "other": int(start) + 1}
    watcher.names(line.format(**words))
    assert_looked(run([*shell, SCRIPT, *watcher.words("node")]))


def test_a_watcher_that_is_stopped_or_ends_is_not_believed(
    watcher: Watcher, shell: list[str]
) -> None:
    argv = [*shell, SCRIPT, *watcher.words("node")]
    pid = watcher.process.pid
    assert_believed(run(argv))
    watcher.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    assert_looked(run(argv))
    watcher.process.send_signal(signal.SIGCONT)
    os.waitid(os.P_PID, pid, os.WCONTINUED | os.WNOWAIT)
    assert_believed(run(argv))
    watcher.process.kill()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert_looked(run(argv))
    watcher.process.wait()
    assert_looked(run(argv))


@pytest.mark.parametrize(
    ("comm", "believed"),
    [
        ("kacheck", True),
        ("kacheck-mute", False),
        ("kacheck-muted", True),
        ("a) R 1 2 (3) Z", True),
        ("a) T 1 (b) 4", True),
        ("two words", True),
        ("new\nline", False),
    ],
)
def test_a_comm_may_be_anything_and_kacheck_mute_cannot_write(
    directory: pathlib.Path, start: Start, shell: list[str], comm: str, believed: bool
) -> None:
    watcher = prepared(directory, start(comm, "60"))
    shown = run([*shell, SCRIPT, *watcher.words("node")])
    (assert_believed if believed else assert_looked)(shown)


# --- the command line -----------------------------------------------------------------------


def test_options_may_precede_the_check_in_any_order(watcher: Watcher) -> None:
    state, config = str(watcher.state_dir), str(watcher.config)
    for words in (
        ["--state-dir", state, "node"],
        ["--misc", "--state-dir", state, "--config", config, "node"],
        ["--config", config, "--state-dir", state, "--misc", "node"],
        ["--timeout", "1.5", "--config", config, "--state-dir", state, "node"],
    ):
        assert_believed(run([SCRIPT, *words]))


@pytest.mark.parametrize(
    "words", [["node", "--misc"], ["-v", "node"], ["--format", "nagios", "node"], ["-q", "node"]]
)
def test_what_only_the_slow_way_knows_is_looked_at(watcher: Watcher, words: list[str]) -> None:
    shown = run([SCRIPT, *watcher.words(*words)])
    assert shown.returncode == (1 if "--misc" in words else 2), shown
    assert SAID not in shown.stdout


@pytest.mark.parametrize(
    "words",
    [[], [""], ["../verdict/node"], ["./node"], ["no/de"], [".."], ["node", "nodes"], ["node "],
     ["-"], ["--state-dir"], ["--nonsense", "node"], ["node\n"], ["nod"], ["ALL"], ["n" * 65], ["*"]],
)  # fmt: skip
def test_bad_usage_is_3(watcher: Watcher, shell: list[str], words: list[str]) -> None:
    shown = run([*shell, SCRIPT, *watcher.words(*words)])
    assert shown.returncode == (2 if words == ["node", "nodes"] else 3), shown
    assert SAID not in shown.stdout
    if words != ["node", "nodes"]:
        assert shown.stderr.startswith("kacheck: ")
        assert run([*shell, SCRIPT, "--misc", *watcher.words(*words)]).returncode == 1


def test_a_configuration_that_is_missing_matters_only_to_the_slow_way(watcher: Watcher) -> None:
    words = ["--state-dir", str(watcher.state_dir), "--config", "/no/such.toml", "node"]
    assert_believed(run([SCRIPT, *words]))
    watcher.process.kill()
    watcher.process.wait()
    shown = run([SCRIPT, *words])
    assert shown.returncode == 3
    assert "/no/such.toml" in shown.stderr


def test_a_look_in_the_watchers_place_honours_the_drain(watcher: Watcher) -> None:
    (watcher.state_dir / "drain").mkdir()
    (watcher.state_dir / "drain/ALL").write_text("0 disks\n")
    watcher.says("")
    shown = run([SCRIPT, *watcher.words("node")])
    assert shown.returncode == 2
    assert shown.stdout.startswith("critical draining: drained: disks")


# --- SIGTERM --------------------------------------------------------------------------------


def test_sigterm_is_never_followed_by_exit_0(watcher: Watcher) -> None:
    """keepalived would book it as success. Here the answer waits for a pipe that is full."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    while True:
        try:
            os.write(write, b"x" * 65536)
        except BlockingIOError:
            break
    os.set_blocking(write, True)
    child = subprocess.Popen([SCRIPT, *watcher.words("node")], stdout=write)
    while stat(child)[0] != "S":
        os.sched_yield()
    child.terminate()
    assert child.wait(20) == -signal.SIGTERM
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("misc", [[], ["--misc"]])
def test_sigterm_during_the_slow_way_is_a_failure(watcher: Watcher, misc: list[str]) -> None:
    with StandInVault(state="hang") as vault:
        watcher.config.write_text(
            f'[check.node]\nprobe = "vault"\naddress = "{vault.address}"\ntimeout = 20\ninterval = 20\n'
        )
        watcher.says("")
        child = subprocess.Popen(
            [SCRIPT, *watcher.words(*misc, "node")],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert vault.wait_for_requests(1, timeout=20)
        os.killpg(child.pid, signal.SIGTERM)
        assert child.wait(20) == -signal.SIGTERM
