"""SIGUSR2: the watcher becomes the program as it is installed now; an upgrade keeps the VIP."""

import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from helpers.checks import vault_check
from helpers.faults import (
    exit_if,
    hang_while,
    ignore_ends_of_children,
    kill_before_execv,
    report_imports,
    start_slowly,
    stop_before,
    write_before_execv,
)
from helpers.vault import StandInVault
from helpers.watcher import Watcher
from kacheck import __version__
from kacheck.cli import main
from kacheck.files import identity

Start = Callable[..., subprocess.Popen[bytes]]

NAME = f"kexe-{os.getpid()}"
RARELY = "interval = 60.0\ntimeout = 5.0\n"
PROCESS = f'[check.proc]\nprobe = "process"\nname = "{NAME}"\n'


def re_execute(watcher: Watcher) -> None:
    """Send SIGUSR2, and wait until it is READY again."""
    ready = watcher.notified.count("READY=1")
    watcher.signal(signal.SIGUSR2)
    watcher.until(lambda: watcher.notified.count("READY=1") > ready)


def refused(watcher: Watcher) -> str:
    """Send SIGUSR2, and return why it is refused."""
    known = len(watcher.lines)
    watcher.signal(signal.SIGUSR2)
    return str(watcher.until(lambda: watcher.find("not re-executed", known))["message"])


def test_the_pid_the_track_files_and_the_verdicts_stay(tmp_path: Path, start: Start) -> None:
    process = start(NAME, "60")
    with (
        StandInVault() as server,
        Watcher(tmp_path, PROCESS + RARELY + vault_check(server.address) + RARELY) as watcher,
    ):
        tracks = [watcher.state_dir / "track" / name for name in ("proc", "vault")]
        before = watcher.pid, [identity(str(track)) for track in tracks]
        for _ in range(3):
            re_execute(watcher)
        assert (watcher.pid, [identity(str(track)) for track in tracks]) == before
        assert watcher.says("proc", "ok running")
        assert watcher.find(f"re-executing, kacheck {__version__} until now")
        process.kill()
        watcher.wait_for("proc", "critical missing")
        assert watcher.track("proc") == 0
    assert watcher.returncode == 0
    assert watcher.transitions("proc") == ["ok running", "critical missing"]


def test_one_look_that_fails_is_not_taken_for_the_first(tmp_path: Path) -> None:
    """A watcher that starts believes its first look; one that has re-executed asks for `fall`."""
    with (
        StandInVault() as server,
        Watcher(tmp_path, vault_check(server.address) + RARELY) as watcher,
    ):
        asked = len(server.requests)
        server.state = "sealed"
        re_execute(watcher)
        assert server.wait_for_requests(asked + 1, 10)
        watcher.until(lambda: watcher.says("vault", "ok active"))
        assert watcher.track("vault") == 1
        re_execute(watcher)
        assert watcher.track("vault") == 1


def test_a_process_that_exits_meanwhile_fails_at_once(tmp_path: Path, start: Start) -> None:
    """Nobody has seen the exit: the look that misses the process is as good as an event."""
    process = start(NAME, "60")
    dies = partial(kill_before_execv, str(process.pid))
    with Watcher(tmp_path, PROCESS + RARELY, faults=[dies]) as watcher:
        assert watcher.track("proc") == 1
        re_execute(watcher)
        watcher.wait_for("proc", "critical missing")
        assert watcher.track("proc") == 0


def test_what_has_failed_goes_on_failing(tmp_path: Path) -> None:
    with Watcher(tmp_path, PROCESS + RARELY) as watcher:
        assert watcher.track("proc") == 0
        re_execute(watcher)
        assert watcher.says("proc", "critical missing")
        assert watcher.track("proc") == 0
    assert watcher.transitions("proc") == ["critical missing"]


def test_a_bad_configuration_is_not_re_executed_with(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, PROCESS) as watcher:
        for bad, words in ((PROCESS + "intervall = 1", "intervall"), ("", "has no check")):
            watcher.configure(bad)
            said = refused(watcher)
            assert f"kacheck {__version__} continues" in said
            assert words in said
        assert watcher.track("proc") == 1
        assert watcher.notified.count("READY=1") == 1
        watcher.configure(PROCESS)
        re_execute(watcher)


def test_a_program_that_does_not_start_is_not_executed(tmp_path: Path, start: Start) -> None:
    """After a broken upgrade the running program is better than nothing."""
    start(NAME, "60")
    broken = tmp_path / "broken"
    with Watcher(tmp_path, PROCESS, faults=[partial(exit_if, str(broken))]) as watcher:
        broken.touch()
        assert "the installed program exits with 7" in refused(watcher)
        assert watcher.track("proc") == 1
        broken.unlink()
        re_execute(watcher)


def test_whoever_starts_it_may_ignore_the_ends_of_children(tmp_path: Path, start: Start) -> None:
    """That is inherited, and would leave no exit code of the trial."""
    start(NAME, "60")
    with Watcher(tmp_path, PROCESS, faults=[ignore_ends_of_children]) as watcher:
        re_execute(watcher)
        assert watcher.track("proc") == 1


