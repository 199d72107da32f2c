"""Each cause of FAULT that keepalived can log, provoked: doctor's first line names it.

keepalived runs on a node of the lab, and `kacheck doctor` beside it, as an administrator would.
"""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from helpers.certificates import Authority
from helpers.keepalived import Keepalived, Lab, Node, StrPath, wait_until
from helpers.needs import needs
from helpers.pair import Pair
from helpers.vault_node import VaultNode

pytestmark = [pytest.mark.keepalived, pytest.mark.timeout(240)]

VIP = "10.77.0.100"
GLOBALS = "global_defs {\n    enable_script_security\n    script_user root\n}\n"


@pytest.fixture
def lab() -> Iterator[Lab]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        yield lab


def instance(track: str = "", options: str = "", interface: str = "eth0") -> str:
    return f"""vrrp_instance VI_1 {{
    state BACKUP
    interface {interface}
    virtual_router_id 51
    priority 100
    {options}
    virtual_ipaddress {{
        {VIP}
    }}
    {track}
}}
"""


def doctor(node: Node, keepalived: Keepalived, *options: str) -> subprocess.CompletedProcess[str]:
    return node.kacheck("doctor", *options, keepalived.conf)


def first_line(node: Node, keepalived: Keepalived, *options: str) -> str:
    return doctor(node, keepalived, *options).stdout.splitlines()[0]


class Fault(NamedTuple):
    """How a FAULT comes about, and what the first line says."""

    conf: str
    says: str
    before: Callable[[Node], object] | None = None
    after: Callable[[Node], object] | None = None


def down(node: Node) -> None:
    node.run(["ip", "link", "set", "dev", "eth0", "down"])


def no_carrier(node: Node) -> None:
    node.run(["ip", "link", "add", "eth9", "type", "veth", "peer", "name", "eth9p"])
    node.run(["ip", "address", "add", "10.99.0.1/24", "dev", "eth9"])
    node.run(["ip", "link", "set", "dev", "eth9", "up"])


def vanished(node: Node) -> None:
    node.run(["ip", "link", "delete", "dev", "eth9"])


def tracked_down(node: Node) -> None:
    node.run(["ip", "link", "set", "dev", "eth9", "down"])


def another(node: Node) -> None:
    no_carrier(node)
    node.run(["ip", "link", "set", "dev", "eth9p", "up"])


def no_address(node: Node) -> None:
    node.run(["ip", "address", "flush", "dev", "eth0"])


