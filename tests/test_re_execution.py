"""SIGUSR2: the resident becomes the program as it is installed now; an upgrade keeps the VIP."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kacheck import __version__
from kacheck.cli import main
from kacheck.files import identity
from support.resident import Resident
from support.vault import StandInVault

Start = Callable[..., subprocess.Popen[bytes]]

NAME = f"kexe-{os.getpid()}"
RARELY = "interval = 60.0\ntimeout = 5.0\n"
PROCESS = f'[check.proc]\nprobe = "process"\nname = "{NAME}"\n'


def vault(address: str) -> str:
    return f'[check.vault]\nprobe = "vault"\naddress = "{address}"\n'


def re_execute(resident: Resident) -> None:
    """SIGUSR2, and wait until it is READY again."""
    ready = resident.told.count("READY=1")
    resident.signal(signal.SIGUSR2)
    resident.until(lambda: resident.told.count("READY=1") > ready)


def refused(resident: Resident) -> str:
    """SIGUSR2, and what it says against it."""
    known = len(resident.lines)
    resident.signal(signal.SIGUSR2)
    return str(resident.until(lambda: resident.find("not re-executed", known))["message"])


def test_the_pid_the_track_files_and_the_verdicts_stay(tmp_path: Path, start: Start) -> None:
    process = start(NAME, "60")
    with (
        StandInVault() as server,
        Resident(tmp_path, PROCESS + RARELY + vault(server.address) + RARELY) as resident,
    ):
        tracks = [resident.state_dir / "track" / name for name in ("proc", "vault")]
        before = resident.pid, [identity(str(track)) for track in tracks]
        for _ in range(3):
            re_execute(resident)
        assert (resident.pid, [identity(str(track)) for track in tracks]) == before
        assert resident.says("proc", "ok running")
        assert resident.find(f"re-executing, kacheck {__version__} until now")
        process.kill()
        resident.wait_for("proc", "critical missing")
        assert resident.track("proc") == 0
    assert resident.returncode == 0
    assert resident.transitions("proc") == ["ok running", "critical missing"]


def test_one_look_that_fails_is_not_taken_for_the_first(tmp_path: Path) -> None:
    """A resident that starts believes its first look; one that has re-executed asks for `fall`."""
    with (
        StandInVault() as server,
        Resident(tmp_path, vault(server.address) + RARELY) as resident,
    ):
        asked = len(server.requests)
        server.state = "sealed"
        re_execute(resident)
        assert server.wait_for_requests(asked + 1, 10)
        resident.until(lambda: resident.says("vault", "ok active"))
        assert resident.track("vault") == 1
        re_execute(resident)
        assert resident.track("vault") == 1


def test_who_has_gone_meanwhile_has_failed_at_once(tmp_path: Path, start: Start) -> None:
    """Nobody has seen the exit: the look that misses the process is as good as an event."""
    process = start(NAME, "60")
    dies = f"""
import os
execv = os.execv
def kill_and_execv(*args):
    os.kill({process.pid}, 9)
    execv(*args)
os.execv = kill_and_execv
"""
    with Resident(tmp_path, PROCESS + RARELY, prelude=dies) as resident:
        assert resident.track("proc") == 1
        re_execute(resident)
        resident.wait_for("proc", "critical missing")
        assert resident.track("proc") == 0


def test_what_has_failed_goes_on_failing(tmp_path: Path) -> None:
    with Resident(tmp_path, PROCESS + RARELY) as resident:
        assert resident.track("proc") == 0
        re_execute(resident)
        assert resident.says("proc", "critical missing")
        assert resident.track("proc") == 0
    assert resident.transitions("proc") == ["critical missing"]


def test_a_bad_configuration_is_not_re_executed_with(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    with Resident(tmp_path, PROCESS) as resident:
        for bad, words in ((PROCESS + "intervall = 1", "intervall"), ("", "has no check")):
            resident.configure(bad)
            said = refused(resident)
            assert f"kacheck {__version__} goes on" in said
            assert words in said
        assert resident.track("proc") == 1
        assert resident.told.count("READY=1") == 1
        resident.configure(PROCESS)
        re_execute(resident)


def test_a_program_that_does_not_start_is_not_executed(tmp_path: Path, start: Start) -> None:
    """An upgrade that has gone wrong: what runs is better than nothing."""
    start(NAME, "60")
    broken = tmp_path / "broken"
    prelude = f"""
import os
if os.path.exists({str(broken)!r}):
    os._exit(7)
"""
    with Resident(tmp_path, PROCESS, prelude=prelude) as resident:
        broken.touch()
        assert "what is installed now ends with 7" in refused(resident)
        assert resident.track("proc") == 1
        broken.unlink()
        re_execute(resident)


def test_whoever_starts_it_may_ignore_the_ends_of_children(tmp_path: Path, start: Start) -> None:
    """That is inherited, and would leave no exit code of the trial."""
    start(NAME, "60")
    ignores = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    with Resident(tmp_path, PROCESS, prelude=ignores) as resident:
        re_execute(resident)
        assert resident.track("proc") == 1


def test_a_reload_that_comes_with_it_is_done_all_the_same(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    broken = tmp_path / "broken"
    prelude = f"import os\nif os.path.exists({str(broken)!r}): os._exit(7)"
    with Resident(tmp_path, PROCESS, prelude=prelude) as resident:
        broken.touch()
        for number in (signal.SIGSTOP, signal.SIGHUP, signal.SIGUSR2, signal.SIGCONT):
            resident.signal(number)
        resident.until(lambda: resident.find("not re-executed"))
        assert resident.find("kacheck.toml reloaded")


def test_a_program_that_hangs_is_not_executed(tmp_path: Path, start: Start) -> None:
    process = start(NAME, "60")
    hangs = tmp_path / "hangs"
    prelude = f"""
