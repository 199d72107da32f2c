"""The watcher as a whole: `kacheck watch` in a process of its own, real processes and servers."""

import contextlib
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from helpers.needs import needs
from helpers.paths import STAND_IN_VAULT
from helpers.vault import StandInVault
from helpers.watcher import PATIENCE, SOURCE, Watcher
from kacheck import statedir
from kacheck.watch.watched import EVENTS_PER_INTERVAL

Start = Callable[..., subprocess.Popen[bytes]]

NAME = f"ksup-{os.getpid()}"
AT_ONCE = 30.0
"""Seconds within which an event has been acted upon; no look would come for a minute."""


def process_check(name: str = "proc", process: str = NAME, **keys: Any) -> str:
    return check(name, probe="process", name=process, **keys)


def vault_check(address: str, name: str = "vault", **keys: Any) -> str:
    return check(name, probe="vault", address=address, **keys)


def check(table: str, **keys: Any) -> str:
    """A table of the configuration."""
    shown = {True: "true", False: "false"}
    lines = [f"{key} = {shown[v] if isinstance(v, bool) else toml(v)}" for key, v in keys.items()]
    return "\n".join([f"[check.{table}]", *lines, ""])


def toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


COUNTS = """
import kacheck.watch.worker as worker
start = worker.Worker.start
def counted(self, job):
    start(self, job)
    __import__("os").write(1, f"pending {self.pending}\\n".encode())
worker.Worker.start = counted
"""
"""Each look that is begun is a line, `pending N`, with how many of its check have not ended."""


def pending(watcher: Watcher) -> list[int]:
    words = [str(line.get("text", "")).split() for line in [*watcher.lines]]
    return [int(word[1]) for word in words if word[:1] == ["pending"]]


NOT_KEPT = """
import kacheck.exchange.client as vault
vault.HEADERS["connection"] = "close"
"""
"""A server that is asked to ends each connection after its answer."""

RARELY: dict[str, Any] = {"interval": 60.0, "timeout": 5.0}


def comes_to_say(watcher: Watcher, name: str, words: str) -> list[str]:
    """All that the check has said until it says this: on a busy machine a first look times out."""
    watcher.until(lambda: watcher.transitions(name)[-1:] == [words])
    return watcher.transitions(name)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.fixture
