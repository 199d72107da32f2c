"""Where /proc/uptime cannot be read: lxcfs has died under a container whose service is healthy."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers import lxcfs
from helpers.child import PATH, SOURCE, run_kacheck
from helpers.needs import needs
from helpers.paths import CHECKS
from helpers.watcher import Watcher
from kacheck import statedir, status

Start = Callable[..., subprocess.Popen[bytes]]

NAME = f"kupt-{os.getpid()}"
TOML = f'[check.proc]\nprobe = "process"\nname = "{NAME}"\ninterval = 0.5\ntimeout = 0.5\n'
VERDICT = CHECKS / "kacheck-verdict"
DEAD = "/proc/uptime: Transport endpoint is not connected"
AFTER_ITS_DEATH = 'kill -9 $(cat "$0") && while cat /proc/uptime 2>/dev/null; do :; done; exec "$@"'


@pytest.fixture(autouse=True)
def _may_mount() -> None:
    needs("unshare", "nsenter", "mount", root=True, fuse=True)


@pytest.fixture
def pidfile(tmp_path: Path) -> Path:
    return tmp_path / "lxcfs.pid"


def dead(pidfile: Path, *files: str) -> list[str]:
    """Return the command that runs another one where lxcfs served these files and has died."""
    served = lxcfs.wrapper(pidfile, "/proc/uptime", *files)
    waits = 'while [ ! -s "$0" ]; do sleep 0.01; done; '
    return [*served, "sh", "-c", waits + AFTER_ITS_DEATH, str(pidfile)]


def kacheck(wrapper: Sequence[str], *words: object) -> subprocess.CompletedProcess[str]:
    """Run the command with this one around it."""
    environ = {"PYTHONPATH": str(SOURCE), "PATH": PATH}
    done = run_kacheck(*words, wrapper=wrapper, env=environ)
    assert "Traceback" not in done.stderr
    return done


def guard(watcher: Watcher) -> subprocess.CompletedProcess[str]:
    """Ask kacheck-verdict in the watcher's container."""
    files = ["--state-dir", watcher.state_dir, "--config", watcher.config]
    argv = ["nsenter", "--target", watcher.pid, "--mount", VERDICT, *files, "proc"]
    return subprocess.run([*map(str, argv)], check=False, capture_output=True, text=True)


def messages(watcher: Watcher, words: str) -> list[str]:
    return [str(line.get("message")) for line in watcher.lines if words in str(line)]


# --- the watcher ----------------------------------------------------------------------------


def test_when_lxcfs_dies_the_track_file_stays_without_a_verdict(
    tmp_path: Path, start: Start, pidfile: Path
) -> None:
    process = start(NAME, "60")
    with Watcher(tmp_path, TOML, wrapper=lxcfs.wrapper(pidfile, "/proc/uptime")) as watcher:
        assert watcher.says("proc", "ok running")
        lxcfs.kill(pidfile)
        watcher.until(lambda: watcher.verdict("proc") is None)
        said = watcher.until(lambda: watcher.find(f"{DEAD}: verdict files are withdrawn"))
        assert "umount -l /proc/uptime" in said["message"]
        assert DEAD in str(status.ask(str(watcher.state_dir))["trouble"])
        looks = status.ask(str(watcher.state_dir))["checks"][0]["looks"]["ok"]
        watcher.until(
            lambda: status.ask(str(watcher.state_dir))["checks"][0]["looks"]["ok"] > looks + 3
        )
        assert watcher.returncode is None
        assert watcher.track("proc") == 1
        assert watcher.transitions("proc") == ["ok running"]
        assert (guard(watcher).returncode, guard(watcher).stdout[:10]) == (0, "ok running")
        process.kill()
        watcher.until(lambda: watcher.track("proc") == 0)
        assert guard(watcher).returncode == 2
        assert watcher.verdict("proc") is None
        assert len(messages(watcher, "verdict files are withdrawn")) == 1
        enter = ["nsenter", "--target", str(watcher.pid), "--mount"]
        subprocess.run([*enter, "umount", "-l", "/proc/uptime"], check=True)
        watcher.wait_for("proc", "critical missing")
        watcher.until(lambda: watcher.find("/proc/uptime can be read again"))
        assert status.ask(str(watcher.state_dir))["trouble"] is None


def test_the_watcher_starts_and_re_executes_without_uptime(
    tmp_path: Path, start: Start, pidfile: Path
) -> None:
    process = start(NAME, "60")
    with Watcher(tmp_path, TOML, wrapper=dead(pidfile)) as watcher:
        assert watcher.track("proc") == 1
        assert watcher.verdict("proc") is None
        watcher.signal(signal.SIGUSR2)
        watcher.until(lambda: watcher.notified.count("READY=1") == 2)
        assert (watcher.track("proc"), watcher.verdict("proc")) == (1, None)
        process.kill()
        watcher.until(lambda: watcher.track("proc") == 0)
    assert watcher.returncode == 0


