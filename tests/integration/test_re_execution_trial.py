"""SIGUSR2 where something comes between the trial of the successor and its execution."""

import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from helpers.child import Fault
from helpers.faults import move_after_trial, refuse_to_watch_trials_while
from helpers.watcher import Watcher

Start = Callable[..., subprocess.Popen[bytes]]

NAME = f"ktry-{os.getpid()}"
PROCESS = f'[check.proc]\nprobe = "process"\nname = "{NAME}"\ninterval = 60.0\ntimeout = 5.0\n'


def changing(tmp_path: Path, toml: str) -> Fault:
    """Return the fault by which the configuration becomes this behind the trial."""
    flag, new = tmp_path / "flag", tmp_path / "new.toml"
    flag.touch()
    new.write_text(toml)
    return partial(move_after_trial, str(flag), str(new), str(tmp_path / "kacheck.toml"))


def test_a_configuration_broken_behind_the_trial_does_not_end_it(
    tmp_path: Path, start: Start
) -> None:
    process = start(NAME, "60")
    bad = changing(tmp_path, "intervall = 1\n")
    with Watcher(tmp_path, PROCESS, faults=[bad]) as watcher:
        watcher.signal(signal.SIGUSR2)
        said = watcher.until(lambda: watcher.find("not re-executed"))
        assert "intervall" in str(said["message"])
        assert watcher.track("proc") == 1
        process.kill()
        watcher.wait_for("proc", "critical missing")


def test_one_that_changes_behind_the_trial_is_tried_too(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    other = PROCESS + PROCESS.replace("check.proc", "check.other")
    with Watcher(tmp_path, PROCESS, faults=[changing(tmp_path, other)]) as watcher:
        ready = watcher.notified.count("READY=1")
        watcher.signal(signal.SIGUSR2)
        watcher.until(lambda: watcher.notified.count("READY=1") > ready)
        assert watcher.track("other") == 1


def test_a_trial_that_cannot_be_waited_for_is_given_up(tmp_path: Path, start: Start) -> None:
    """fs.epoll.max_user_watches is reached, for example; the next one may do better."""
    start(NAME, "60")
    flag = tmp_path / "flag"
    flag.touch()
    refuse = partial(refuse_to_watch_trials_while, str(flag))
    soon = {"kacheck.watch.reexecution.TRIAL": 0.2}
    with Watcher(tmp_path, PROCESS, faults=[refuse], settings=soon) as watcher:
        for _ in range(2):
            known = len(watcher.lines)
            watcher.signal(signal.SIGUSR2)
            refused = watcher.until(partial(watcher.find, "not re-executed", known))
            assert "No space left on device" in str(refused["message"])
        children = Path(f"/proc/{watcher.pid}/task/{watcher.pid}/children")
        assert children.read_text() == ""
        flag.unlink()
        watcher.configure(PROCESS + "rise = 3\n")
        ready = watcher.notified.count("READY=1")
        watcher.signal(signal.SIGUSR2)
        watcher.until(
            lambda: watcher.notified.count("READY=1") > ready or watcher.find("dies of signal 9")
        )
        assert watcher.returncode is None
