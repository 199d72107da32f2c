"""Where a read of /proc/uptime does not return: lxcfs hangs under a container."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import lxcfs
from helpers.needs import needs
from helpers.watcher import Watcher

Start = Callable[..., subprocess.Popen[bytes]]

NAME = f"khng-{os.getpid()}"
CHECK = 'probe = "process"\nname = "{}"\ninterval = 0.5\ntimeout = 0.5\n'
TOML = f"[check.proc]\n{CHECK.format(NAME)}[check.none]\n{CHECK.format('khng-none')}"


@pytest.fixture(autouse=True)
def _may_mount() -> None:
    needs("unshare", "mount", root=True, fuse=True)


def test_an_exit_is_published_while_lxcfs_hangs(tmp_path: Path, start: Start) -> None:
    process = start(NAME, "60")
    pidfile = tmp_path / "lxcfs.pid"
    with Watcher(tmp_path, TOML, wrapper=lxcfs.wrapper(pidfile, "/proc/uptime")) as watcher:
        assert watcher.track("proc") == 1
        server = int(pidfile.read_text())
        os.kill(server, signal.SIGSTOP)
        try:
            watcher.until(lambda: watcher.find("/proc/uptime: no answer: verdict files are with"))
            watcher.until(lambda: watcher.verdict("proc") is None)
            process.kill()
            watcher.until(lambda: watcher.track("proc") == 0)
        finally:
            os.kill(server, signal.SIGCONT)
        watcher.until(lambda: watcher.find("/proc/uptime can be read again"))
        watcher.wait_for("proc", "critical missing")
    assert watcher.transitions("proc") == ["ok running", "critical missing"]
