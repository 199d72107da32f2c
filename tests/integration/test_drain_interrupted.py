"""`kacheck drain on --wait` that is interrupted: a rehearsal ends, and maintenance goes on."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.child import environment, kacheck_command
from helpers.faults import find_no_running_keepalived
from helpers.keepalived import wait_until

CONF = """
track_file node {
    file STATE/track/node
    weight 0 reverse
}
vrrp_instance VI_1 {
    interface lo
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        127.0.0.1/8
    }
    track_file {
        node
    }
}
"""
"""The VIP is one that never leaves."""


class Rehearsal:
    """A `kacheck drain on node --wait` that goes on until it is interrupted."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        conf = directory / "keepalived.conf"
        conf.write_text(CONF.replace("STATE", str(directory)))
        (directory / "kacheck.toml").write_text(
            '[check.node]\nprobe = "process"\nname = "ktest-none"\n'
        )
        self.settings = {"kacheck.departure.DEFAULT_FILE": str(conf)}
        self.process: subprocess.Popen[str] | None = None

    @property
    def drain(self) -> Path:
        return self.directory / "drain/node"

    def interrupted(self, number: int, *words: str) -> subprocess.Popen[str]:
        """Start it, let it wait, and send the signal; it has ended then."""
        files = [f"--state-dir={self.directory}", f"--config={self.directory}/kacheck.toml"]
        self.process = subprocess.Popen(
            kacheck_command(
                *("drain", "on", "node", *files, *words),
                settings=self.settings,
                faults=[find_no_running_keepalived],
            ),
            env=environment(PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert "drained" in self.process.stdout.readline()
        wait_until(self.drain.exists, "it is not drained", 30)
        self.process.send_signal(number)
        self.process.wait(30)
        return self.process


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    made = Rehearsal(tmp_path)
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.communicate()


def stderr_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_rehearsal_that_is_interrupted_ends_the_drain(
    rehearsal: Rehearsal, number: signal.Signals
) -> None:
    ended = rehearsal.interrupted(number, "--for", "1h", "--wait", "1h")
    assert not rehearsal.drain.exists()
    assert ended.returncode == -number
    assert stderr_of(ended) == "kacheck: interrupted, so the drain has ended\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_maintenance_goes_on_and_that_is_said(rehearsal: Rehearsal, number: signal.Signals) -> None:
    ended = rehearsal.interrupted(number, "--wait", "1h")
    assert rehearsal.drain.exists()
    assert ended.returncode == -number
    assert stderr_of(ended) == "kacheck: interrupted, and the drain is on\n"


def test_a_terminal_that_goes_ends_no_drain(rehearsal: Rehearsal) -> None:
    """The drain ends by itself, and the administrator who lost the connection may be at work here."""
    rehearsal.interrupted(signal.SIGHUP, "--for", "1h", "--wait", "1h")
    assert rehearsal.drain.exists()
