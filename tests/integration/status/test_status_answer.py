"""What the watcher answers to `kacheck status`."""

import pathlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import pytest

from helpers.status import GONE, HERE, NAME, ask, check, kacheck
from helpers.vault import StandInVault
from helpers.waiting import PATIENCE, until
from helpers.watcher import Watcher
from kacheck.cli import main

Start = Callable[..., subprocess.Popen[bytes]]
Shown = pytest.CaptureFixture[str]


def test_the_keys_are_a_contract(tmp_path: pathlib.Path, start: Start) -> None:
    start(NAME, "60")
    before = time.time()
    with Watcher(tmp_path, HERE + GONE) as watcher:
        answer = ask(watcher.state_dir)
        assert [*answer] == [
            "schema", "pid", "started_at", "config", "state_dir", "trouble", "checks",
        ]  # fmt: skip
        assert (answer["schema"], answer["pid"], answer["trouble"]) == (1, watcher.pid, None)
        assert (answer["config"], answer["state_dir"]) == (
            str(watcher.config),
            str(watcher.state_dir),
        )
        assert before <= answer["started_at"] <= time.time()
        here, gone = answer["checks"]
        assert [*here] == [
            "check", "probe", "status", "reason", "message", "exit_code", "track", "since",
            "since_s", "interval_s", "drained", "run", "held", "last_look", "looks",
            "transition_count", "transitions",
        ]  # fmt: skip
        assert (here["check"], here["probe"], here["interval_s"]) == ("here", "process", 1.0)
        assert (here["status"], here["reason"], here["exit_code"], here["track"]) == (
            "ok", "running", 0, 1,
        )  # fmt: skip
        assert before <= here["since"] <= time.time()
        assert abs(time.time() - here["since_s"] - here["since"]) < 10
        assert [*here["last_look"]] == [
            "status", "reason", "message", "duration_ms", "ago_s", "warnings",
        ]  # fmt: skip
        assert here["looks"].keys() == {"ok", "warning", "critical", "unknown"}
        assert here["transition_count"] == 1
        first = here["transitions"][0]
        assert first == {
            "at": first["at"], "from_status": None, "from_reason": None,
            "status": "ok", "reason": "running", "after_s": None,
        }  # fmt: skip
        assert (gone["exit_code"], gone["track"]) == (2, 0)


def test_transitions_are_the_newest_first_with_what_was_before(
    tmp_path: pathlib.Path, start: Start
) -> None:
    process = start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher:
        process.kill()
        watcher.wait_for("here", "critical missing")
        (here,) = until(
            lambda: [c for c in ask(watcher.state_dir)["checks"] if c["transition_count"] == 2]
        )
        newest, first = here["transitions"]
        assert (newest["from_status"], newest["from_reason"]) == ("ok", "running")
        assert (newest["status"], newest["reason"]) == ("critical", "missing")
        assert newest["after_s"] == pytest.approx(newest["at"] - first["at"], abs=0.2)
        assert here["since"] == pytest.approx(newest["at"], abs=0.2)


def test_a_drain_is_reported_beside_the_last_look(tmp_path: pathlib.Path, start: Start) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, check("here", NAME, "interval = 0.1")) as watcher:
        where = ["--state-dir", str(watcher.state_dir), "--config", str(watcher.config)]
        assert main(["drain", "on", *where, "--message", "new disks", "here"]) == 0
        watcher.wait_for("here", "critical draining")
        (here,) = ask(watcher.state_dir)["checks"]
        assert (here["status"], here["reason"]) == ("critical", "draining")
        assert here["drained"] == "new disks"
        assert here["last_look"]["reason"] == "running"
        assert main(["drain", "off", *where, "here"]) == 0
        watcher.wait_for("here", "ok running")
        until(lambda: ask(watcher.state_dir)["checks"][0]["drained"] is None)


def test_the_next_answer_shows_a_drain_or_its_end(tmp_path: pathlib.Path, start: Start) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, check("here", NAME, "interval = 60") + GONE) as watcher:
        file = watcher.state_dir / "drain/here"
        file.parent.mkdir(exist_ok=True)
        for _ in range(3):
            file.write_text("0 new disks\n")
            here, gone = ask(watcher.state_dir)["checks"]
            assert (here["status"], here["reason"]) == ("critical", "draining")
            assert (here["drained"], here["track"], watcher.track("here")) == ("new disks", 0, 0)
            assert gone["reason"] == "missing"
            file.unlink()
            until(lambda: ask(watcher.state_dir)["checks"][0]["reason"] == "running")
            assert watcher.track("here") == 1


