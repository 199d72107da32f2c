"""The watcher with many checks, with few descriptors, and over time."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.checks import NAME, end, process_check, vault_check
from helpers.needs import needs
from helpers.vault import StandInVault
from helpers.watcher import Watcher
from kacheck import statedir

Start = Callable[..., subprocess.Popen[bytes]]


def test_it_survives_to_be_out_of_descriptors(tmp_path: Path, start: Start) -> None:
    """All that it cannot see fails, with why; and it is well again when there are some."""
    needs("prlimit")
    start(NAME, "60")
    with StandInVault() as server:
        toml = process_check(interval=0.1, timeout=0.1) + vault_check(
            server.address, interval=0.1, timeout=0.1
        )
        soon = {"kacheck.exchange.client.KEPT_FOR": 0.3}
        with Watcher(tmp_path, toml, settings=soon) as watcher:
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
