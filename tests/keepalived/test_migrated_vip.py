"""What `kacheck migrate` writes, under a real keepalived.

Every configuration of tests/helpers/configurations/migrate that keepalived accepts is accepted when it is
migrated. And what native tracking does to the VIP, where it works, the migrated forms do, too.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.certificates import Authority
from helpers.keepalived import Keepalived, Lab, LabError, Node, Process, Start, wait_until
from helpers.needs import needs
from helpers.paths import CONFIGURATIONS
from helpers.vault_node import VaultNode

pytestmark = pytest.mark.keepalived

SAMPLES = sorted((CONFIGURATIONS / "migrate").glob("*.conf"))
MODES = ("watch", "script")
PATIENCE = 30


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    needs("keepalived", "ip", "unshare", "nsenter", "setpriv", root=True)
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def installed(lab: Lab) -> VaultNode:
    """A node with kacheck, as docs/install.md installs it, and without a kacheck.toml."""
    node = VaultNode(lab.node("a"), Authority())
    node.toml.unlink()
    return node


@pytest.fixture
def node(installed: VaultNode) -> Iterator[VaultNode]:
    yield installed
    installed.toml.unlink(missing_ok=True)
    for file in (installed.node.root / "etc/kacheck").iterdir():
        file.unlink()


def migrate(node: VaultNode, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return node.kacheck("migrate", str(path), *options)


def keepalived_says(node: Node, path: Path, *options: str) -> tuple[int, list[str]]:
    """Return the exit code of keepalived -t, and what it says."""
    done = node.run(["keepalived", "-t", "-f", path, *options], check=False)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_there_are_configurations_enough() -> None:
    assert len(SAMPLES) >= 25


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_keepalived_accepts_it_accepts_migrated(
    node: VaultNode, path: Path, mode: str
) -> None:
    conf = node.node.write(f"{mode}/{path.name}", "")
    conf.write_bytes(path.read_bytes())
    before = keepalived_says(node.node, conf)
    done = migrate(node, conf, "--mode", mode, "--in-place")
    assert done.returncode in (0, 1), done.stderr
    after = keepalived_says(node.node, conf)

    assert after[0] <= before[0]
    assert len(after[1]) <= len(before[1])
    if before[0] == 0:
        assert after == before
    if done.stdout:
        assert "keepalived -t" in done.stdout.splitlines()[-1]
    again = migrate(node, conf, "--mode", mode, "--in-place")
    assert (again.stdout, again.returncode) == ("", done.returncode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("head", ["@{id} track_script {{ ping }}", "@{id} track_file {{ flag }}"])
def test_what_keepalived_accepts_under_another_id_it_accepts_migrated(
    node: VaultNode, mode: str, head: str
) -> None:
    here = os.uname().nodename.split(".")[0]
    text = (
        GLOBAL.replace("}", "    enable_script_security\n}")
        + "vrrp_script ping {\n    script /usr/bin/true\n    user root\n}\n"
        f"track_file flag {{\n    file {node.node.write('flag', '1')}\n}}\n"
    )
    text += (TRACKED % STUCK).replace(
        "    track_process", f"    {head.format(id=here)}\n    track_process"
    )
    conf = node.node.write("ids.conf", text)
    done = migrate(node, conf, "--mode", mode, "--in-place")

    assert done.returncode == 0, done.stderr
    for each in (here, "another"):
        assert keepalived_says(node.node, conf, "-i", each) == (0, [])


# --- the VIP --------------------------------------------------------------------------------

GLOBAL = "global_defs {\n    vrrp_notify_priority_changes true\n    vrrp_version 3\n}\n"
STUCK = {"name": "VI_1", "number": 100, "process": "app", "options": ""}
TRACKED = """
vrrp_track_process %(name)s {
    process %(process)s
    %(options)s
}
vrrp_instance %(name)s {
    interface eth0
    virtual_router_id %(number)d
    priority 100
    advert_int 0.1
    virtual_ipaddress {
        10.77.0.%(number)d
    }
    track_process {
        %(name)s
    }
}
"""
Says = Callable[[int], tuple[bool, int]]
"""Is the VIP here with that many processes, and at which priority?"""
INSTANCES: dict[str, tuple[str, Says]] = {
    "ONE": ("", lambda n: (n >= 1, 100)),
    "QUORUM": ("quorum 2", lambda n: (n >= 2, 100)),
    "MAXIMUM": ("quorum_max 2", lambda n: (1 <= n <= 2, 100)),
    "NONE": ("quorum_max 0", lambda n: (n == 0, 100)),
    "PLUS": ("weight 20", lambda n: (True, 120 if n else 100)),
    "MINUS": ("weight -20", lambda n: (True, 100 if n else 80)),
    "NOT": ("weight 0 reverse", lambda n: (n == 0, 100)),
    "PLUS_NOT": ("weight 20 reverse", lambda n: (True, 80 if n else 100)),
    "MINUS_NOT": ("weight -20 reverse", lambda n: (True, 100 if n else 120)),
    "DELAYED": ("terminate_delay 4", lambda n: (n >= 1, 100)),
}


def configuration(process: str) -> str:
    return GLOBAL + "".join(
        TRACKED % {"name": name, "process": process, "options": options, "number": 100 + number}
        for number, (name, (options, _)) in enumerate(INSTANCES.items())
    )


class World:
    """A keepalived and a place for the processes that it tracks."""

    def __init__(self, place: Callable[[str], Process], name: str) -> None:
        self._place, self._name = place, name
        self._processes: list[Process] = []

    def set(self, count: int) -> None:
        """Have that many processes."""
        while len(self._processes) < count:
            self._processes.append(self._place(self._name))
        going = self._processes[count:]
        del self._processes[count:]
        for process in going:
            process.kill(signal.SIGKILL)
        for process in going:
            process.wait()

    def restart(self) -> None:
        """Kill one, and start it again."""
        process = self._processes.pop()
        process.kill(signal.SIGKILL)
        process.wait()
        self.set(len(self._processes) + 1)


def seen(keepalived: Keepalived, node: Node) -> dict[str, tuple[bool, int]]:
    """Return whether each instance has its VIP, and its latest priority."""
    addresses = node.addresses()
    priorities = {event.instance: event.priority for event in list(keepalived.events)}
    return {
        name: (f"10.77.0.{100 + number}" in addresses, priorities.get(name, 0))
        for number, name in enumerate(INSTANCES)
    }


def expect(keepalived: Keepalived, node: Node, count: int) -> None:
    wanted = {name: says(count) for name, (_, says) in INSTANCES.items()}

    def is_so() -> bool:
        return seen(keepalived, node) == wanted

    try:
        wait_until(is_so, f"not as wanted with {count} processes", PATIENCE)
    except LabError as error:
        found = seen(keepalived, node)
        differing = {
            name: (found[name], wanted[name]) for name in found if found[name] != wanted[name]
        }
        raise AssertionError(
            f"{error}: (is, wanted) {differing}\n{keepalived.log[-3000:]}"
        ) from None


def run_through(world: World, start: Callable[[], Keepalived], node: Node) -> None:
    world.set(1)
    keepalived = start()
    try:
        expect(keepalived, node, 1)
        for count in (2, 3, 0, 1):
            world.set(count)
            expect(keepalived, node, count)
        restarted = time.monotonic()
        world.restart()
        expect(keepalived, node, 1)
        assert keepalived.states("DELAYED", restarted) == [], "the restart was within its delay"
    finally:
        keepalived.stop()
        world.set(0)


@pytest.mark.usefixtures("process_events")
def test_native_tracking_where_it_works(lab: Lab, installed: VaultNode) -> None:
    name = f"app-{os.getpid()}"
    program = lab.host.write(f"bin/{name}", "", 0o755)
    shutil.copyfile(os.path.realpath("/bin/sleep"), program)

    def place(_: str) -> Process:
        """Use one exec: keepalived counts a process twice if it sees a second exec late."""
        return Process([program, "300"])

    world = World(place, name)
    start: Start = "host"
    run_through(
        world, lambda: installed.node.keepalived(configuration(name), start), installed.node
    )


@pytest.mark.parametrize("mode", MODES)
def test_the_vip_is_where_native_tracking_had_it(node: VaultNode, mode: str) -> None:
    conf = node.node.write("keepalived.conf", configuration("app"))
    done = migrate(node, conf, "--mode", mode, "--in-place")
    assert done.returncode == 0, done.stderr
    assert "vrrp_track_process" not in conf.read_text()
    watcher = node.start_watcher() if mode == "watch" else None
    world = World(node.node.process, "app")

    run_through(world, lambda: node.keepalived(conf.read_text()), node.node)

    if watcher is not None:
        watcher.stop()


def expect_to_follow(node: Node, comes: Callable[[int], None]) -> None:
    """Start and kill the process twice: the two VIPs come and go with it."""
    process = node.process("app")
    comes(2)
    process.kill()
    comes(0)
    process = node.process("app")
    comes(2)
    process.kill()


@pytest.mark.parametrize("mode", MODES)
def test_an_instance_and_its_sync_group_may_track_the_same(node: VaultNode, mode: str) -> None:
    other = TRACKED.partition("vrrp_instance")[2].partition("    track_process")[0]
    text = (
        GLOBAL + TRACKED % STUCK + "vrrp_instance" + other % {"name": "VI_2", "number": 101} + "}\n"
    )
    text += "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n"
    text += "    track_process {\n        VI_1\n    }\n}\n"
    conf = node.node.write("keepalived.conf", text)
    done = migrate(node, conf, "--mode", mode, "--in-place")
    assert done.returncode == 0, done.stderr
    assert "VI_1: G tracks it for its members" in done.stderr
    watcher = node.start_watcher() if mode == "watch" else None
    keepalived = node.keepalived(conf.read_text())

    def vips() -> set[str]:
        return {"10.77.0.100", "10.77.0.101"} & set(node.node.addresses())

    def comes(count: int) -> None:
        wait_until(lambda: len(vips()) == count, f"not {count} VIPs\n{keepalived.log}", PATIENCE)

    expect_to_follow(node.node, comes)
    if watcher is not None:
        watcher.stop()


@pytest.mark.parametrize("mode", MODES)
def test_lines_moved_to_a_sync_group_move_its_vips(
    node: VaultNode, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written for 2.1.5, which drops a member's; every release has the group's."""
    older = node.node.write(
        "older/keepalived",
        '#!/bin/sh\n[ "$1" = -v ] && echo "Keepalived v2.1.5 (07/13,2020)" && exit\n'
        f'exec {shutil.which("keepalived")} "$@"\n',
        0o755,
    )
    monkeypatch.setenv("PATH", f"{older.parent}:{os.environ['PATH']}")
    other = TRACKED.partition("vrrp_instance")[2].partition("    track_process")[0]
    conf = node.node.write(
        "keepalived.conf",
        GLOBAL
        + TRACKED % STUCK
        + "vrrp_instance"
        + other % {"name": "VI_2", "number": 101}
        + "}\nvrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\n",
    )
    done = migrate(node, conf, "--mode", mode, "--in-place")
    monkeypatch.undo()
    assert done.returncode == 0, done.stderr
    assert "VI_1: G tracks it from now on" in done.stderr
    watcher = node.start_watcher() if mode == "watch" else None
    keepalived = node.keepalived(conf.read_text())

    def comes(count: int) -> None:
        vips = {"10.77.0.100", "10.77.0.101"}
        wait_until(
            lambda: len(vips & node.node.addresses()) == count,
            f"not {count} VIPs\n{keepalived.log}",
            PATIENCE,
        )

    expect_to_follow(node.node, comes)
    if watcher is not None:
        watcher.stop()