def test_a_drain_that_is_over_ends_long_before_the_next_look(
    tmp_path: pathlib.Path, start: Start
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, check("here", NAME, "interval = 60")) as watcher:
        where = ["--state-dir", str(watcher.state_dir), "--config", str(watcher.config)]
        assert main(["drain", "on", *where, "--for", "1s", "here"]) == 0
        assert watcher.says("here", "critical draining"), "the command has notified the watcher"
        watcher.wait_for("here", "ok running")
        assert main(["drain", "on", *where, "here"]) == 0
        assert watcher.says("here", "critical draining")
        assert main(["drain", "off", *where, "here"]) == 0
        watcher.wait_for("here", "ok running")


def test_a_configuration_is_in_the_next_answer_after_its_reload(
    tmp_path: pathlib.Path, start: Start
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher:
        for number in range(20):
            watcher.configure(check(f"new-{number}", NAME))
            watcher.signal(signal.SIGHUP)
            assert [c["check"] for c in ask(watcher.state_dir)["checks"]] == [f"new-{number}"]


def test_wait_ends_with_the_last_first_verdict_or_its_limit(
    tmp_path: pathlib.Path, start: Start, capsys: Shown
) -> None:
    start(NAME, "60")
    with StandInVault(state="hang") as vault:
        hangs = f'[check.vault]\nprobe = "vault"\naddress = "{vault.address}"\n'
        with Watcher(tmp_path, HERE) as watcher:
            watcher.reload(f"{HERE}{hangs}timeout = 2\ninterval = 2\n")
            assert kacheck(watcher) == 3
            assert "not looked yet" in capsys.readouterr().out
            assert kacheck(watcher, "--wait") == 2
            assert "not looked yet" not in capsys.readouterr().out
            watcher.reload(f"{HERE}{hangs}timeout = 30\ninterval = 30\n")
            assert watcher.find("configuration not") is None, watcher.lines
            assert kacheck(watcher, "here", "--wait") == 0, "only those that are shown"
            capsys.readouterr()
            assert kacheck(watcher, "--wait=0.2s") == 3
            out, err = capsys.readouterr()
            assert "not looked yet" in out
            assert err == "kacheck: vault: no verdict within 0.2 s\n"


def test_wait_waits_for_a_watcher_that_starts(tmp_path: pathlib.Path, capsys: Shown) -> None:
    words = ["status", "--state-dir", str(tmp_path / "state")]
    assert main([*words, "--wait", "100ms"]) == 3
    assert "no watcher answers" in capsys.readouterr().err
    waiting = threading.Thread(target=lambda: codes.append(main([*words, "--wait", "30s"])))
    codes: list[int] = []
    waiting.start()
    with Watcher(tmp_path, GONE):
        waiting.join(PATIENCE)
    assert codes == [2]


def test_a_held_look_is_reported(tmp_path: pathlib.Path) -> None:
    more = 'interval = 0.5\non_unknown = "hold"\nhold_for = 50\n'
    with StandInVault(state="active") as vault:
        table = f'[check.vault]\nprobe = "vault"\naddress = "{vault.address}"\n{more}'
        with Watcher(tmp_path, table) as watcher:
            until(lambda: ask(watcher.state_dir)["checks"][0]["status"] == "ok")
            vault.state = "rate-limited"
            (answer,) = until(lambda: [c for c in ask(watcher.state_dir)["checks"] if c["held"]])
            assert (answer["status"], answer["last_look"]["reason"]) == ("ok", "rate-limited")
            assert answer["held"]["hold_for_s"] == 50
            assert 0 <= answer["held"]["held_s"] < 10


def test_looks_that_have_not_yet_changed_the_verdict_are_reported(
    tmp_path: pathlib.Path, start: Start
) -> None:
    process = start(NAME, "60")
    slow = "interval = 0.1\nfall = 100\nterminate_delay = 50"
    with Watcher(tmp_path, check("here", NAME, slow)) as watcher:
        process.kill()
        process.wait()
        (here,) = until(lambda: [c for c in ask(watcher.state_dir)["checks"] if c["run"]])
        assert (here["status"], here["last_look"]["reason"]) == ("ok", "missing")
        assert here["run"]["needed"] == 1, "an event was confirmed"
        assert 40 < here["run"]["wait_s"] <= 50
        assert kacheck(watcher) == 0
