"""`script/demo` keeps its promises: what it shows, what it says without root, what it leaves."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.needs import needs
from helpers.paths import ROOT

DEMO = [sys.executable, str(ROOT / "script/demo.py")]
NOBODY = ["unshare", "--user", "--map-user=65534", "--"]
"""Not root, but its files are still ours: nobody else may be able to read this tree."""
SAID = [
    ("uninitialized", "critical uninitialized", 2),
    ("sealed", "critical sealed", 2),
    ("standby", "warning standby", 1),
    ("active", "ok active", 0),
    ("performance-standby", "warning performance-standby", 1),
    ("dr-secondary", "warning dr-secondary", 1),
    ("ha-unhealthy", "critical ha-unhealthy", 2),
    ("removed", "critical removed", 2),
    ("rate-limited", "unknown rate-limited", 3),
    ("hanging", "critical timeout", 2),
    ("killed", "critical refused", 2),
]


def as_nobody() -> list[str]:
    """Return the prefix that drops root's rights, if the user is root."""
    if os.geteuid() != 0:
        return []
    needs("unshare")
    return NOBODY


@pytest.fixture(scope="module")
def without_root() -> subprocess.CompletedProcess[str]:
    """One run of it; the user's own Vault must not matter."""
    env = {**os.environ, "VAULT_ADDR": "http://192.0.2.1:1", "VAULT_SKIP_VERIFY": "perhaps"}
    return subprocess.run(
        [*as_nobody(), *DEMO], check=False, capture_output=True, text=True, timeout=110, env=env
    )


def scene(output: str, state: str) -> str:
    """Return what it shows of one state."""
    match = re.search(rf"^ ?\d+ {state}\n(.*?)^(?=\n|\Z)", output, re.MULTILINE | re.DOTALL)
    assert match, output
    return match[1]


@pytest.mark.slow
class TestWithoutRoot:
    def test_it_succeeds(self, without_root: subprocess.CompletedProcess[str]) -> None:
        assert without_root.returncode == 0
        assert without_root.stderr == ""

    @pytest.mark.parametrize(("state", "said", "code"), SAID)
    def test_every_state_has_its_reason_and_exit_code(
        self, without_root: subprocess.CompletedProcess[str], state: str, said: str, code: int
    ) -> None:
        shown = re.findall(
            r"\$ kacheck vault(?: --verbose)?\n +(\S+ \S+): .*?-> exit code (\d)",
            scene(without_root.stdout, state),
            re.DOTALL,
        )
        assert shown == [(said, str(code))]

    @pytest.mark.parametrize(
        ("state", "said"),
        [
            ("sealed", "critical sealed: vault: "),
            ("active", "ok active: 1 process named vault"),
            ("hanging", "critical timeout: vault: "),
            ("killed", "critical missing: process: no process named vault"),
        ],
    )
    def test_the_combined_check_says_which_half_failed(
        self, without_root: subprocess.CompletedProcess[str], state: str, said: str
    ) -> None:
        _, _, combined = scene(without_root.stdout, state).partition("$ kacheck combined ")
        assert said in combined

    def test_it_says_what_the_second_part_needs(
        self, without_root: subprocess.CompletedProcess[str]
    ) -> None:
        _, _, rest = without_root.stdout.partition("Part 2 is left out\n")
        for word in ("root", "keepalived", "iproute2", "sudo script/demo"):
            assert word in rest

    def test_it_is_plain_text_of_a_hundred_columns(
        self, without_root: subprocess.CompletedProcess[str]
    ) -> None:
        assert "\033" not in without_root.stdout
        assert max(map(len, without_root.stdout.splitlines())) <= 100