SCRIPT = 'vrrp_script chk {\n    script "%s"\n    interval 1\n    timeout 1\n}\n'
TRACK_SCRIPT = "track_script {\nchk\n}"
FAULTS = {
    "script": Fault(
        GLOBALS + SCRIPT % "/bin/false" + instance(TRACK_SCRIPT),
        "chk fails: exit code 1",
    ),
    "script that hangs": Fault(
        GLOBALS + SCRIPT % "/bin/sleep 60" + instance(TRACK_SCRIPT),
        "chk fails: it has not ended within its timeout",
    ),
    "script that dies": Fault(
        GLOBALS + SCRIPT % "/bin/sh -c 'kill -SEGV $$'" + instance(TRACK_SCRIPT),
        "chk fails: it died of SIGSEGV",
    ),
    "file": Fault(
        "vrrp_track_file f {\n    file /run/state\n    weight 0 reverse\n}\n"
        + instance("track_file {\nf\n}"),
        "f fails: /run/state says 0",
        before=lambda node: (node.root / "run/state").write_text("0\n"),
    ),
    "file that is missing": Fault(
        "vrrp_track_file f {\n    file /run/state\n    weight 0 reverse\n}\n"
        + instance("track_file {\nf\n}"),
        "f fails: /run/state does not exist",
    ),
    "interface down": Fault(instance(), "its interface eth0 is down", after=down),
    "interface that vanished": Fault(
        instance(interface="eth9"),
        "its interface eth9 does not exist",
        before=another,
        after=vanished,
    ),
    "file with a number": Fault(
        "vrrp_track_file f {\n    file /run/state\n    weight 1\n}\n"
        + instance("track_file {\nf\n}"),
        "f fails: /run/state says -254",
        before=lambda node: (node.root / "run/state").write_text("-254\n"),
    ),
    "tracked interface down": Fault(
        instance("track_interface {\neth9\n}"),
        "the tracked interface eth9 is down",
        before=another,
        after=tracked_down,
    ),
    "no address": Fault(instance(), "its interface eth0 has no IPv4 address", before=no_address),
    "no carrier": Fault(
        instance(interface="eth9"), "its interface eth9 has no carrier", before=no_carrier
    ),
    "tracked interface": Fault(
        instance("track_interface {\neth9\n}"),
        "the tracked interface eth9 has no carrier",
        before=no_carrier,
    ),
    "process": Fault(
        "vrrp_track_process p {\n    process kc-nosuch\n}\n" + instance("track_process {\np\n}"),
        "p fails: ",
    ),
    "sync group": Fault(
        GLOBALS + SCRIPT % "/bin/false"
        + "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\n"
        + instance()
        + instance(TRACK_SCRIPT).replace("VI_1", "VI_2").replace("_id 51", "_id 52"),
        "VI_2, of the same sync group G, is: chk fails: exit code 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_the_first_line_names_the_cause_of_the_fault(lab: Lab, name: str) -> None:
    fault = FAULTS[name]
    node = lab.node("a")
    if fault.before is not None:
        fault.before(node)
    keepalived = node.keepalived(fault.conf)
    if fault.after is not None:
        keepalived.wait_for("BACKUP", instance="VI_1")
        fault.after(node)
    keepalived.wait_for("FAULT", instance=None if "VI_2" in fault.conf else "VI_1")

    done = doctor(node, keepalived)
    lines = done.stdout.splitlines()

    assert lines[0].startswith(f"VI_1: FAULT because {fault.says}"), done.stdout + done.stderr
    assert lines[1].startswith("    do:  "), done.stdout
    assert done.returncode == 2


def test_an_interface_that_does_not_exist_is_named(lab: Lab) -> None:
    """keepalived does not start with such a configuration, so no process runs with it."""
    node = lab.node("a")
    path = node.write("keepalived.conf", instance(interface="eth7"))
    done = node.kacheck("doctor", path)
    assert done.stdout.startswith("VI_1: FAULT because its interface eth7 does not exist")


def test_a_script_that_keepalived_drops_is_named(lab: Lab) -> None:
    node = lab.node("a")
    keepalived = node.keepalived(GLOBALS + SCRIPT % "/opt/none" + instance(TRACK_SCRIPT))
    keepalived.wait_for("MASTER", instance="VI_1")
    lines = doctor(node, keepalived).stdout.splitlines()
    assert lines[0] == "VI_1: MASTER here, priority 100"
    assert lines[1] == "    runs without a check: chk: /opt/none does not exist"


def test_where_the_vip_is_and_the_effective_priority(lab: Lab) -> None:
    a, b = lab.node("a"), lab.node("b")
    text = GLOBALS + SCRIPT % "/bin/true" + instance("track_script {\nchk weight 20\n}")
    master = a.keepalived(text)
    master.wait_for("MASTER", instance="VI_1")
    backup = b.keepalived(text.replace("priority 100", "priority 90"))
    backup.wait_for("BACKUP", instance="VI_1")

    assert first_line(a, master) == "VI_1: MASTER here, priority 120"
    done = doctor(b, backup)
    assert done.stdout.startswith(f"VI_1: BACKUP, priority 110; the VIP is on {a.address}\n")
    assert done.returncode < 2

    said = json.loads(doctor(b, backup, "--format", "json").stdout)
    (one,) = said["instances"]
    assert (one["state"], one["priority"], one["vip_on"]) == ("BACKUP", 110, a.address)
    assert (one["vip_here"], one["causes"], one["keepalived_runs"]) == (False, [], True)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ("version 3", "sends VRRPv3"),
        ("advert_int 2", "has advert_int 2"),
        ("!", f"announces {VIP}, 10.77.0.101"),
    ],
)
def test_a_node_that_does_not_agree_is_reported(lab: Lab, other: str, says: str) -> None:
    a, b = lab.node("a"), lab.node("b")
    text = instance(options=other)
    if other == "!":
        text = text.replace(f"        {VIP}\n", f"        {VIP}\n        10.77.0.101\n")
    a.keepalived(text.replace("priority 100", "priority 200")).wait_for("MASTER")
    keepalived = b.keepalived(instance())
    keepalived.wait_for("BACKUP", instance="VI_1")
    done = doctor(b, keepalived)
    assert f"    {a.address} {says}" in done.stdout, done.stdout
    assert done.returncode == 2


def test_scripts_run_as_keepalived_runs_them_and_only_where_it_does(lab: Lab) -> None:
    node = lab.node("a")
    seen = node.dir / "seen"
    script = node.write(
        "field.sh", f'#!/bin/sh\necho "$(pwd) $(umask) $(id -u) $(id -G)" >>{seen}\nexit 1\n', 0o755
    )
    text = GLOBALS + SCRIPT % script + instance(TRACK_SCRIPT)
    conf = node.write("later.conf", text)
    done = node.kacheck("doctor", conf)
    assert "not run: chk" in done.stdout
    assert not seen.exists()
    done = node.kacheck("doctor", "--run", conf)
    assert "VI_1: FAULT because chk fails: exit code 1" in done.stdout

    keepalived = node.keepalived(text)
    keepalived.wait_for("FAULT", instance="VI_1")
    assert "chk fails" in first_line(node, keepalived)
    assert "not run: chk" in doctor(node, keepalived, "--no-run").stdout
    assert len({*seen.read_text().splitlines()}) == 1  # keepalived's runs and doctor's alike


