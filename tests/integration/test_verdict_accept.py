"""`kacheck-verdict --accept`: nothing passes but the warnings that it names."""

import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator

import pytest

from helpers.paths import ROOT
from kacheck.probes import reasons
from kacheck.procfs import Process
from kacheck.result import Status
from kacheck.statedir import uptime

Start = Callable[..., subprocess.Popen[bytes]]
Verdict = Callable[..., subprocess.CompletedProcess[str]]

SCRIPT = str(ROOT / "checks/kacheck-verdict")
SHELLS = [["/bin/sh"], ["bash", "--posix"], ["busybox", "sh"]]
WARNINGS = sorted(word for word, row in reasons().items() if Status.WARNING in row.statuses)
CONFIGURATION = """
[check.one]
probe = "command"
argv = ["/bin/sh", "-c", "exit 1"]

[check.node]
probe = "combined"
all = ["one"]
"""


@pytest.fixture
def verdict(start: Start) -> Iterator[Verdict]:
    """Run kacheck-verdict where the watcher says this, and a look finds `warning warned`."""
    process = start("ktest-watcher", "60")
    shells = [argv for argv in SHELLS if shutil.which(argv[0])]
    with tempfile.TemporaryDirectory(prefix="ktest-", dir="/tmp") as name:
        directory = pathlib.Path(name)
        for part in ("verdict", "watcher"):
            (directory / part).mkdir()
        ticks = Process("/proc", process.pid).started_ticks()
        (directory / "watcher/pid").write_text(f"{process.pid} {ticks}\n")
        (directory / "kacheck.toml").write_text(CONFIGURATION)

        def run(said: str, *words: str, shell: int = 0) -> subprocess.CompletedProcess[str]:
            code, rest = said.split(" ", 1)
            line = f"{code} {int(uptime()) + 60} {rest}\n"
            (directory / "verdict/node").write_text(line)
            files = ["--state-dir", name, "--config", f"{name}/kacheck.toml"]
            argv = [*shells[shell % len(shells)], SCRIPT, *files, *words, "node"]
            return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30)

        yield run


@pytest.mark.parametrize("shell", range(len(SHELLS)))
@pytest.mark.parametrize("word", ["stanby", "sealed", "ok", "hidden", "active-standby", ""])
def test_only_the_reason_of_a_warning_is_accepted(verdict: Verdict, word: str, shell: int) -> None:
    """A typo would show when a node becomes a standby, which is the wrong time."""
    shown = verdict("0 ok active it is active", "--accept", word, shell=shell)
    assert (shown.returncode, shown.stdout) == (3, "")
    assert f'invalid value "{word}" for --accept' in shown.stderr


@pytest.mark.parametrize("shell", range(len(SHELLS)))
@pytest.mark.parametrize("time", ["0", "0.0", ".", "1.2.3", "", "1s"])
def test_a_time_that_no_look_could_have_is_refused(verdict: Verdict, time: str, shell: int) -> None:
    """It would show when the watcher has ended, and a look takes its place."""
    shown = verdict("0 ok active it is active", "--timeout", time, shell=shell)
    assert shown.returncode == (1 if time == "1s" else 3), "1s: a look, which warns"
    assert "invalid time" in shown.stderr or time == "1s"


@pytest.mark.parametrize("time", ["1", "0.5", "10", "1."])
def test_a_time_that_a_look_can_have_is_taken(verdict: Verdict, time: str) -> None:
    assert verdict("0 ok active said", "--timeout", time).stdout == "ok active: said\n"


@pytest.mark.parametrize("word", WARNINGS)
def test_the_reason_of_each_warning_is_taken(verdict: Verdict, word: str) -> None:
    shown = verdict(f"1 warning {word} said", "--accept", word)
    assert (shown.returncode, shown.stdout) == (0, f"ok {word}: said\n")


@pytest.mark.parametrize("shell", range(len(SHELLS)))
def test_where_there_are_more_warnings_a_look_judges_each(verdict: Verdict, shell: int) -> None:
    said = "1 warning standby vault: it is a standby; also one: it warns"
    shown = verdict(said, "--accept", "standby", shell=shell)
    assert (shown.returncode, shown.stdout[:14]) == (1, "warning warned")
    accepting = verdict(said, "--accept", "standby", "--accept", "warned", shell=shell)
    assert (accepting.returncode, accepting.stdout[:9]) == (0, "ok warned")


def test_without_accept_they_need_no_look(verdict: Verdict) -> None:
    shown = verdict("1 warning standby vault: x; also one: y")
    assert (shown.returncode, shown.stdout) == (1, "warning standby: vault: x; also one: y\n")
