"""Notifications to systemd, and what happens without it."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.watcher import Watcher
from kacheck.watch.notify import Notifier

NAME = f"knot-{os.getpid()}"
PID = 4711

Notify = Callable[[str], Notifier]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def notifier() -> Iterator[Notify]:
    """Notifiers of an address, which end with the test."""
    made: list[Notifier] = []

    def make(address: str) -> Notifier:
        made.append(Notifier({"NOTIFY_SOCKET": address}, PID))
        return made[-1]

    yield make
    for each in made:
        assert each._socket is not None
        each._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def test_without_systemd_nothing_happens() -> None:
    client = Notifier({}, PID)
    client.tell("READY=1")
    assert client.watchdog_interval is None


def test_lines_come_as_one_datagram(systemd: socket.socket, notifier: Notify) -> None:
    client = notifier(systemd.getsockname())
    client.tell("READY=1", "STATUS=2 checks, 1 not ok: vault critical sealed")
    assert systemd.recv(4096) == b"READY=1\nSTATUS=2 checks, 1 not ok: vault critical sealed"


def test_an_abstract_address_begins_with_an_at_sign(notifier: Notify) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(b"\0kacheck-test-notify-%d" % id(sock))
        sock.settimeout(5)
        address = sock.getsockname().decode()
        notifier(f"@{address[1:]}").tell("READY=1")
        assert sock.recv(4096) == b"READY=1"


def test_a_missing_systemd_is_not_an_error(systemd: socket.socket, notifier: Notify) -> None:
    client = notifier(systemd.getsockname())
    Path(systemd.getsockname()).unlink()
    client.tell("READY=1")


def test_a_systemd_that_reads_nothing_costs_a_moment_and_no_more(
    systemd: socket.socket, notifier: Notify
) -> None:
    client = notifier(systemd.getsockname())
    begun = time.monotonic()
    while time.monotonic() - begun < 0.1:  # until its queue is full
        begun = time.monotonic()
        client.tell("STATUS=full")
    assert time.monotonic() - begun < 5


def test_a_systemd_that_reads_nothing_delays_no_verdict(
    tmp_path: Path, systemd: socket.socket, start: Start
) -> None:
    names = [f"c{number}" for number in range(20)]
    table = '[check.{}]\nprobe = "process"\nname = "{}"\ninterval = 60\ntimeout = 30\n'
    toml = "".join(table.format(name, NAME) for name in names)
    process = start(NAME, "60")
    patient = {"kacheck.watch.notify.PATIENCE": 20.0}
    environ = {"NOTIFY_SOCKET": str(systemd.getsockname())}
    with Watcher(tmp_path, toml, settings=patient, environ=environ, wait=False) as watcher:
        while systemd.recv(4096) != b"STATUS=20 checks, 0 not ok":
            pass
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as full:
            full.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    full.sendto(b"X=1", systemd.getsockname())
        process.kill()
        watcher.until(lambda: not any(map(watcher.track, names)))
        systemd.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while systemd.recv(4096):
                pass  # it reads again, or the end would wait for it


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "4000000"}, 2.0),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(PID)}, 2.0),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_a_sign_of_life_comes_at_half_the_watchdog_time(
    environ: dict[str, str], interval: float | None
) -> None:
    """Without an interval there are no signs of life: zero would be a busy loop."""
    assert Notifier(environ, PID).watchdog_interval == interval
