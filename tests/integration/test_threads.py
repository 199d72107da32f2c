"""Where no thread can be had: at the limit of processes (TasksMax=, pids.max, ulimit -u)."""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.checks import process_check
from helpers.child import PATH, SOURCE, run_kacheck
from helpers.needs import needs
from helpers.watcher import Watcher
from kacheck import status
from kacheck.cli import main

Start = Callable[..., subprocess.Popen[bytes]]

NAME = f"kthr-{os.getpid()}"
UID = 100_000 + os.getpid()
"""A user without any other process: the limit counts all that a user has, and spares root."""
AS_USER = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
REFUSED = "cannot start a thread"
CURE = "raise TasksMax= of the unit, pids.max of the container or ulimit -u of the user"


def checks(number: int, **keys: Any) -> str:
    return "".join(
        process_check(f"c{place}", NAME, interval=0.5, timeout=0.5, **keys)
        for place in range(number)
    )


ANY = """
[check.either]
probe = "combined"
any = ["c0", "c1"]
interval = 0.5
timeout = 0.5
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """Give a directory of that user, below one that everybody may enter."""
    needs("setpriv", "prlimit", root=True)
    with tempfile.TemporaryDirectory(prefix="kthr-") as name:
        os.chown(name, UID, UID)
        yield Path(name)


def threads(watcher: Watcher) -> int:
    return len(os.listdir(f"/proc/{watcher.pid}/task"))


def limit(watcher: Watcher, more: int) -> None:
    """Let the watcher start that many threads more."""
    soft = ["prlimit", f"--pid={watcher.pid}", f"--nproc={threads(watcher) + more}:"]
    subprocess.run([*AS_USER, *soft], check=True)


def looks(watcher: Watcher, check: str) -> dict[str, int]:
    checks = status.ask(str(watcher.state_dir))["checks"]
    return next(each["looks"] for each in checks if each["check"] == check)


def kacheck(most: int, *words: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a user with a limit of threads."""
    limit = [*AS_USER, "prlimit", f"--nproc={most}:{most}"]
    return run_kacheck(*words, wrapper=limit, env={"PYTHONPATH": str(SOURCE), "PATH": PATH})


# --- the watcher ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "new",
    [checks(12), checks(2, quorum=2), "metrics = '{}/kacheck.prom'\n" + checks(2), checks(2) + ANY],
    ids=["more checks", "changed checks", "metrics", "any"],
)
def test_a_reload_that_needs_too_many_threads_is_refused_harmlessly(
    directory: Path, start: Start, new: str
) -> None:
    processes = [start(NAME, "60"), start(NAME, "60")]
    with Watcher(directory, checks(2), wrapper=AS_USER) as watcher:
        before = threads(watcher)
        limit(watcher, 0 if "metrics" in new else 1)
        answer = watcher.reload(new.replace("{}", str(directory)))
        assert "configuration not reloaded, the old one stays" in answer["message"]
        assert REFUSED in answer["message"]
        assert CURE in answer["message"]
        watcher.until(lambda: threads(watcher) == before)
        seen = looks(watcher, "c0")["ok"]
        watcher.until(lambda: looks(watcher, "c0")["ok"] > seen + 2)
        assert watcher.transitions("c0") == watcher.transitions("c1") == ["ok running"]
        limit(watcher, 20)
        watcher.reload(new.replace("{}", str(directory)))
        watcher.until(lambda: watcher.find("kacheck.toml reloaded"))
        for process in processes:
            process.kill()
        watcher.wait_for("c1", "critical missing")
    assert watcher.returncode == 0


def test_any_needs_no_thread_once_the_configuration_was_taken(
    directory: Path, start: Start
) -> None:
    process = start(NAME, "60")
    nested = '[check.outer]\nprobe = "combined"\nany = ["either", "c2"]\n'
    nested += "interval = 0.5\ntimeout = 0.5\n"
    with Watcher(directory, checks(3) + ANY + nested, wrapper=AS_USER) as watcher:
        limit(watcher, 0)
        before = threads(watcher)
        for name in ("either", "outer"):
            seen = looks(watcher, name)["ok"]
            watcher.until(lambda: looks(watcher, name)["ok"] > seen + 3)
            assert watcher.transitions(name) == ["ok running"]
        process.kill()
        watcher.until(lambda: watcher.track("outer") == watcher.track("either") == 0)
        said = ["ok running", "critical missing"]
        watcher.until(lambda: watcher.transitions("either") == said)
        assert threads(watcher) == before


@pytest.mark.parametrize("most", [1, 2, 4])
def test_a_start_without_enough_threads_is_refused_with_the_cure(
    directory: Path, start: Start, most: int
) -> None:
    start(NAME, "60")
    (directory / "state").mkdir()
    for name in ("track", "failing"):
        (directory / "state" / name).mkdir()
        (directory / "state" / name / "c0").write_text("1\n" if name == "track" else "0\n")
    subprocess.run(["chown", "-R", f"{UID}:{UID}", directory], check=True)
    wrapper = [*AS_USER, "prlimit", f"--nproc={most}:{most}"]
    with Watcher(directory, checks(6), wrapper=wrapper, wait=False) as watcher:
        watcher.until(lambda: watcher.returncode is not None)
        watcher.stop()
        assert watcher.returncode == 3
        assert watcher.find(REFUSED)
        assert watcher.find(CURE)
        assert not [line for line in watcher.lines if "Traceback" in str(line)]
        if most > 1:
            assert watcher.track("c0") == 0, "nobody looks: it must not say healthy"


def test_without_a_process_for_the_trial_it_is_not_re_executed(
    directory: Path, start: Start
) -> None:
    start(NAME, "60")
    with Watcher(directory, checks(1), wrapper=AS_USER) as watcher:
        limit(watcher, 0)
        watcher.signal(signal.SIGUSR2)
        watcher.until(lambda: watcher.find("not re-executed"))
        assert watcher.transitions("c0") == ["ok running"]
        limit(watcher, 5)
        watcher.signal(signal.SIGUSR2)
        watcher.until(lambda: watcher.notified.count("READY=1") == 2)


# --- one-shots ------------------------------------------------------------------------------


def test_a_one_shot_without_a_thread_is_unknown_and_says_why(directory: Path, start: Start) -> None:
    start(NAME, "60")
    assert kacheck(2, "process", NAME).returncode == 0
    (directory / "kacheck.toml").write_text(checks(3) + ANY)
    configured = ["run", "--config", directory / "kacheck.toml"]
    for most, words in (
        (1, ["process", NAME]),
        (1, ["process", "--on-unknown", "ok", NAME]),
        (2, [*configured, "either"]),
        (1, [*configured, "c0", "c1", "c2"]),
    ):
        done = kacheck(most, *words)
        assert done.returncode == 3
        assert REFUSED in done.stderr
        assert CURE in done.stderr
        assert "report it" not in done.stderr


def test_a_log_without_a_thread_does_not_change_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which of the threads the limit hits cannot be chosen."""
    really = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "syslog":
            raise RuntimeError("can't start new thread")
        really(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert main(["process", "--log", "syslog", f"{NAME}-none"]) == 2