@pytest.mark.parametrize("mode", MODES)
def test_a_namesake_on_another_path_keeps_no_vip(node: VaultNode, mode: str) -> None:
    """Where there are arguments keepalived compares argv[0] to the letter."""
    text = GLOBAL + TRACKED % {**STUCK, "process": "app serve"}
    conf = node.node.write("keepalived.conf", text)
    assert migrate(node, conf, "--mode", mode, "--in-place").returncode == 0
    watcher = node.start_watcher() if mode == "watch" else None
    process = node.node.process("app", "serve")
    code = 'cd "$0" && exec "$0/app" serve'
    namesake = node.node.popen(["sh", "-c", code, node.node.dir / "bin"], stdin=subprocess.PIPE)
    keepalived = node.keepalived(conf.read_text())
    keepalived.wait_for("MASTER", PATIENCE)
    process.kill()
    keepalived.wait_for("FAULT", PATIENCE)
    assert namesake.returncode is None
    keepalived.stop()
    if watcher is not None:
        watcher.stop()


@pytest.mark.usefixtures("process_events")
def test_a_vip_stuck_in_a_container_recovers_with_doctor_and_migrate(
    node: VaultNode,
) -> None:
    """DESIGN.md's first row, from the FAULT to the VIP."""
    conf = node.node.write("keepalived.conf", GLOBAL + TRACKED % STUCK)
    node.node.process("app")
    keepalived = node.keepalived(conf.read_text())
    keepalived.wait_for("FAULT", PATIENCE)
    keepalived.wait_log("errno 111")
    keepalived.close()

    said = node.kacheck("doctor", str(conf))
    assert said.returncode == 2
    first, _, rest = said.stdout.partition("\n")
    assert ": FAULT because " in first
    assert "errno 111" in first.lower()
    assert "\nerror KA110 " in rest
    assert "errno 111" in said.stdout
    assert "kacheck migrate" in said.stdout

    done = migrate(node, conf, "--in-place")
    assert done.returncode == 0, done.stderr
    watcher = node.start_watcher()
    try:
        node.keepalived(conf.read_text()).wait_for("MASTER", PATIENCE)
        assert node.node.has_address("10.77.0.100")
        assert "KA110" not in node.kacheck("doctor", str(conf)).stdout
    finally:
        watcher.stop()