def test_a_reload_that_arrives_with_it_is_done_too(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    broken = tmp_path / "broken"
    with Watcher(tmp_path, PROCESS, faults=[partial(exit_if, str(broken))]) as watcher:
        broken.touch()
        for number in (signal.SIGSTOP, signal.SIGHUP, signal.SIGUSR2, signal.SIGCONT):
            watcher.signal(number)
        watcher.until(lambda: watcher.find("not re-executed"))
        assert watcher.find("kacheck.toml reloaded")


def test_a_program_that_hangs_is_not_executed(tmp_path: Path, start: Start) -> None:
    process = start(NAME, "60")
    hangs = tmp_path / "hangs"
    soon = {"kacheck.watch.reexecution.TRIAL": 1.0}
    hanging = partial(hang_while, str(hangs))
    with Watcher(tmp_path, PROCESS + RARELY, faults=[hanging], settings=soon) as watcher:
        hangs.touch()
        watcher.signal(signal.SIGUSR2)
        process.kill()
        watcher.wait_for("proc", "critical missing")  # meanwhile it works on
        assert watcher.until(lambda: watcher.find("dies of signal 9"))
        hangs.unlink()
        re_execute(watcher)


def test_without_an_interpreter_the_old_program_goes_on(tmp_path: Path, start: Start) -> None:
    process = start(NAME, "60")
    gone = {"sys.executable": "/nonexistent/python3"}
    with Watcher(tmp_path, PROCESS + RARELY, settings=gone) as watcher:
        assert "No such file or directory" in refused(watcher)
        watcher.reload(PROCESS + RARELY)
        process.kill()
        watcher.wait_for("proc", "critical missing")


def test_a_signal_that_comes_meanwhile_is_not_lost(tmp_path: Path, start: Start) -> None:
    """It would end a program that has no handler yet, and leave the track files as they are."""
    start(NAME, "60")
    with Watcher(tmp_path, PROCESS, faults=[start_slowly]) as watcher:
        known = len(watcher.lines)
        watcher.signal(signal.SIGUSR2)
        comm = Path(f"/proc/{watcher.pid}/comm")
        watcher.until(lambda: comm.read_text() != "kacheck\n")
        watcher.signal(signal.SIGHUP)
        watcher.until(lambda: watcher.find("reloaded", known))
        watcher.signal(signal.SIGTERM)
        watcher.process.wait(10)
        assert watcher.returncode == 0
        assert watcher.track("proc") == 0


def test_a_check_that_is_no_longer_configured_ends_failing(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    other = PROCESS.replace("check.proc", "check.other")
    with Watcher(tmp_path, PROCESS + other) as watcher:
        assert watcher.track("other") == 1
        watcher.configure(PROCESS)
        re_execute(watcher)
        assert watcher.track("proc") == 1
        assert watcher.track("other") == 0
        assert watcher.verdict("other") is None
        assert not (watcher.state_dir / "failing" / "other").exists()
        watcher.configure(other)
        watcher.kill()
    with Watcher(tmp_path, other) as watcher:
        assert watcher.track("other") == 1
        assert watcher.track("proc") == 0, "also after a watcher that was killed"


@pytest.mark.parametrize("content", ["", "garbage", "0 9999999999 ok"])
def test_an_unreadable_verdict_is_replaced_by_a_look(
    tmp_path: Path, start: Start, content: str
) -> None:
    process = start(NAME, "60")
    file = str(tmp_path / "state/verdict/proc")
    garble = partial(write_before_execv, file, content)
    with Watcher(tmp_path, PROCESS + RARELY, faults=[garble]) as watcher:
        re_execute(watcher)
        watcher.wait_for("proc", "ok running")
        process.kill()
        watcher.wait_for("proc", "critical missing")


def test_another_watchers_verdicts_are_not_taken_over(tmp_path: Path, start: Start) -> None:
    """It may have looked for something else; the pid file does not name this one."""
    start(NAME, "60")
    with Watcher(tmp_path, PROCESS + "interval = 60.0\n") as watcher:
        watcher.kill()
    gone = PROCESS.replace(NAME, "kexe-gone")
    with Watcher(tmp_path, gone + RARELY) as watcher:
        assert watcher.says("proc", "critical missing"), "its first look decides"
        assert watcher.track("proc") == 0


@pytest.mark.parametrize("place", ["signal.pthread_sigmask", "os.execv"])
def test_a_stop_that_comes_as_it_executes_itself_is_not_lost(tmp_path: Path, place: str) -> None:
    with Watcher(tmp_path, PROCESS, faults=[partial(stop_before, place)]) as watcher:
        watcher.signal(signal.SIGUSR2)
        watcher.until(lambda: watcher.returncode is not None)
        assert watcher.returncode == 0
        assert watcher.find("the watcher was stopped: all checks fail now")


def test_it_needs_no_file_of_the_program_once_it_is_ready(tmp_path: Path, start: Start) -> None:
    """While a package is being unpacked they are neither the old ones nor the new ones."""
    process = start(NAME, "60")
    metrics = f'metrics = "{tmp_path}/kacheck.prom"\n'
    with StandInVault() as server:
        toml = metrics + PROCESS + "interval = 0.2\ntimeout = 0.2\n" + vault_check(server.address)
        toml += '[check.both]\nprobe = "combined"\nall = ["proc", "vault"]\n'
        with Watcher(tmp_path, toml, faults=[report_imports]) as watcher:
            watcher.reload(toml + "interval = 0.5\ntimeout = 0.4\n")
            for state, words in (
                ("sealed", "critical sealed"),
                ("garbage-head", "critical bad-response"),
                ("close", "critical reset"),
                ("hang", "critical timeout"),
                ("active", "ok active"),
            ):
                server.state = state
                watcher.wait_for("vault", words)
            for words in ("status", "drain on --all", "status", "drain off --all"):
                main([*words.split(), "--state-dir", str(watcher.state_dir)])
            process.kill()
            watcher.wait_for("proc", "critical missing")
            watcher.reload("[")
    said = [str(line.get("text", "")) for line in watcher.lines]
    assert [line for line in said if line.startswith("imported")] == []
