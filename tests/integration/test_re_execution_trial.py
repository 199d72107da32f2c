"""SIGUSR2 where something comes between the trial of the successor and its execution."""

import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from helpers.watcher import Watcher

Start = Callable[..., subprocess.Popen[bytes]]

NAME = f"ktry-{os.getpid()}"
PROCESS = f'[check.proc]\nprobe = "process"\nname = "{NAME}"\ninterval = 60.0\ntimeout = 5.0\n'

AFTER_TRIAL = """
import os, sys
if "--check-config" in sys.argv and os.path.exists({flag!r}):
    leave = os._exit
    def change_and_leave(code):
        os.unlink({flag!r})
        os.rename({new!r}, {config!r})
        leave(code)
    os._exit = change_and_leave
"""
"""The configuration changes when the trial has read it."""


def changing(tmp_path: Path, toml: str) -> str:
    """The prelude of a watcher whose configuration becomes this behind the trial."""
    flag, new = tmp_path / "flag", tmp_path / "new.toml"
    flag.touch()
    new.write_text(toml)
    return AFTER_TRIAL.format(flag=str(flag), new=str(new), config=str(tmp_path / "kacheck.toml"))


def test_a_configuration_that_becomes_bad_behind_the_trial_does_not_end_it(
    tmp_path: Path, start: Start
) -> None:
    process = start(NAME, "60")
    bad = changing(tmp_path, "intervall = 1\n")
    with Watcher(tmp_path, PROCESS, prelude=bad) as watcher:
        watcher.signal(signal.SIGUSR2)
        said = watcher.until(lambda: watcher.find("not re-executed"))
        assert "intervall" in str(said["message"])
        assert watcher.track("proc") == 1
        process.kill()
        watcher.wait_for("proc", "critical missing")


def test_one_that_changes_behind_the_trial_is_tried_too(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    other = PROCESS + PROCESS.replace("check.proc", "check.other")
    with Watcher(tmp_path, PROCESS, prelude=changing(tmp_path, other)) as watcher:
        ready = watcher.notified.count("READY=1")
        watcher.signal(signal.SIGUSR2)
        watcher.until(lambda: watcher.notified.count("READY=1") > ready)
        assert watcher.track("other") == 1


NO_ROOM = """
import os, selectors
import kacheck.watch.reexecution as reexecution
reexecution.TRIAL = 0.2
os.setpgrp()
register = selectors.DefaultSelector.register
def refuse(self, file, events, data=None):
    if "_end_trial" in repr(data) and os.path.exists({flag!r}):
        raise OSError(28, "No space left on device")
    return register(self, file, events, data)
selectors.DefaultSelector.register = refuse
"""


def test_a_trial_that_cannot_be_waited_for_is_given_up(tmp_path: Path, start: Start) -> None:
    """fs.epoll.max_user_watches is reached, for example; the next one may do better."""
    start(NAME, "60")
    flag = tmp_path / "flag"
    flag.touch()
    with Watcher(tmp_path, PROCESS, prelude=NO_ROOM.format(flag=str(flag))) as watcher:
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
