"""The watcher and events: processes that exit, servers that end connections, combinations."""

import contextlib
import http.server
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.checks import (
    AT_ONCE,
    NAME,
    RARELY,
    check,
    comes_to_say,
    end,
    pending,
    process_check,
    vault_check,
    wait_until_stopped,
)
from helpers.faults import ask_to_close, count_looks
from helpers.vault import StandInVault
from helpers.watcher import Watcher
from kacheck.watch.watched import EVENTS_PER_INTERVAL

Start = Callable[..., subprocess.Popen[bytes]]


# --- events ------------------------------------------------------------------------------------


def test_a_killed_process_fails_at_once_without_waiting_for_fall(
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
    with Watcher(tmp_path, toml, faults=[count_looks]) as watcher:
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


def test_a_server_that_ends_each_connection_causes_few_looks(
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
        with Watcher(tmp_path, toml, faults=[ask_to_close]) as watcher:
            comes_to_say(watcher, "vault", "critical sealed")
            server.state = "active"
            watcher.wait_for("vault", "ok active")


def test_a_rate_limiting_server_is_asked_less_often(
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


def test_an_answer_slower_than_the_interval_is_not_a_failure(
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


# --- a combination -----------------------------------------------------------------------------


def test_a_members_event_fails_its_combination_at_once(tmp_path: Path, start: Start) -> None:
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


def test_an_unasked_member_causes_at_most_one_look(
    tmp_path: Path,
    start: Start,
    vault_process: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    """Vault's connection has ended with it, and stays so while its process is missing."""
    process = start(NAME, "60")
    child, address = vault_process()
    node = check("node", probe="combined", process=NAME, address=address, **RARELY)
    with Watcher(tmp_path, node, faults=[count_looks]) as watcher:
        assert watcher.says("node", "ok active")
        before = len(pending(watcher))
        end(process)
        child.kill()
        watcher.wait_for("node", "critical missing", AT_ONCE)
        time.sleep(0.5)  # for the looks that must not come
        assert len(pending(watcher)) - before < EVENTS_PER_INTERVAL / 2


def is_asked(port: int) -> bool:
    """Return whether a server has something to read (proc_net_tcp, rx_queue)."""
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