import os, time
while os.path.exists({str(hangs)!r}):
    time.sleep(0.1)
import kacheck.watch.supervisor as supervisor
supervisor.TRIAL = 1.0
"""
    with Resident(tmp_path, PROCESS + RARELY, prelude=prelude) as resident:
        hangs.touch()
        resident.signal(signal.SIGUSR2)
        process.kill()
        resident.wait_for("proc", "critical missing")  # meanwhile it works on
        assert resident.until(lambda: resident.find("dies of signal 9"))
        hangs.unlink()
        re_execute(resident)


def test_without_an_interpreter_the_old_program_goes_on(tmp_path: Path, start: Start) -> None:
    process = start(NAME, "60")
    prelude = "import sys; sys.executable = '/nonexistent/python3'"
    with Resident(tmp_path, PROCESS + RARELY, prelude=prelude) as resident:
        assert "No such file or directory" in refused(resident)
        resident.reload(PROCESS + RARELY)
        process.kill()
        resident.wait_for("proc", "critical missing")


def test_a_signal_that_comes_meanwhile_is_not_lost(tmp_path: Path, start: Start) -> None:
    """It would end a program that has no handler yet, and leave the track files as they are."""
    start(NAME, "60")
    slow = "import time; time.sleep(0.3)"
    with Resident(tmp_path, PROCESS, prelude=slow) as resident:
        known = len(resident.lines)
        resident.signal(signal.SIGUSR2)
        comm = Path(f"/proc/{resident.pid}/comm")
        resident.until(lambda: comm.read_text() != "kacheck\n")
        resident.signal(signal.SIGHUP)
        resident.until(lambda: resident.find("reloaded", known))
        resident.signal(signal.SIGTERM)
        resident.process.wait(10)
        assert resident.returncode == 0
        assert resident.track("proc") == 0


def test_a_check_that_is_no_longer_configured_ends_failing(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    other = PROCESS.replace("check.proc", "check.other")
    with Resident(tmp_path, PROCESS + other) as resident:
        assert resident.track("other") == 1
        resident.configure(PROCESS)
        re_execute(resident)
        assert resident.track("proc") == 1
        assert resident.track("other") == 0
        assert resident.verdict("other") is None
        assert not (resident.state_dir / "failing" / "other").exists()
        resident.configure(other)
        resident.kill()
    with Resident(tmp_path, other) as resident:
        assert resident.track("other") == 1
        assert resident.track("proc") == 0, "also after a resident that was killed"


@pytest.mark.parametrize("content", ["", "garbage", "0 9999999999 ok"])
def test_a_verdict_that_cannot_be_read_is_looked_for_anew(
    tmp_path: Path, start: Start, content: str
) -> None:
    process = start(NAME, "60")
    garble = f"""
import os
execv = os.execv
def garble_and_execv(*args):
    open({str(tmp_path / "state/verdict/proc")!r}, "w").write({content!r})
    execv(*args)
os.execv = garble_and_execv
"""
    with Resident(tmp_path, PROCESS + RARELY, prelude=garble) as resident:
        re_execute(resident)
        resident.wait_for("proc", "ok running")
        process.kill()
        resident.wait_for("proc", "critical missing")


def test_another_residents_verdicts_are_not_taken_over(tmp_path: Path, start: Start) -> None:
    """It may have looked for something else; the pid file does not name this one."""
    start(NAME, "60")
    with Resident(tmp_path, PROCESS + "interval = 60.0\n") as resident:
        resident.kill()
    gone = PROCESS.replace(NAME, "kexe-gone")
    with Resident(tmp_path, gone + RARELY) as resident:
        assert resident.says("proc", "critical missing"), "its first look decides"
        assert resident.track("proc") == 0


IMPORTS = """
import sys
import kacheck.watch.notify as notify
tell = notify.Notifier.tell
seen = []
def hook(event, args):
    if event == "import" and seen:
        __import__("os").write(1, f"imported {args[0]}\\n".encode())
def told(self, *lines):
    tell(self, *lines)
    if "READY=1" in lines:
        seen.append(True)
notify.Notifier.tell = told
sys.addaudithook(hook)
"""


def test_it_needs_no_file_of_the_program_once_it_is_ready(tmp_path: Path, start: Start) -> None:
    """While a package is being unpacked they are neither the old ones nor the new ones."""
    process = start(NAME, "60")
    metrics = f'metrics = "{tmp_path}/kacheck.prom"\n'
    with StandInVault() as server:
        toml = metrics + PROCESS + "interval = 0.2\ntimeout = 0.2\n" + vault(server.address)
        toml += '[check.both]\nprobe = "combined"\nall = ["proc", "vault"]\n'
        with Resident(tmp_path, toml, prelude=IMPORTS) as resident:
            resident.reload(toml + "interval = 0.5\ntimeout = 0.4\n")
            for state, words in (
                ("sealed", "critical sealed"),
                ("garbage-head", "critical bad-response"),
                ("close", "critical reset"),
                ("hang", "critical timeout"),
                ("active", "ok active"),
            ):
                server.state = state
                resident.wait_for("vault", words)
            for words in ("status", "drain on --all", "status", "drain off --all"):
                main([*words.split(), "--state-dir", str(resident.state_dir)])
            process.kill()
            resident.wait_for("proc", "critical missing")
            resident.reload("[")
    said = [str(line.get("text", "")) for line in resident.lines]
    assert [line for line in said if line.startswith("imported")] == []