def vault_process(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Stand-ins in processes of their own: process and address."""
    children: list[subprocess.Popen[str]] = []

    def run(listen: str = "127.0.0.1:0") -> tuple[subprocess.Popen[str], str]:
        argv = [sys.executable, str(STAND_IN_VAULT), "--listen", listen, "--seconds", "60"]
        children.append(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=tmp_path))
        stdout = children[-1].stdout
        assert stdout is not None
        return children[-1], stdout.readline().split()[-1]

    yield run
    for child in children:
        child.kill()
        child.communicate()


# --- events -------------------------------------------------------------------------------------


def test_a_killed_process_fails_at_once_and_one_that_comes_back_is_seen_by_looks(
    tmp_path: Path, start: Start
) -> None:
    """`fall` is for looks: an exit that a look confirms needs no second one."""
    process = start(NAME, "60")
    with Watcher(tmp_path, process_check(fall=5, **RARELY)) as watcher:
        assert watcher.track("proc") == 1
        assert watcher.says("proc", "ok running")
        process.kill()
        watcher.until(lambda: watcher.track("proc") == 0, AT_ONCE)
        watcher.wait_for("proc", "critical missing", AT_ONCE)
    assert watcher.transitions("proc") == ["ok running", "critical missing"]


def test_a_quorum_whose_members_all_go_at_once_is_one_event(tmp_path: Path, start: Start) -> None:
    """Each of the descriptors tells; a look for each of them would use up what an interval has."""
    processes = [start(NAME, "60") for _ in range(EVENTS_PER_INTERVAL + 10)]
    toml = process_check(quorum=len(processes), **RARELY)
    with Watcher(tmp_path, toml, prelude=COUNTS) as watcher:
        watcher.signal(signal.SIGSTOP)
        wait_until_stopped(watcher.pid)
        for process in processes:
            end(process)
        watcher.signal(signal.SIGCONT)
        watcher.wait_for("proc", "critical missing", AT_ONCE)
        assert len(pending(watcher)) <= 3, "the first look, and one for all of them"
        survivor = start(NAME, "60")
        watcher.reload(process_check(quorum=1, **RARELY))
        watcher.wait_for("proc", "ok running", AT_ONCE)
        end(survivor)
        watcher.wait_for("proc", "critical missing", AT_ONCE)


def test_a_process_that_is_back_within_terminate_delay_was_never_gone(
    tmp_path: Path, start: Start
) -> None:
    process = start(NAME, "60")
    toml = process_check(terminate_delay=0.5, fall=1, **RARELY)
    with Watcher(tmp_path, toml) as watcher:
        for _ in range(3):
            end(process)
            process = start(NAME, "60")
        # The look at the end of the delay, at the latest, renews the verdict, and holds the new one.
        watcher.until(lambda: f"(pid {process.pid})" in str(watcher.verdict("proc")))
        assert watcher.says("proc", "ok running")
        assert watcher.transitions("proc") == ["ok running"]
        begun = time.monotonic()
        end(process)
        watcher.wait_for("proc", "critical missing")
        assert time.monotonic() - begun >= 0.5


def test_a_killed_vault_fails_at_once(
    tmp_path: Path, vault_process: Callable[..., tuple[subprocess.Popen[str], str]]
) -> None:
    child, address = vault_process()
    with Watcher(tmp_path, vault_check(address, fall=5, **RARELY)) as watcher:
        assert watcher.track("vault") == 1
        child.kill()
        watcher.until(lambda: watcher.track("vault") == 0, AT_ONCE)
        # Its listening socket may outlive the connection by a moment.
        said = ("critical refused", "critical reset")
        watcher.until(lambda: any(watcher.says("vault", words) for words in said), AT_ONCE)
    assert len(watcher.transitions("vault")) == 2


def test_a_vault_that_answers_badly_fails_after_fall_looks(tmp_path: Path) -> None:
    with StandInVault() as server:
        toml = vault_check(server.address, interval=0.5, timeout=0.5, fall=4, rise=3)
        with Watcher(tmp_path, toml) as watcher:
            before = comes_to_say(watcher, "vault", "ok active")
            asked = len(server.requests)
            server.state = "sealed"
            watcher.wait_for("vault", "critical sealed")
            assert len(server.requests) - asked >= 4
            asked = len(server.requests)
            server.state = "active"
            watcher.wait_for("vault", "ok active")
            assert len(server.requests) - asked >= 3
    assert watcher.transitions("vault") == [*before, "critical sealed", "ok active"]


def test_a_server_that_ends_each_connection_costs_a_bounded_number_of_looks(
    tmp_path: Path,
) -> None:
    """Each end is an event: to look for the sake of each would be a loop."""
    code = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
body = b'{"initialized":true,"sealed":false,"standby":false}'
connections = 0
while True:
    sock, _ = server.accept()
    with sock:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
        sock.settimeout(0.002)
        try:
            sock.recv(1)
        except OSError:
            pass
    connections += 1
    print(connections, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            toml = vault_check(f"http://127.0.0.1:{port}", interval=1.0, timeout=1.0)
            with Watcher(tmp_path, toml) as watcher:
                before = comes_to_say(watcher, "vault", "ok active")
                begun = time.monotonic()
                time.sleep(1.1)  # the rate is what is measured
                intervals = int(time.monotonic() - begun) + 2
                assert watcher.transitions("vault") == before
            server.kill()
            connections = int(server.stdout.read().split()[-1])
            assert 3 < connections <= intervals * (EVENTS_PER_INTERVAL + 1)
        finally:
            server.kill()


def test_a_server_that_ends_each_connection_comes_back_after_rise_looks(tmp_path: Path) -> None:
    """As the proxies do that write Connection: close; what ends so has lost nobody."""
    with StandInVault(state="sealed") as server:
        toml = vault_check(server.address, interval=0.3, timeout=0.3, rise=3)
        with Watcher(tmp_path, toml, prelude=NOT_KEPT) as watcher:
            comes_to_say(watcher, "vault", "critical sealed")
            server.state = "active"
            watcher.wait_for("vault", "ok active")


def test_a_server_that_limits_the_rate_is_asked_less_often_and_one_refusal_changes_nothing(
    tmp_path: Path,
) -> None:
    with StandInVault() as server:
        toml = vault_check(server.address, interval=0.1)
        with Watcher(tmp_path, toml) as watcher:
            before = comes_to_say(watcher, "vault", "ok active")
            server.state = "rate-limited"
            watcher.until(lambda: watcher.find("asked every 1 s"))
            server.state = "active"
            asked, began = len(server.requests), time.monotonic()
            watcher.until(lambda: len(server.requests) >= asked + 3)
            assert time.monotonic() - began > 2
            assert watcher.says("vault", "ok active")
    assert watcher.transitions("vault") == before


class SlowVault:
    """An active Vault whose answers take a while; counts how many it is asked for at once."""

    def __init__(self, seconds: float) -> None:
        self.answers, self.most = 0, 0
        asked = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                nonlocal asked
                asked += 1
                outer.most = max(outer.most, asked)
                time.sleep(seconds)
                body = b'{"initialized": true, "sealed": false, "standby": false}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                asked -= 1
                outer.answers += 1
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_an_answer_that_takes_several_intervals_is_no_failure_before_its_timeout(
    tmp_path: Path,
) -> None:
    slow = SlowVault(0.5)
    with Watcher(tmp_path, vault_check(slow.address, interval=0.1, timeout=20)) as watcher:
        watcher.until(lambda: slow.answers >= 4)
        assert watcher.says("vault", "ok active")
    assert watcher.transitions("vault")[0] == "ok active"
    assert slow.most == 1, "looks overlap"
    slow.server.shutdown()
    slow.server.server_close()


# --- what blocks --------------------------------------------------------------------------------

BLOCKS = """
import sys, threading
import kacheck.probes.process.look as process, kacheck.probes.process.tracker as tracker
real = tracker.scan
def scan(options):
    if options.name == "blocks":
        while __import__("os").path.exists(sys.argv[sys.argv.index("--config") + 1] + ".blocked"):
            __import__("time").sleep(0.01)
    return real(options)
tracker.scan = scan
"""
"""A look that no deadline reaches, as in getaddrinfo(3), while the file is there."""


def test_a_stopped_vault_is_a_timeout_again_and_again_and_delays_nobody_else(
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


def test_a_look_that_blocks_for_ever_is_a_timeout_in_every_interval(
    tmp_path: Path, start: Start
) -> None:
    """The verdict never expires, nothing piles up, and when the look ends all is as before."""
    start("blocks", "60")
    start(NAME, "60")
    blocked = tmp_path / "kacheck.toml.blocked"
    blocked.touch()
    toml = process_check("stuck", "blocks", interval=0.1, timeout=0.05, rise=1) + process_check(
        interval=0.1, timeout=0.1, fall=20
    )
    with Watcher(tmp_path, toml, prelude=BLOCKS + COUNTS) as watcher:
        assert watcher.says("stuck", "critical timeout")
        before = comes_to_say(watcher, "proc", "ok running")
        for _ in range(2):
            known = watcher.verdict("stuck")
            assert known is not None
            assert known.expiry >= statedir.uptime()
            watcher.until(partial(expires_after, watcher, known.expiry))
        watcher.until(lambda: "the look before it to end" in str(watcher.verdict("stuck")))
        assert len(pending(watcher)) > 5
        assert max(pending(watcher)) == 2, "the one that is stuck, and the newest"
        threads = len(os.listdir(f"/proc/{watcher.pid}/task"))
        blocked.unlink()
        watcher.wait_for("stuck", "ok running")
        assert len(os.listdir(f"/proc/{watcher.pid}/task")) == threads
    assert watcher.transitions("stuck") == ["critical timeout", "ok running"]
    assert watcher.transitions("proc") == before


def test_an_exit_that_a_look_found_too_late_is_decisive_for_the_next_one(
    tmp_path: Path, start: Start
) -> None:
    process = start("blocks", "60")
    toml = process_check("stuck", "blocks", interval=1.0, timeout=0.5, fall=255)
    with Watcher(tmp_path, toml, prelude=BLOCKS) as watcher:
        comes_to_say(watcher, "stuck", "ok running")
        blocked = tmp_path / "kacheck.toml.blocked"
        blocked.touch()
        end(process)
        time.sleep(0.8)  # the look that the exit has called for times out
        blocked.unlink()
        watcher.wait_for("stuck", "critical missing", AT_ONCE)


def expires_after(watcher: Watcher, second: int) -> bool:
    verdict = watcher.verdict("stuck")
    return verdict is not None and verdict.expiry > second


def test_ready_comes_only_when_every_check_has_a_verdict_or_has_timed_out(
    tmp_path: Path, start: Start
) -> None:
    start("blocks", "60")
    (tmp_path / "kacheck.toml.blocked").touch()
    toml = process_check() + process_check("stuck", "blocks", interval=1.0, timeout=0.6)
    begun = time.monotonic()
    with Watcher(tmp_path, toml, prelude=BLOCKS, wait=False) as watcher:
        watcher.wait_for("proc", "critical missing")
        assert "READY=1" not in watcher.notified
        watcher.until(lambda: "READY=1" in watcher.notified)
        assert time.monotonic() - begun >= 0.6
        assert watcher.says("stuck", "critical timeout")
        watcher.until(lambda: watcher.find("ready: watching 2 checks"))
        failing = "proc critical missing, stuck critical timeout"
        watcher.until(lambda: f"STATUS=2 checks, 2 not ok: {failing}" in watcher.notified)


def test_a_reload_frees_a_worker_that_hangs(tmp_path: Path) -> None:
    """Nobody declares its timeout any more: it must not stay with the server for ever."""
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


# --- reload -------------------------------------------------------------------------------------


def test_a_reload_keeps_what_is_unchanged_ends_what_is_removed_and_begins_what_is_new(
    tmp_path: Path, start: Start
) -> None:
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
        assert "no longer has it" in verdict.message
        assert not (watcher.state_dir / "failing" / "removed").exists()
        assert watcher.track("same") == 1
        watcher.until(lambda: any("STATUS=3 checks, 1 not ok" in word for word in watcher.notified))
        assert watcher.descriptors() <= before
        watcher.reload(same)
        watcher.until(lambda: "STATUS=1 checks, 0 not ok" in watcher.notified)
    assert watcher.transitions("same") == ["ok running"], "it was not begun anew"
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
    prelude = """
import os
from kacheck import config
def load(path, really=config.load):
    if os.path.exists(path + ".bug"):
        raise ZeroDivisionError("a bug")
    return really(path)
config.load = load
"""
    with Watcher(tmp_path, process_check(), prelude=prelude) as watcher:
        assert watcher.says("proc", "ok running")
        Path(f"{watcher.config}.bug").touch()
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


# --- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_every_check_failing(tmp_path: Path, start: Start, number: int) -> None:
    start(NAME, "60")
    track = "{ ok = 50, critical = -254 }"
    toml = process_check() + process_check("graded") + f"track = {track}\n"
    with Watcher(tmp_path, toml) as watcher:
        assert (watcher.track("proc"), watcher.track("graded")) == (1, 50)
        watcher.signal(number)
        assert watcher.process.wait(PATIENCE) == 0
        assert (watcher.track("proc"), watcher.track("graded")) == (0, -254)
        for name in ("proc", "graded"):
            verdict = watcher.verdict(name)
            assert verdict is not None
            assert (verdict.exit_code, verdict.expiry) == (2, 0)
            assert (verdict.reason, verdict.message) == ("stopped", "the watcher was stopped")
        watcher.stop()
        assert watcher.find("all checks fail now")
        watcher.until(lambda: "STOPPING=1" in watcher.notified)


CRASH = """
import os, sys
import kacheck.watch.scheduler as scheduler
real = scheduler.Scheduler._tick
def tick(self, watched):
    if os.path.exists(sys.argv[sys.argv.index("--config") + 1] + ".crash"):
        raise RuntimeError("a bug")
    real(self, watched)
scheduler.Scheduler._tick = tick
"""
STUBBORN = """
import kacheck.watch.publisher as publisher
forget = publisher.Publisher.forget
def stubborn(self, name, verdict):
    if name == "first":
        raise KeyError("another bug")
    forget(self, name, verdict)
publisher.Publisher.forget = stubborn
"""


@pytest.mark.parametrize("end", ["signal", "crash"])
def test_what_started_it_may_decide_about_the_track_files(
    tmp_path: Path, start: Start, end: str
) -> None:
    """They stay, and the verdict is not believed without its process."""
    start(NAME, "60")
    toml = process_check(interval=0.1, timeout=0.1)
    with Watcher(tmp_path, toml, prelude=CRASH, options=["--on-stop", "leave"]) as watcher:
        assert watcher.track("proc") == 1
        if end == "signal":
            watcher.signal(signal.SIGTERM)
        else:
            (tmp_path / "kacheck.toml.crash").touch()
        code = watcher.process.wait(PATIENCE)
        assert code == (0 if end == "signal" else 1), "3 is a configuration that is refused"
        assert watcher.track("proc") == 1
        assert (tmp_path / "state/failing/proc").read_text() == "0\n", "it lies ready"
        watcher.stop()
        assert watcher.find("are left to what started it")


@pytest.mark.parametrize("prelude", [CRASH, CRASH + STUBBORN], ids=["once", "and once more"])
def test_a_crash_leaves_the_failing_values(tmp_path: Path, start: Start, prelude: str) -> None:
    start(NAME, "60")
    often: dict[str, Any] = {"interval": 0.1, "timeout": 0.1}
    toml = process_check("first", **often) + process_check("second", **often)
    with Watcher(tmp_path, toml, prelude=prelude) as watcher:
        assert watcher.track("second") == 1
        (tmp_path / "kacheck.toml.crash").touch()
        assert watcher.process.wait(PATIENCE) != 0
        assert watcher.track("second") == 0
        verdict = watcher.verdict("second")
        assert verdict is not None
        assert (verdict.reason, verdict.message) == ("stopped", "the watcher has crashed")
        if prelude == CRASH:
            assert watcher.track("first") == 0
        watcher.stop()
        assert "a bug" in str(watcher.lines)


def test_another_watcher_that_has_the_directory_now_is_left_alone(
    tmp_path: Path, start: Start
) -> None:
    """Its lock file was deleted: it must not write what the other one will find changed."""
    start(NAME, "60")
    prelude = "import kacheck.watch.supervisor as s; s.LOCK_INTERVAL = 0.1"
    with Watcher(tmp_path, process_check(**RARELY), prelude=prelude) as first:
        first.signal(signal.SIGSTOP)
        wait_until_stopped(first.pid)
        (first.state_dir / "watcher/lock").unlink()
        with Watcher(tmp_path, process_check(**RARELY)) as second:
            first.signal(signal.SIGCONT)
            assert first.process.wait(PATIENCE) == 3
            first.stop()
            assert f"another watcher, pid {second.pid}, has" in str(first.lines)
            assert second.track("proc") == 1
            assert second.says("proc", "ok running")


# --- drain, unknown -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["proc", statedir.ALL])
def test_a_drain_is_honoured_within_an_interval_and_so_is_its_end(
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


# --- time ---------------------------------------------------------------------------------------


def test_a_verdict_is_current_while_the_watcher_runs_and_expires_when_it_is_stopped(
    tmp_path: Path, start: Start
) -> None:
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
    prelude = """
import itertools, time
real, jumps = time.time, itertools.cycle((0, 1e9, -1e9))
time.time = lambda: real() + next(jumps)
"""
    toml = process_check(interval=0.1, timeout=0.1, fall=20)
    with Watcher(tmp_path, toml, prelude=prelude) as watcher:
        before = comes_to_say(watcher, "proc", "ok running")
        verdict = watcher.verdict("proc")
        watcher.until(lambda: watcher.verdict("proc") != verdict)
        assert watcher.transitions("proc") == before
        process.kill()
        watcher.wait_for("proc", "critical missing", AT_ONCE)


def test_the_watchdog_is_fed_while_the_loop_moves_and_not_when_it_stands(
    tmp_path: Path, start: Start
) -> None:
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


NO_TICKS = """
import kacheck.watch.scheduler as scheduler
import kacheck.watch.service as service
service.SLACK = 0.2
real = scheduler.Scheduler._tick
def tick(self, watched):
    if watched.check.name != "lost":
        real(self, watched)
scheduler.Scheduler._tick = tick
"""


def test_the_watchdog_is_not_fed_when_one_check_stands_still(tmp_path: Path) -> None:
    toml = process_check(interval=0.1, timeout=0.1) + process_check(
        "lost", interval=0.1, timeout=0.1
    )
    environ = {"WATCHDOG_USEC": "100000"}
    with Watcher(tmp_path, toml, prelude=NO_TICKS, environ=environ) as watcher:
        watcher.until(lambda: "WATCHDOG=1" in watcher.notified)
        watcher.until(lambda: settled(lambda: watcher.notified.count("WATCHDOG=1"), 0.3))


def settled(count: Callable[[], int], seconds: float = 0.1) -> bool:
    """Does it stay the same for a while?"""
    before = count()
    time.sleep(seconds)
    return count() == before


def wait_until_stopped(pid: int) -> None:
    stat = Path(f"/proc/{pid}/stat")
    while stat.read_text().rpartition(") ")[2][0] != "T":
        time.sleep(0.001)


# --- few descriptors, many checks ---------------------------------------------------------------


def test_it_survives_to_be_out_of_descriptors(tmp_path: Path, start: Start) -> None:
    """All that it cannot see fails, with why; and it is well again when there are some."""
    needs("prlimit")
    start(NAME, "60")
    with StandInVault() as server:
        toml = process_check(interval=0.1, timeout=0.1) + vault_check(
            server.address, interval=0.1, timeout=0.1
        )
        prelude = "import kacheck.exchange.client as v; v.KEPT_FOR = 0.3"
        with Watcher(tmp_path, toml, prelude=prelude) as watcher:
            limit = ["prlimit", "--pid", str(watcher.pid)]
            subprocess.run([*limit, "--nofile=3:"], check=True)
            watcher.until(lambda: (watcher.track("proc"), watcher.track("vault")) == (0, 0))
            watcher.until(lambda: watcher.find("Too many open files"))
            assert watcher.returncode is None
            subprocess.run([*limit, "--nofile=1024:"], check=True)
            watcher.wait_for("proc", "ok running")
            watcher.wait_for("vault", "ok active")
            assert (watcher.track("proc"), watcher.track("vault")) == (1, 1)


@pytest.mark.slow
def test_two_hundred_checks_all_get_their_looks(tmp_path: Path, start: Start) -> None:
    """Ten of each of twenty processes, one of which is killed."""
    processes = [start(f"{NAME}-{number}", "120") for number in range(20)]
    names = [f"c{number}" for number in range(200)]
    gone = names[7::20]
    rest = [name for name in names if name not in gone]
    often: dict[str, Any] = {"interval": 3.0, "timeout": 2.9}
    toml = "".join(
        process_check(name, f"{NAME}-{number % 20}", **often) for number, name in enumerate(names)
    )
    with Watcher(tmp_path, toml) as watcher:

        def all_are(names: list[str], value: int) -> bool:
            return all(watcher.track(name) == value for name in names)

        def all_are_renewed() -> bool:
            return all(watcher.verdict(name) != before[name] for name in rest)

        watcher.until(lambda: all_are(names, 1))
        end(processes[7])
        watcher.until(lambda: all_are(gone, 0))
        before = {name: watcher.verdict(name) for name in rest}
        watcher.until(all_are_renewed)
        for name in rest:
            verdict = watcher.verdict(name)
            assert verdict is not None
            assert verdict.expiry > statedir.uptime()
        assert all_are(rest, 1)
    assert {watcher.transitions(name)[-1] for name in gone} == {"critical missing"}
    assert {watcher.transitions(name)[-1] for name in rest} == {"ok running"}


def test_memory_and_descriptors_stay_where_they_are(tmp_path: Path) -> None:
    """A server that fails in every way."""
    with StandInVault() as server:
        keys: dict[str, Any] = {"interval": 0.1, "timeout": 0.05, "fall": 1, "rise": 1}
        toml = "".join(vault_check(server.address, f"v{number}", **keys) for number in range(4))
        with Watcher(tmp_path, toml) as watcher:
            states = ("active", "close", "sealed", "reset", "garbage-head", "chunked", "hang")

            def looks(number: int) -> None:
                for round_ in range(number):
                    server.state = states[round_ % len(states)]
                    asked = len(server.requests)
                    assert server.wait_for_requests(asked + 4, 10)

            looks(7)
            before = rss(watcher.pid)
            looks(14)
            assert rss(watcher.pid) - before < 3000, "KiB"
            server.state = "active"
            for number in range(4):
                watcher.wait_for(f"v{number}", "ok active")
            watcher.until(lambda: watcher.descriptors() < 40)


def rss(pid: int) -> int:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1])


# --- a combination ------------------------------------------------------------------------------


def test_a_combination_fails_at_once_for_the_event_of_a_member_and_names_it(
    tmp_path: Path, start: Start
) -> None:
    process = start(NAME, "60")
    with StandInVault() as server:
        node = check("node", probe="combined", all=["proc", "vault"], fall=5, **RARELY)
        toml = process_check(**RARELY) + vault_check(server.address, **RARELY) + node
        with Watcher(tmp_path, toml) as watcher:
            assert watcher.track("node") == 1
            process.kill()
            watcher.wait_for("node", "critical missing", AT_ONCE)
            assert "proc: no process" in str(watcher.verdict("node"))
            assert watcher.track("vault") == 1


def test_an_exit_during_a_look_is_decisive_too(
    tmp_path: Path,
    start: Start,
    vault_process: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    """The look itself finds it, and nothing is left that would become readable."""
    process = start(NAME, "60")
    child, address = vault_process()
    times = {"interval": 3.0, "timeout": 2.5, "fall": 20}
    node = check("node", probe="combined", all=["vault", "proc"], **times)
    toml = process_check(**RARELY) + vault_check(address, **RARELY) + node
    with Watcher(tmp_path, toml) as watcher:
        assert watcher.says("node", "ok running")
        child.send_signal(signal.SIGSTOP)
        wait_until_stopped(child.pid)
        watcher.until(lambda: is_asked(int(address.rpartition(":")[2])))
        end(process)
        child.send_signal(signal.SIGCONT)
        watcher.wait_for("node", "critical missing", AT_ONCE)


def test_a_member_that_is_not_asked_calls_for_no_more_looks_than_one(
    tmp_path: Path,
    start: Start,
    vault_process: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    """Vault's connection has ended with it, and stays so while its process is missing."""
    process = start(NAME, "60")
    child, address = vault_process()
    node = check("node", probe="combined", process=NAME, address=address, **RARELY)
    with Watcher(tmp_path, node, prelude=COUNTS) as watcher:
        assert watcher.says("node", "ok active")
        before = len(pending(watcher))
        end(process)
        child.kill()
        watcher.wait_for("node", "critical missing", AT_ONCE)
        time.sleep(0.5)  # for the looks that must not come
        assert len(pending(watcher)) - before < EVENTS_PER_INTERVAL / 2


def is_asked(port: int) -> bool:
    """Does something wait to be read by a server (proc_net_tcp, rx_queue)?"""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    queues = [line[4] for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "01"]
    return any(int(queue.partition(":")[2], 16) for queue in queues)


def test_any_is_up_though_one_hangs_in_every_interval(tmp_path: Path) -> None:
    """A member that was left behind must not spoil the descriptors of other checks."""
    with contextlib.ExitStack() as stack:
        hangs, well = (stack.enter_context(StandInVault(state)) for state in ("hang", "active"))
        keys: dict[str, Any] = {"interval": 0.4, "timeout": 0.4}
        toml = vault_check(hangs.address, "hangs", **keys) + vault_check(
            well.address, "well", **keys
        )
        toml += check("either", probe="combined", any=["hangs", "well"], **keys)
        with Watcher(tmp_path, toml) as watcher:
            said = {"either": "ok active", "well": "ok active", "hangs": "critical timeout"}
            before = {name: comes_to_say(watcher, name, words) for name, words in said.items()}
            assert well.wait_for_requests(len(well.requests) + 10)
            assert {name: watcher.transitions(name) for name in said} == before


# --- no check at all ----------------------------------------------------------------------------


def test_without_a_check_it_is_ready_and_waits_for_one(tmp_path: Path, start: Start) -> None:
    """As it is installed: harmless, and a reload takes the first check."""
    start(NAME, "60")
    with Watcher(tmp_path, "# nothing yet\n") as watcher:
        nothing = f"nothing is watched: {watcher.config} has no check"
        watcher.until(lambda: f"STATUS={nothing}" in watcher.notified)
        shown = kacheck("status", "--state-dir", watcher.state_dir)
        assert (shown.returncode, shown.stderr) == (3, f"kacheck: {nothing}\n")
        shown = kacheck("watch", "--check-config", "--config", watcher.config)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert shown.stdout == f"{watcher.config} is good: it has no check, so nothing is watched\n"
        assert os.listdir(watcher.state_dir / "track") == []
        watcher.reload(process_check())
        watcher.wait_for("proc", "ok running")
        assert watcher.track("proc") == 1


def kacheck(*argv: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kacheck", *map(str, argv)]
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environ)
