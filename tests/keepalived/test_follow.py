"""bench/follow.py measures with a real keepalived, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from helpers.keepalived import NETNS_DIR, wait_until
from helpers.needs import needs
from helpers.paths import ROOT

pytestmark = [pytest.mark.keepalived, pytest.mark.slow, pytest.mark.timeout(400)]

BENCH = [sys.executable, f"{ROOT}/bench/follow.py", "--runs", "1"]


def left_behind(pid: int) -> list[object]:
    """Return namespaces, directories and processes of a bench that had that pid."""
    namespaces = [*NETNS_DIR.glob(f"kacheck-{pid}-*")]
    directories = [*Path(tempfile.gettempdir()).glob(f"kacheck-{pid}-*")]
    return [*namespaces, *directories, *processes(f"kacheck-{pid}-")]


def processes(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


def test_the_time_to_an_answer_is_measured_beside_native_tracking(tmp_path: Path) -> None:
    needs("keepalived", "ip", "unshare", "nsenter", "pgrep", root=True, process_events=True)
    svg = tmp_path / "follow.svg"
    argv = [*BENCH, "--scenario", "kill", "--scenario", "crash", "--svg", str(svg)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as bench:
        output, _ = bench.communicate()

    assert bench.returncode == 0
    lines = [line for line in output.splitlines() if line.startswith("| kill -9")]
    assert len(lines) == 3, output
    for line in lines:
        times, median, longest = line.split("|")[2:5]
        assert int(times) == 1
        assert 0 < float(median) == float(longest) < 30
    assert "watcher killed: VIP away" in output
    assert "kill -9 -> answered, median" in output
    assert "native" in svg.read_text()
    assert left_behind(bench.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_nothing_is_left_behind_by_a_signal(number: signal.Signals) -> None:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    argv = [*BENCH, "--scenario", "step-down"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as bench:
        wait_until(lambda: len(left_behind(bench.pid)) > 15, "no nodes", 60)
        os.kill(bench.pid, number)
        assert bench.wait(60) == 128 + number

    assert left_behind(bench.pid) == []