# --- kacheck's own checks -------------------------------------------------------------------

OWN = """vrrp_script kacheck_vault_alive {
    script "/usr/libexec/kacheck/kacheck-vault --ca-cert /etc/vault.d/ca.pem --address %s"
    interval 2
    timeout 1
    user root
}
"""
CHECK = "kacheck_vault_alive"


@pytest.mark.parametrize(
    ("state", "says"),
    [("sealed", "critical sealed: "), ("standby", "warning standby: "), ("ca", "bad-config: ")],
)
def test_kacheck_s_own_check_says_why(lab: Lab, state: str, says: str) -> None:
    node = lab.node("a")
    vault = VaultNode(node, Authority())
    if state == "ca":
        (node.root / "etc/vault.d/ca.pem").unlink()
    else:
        vault.state = state
    vault.start_vault()
    text = GLOBALS + OWN % "https://127.0.0.1:8200" + instance(f"track_script {{\n{CHECK}\n}}")
    keepalived = node.keepalived(text)
    keepalived.wait_for("FAULT", instance="VI_1")
    done = vault.kacheck("doctor", str(keepalived.conf))
    line = done.stdout.splitlines()[0]
    assert line.startswith(f"VI_1: FAULT because {CHECK} fails: "), done.stdout
    assert says in line


def test_a_stopped_watcher_is_named(lab: Lab) -> None:
    node = lab.node("a")
    vault = VaultNode(node, Authority())
    vault.state = "active"
    vault.start_vault()
    vault.toml.write_text('[check.vault]\nprobe = "vault"\nca_cert = "/etc/vault.d/ca.pem"\n')
    watcher = vault.start_watcher()
    text = "vrrp_track_file v {\n    file /run/kacheck/track/vault\n    weight 0 reverse\n}\n"
    keepalived = node.keepalived(text + instance("track_file {\nv\n}"))
    keepalived.wait_for("MASTER", instance="VI_1")
    wait_until(lambda: node.has_address(VIP), "no VIP")
    done = vault.kacheck("doctor", str(keepalived.conf))
    assert done.stdout.startswith("VI_1: MASTER here, priority 100\n"), done.stdout

    assert vault.kacheck("status").stdout.splitlines()[-1] == f"VIP {VIP}: here"

    watcher.process.kill(signal.SIGTERM)
    watcher.process.wait()
    keepalived.wait_for("FAULT", instance="VI_1")
    done = vault.kacheck("doctor", str(keepalived.conf))
    line = done.stdout.splitlines()[0]
    assert line.startswith("VI_1: FAULT because v fails: /run/kacheck/track/vault says 0: ")
    assert "watcher" in line


def test_a_healthy_standby_with_the_recommended_recipe_has_no_complaint(lab: Lab) -> None:
    authority = Authority()
    nodes = tuple(VaultNode(lab.node(name), authority) for name in "ab")
    for node, state in zip(nodes, ("active", "standby"), strict=True):
        node.state = state
        node.start_vault()
        node.start_watcher()
    a, b = nodes
    pair = Pair("vault-graded", (a, b))
    pair.expect("MASTER", "BACKUP")

    done = b.kacheck("doctor", str(pair.b_keepalived.conf))
    assert done.stdout.startswith("VI_1: BACKUP, priority "), done.stdout
    assert f"; the VIP is on {a.node.address}\n" in done.stdout
    assert "fails" not in done.stdout
    assert done.returncode == 0, done.stdout
    done = a.kacheck("doctor", str(pair.a_keepalived.conf))
    assert done.stdout.startswith("VI_1: MASTER here, priority "), done.stdout
    assert done.returncode == 0, done.stdout


def test_a_keepalived_that_may_not_set_addresses_is_named(lab: Lab) -> None:
    node = lab.node("a")
    path = node.write("keepalived.conf", instance())
    options: list[StrPath] = [
        "-n",
        "-P",
        "-D",
        "-l",
        "-G",
        "-p",
        node.dir / "pid",
        "-r",
        node.dir / "vrrp",
    ]
    argv: list[StrPath] = [
        "setpriv",
        "--bounding-set=-net_admin",
        "keepalived",
        *options,
        "-f",
        path,
    ]
    log = node.dir / "log"
    with log.open("w") as file:
        node.popen(argv, stdout=file, stderr=file)
    wait_until(lambda: "Startup complete" in log.read_text(), "keepalived did not start")
    done = node.kacheck("doctor", path)
    first, second, *_ = done.stdout.splitlines()
    assert first.startswith("VI_1: FAULT because keepalived lacks CAP_NET_ADMIN: it may not set")
    assert "CapabilityBoundingSet=" in second
    assert done.returncode == 2
