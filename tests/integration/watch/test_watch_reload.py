"""The watcher's configuration: reloads, drains, and none at all."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from helpers.checks import AT_ONCE, NAME, RARELY, comes_to_say, end, process_check, vault_check
from helpers.child import run_kacheck
from helpers.faults import fail_to_read_when
from helpers.vault import StandInVault
from helpers.watcher import Watcher
from kacheck import statedir

Start = Callable[..., subprocess.Popen[bytes]]


# --- reload ------------------------------------------------------------------------------------


def test_a_reload_touches_only_the_checks_that_changed(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    same, changed = process_check("same"), process_check("changed", interval=0.5, timeout=0.4)
    removed = process_check("removed")
    with Watcher(tmp_path, same + changed + removed) as watcher:
        for name in ("same", "changed", "removed"):
            assert watcher.track(name) == 1
        before = watcher.descriptors()
        changed = process_check("changed", "no-such", interval=0.5, timeout=0.4)
        answer = watcher.reload(changed + process_check("new") + same)
        assert answer["message"] == f"{watcher.config} reloaded"
        watcher.wait_for("new", "ok running")
        watcher.wait_for("changed", "critical missing")
        assert watcher.track("removed") == 0
        verdict = watcher.verdict("removed")
        assert verdict is not None
        assert (verdict.exit_code, verdict.expiry, verdict.reason) == (2, 0, "stopped")
        assert "no longer has this check" in verdict.message
        assert not (watcher.state_dir / "failing" / "removed").exists()
        assert watcher.track("same") == 1
        watcher.until(lambda: any("STATUS=3 checks, 1 not ok" in word for word in watcher.notified))
        assert watcher.descriptors() <= before
        watcher.reload(same)
        watcher.until(lambda: "STATUS=1 checks, 0 not ok" in watcher.notified)
    assert watcher.transitions("same") == ["ok running"], "it was not started again"
    assert watcher.transitions("changed") == ["ok running", "critical missing"]


def test_a_bad_configuration_is_refused_and_the_old_one_stays(tmp_path: Path, start: Start) -> None:
    process = start(NAME, "60")
    good = process_check(**RARELY)
    with Watcher(tmp_path, good) as watcher:
        for bad, words in (
            (good + "intervall = 1", "intervall"),
            ("", "has no check; add one"),
            (good + "[", "invalid TOML"),
        ):
            answer = watcher.reload(bad)
            assert "not reloaded, the old one stays" in answer["message"]
            assert words in answer["message"]
            assert str(watcher.config) in answer["message"]
        assert watcher.track("proc") == 1
        end(process)
        watcher.wait_for("proc", "critical missing", AT_ONCE)
        watcher.config.unlink()
        known = len(watcher.lines)
        watcher.signal(signal.SIGHUP)
        assert (
            "No such file" in watcher.until(lambda: watcher.find("not reloaded", known))["message"]
        )


def test_a_bug_in_the_reader_of_the_configuration_ends_no_watcher(
    tmp_path: Path, start: Start
) -> None:
    start(NAME, "60")
    bug = tmp_path / "bug"
    with Watcher(
        tmp_path, process_check(), faults=[partial(fail_to_read_when, str(bug))]
    ) as watcher:
        assert watcher.says("proc", "ok running")
        bug.touch()
        watcher.signal(signal.SIGHUP)
        said = watcher.until(lambda: watcher.find("the old one stays"))
        assert "ZeroDivisionError: a bug" in said["message"]
        assert "report it" in said["message"]
        assert watcher.says("proc", "ok running")


def test_many_reloads_leave_nothing_behind(tmp_path: Path, start: Start) -> None:
    start(NAME, "60")
    with StandInVault() as server:

        def toml(timeout: float) -> str:
            keys: dict[str, Any] = {"interval": 60.0, "timeout": timeout}
            return process_check(**keys) + vault_check(server.address, **keys)

        with Watcher(tmp_path, toml(1.0)) as watcher:
            before = watcher.descriptors(), len(os.listdir(f"/proc/{watcher.pid}/task"))
            for number in range(20):
                watcher.reload(toml(2.0 + number))
                watcher.wait_for("vault", "ok active")
            watcher.until(
                lambda: (
                    (watcher.descriptors(), len(os.listdir(f"/proc/{watcher.pid}/task"))) == before
                )
            )
            assert watcher.track("proc") == 1


# --- drain, unknown ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["proc", statedir.ALL])
def test_a_drain_starts_and_ends_within_an_interval(
    tmp_path: Path, start: Start, name: str
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, process_check(interval=0.3, timeout=0.2)) as watcher:
        (watcher.state_dir / "drain").mkdir(exist_ok=True)
        file = watcher.state_dir / "drain" / name
        file.write_text("0 new disks\n")
        watcher.wait_for("proc", "critical draining", 0.3 + 0.2 + 0.5)
        assert watcher.track("proc") == 0
        assert "new disks" in str(watcher.verdict("proc"))
        file.unlink()
        watcher.wait_for("proc", "ok running", 0.3 + 0.2 + 0.5)
        assert watcher.track("proc") == 1


def test_an_unknown_that_is_held_leaves_the_verdict_for_a_while(tmp_path: Path) -> None:
    with StandInVault() as server:
        keys: dict[str, Any] = {
            "interval": 0.5,
            "timeout": 0.5,
            "fall": 20,
            "on_unknown": "hold",
            "hold_for": 3.0,
        }
        with Watcher(tmp_path, vault_check(server.address, **keys)) as watcher:
            comes_to_say(watcher, "vault", "ok active")
            asked = len(server.requests)
            begun = time.monotonic()
            server.state = "rate-limited"
            assert server.wait_for_requests(asked + 2)
            assert watcher.says("vault", "ok active")
            watcher.wait_for("vault", "unknown rate-limited")
            assert time.monotonic() - begun >= 3.0
            assert watcher.track("vault") == 0


# --- no check at all ---------------------------------------------------------------------------


def test_without_a_check_it_is_ready_and_waits_for_one(tmp_path: Path, start: Start) -> None:
    """As it is installed: harmless, and a reload takes the first check."""
    start(NAME, "60")
    with Watcher(tmp_path, "# nothing yet\n") as watcher:
        nothing = f"nothing is watched: {watcher.config} has no check"
        watcher.until(lambda: f"STATUS={nothing}" in watcher.notified)
        shown = run_kacheck("status", "--state-dir", watcher.state_dir)
        assert (shown.returncode, shown.stderr) == (3, f"kacheck: {nothing}\n")
        shown = run_kacheck("watch", "--check-config", "--config", watcher.config)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert shown.stdout == f"{watcher.config} is good: it has no check, so nothing is watched\n"
        assert os.listdir(watcher.state_dir / "track") == []
        watcher.reload(process_check())
        watcher.wait_for("proc", "ok running")
        assert watcher.track("proc") == 1
