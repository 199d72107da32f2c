"""What the VIP does when clocks, configurations, keepalived and drains change."""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers import lxcfs
from helpers.failures import CHECK, Scene, pid_in_node, row
from helpers.keepalived import wait_until
from helpers.needs import needs
from helpers.pair import INSTANCE, PATIENCE
from helpers.vault_node import CONFIGURATION

pytestmark = pytest.mark.keepalived


@pytest.fixture
def shared_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give libfaketime a semaphore and memory that every user may open.

    It makes some for each process that has none in its environment, named after the pid and for its
    user alone: a program that then becomes another user, as the watcher does, cannot open them.
    """
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        needs("faketime")
    monkeypatch.setenv("LD_PRELOAD", str(libraries[0]))
    holder = subprocess.Popen(["sleep", "300"])
    names = f"faketime_sem_{holder.pid}", f"faketime_shm_{holder.pid}"
    files = [Path(f"/dev/shm/sem.{names[0]}"), Path(f"/dev/shm/{names[1]}")]
    try:
        wait_until(lambda: all(file.exists() for file in files), "libfaketime did not start")
        for file in files:
            file.chmod(0o666)
        monkeypatch.setenv("FAKETIME_SHARED", " ".join(f"/{name}" for name in names))
        yield
    finally:
        holder.kill()
        holder.wait()
        for file in files:
            file.unlink(missing_ok=True)


def set_clock(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Start everything of A with a wall clock that can be set: the caller gets the means.

    No namespace has a separate CLOCK_REALTIME, and the machine's is not ours to set. libfaketime
    stands between the programs, keepalived and its scripts too, and what they ask for the time.
    """
    # libfaketime reads a file at each question for the time, which makes a handshake slow.
    patient = re.sub(r"(?m)^interval = .*", r"\g<0>\ntimeout = 5", scene.a.toml.read_text())
    scene.a.toml.write_text(patient)
    clock = scene.a.node.write("clock", "+0\n")
    environment = {
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def jump(offset: str) -> None:
        """Set it, and see that it is set."""
        began = time.time()
        scene.a.node.write("clock.new", f"{offset}\n").replace(clock)
        now = int(scene.a.node.run(["date", "+%s"]).stdout)
        assert abs(now - began - 3600 * int(offset.removesuffix("h"))) < 10

    return jump


@row(
    "the clock is set 12 hours forward, or back, then Vault killed",
    "watcher: `critical missing`",
    "stays; leaves at once",
)
@pytest.mark.usefixtures("shared_clock")
@pytest.mark.parametrize("offset", ["+12h", "-12h"])
def test_the_clock_is_set(scene: Scene, monkeypatch: pytest.MonkeyPatch, offset: str) -> None:
    jump = set_clock(scene, monkeypatch)
    scene.start()
    scene.stays(lambda: jump(offset))
    scene.leaves(scene.kill_vault)


@row(
    "the clock is set to where Vault's certificate is not valid",
    "watcher: `critical tls`",
    "leaves after 2 looks on new connections, as it would for clients with this clock",
)
@pytest.mark.usefixtures("shared_clock")
@pytest.mark.parametrize("offset", ["+1200h", "-1200h"])
def test_the_clock_is_set_far(scene: Scene, monkeypatch: pytest.MonkeyPatch, offset: str) -> None:
    jump = set_clock(scene, monkeypatch)
    scene.a.certify(scene.a.authority.new("127.0.0.1"))
    scene.start()
    scene.leaves(lambda: jump(offset))


@row(
    "lxcfs dies, then Vault is killed",
    "watcher: `/proc/uptime: Transport endpoint is not connected: verdict files are withdrawn`, "
    "`critical missing`; keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves at once",
)
def test_lxcfs_dies(scene: Scene) -> None:
    needs(fuse=True)
    scene.start()
    node = scene.a.node
    pidfile = node.dir / "lxcfs.pid"
    command = lxcfs.wrapper(pidfile, "/proc/uptime")[2:]
    try:
        scene.stays(lambda: node.run([*command, "true"]))  # its child ends with it
        scene.watcher.wait_said("verdict files are withdrawn")
        assert scene.a.read(f"verdict/{CHECK}") == ""
        scene.leaves(scene.kill_vault)
        scene.keepalived.wait_log("now returning 2")
    finally:
        node.run(["umount", "-l", "/proc/uptime"])


@row(
    "lxcfs hangs, then Vault is killed",
    "watcher: `/proc/uptime: no answer: verdict files are withdrawn`, `critical missing`; "
    "keepalived: `now returning 2`",
    "stays while Vault is healthy; leaves at once",
)
def test_lxcfs_hangs(scene: Scene) -> None:
    needs(fuse=True)
    node = scene.a.node
    pidfile = node.dir / "hanging.pid"
    served = node.popen([*lxcfs.wrapper(pidfile, "/proc/uptime")[2:], "sleep", "600"])
    try:
        wait_until(pidfile.exists, "lxcfs did not start")
        scene.start()
        scene.stays(lambda: node.run(["sh", "-c", f"kill -STOP $(cat {pidfile})"]))
        scene.watcher.wait_said("no answer: verdict files are withdrawn")
        scene.leaves(scene.kill_vault)
        scene.keepalived.wait_log("now returning 2")
    finally:
        node.run(["sh", "-c", f"kill -KILL $(cat {pidfile})"], check=False)
        served.close()
        node.run(["umount", "-l", "/proc/uptime"])


BAD = CONFIGURATION.replace("interval", "intervall")


@row(
    "the configuration is bad at the start",
    "watcher: `kacheck.toml:10: unknown key intervall`; keepalived: `now returning 3`",
    "leaves: the watcher refuses to start, and the guard cannot look either",
)
def test_the_configuration_is_bad_at_the_start(scene: Scene) -> None:
    scene.start()

    def restart() -> None:
        scene.a.toml.write_text(BAD)
        scene.watcher.stop()
        assert scene.start_watcher(wait=False).process.wait() == 3

    scene.leaves(restart)
    scene.keepalived.wait_log("VRRP_Script(kacheck_guard) failed")


@row(
    "the configuration is bad at a reload",
    "watcher: `configuration not reloaded, the old one stays`",
    "stays; leaves at once when Vault is killed",
)
def test_the_configuration_is_bad_at_a_reload(scene: Scene) -> None:
    scene.start()

    def reload() -> None:
        scene.a.toml.write_text(BAD)
        scene.watcher.process.kill(signal.SIGHUP)
        scene.watcher.wait_said("unknown key intervall")

    scene.stays(reload)
    scene.leaves(scene.kill_vault)


@row(
    "the watcher re-executes itself (SIGUSR2, an upgrade), then Vault killed",
    "watcher: `re-executing, kacheck`, `critical missing`",
    "stays; leaves at once",
)
def test_the_watcher_re_executes(scene: Scene) -> None:
    scene.start()
    watcher = scene.watcher

    def re_execute() -> None:
        watcher.process.kill(signal.SIGUSR2)
        wait_until(lambda: watcher.journal.count("ready: watching") == 2, "it does not come up")

    scene.stays(re_execute)
    scene.leaves(scene.kill_vault)


@row(
    "a second watcher is started",
    "watcher: `another watcher, pid`",
    "stays: it refuses; leaves at once when Vault is killed",
)
def test_a_second_watcher_is_started(scene: Scene) -> None:
    scene.start()
    first = scene.watcher
    pid = pid_in_node(first.process)
    second = scene.start_watcher(wait=False)
    scene.stays(second.process.wait)
    assert second.process.returncode == 3
    assert f"another watcher, pid {pid}, uses /run/kacheck" in second.journal
    scene.leaves(scene.kill_vault)


@row(
    "keepalived is restarted",
    "verdict: `0`, `ok active`",
    "leaves, and comes back",
)
def test_keepalived_is_restarted(scene: Scene) -> None:
    scene.start()
    began = time.monotonic()
    scene.keepalived.stop()
    scene.b_keepalived.wait_for("MASTER", PATIENCE, after=began)
    scene.gains(scene.start_keepalived)


@row(
    "keepalived is restarted while Vault is dead",
    "watcher: `critical missing`; keepalived: `now FAULT state`",
    "stays away",
)
def test_keepalived_is_restarted_while_vault_is_dead(scene: Scene) -> None:
    scene.start()
    scene.leaves(scene.kill_vault)
    scene.keepalived.stop()
    scene.start_keepalived()
    scene.keepalived.wait_for("FAULT", PATIENCE)
    scene.keepalived.wait_log("kacheck_guard", PATIENCE)
    assert scene.keepalived.states(INSTANCE) == ["FAULT"]
    assert not scene.a.has_vip


@row(
    "keepalived is started before the watcher has ever run",
    "keepalived: `now FAULT state`",
    "comes when the watcher has looked",
)
def test_keepalived_is_started_before_the_watcher(scene: Scene) -> None:
    scene.a.node.run(["mkdir", "-p", "/run/kacheck/track"])
    scene.a.start_vault()
    scene.start_keepalived()
    scene.keepalived.wait_for("FAULT", PATIENCE)
    scene.gains(scene.start_watcher)
    scene.leaves(scene.kill_vault)


@row(
    "the same, and /run/kacheck/track was not there either",
    "keepalived: `now returning 2`; its message about the dropped file differs between versions",
    "follows the guard alone until keepalived is reloaded: leaves by the guard",
)
def test_keepalived_is_started_without_the_directory(scene: Scene) -> None:
    scene.a.node.run(["rm", "-rf", "/run/kacheck/track"])
    scene.a.start_vault()
    scene.gains(scene.start_keepalived)
    scene.start_watcher()
    scene.leaves(scene.kill_vault)


@row(
    "`kacheck drain on`, then `off`",
    "watcher: `critical draining`; verdict: `ok active`; kacheck: `drained`",
    "leaves at once; comes back",
)
def test_drain(scene: Scene) -> None:
    scene.start()
    scene.leaves(lambda: scene.ask("drain", "on", CHECK, "--message", "new disks"))
    scene.watcher.wait_said("drained: new disks")
    scene.gains(lambda: scene.ask("drain", "off", CHECK))


@row(
    "`kacheck drain on --for 8s`",
    "watcher: `critical draining`; verdict: `ok active`",
    "leaves at once; comes back by itself",
)
def test_drain_for_a_time(scene: Scene) -> None:
    scene.start()
    scene.leaves(lambda: scene.ask("drain", "on", "--all", "--for", "8s"))
    scene.has_the_vip()
