"""What the unit does when the watcher has ended: the shell line of its ExecStopPost=.

tests/keepalived/test_systemd.py has it under a real systemd; here each of its steps fails.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from helpers.paths import ROOT

UNIT = (ROOT / "systemd/kacheck.service").read_text()
STOP, RESTART, NOTHING = "7 kacheck.service stop running", "7 kacheck.service restart waiting", ""


def command(state_dir: Path) -> str:
    """Return the line as systemd gives it to sh (systemd.service(5), Command lines)."""
    found = re.search(r"^ExecStopPost=\+/bin/sh -c '(.*?)'$", UNIT, re.MULTILINE | re.DOTALL)
    assert found is not None
    line = found[1].replace("\\\n", " ").replace("$$", "$").replace("%n", "kacheck.service")
    return line.replace("/run/kacheck", str(state_dir))


class Ended:
    """A state directory of two healthy checks, one of which has no verdict yet."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.programs = directory / "bin"
        for name in ("bin", "track", "failing", "verdict"):
            (directory / name).mkdir()
        for check in ("node", "new"):
            (directory / "track" / check).write_text("1\n")
            (directory / "failing" / check).write_text("0\n")
        (directory / "verdict/node").write_text("0 1 ok running x\n")

    def program(self, name: str, code: str) -> None:
        """Put this in place of a program."""
        (self.programs / name).write_text(f"#!/bin/sh\n{code}\n")
        (self.programs / name).chmod(0o755)

    def run(self, result: str, status: str, job: str) -> subprocess.CompletedProcess[str]:
        if not (self.programs / "systemctl").exists():
            self.program("systemctl", f"echo '{job}'")
        environ = {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "SERVICE_RESULT": result,
            "EXIT_STATUS": status,
        }
        return subprocess.run(
            ["/bin/sh", "-c", command(self.directory)],
            check=False,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
        )

    def track(self, check: str) -> str | None:
        path = self.directory / "track" / check
        return path.read_text().strip() if path.exists() else None


@pytest.fixture
def ended(tmp_path: Path) -> Ended:
    return Ended(tmp_path)


@pytest.mark.parametrize(
    ("result", "status", "job", "kept"),
    [
        ("success", "0", STOP, False),
        ("success", "0", NOTHING, False),
        ("success", "0", RESTART, True),
        ("exit-code", "1", NOTHING, True),
        ("exit-code", "3", NOTHING, False),
        ("exit-code", "3", RESTART, False),
        ("signal", "KILL", NOTHING, True),
        ("signal", "KILL", STOP, False),
        ("watchdog", "ABRT", NOTHING, True),
        ("oom-kill", "KILL", NOTHING, True),
        ("timeout", "KILL", NOTHING, False),
        ("start-limit-hit", "1", NOTHING, False),
    ],
)
def test_what_is_left_to_the_guards(
    ended: Ended, result: str, status: str, job: str, *, kept: bool
) -> None:
    shown = ended.run(result, status, job)
    assert (shown.returncode, shown.stdout) == (0, "")
    assert ended.track("node") == ("1" if kept else "0")
    assert ended.track("new") == "0", "nobody has looked yet"
    assert (ended.directory / "verdict/node").exists() is not kept


@pytest.mark.parametrize("program", ["timeout", "systemctl"])
@pytest.mark.parametrize("result", ["signal", "success"])
def test_where_nobody_says_what_was_meant_it_was_a_stop(
    ended: Ended, program: str, result: str
) -> None:
    ended.program(program, "exit 124")
    shown = ended.run(result, "KILL", RESTART)
    assert [ended.track(check) for check in ("node", "new")] == ["0", "0"]
    assert "<4>no answer about the jobs of systemd" in shown.stdout


def test_a_verdict_that_stays_is_not_left_to_the_guards(ended: Ended) -> None:
    """It would be taken for one of the next start, and for the one after that."""
    ended.program("rm", "exit 1")
    ended.run("signal", "KILL", NOTHING)
    assert ended.track("node") == "0"


def test_a_value_that_cannot_be_put_in_place_removes_the_file(ended: Ended) -> None:
    ended.program("mv", "exit 1")
    assert ended.run("success", "0", STOP).returncode == 0
    assert [ended.track(check) for check in ("node", "new")] == [None, None]


def test_a_file_that_cannot_be_written_is_reported_and_others_fail(ended: Ended) -> None:
    (ended.directory / "track/node").unlink()
    (ended.directory / "track/node/x").mkdir(parents=True)
    shown = ended.run("success", "0", STOP)
    assert shown.returncode == 1
    assert "<3>node: the track file cannot be made to fail" in shown.stdout
    assert ended.track("new") == "0"


@pytest.mark.parametrize(
    ("result", "status", "job", "is_stop"),
    [
        ("success", "0", STOP, True),
        ("success", "0", RESTART, False),
        ("signal", "KILL", NOTHING, False),
        ("exit-code", "3", NOTHING, False),
    ],
)
def test_a_stop_says_which_check_it_cannot_make_fail(
    ended: Ended, result: str, status: str, job: str, *, is_stop: bool
) -> None:
    """With each start that is refused the line would come again, and all failing values are used."""
    (ended.directory / "failing/new").unlink()
    shown = ended.run(result, status, job)
    assert shown.stdout.startswith("<3>new: its track file stays as it is") is is_stop
    assert shown.stdout.count("\n") == int(is_stop)
    assert ended.track("new") == "1"
    assert shown.returncode == 0


def test_without_the_failing_values_the_track_files_are_removed(ended: Ended) -> None:
    for path in (ended.directory / "failing").iterdir():
        path.unlink()
    (ended.directory / "failing").rmdir()
    shown = ended.run("signal", "KILL", NOTHING)
    assert os.listdir(ended.directory / "track") == []
    assert "<3>all track files are removed" in shown.stdout


def test_without_a_state_directory_there_is_nothing_to_do(ended: Ended) -> None:
    for name in ("track", "failing"):
        for path in (ended.directory / name).iterdir():
            path.unlink()
        (ended.directory / name).rmdir()
    shown = ended.run("success", "0", STOP)
    assert (shown.returncode, shown.stdout) == (0, "")