def traces(pid: int) -> list[str]:
    """Return the processes, mounts and files that a demonstration has not removed."""
    mark = f"kacheck-{pid}-"
    left = [str(path) for path in Path(tempfile.gettempdir()).glob(f"{mark}*")]
    left += [str(path) for path in Path("/run/netns").glob(f"{mark}*")]
    left += [line for line in Path("/proc/mounts").read_text().splitlines() if mark in line]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        left += [words] if mark in words else []
    return left


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[str]]:
    """A running demonstration of the user who started the tests."""
    process = subprocess.Popen(
        DEMO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    yield process
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def read_until(demo: subprocess.Popen[str], text: str) -> None:
    assert demo.stdout
    assert any(text in line for line in demo.stdout), f"it never showed {text!r}"


def stopped_by(demo: subprocess.Popen[str], signum: int) -> None:
    """Check that it ends with 128 + signum, at most one line more, and leaves nothing."""
    os.kill(demo.pid, signum)
    output, _ = demo.communicate(timeout=30)
    assert demo.returncode == 128 + signum
    assert output.splitlines()[-1].endswith(": stopped; nothing is left behind.")
    assert "Traceback" not in output
    assert traces(demo.pid) == []


@pytest.mark.slow
class TestInterrupted:
    @pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_in_the_first_part_it_leaves_nothing(
        self, demo: subprocess.Popen[str], signum: int
    ) -> None:
        read_until(demo, "export VAULT_ADDR")
        assert traces(demo.pid) != []
        stopped_by(demo, signum)

    def test_a_closed_pipe_leaves_nothing(self, demo: subprocess.Popen[str]) -> None:
        read_until(demo, "export VAULT_ADDR")
        assert demo.stdout
        demo.stdout.close()
        assert demo.wait(timeout=30) == 128 + signal.SIGPIPE
        assert traces(demo.pid) == []


@pytest.fixture
def real_root() -> None:
    needs("keepalived", "ip", "unshare", "nsenter", "setpriv", root=True)


@pytest.mark.keepalived
@pytest.mark.usefixtures("real_root")
class TestAsRoot:
    def test_the_vip_goes_where_the_active_vault_is(self, demo: subprocess.Popen[str]) -> None:
        began = time.monotonic()
        output, _ = demo.communicate(timeout=118)
        assert demo.returncode == 0, output
        assert time.monotonic() - began < 115

        usual, _, ours = output.partition("Part 2")[2].partition("Now with kacheck")
        assert re.search(r"s  a  log  .* errno 111 ", usual)
        assert re.search(r"s  a  log  .* track_vault quorum not achieved", usual)
        assert re.search(r"s  a  process  .* 1 process named vault", usual)
        for node in "ab":
            assert re.search(rf"s  {node}  FAULT +still", usual)
        assert "MASTER" not in usual

        story = re.findall(
            r"^ *[0-9.]+ s  (\w)  (VIP|sealed|killed|active|FAULT) ", ours, re.MULTILINE
        )
        assert [" ".join(row) for row in story] == [
            "a VIP",
            "b active",
            "b VIP",
            "b killed",
            "b FAULT",
            "a VIP",
            "a active",
            "a sealed",
            "a FAULT",
            "b VIP",
        ]
        times = [float(at) for at in re.findall(r"^ *([0-9.]+) s  \w  ", output, re.MULTILINE)]
        assert times == sorted(times)
        assert len(re.findall(r"the VIP was on [ab] after [0-9.]+ s", ours)) == 3
        assert max(map(len, output.splitlines())) <= 100
        assert traces(demo.pid) == []

    @pytest.mark.parametrize("moment", ["Part 2", "a  log", "b  MASTER"])
    def test_ctrl_c_leaves_nothing(self, demo: subprocess.Popen[str], moment: str) -> None:
        read_until(demo, moment)
        stopped_by(demo, signal.SIGINT)


def test_the_shell_script_sets_up_and_hands_over() -> None:
    script = ROOT / "script/demo"
    assert os.access(script, os.X_OK)
    sh = shutil.which("dash") or "sh"
    assert subprocess.run([sh, "-n", script], check=False).returncode == 0
