"""How the watcher ends: by a signal, by a crash, or because another has taken over."""

import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from helpers.checks import NAME, RARELY, process_check, wait_until_stopped
from helpers.child import Fault
from helpers.faults import crash_when, fail_to_forget
from helpers.waiting import PATIENCE
from helpers.watcher import Watcher

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_every_check_failing(tmp_path: Path, start: Start, number: int) -> None:
    start(NAME, "60")
    track = "{ ok = 50, critical = -254 }"
    toml = process_check() + process_check("graded") + f"track = {track}\n"
    with Watcher(tmp_path, toml) as watcher:
        assert (watcher.track("proc"), watcher.track("graded")) == (1, 50)
        watcher.signal(number)
        assert watcher.process.wait(PATIENCE) == 0
        assert (watcher.track("proc"), watcher.track("graded")) == (0, -254)
        for name in ("proc", "graded"):
            verdict = watcher.verdict(name)
            assert verdict is not None
            assert (verdict.exit_code, verdict.expiry) == (2, 0)
            assert (verdict.reason, verdict.message) == ("stopped", "the watcher was stopped")
        watcher.stop()
        assert watcher.find("all checks fail now")
        watcher.until(lambda: "STOPPING=1" in watcher.notified)


def crash(directory: Path) -> Fault:
    """Return the fault that lets a watcher crash once the file `crash` exists."""
    return partial(crash_when, str(directory / "crash"))


@pytest.mark.parametrize("end", ["signal", "crash"])
def test_what_started_it_may_decide_about_the_track_files(
    tmp_path: Path, start: Start, end: str
) -> None:
    """They stay, and the verdict is not believed without its process."""
    start(NAME, "60")
    toml = process_check(interval=0.1, timeout=0.1)
    with Watcher(
        tmp_path, toml, faults=[crash(tmp_path)], options=["--on-stop", "leave"]
    ) as watcher:
        assert watcher.track("proc") == 1
        if end == "signal":
            watcher.signal(signal.SIGTERM)
        else:
            (tmp_path / "crash").touch()
        code = watcher.process.wait(PATIENCE)
        assert code == (0 if end == "signal" else 1), "3 is a configuration that is refused"
        assert watcher.track("proc") == 1
        assert (tmp_path / "state/failing/proc").read_text() == "0\n", "it lies ready"
        watcher.stop()
        assert watcher.find("the track files stay, and whatever started it decides")


@pytest.mark.parametrize(
    "more", [[], [partial(fail_to_forget, "first")]], ids=["once", "and once more"]
)
def test_a_crash_leaves_the_failing_values(tmp_path: Path, start: Start, more: list[Fault]) -> None:
    start(NAME, "60")
    often: dict[str, Any] = {"interval": 0.1, "timeout": 0.1}
    toml = process_check("first", **often) + process_check("second", **often)
    with Watcher(tmp_path, toml, faults=[crash(tmp_path), *more]) as watcher:
        assert watcher.track("second") == 1
        (tmp_path / "crash").touch()
        assert watcher.process.wait(PATIENCE) != 0
        assert watcher.track("second") == 0
        verdict = watcher.verdict("second")
        assert verdict is not None
        assert (verdict.reason, verdict.message) == ("stopped", "the watcher has crashed")
        if not more:
            assert watcher.track("first") == 0
        watcher.stop()
        assert "a bug" in str(watcher.lines)


def test_another_watcher_that_has_the_directory_now_is_left_alone(
    tmp_path: Path, start: Start
) -> None:
    """Its lock file was deleted: it must not write what the other one will find changed."""
    start(NAME, "60")
    often = {"kacheck.watch.supervisor.LOCK_INTERVAL": 0.1}
    with Watcher(tmp_path, process_check(**RARELY), settings=often) as first:
        first.signal(signal.SIGSTOP)
        wait_until_stopped(first.pid)
        (first.state_dir / "watcher/lock").unlink()
        with Watcher(tmp_path, process_check(**RARELY)) as second:
            first.signal(signal.SIGCONT)
            assert first.process.wait(PATIENCE) == 3
            first.stop()
            assert f"another watcher, pid {second.pid}, uses" in str(first.lines)
            assert second.track("proc") == 1
            assert second.says("proc", "ok running")
