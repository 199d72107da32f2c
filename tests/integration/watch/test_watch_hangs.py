"""The watcher and looks that block, clocks that jump, and the watchdog."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from helpers.checks import (
    AT_ONCE,
    NAME,
    RARELY,
    comes_to_say,
    end,
    pending,
    process_check,
    vault_check,
    wait_until_stopped,
)
from helpers.child import Fault
from helpers.faults import block_scans_while, count_looks, let_the_clock_jump, never_tick
from helpers.vault import StandInVault
from helpers.watcher import Watcher
from kacheck import statedir

Start = Callable[..., subprocess.Popen[bytes]]


# --- what blocks -------------------------------------------------------------------------------


BLOCKED = "blocked"
"""While this file exists, looks for a process named `blocks` hang."""


def blocks_in(directory: Path) -> Fault:
    return partial(block_scans_while, str(directory / BLOCKED))


def test_a_stopped_vault_times_out_and_delays_no_other_check(
    tmp_path: Path,
    start: Start,
    vault_process: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    child, address = vault_process()
    process = start(NAME, "60")
    often: dict[str, Any] = {"interval": 0.5, "timeout": 0.5, "fall": 1, "rise": 1}
    with Watcher(tmp_path, vault_check(address, **often) + process_check(**RARELY)) as watcher:
        before = comes_to_say(watcher, "vault", "ok active")
        child.send_signal(signal.SIGSTOP)
        watcher.wait_for("vault", "critical timeout")
        assert watcher.track("vault") == 0
        process.kill()
        watcher.until(lambda: watcher.track("proc") == 0, AT_ONCE)
        child.send_signal(signal.SIGCONT)
        watcher.wait_for("vault", "ok active")
    assert watcher.transitions("vault") == [*before, "critical timeout", "ok active"]


def test_a_look_that_never_returns_times_out_in_every_interval(
    tmp_path: Path, start: Start
) -> None:
    """The verdict never expires, nothing piles up, and when the look ends all is as before."""
    start("blocks", "60")
    start(NAME, "60")
    blocked = tmp_path / BLOCKED
    blocked.touch()
    toml = process_check("stuck", "blocks", interval=0.1, timeout=0.05, rise=1) + process_check(
        interval=0.1, timeout=0.1, fall=20
    )
    with Watcher(tmp_path, toml, faults=[blocks_in(tmp_path), count_looks]) as watcher:
        assert watcher.says("stuck", "critical timeout")
        before = comes_to_say(watcher, "proc", "ok running")
        for _ in range(2):
            known = watcher.verdict("stuck")
            assert known is not None
            assert known.expiry >= statedir.uptime()
            watcher.until(partial(expires_after, watcher, known.expiry))
        watcher.until(lambda: "the previous look to end" in str(watcher.verdict("stuck")))
        assert len(pending(watcher)) > 5
        assert max(pending(watcher)) == 2, "the one that is stuck, and the newest"
        threads = len(os.listdir(f"/proc/{watcher.pid}/task"))
        blocked.unlink()
        watcher.wait_for("stuck", "ok running")
        assert len(os.listdir(f"/proc/{watcher.pid}/task")) == threads
    assert watcher.transitions("stuck") == ["critical timeout", "ok running"]
    assert watcher.transitions("proc") == before


def test_an_exit_found_after_the_deadline_decides_the_next_look(
    tmp_path: Path, start: Start
) -> None:
    process = start("blocks", "60")
    toml = process_check("stuck", "blocks", interval=1.0, timeout=0.5, fall=255)
    with Watcher(tmp_path, toml, faults=[blocks_in(tmp_path)]) as watcher:
        comes_to_say(watcher, "stuck", "ok running")
        blocked = tmp_path / BLOCKED
        blocked.touch()
        end(process)
        time.sleep(0.8)  # the look that the exit has called for times out
        blocked.unlink()
        watcher.wait_for("stuck", "critical missing", AT_ONCE)


def expires_after(watcher: Watcher, second: int) -> bool:
    verdict = watcher.verdict("stuck")
    return verdict is not None and verdict.expiry > second


def test_ready_waits_until_every_check_has_answered_or_timed_out(
    tmp_path: Path, start: Start
) -> None:
    start("blocks", "60")
    (tmp_path / BLOCKED).touch()
    toml = process_check() + process_check("stuck", "blocks", interval=1.0, timeout=0.6)
    begun = time.monotonic()
    with Watcher(tmp_path, toml, faults=[blocks_in(tmp_path)], wait=False) as watcher:
        watcher.wait_for("proc", "critical missing")
        assert "READY=1" not in watcher.notified
        watcher.until(lambda: "READY=1" in watcher.notified)
        assert time.monotonic() - begun >= 0.6
        assert watcher.says("stuck", "critical timeout")
        watcher.until(lambda: watcher.find("ready: watching 2 checks"))
        failing = "proc critical missing, stuck critical timeout"
        watcher.until(lambda: f"STATUS=2 checks, 2 not ok: {failing}" in watcher.notified)


def test_a_reload_frees_a_worker_that_hangs(tmp_path: Path) -> None:
    """Nobody declares its timeout any more: it must not stay with the server."""
    with StandInVault() as server:
        server.drip_interval = 0.05
        toml = vault_check(server.address, interval=30.0, timeout=30.0)
        server.state = "drip"
        with Watcher(tmp_path, toml + process_check(), wait=False) as watcher:
            watcher.wait_for("proc", "critical missing")
            assert server.wait_for_requests(1)
            threads = len(os.listdir(f"/proc/{watcher.pid}/task"))
            watcher.reload(process_check())
            assert server.wait_until_idle(), "its connection is still open"
            watcher.until(lambda: len(os.listdir(f"/proc/{watcher.pid}/task")) < threads)
            watcher.until(lambda: "READY=1" in watcher.notified)  # what is left has its verdicts


# --- time --------------------------------------------------------------------------------------


def test_a_verdict_expires_when_the_watcher_is_stopped(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, process_check(interval=0.2, timeout=0.2, fall=20)) as watcher:
        before = comes_to_say(watcher, "proc", "ok running")
        for _ in range(20):
            verdict = watcher.verdict("proc")
            assert verdict is not None
            assert statedir.uptime() < verdict.expiry <= statedir.uptime() + 3
            time.sleep(0.05)
        watcher.signal(signal.SIGSTOP)
        verdict = watcher.verdict("proc")
        assert verdict is not None
        watcher.until(lambda: statedir.uptime() >= verdict.expiry)
        assert watcher.verdict("proc") == verdict
        watcher.signal(signal.SIGCONT)
        watcher.until(lambda: watcher.verdict("proc") != verdict, AT_ONCE)
        watcher.wait_for("proc", "ok running")
    assert watcher.transitions("proc") == before


def test_the_clock_may_jump(tmp_path: Path, start: Start) -> None:
    """What it says of the time of day is of no account."""
    process = start(NAME, "60")
    toml = process_check(interval=0.1, timeout=0.1, fall=20)
    with Watcher(tmp_path, toml, faults=[let_the_clock_jump]) as watcher:
        before = comes_to_say(watcher, "proc", "ok running")
        verdict = watcher.verdict("proc")
        watcher.until(lambda: watcher.verdict("proc") != verdict)
        assert watcher.transitions("proc") == before
        process.kill()
        watcher.wait_for("proc", "critical missing", AT_ONCE)


def test_the_watchdog_is_fed_only_while_the_loop_runs(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    toml = process_check(interval=0.1, timeout=0.1)
    with Watcher(tmp_path, toml, environ={"WATCHDOG_USEC": "200000"}) as watcher:
        watcher.until(lambda: watcher.notified.count("WATCHDOG=1") >= 3)
        watcher.signal(signal.SIGSTOP)
        wait_until_stopped(watcher.pid)
        watcher.until(lambda: settled(lambda: len(watcher.notified)))
        fed = watcher.notified.count("WATCHDOG=1")
        time.sleep(0.4)  # two watchdog times: nothing comes
        assert watcher.notified.count("WATCHDOG=1") == fed
        watcher.signal(signal.SIGCONT)
        watcher.until(lambda: watcher.notified.count("WATCHDOG=1") > fed)


def test_the_watchdog_is_not_fed_when_one_check_stands_still(tmp_path: Path) -> None:
    toml = process_check(interval=0.1, timeout=0.1) + process_check(
        "lost", interval=0.1, timeout=0.1
    )
    lost = partial(never_tick, "lost")
    slack = {"kacheck.watch.service.SLACK": 0.2}
    environ = {"WATCHDOG_USEC": "100000"}
    with Watcher(tmp_path, toml, faults=[lost], settings=slack, environ=environ) as watcher:
        watcher.until(lambda: "WATCHDOG=1" in watcher.notified)
        watcher.until(lambda: settled(lambda: watcher.notified.count("WATCHDOG=1"), 0.3))


def settled(count: Callable[[], int], seconds: float = 0.1) -> bool:
    """Return whether a count stays the same for a while."""
    before = count()
    time.sleep(seconds)
    return count() == before