@pytest.mark.parametrize("text", ["", "x 1\n", "nan 1\n", "-1.5 1\n"])
def test_an_uptime_that_is_not_a_number_is_ignored(tmp_path: Path, start: Start, text: str) -> None:
    start(NAME, "60")
    (tmp_path / "uptime").write_text(text)
    mounts = f'mount --bind {tmp_path}/uptime /proc/uptime && exec "$@"'
    wrapper = ["unshare", "--mount", "sh", "-c", mounts, "sh"]
    with Watcher(tmp_path, TOML, wrapper=wrapper) as watcher:
        assert (watcher.track("proc"), watcher.verdict("proc")) == (1, None)
        watcher.until(lambda: watcher.find("/proc/uptime: not a number of seconds"))
        assert guard(watcher).returncode == 0


def test_without_uptime_the_command_shows_the_files_that_were_left(
    tmp_path: Path, start: Start, pidfile: Path
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, TOML) as watcher:
        watcher.kill()
    shown = kacheck(dead(pidfile), "status", "--state-dir", watcher.state_dir)
    assert shown.returncode == 3
    assert shown.stdout.splitlines()[1].endswith("none: /proc/uptime cannot be read")


# --- drains ---------------------------------------------------------------------------------


@contextmanager
def drained(tmp_path: Path, text: str) -> Iterator[list[object]]:
    """Put a drain of everything, and give the options that name its directory."""
    (tmp_path / "state/drain").mkdir(parents=True)
    (tmp_path / "state/drain/ALL").write_text(text)
    yield ["--state-dir", tmp_path / "state"]


def test_without_uptime_a_drain_whose_time_was_over_stays_over(
    tmp_path: Path, start: Start, pidfile: Path
) -> None:
    """Such files are left behind: a healthy node must not be dropped by one."""
    start(NAME, "60")
    with drained(tmp_path, f"{int(statedir.uptime()) - 5} new disks\n") as where:
        done = kacheck(dead(pidfile), "process", *where, NAME)
        assert (done.returncode, done.stdout[:10]) == (0, "ok running")
        assert kacheck(dead(pidfile), "drain", "status", *where).stdout == "nothing is drained\n"


def test_without_uptime_a_drain_with_an_unknown_end_holds(
    tmp_path: Path, start: Start, pidfile: Path
) -> None:
    """The kernel's own uptime is that of the host, which is larger than the container's."""
    start(NAME, "60")
    container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    until = int(statedir.uptime()) // 2
    assert until > 60, "the machine has just been started"
    with drained(tmp_path, f"{until} new disks\n") as where:
        done = kacheck([*container, *dead(pidfile)], "process", *where, NAME)
        assert (done.returncode, done.stdout[:17]) == (2, "critical draining")
        assert "its end is unknown" in done.stdout
        words = ["drain", "status", "--format", "json", *where]
        report = json.loads(kacheck([*container, *dead(pidfile)], *words).stdout)
        assert report["drained"][0]["until"] == until
        assert report["drained"][0]["remaining_s"] is None


def test_without_uptime_only_a_drain_without_an_end_is_accepted(
    tmp_path: Path, pidfile: Path
) -> None:
    where = ["--state-dir", tmp_path / "state"]
    done = kacheck(dead(pidfile), "drain", "on", "--for", "30m", "--all", *where)
    assert done.returncode == 3
    assert DEAD in done.stderr
    assert "leave out --for" in done.stderr
    assert not (tmp_path / "state/drain/ALL").exists()
    assert kacheck(dead(pidfile), "drain", "on", "--all", *where).returncode == 0
    assert kacheck(dead(pidfile), "drain", "off", "--all", *where).returncode == 0


def test_the_watcher_ends_a_drain_in_time_without_uptime(
    tmp_path: Path, start: Start, pidfile: Path
) -> None:
    start(NAME, "60")
    with drained(tmp_path, f"{int(statedir.uptime()) + 3} new disks\n"):
        began = time.monotonic()
        with Watcher(tmp_path, TOML, wrapper=dead(pidfile)) as watcher:
            assert watcher.track("proc") == 0
            watcher.until(lambda: watcher.track("proc") == 1)
            assert time.monotonic() - began > 1


# --- other files that lxcfs serves ----------------------------------------------------------


@pytest.mark.parametrize("more", [["--verbose"], ["--format", "json"]])
def test_without_lxcfs_a_process_is_described_all_the_same(
    start: Start, pidfile: Path, more: list[str]
) -> None:
    """psutil reads /proc/stat for the time of the boot."""
    start(NAME, "60")
    done = kacheck(dead(pidfile, "/proc/stat", "/proc/meminfo"), "process", *more, NAME)
    assert done.returncode == 0, done.stderr
    assert "root" in done.stdout
