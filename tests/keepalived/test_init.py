"""`kacheck init` on two nodes, each as a user has it, with a real keepalived."""

import subprocess
from collections.abc import Iterator

import pytest

from helpers.certificates import Authority
from helpers.keepalived import Keepalived, Lab, wait_until
from helpers.needs import needs
from helpers.vault_node import VIP, VaultNode

pytestmark = pytest.mark.keepalived

CIDR = f"{VIP}/24"
CONF = "etc/keepalived/keepalived.conf"
V2 = f"""\
global_defs {{
    enable_script_security
    script_user root
}}

vrrp_instance VAULT {{
    state BACKUP
    interface eth0
    virtual_router_id 60
    priority 100    # as ever
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass secret
    }}
    virtual_ipaddress {{
        {CIDR}
    }}
}}
"""
FOREIGN = """\
vrrp_instance OTHER {
    version 3
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.25
    virtual_ipaddress {
        192.0.2.77/24
    }
}
"""


@pytest.fixture
def nodes() -> Iterator[tuple[VaultNode, VaultNode]]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    authority = Authority()
    with Lab() as lab:
        a, b = (VaultNode(lab.node(name), authority) for name in "ab")
        for number, node in enumerate((a, b), 1):
            node.node.run(["ip", "address", "flush", "dev", "eth0"])
            node.node.address = f"192.0.2.{number}"
            node.node.run(["ip", "address", "add", f"192.0.2.{number}/24", "dev", "eth0"])
            node.toml.unlink()
            (node.node.root / "etc/keepalived").mkdir(exist_ok=True)
            (node.node.root / CONF).unlink(missing_ok=True)
            node.start_vault()
        yield a, b


def init(node: VaultNode, *options: str) -> subprocess.CompletedProcess[str]:
    return node.kacheck("init", "--vip", CIDR, *options)


def start(node: VaultNode) -> Keepalived:
    node.start_watcher()
    return node.keepalived("include /etc/keepalived/keepalived.conf\n")


def files(node: VaultNode) -> dict[str, str]:
    """Return what init may have written."""
    etc = node.node.root / "etc"
    paths = [*(etc / "keepalived").iterdir(), *(etc / "kacheck").iterdir()]
    return {path.name: path.read_text() for path in paths if path.suffix != ".sample"}


def test_init_on_both_nodes_and_the_vip_follows_vault(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    a, b = nodes
    b.state = "standby"
    done = init(a, "--write")
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "interface eth0: it has",
        "address https://127.0.0.1:8200: ",
        "ca_cert /etc/vault.d/ca.pem: ",
        "process vault: it runs, pid ",
        "vault-graded as nobody: ok active: ",
        f"kacheck init --vip {CIDR} --node 2 --write",
    ):
        assert line in done.stdout
    first = start(a)
    wait_until(lambda: a.has_vip, "the VIP is not on a")
    done = init(b, "--node", "2", "--write")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{a.node.address} has {VIP} now: the same version, interval and id" in done.stdout
    second = start(b)
    second.wait_for("BACKUP")
    a.state, b.state = "standby", "active"
    wait_until(lambda: b.has_vip and not a.has_vip, "the VIP has not followed")
    b.kill_vault()
    wait_until(lambda: a.has_vip and not b.has_vip, "the VIP has not left")
    assert "FAULT" in [event.state for event in second.events]
    assert first.process.returncode is None


def test_a_second_run_changes_nothing(nodes: tuple[VaultNode, VaultNode]) -> None:
    a, _ = nodes
    assert init(a, "--write").returncode == 0
    before = files(a)
    assert sorted(before) == ["kacheck.toml", "keepalived.conf", "vault-graded.conf"]
    done = init(a, "--write")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing to write" in done.stdout
    assert files(a) == before


def test_without_write_both_files_are_printed_and_none_is_written(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    a, _ = nodes
    done = init(a)
    assert (done.returncode, done.stderr) == (0, "")
    assert "[check.vault-graded]\n" in done.stdout
    assert "vrrp_instance VI_1 {\n" in done.stdout
    assert f"kacheck init --vip {CIDR} --node 1 --write" in done.stdout
    assert files(a) == {}


def test_an_instance_that_works_keeps_its_version_interval_and_authentication(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    a, b = nodes
    for node, number in ((a, "1"), (b, "2")):
        (node.node.root / CONF).write_text(V2)
        done = init(node, "--node", number, "--write")
        assert done.returncode == 0, done.stderr
        assert "VAULT keeps VRRPv2 and advert_int 1 and its authentication" in done.stderr
        assert "+    priority 2" in done.stdout
        now = files(node)
        assert now["keepalived.conf.kacheck-backup"] == V2
        added = [line for line in now["keepalived.conf"].splitlines() if line not in V2]
        assert "include vault-graded.conf" in added
        assert {*V2.splitlines()} - {*now["keepalived.conf"].splitlines()} == {
            "    priority 100    # as ever"
        }
        assert init(node, "--node", number, "--write").returncode == 0
        assert files(node) == now
    b.state = "standby"
    start(a)
    start(b)
    wait_until(lambda: a.has_vip and not b.has_vip, "the VIP is not where Vault is active")
    a.kill_vault()
    wait_until(lambda: b.has_vip and not a.has_vip, "the VIP has not left")


def test_another_vip_on_this_id_is_a_conflict(nodes: tuple[VaultNode, VaultNode]) -> None:
    a, b = nodes
    b.keepalived(FOREIGN).wait_for("MASTER")
    done = init(a, "--write")
    assert done.returncode == 3
    assert f"{b.node.address} uses virtual_router_id 51 for 192.0.2.77" in done.stderr
    assert "give --router-id 52" in done.stderr
    assert files(a) == {}
    assert init(a, "--router-id", "52", "--write").returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("version 3", "version 2", "VRRPv2, advert_int 1, id 51"),
        ("advert_int 0.25", "advert_int 1", "write advert_int 1 here"),
        ("virtual_router_id 51", "virtual_router_id 60", "give --router-id 60"),
    ],
)
def test_a_peer_that_disagrees_is_reported(
    nodes: tuple[VaultNode, VaultNode], old: str, new: str, words: str
) -> None:
    a, b = nodes
    conf = FOREIGN.replace("192.0.2.77", VIP).replace(old, new)
    b.keepalived(conf.replace("advert_int 0.25", "advert_int 1") if "version 2" in new else conf)
    wait_until(lambda: b.has_vip, "b is not MASTER")
    done = init(a, "--write")
    assert done.returncode == 3
    assert words in done.stderr
    assert files(a) == {}


def test_a_ca_file_unreadable_to_the_watcher_gets_a_cure(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    a, _ = nodes
    (a.node.root / "etc/vault.d/ca.pem").chmod(0o640)
    done = init(a, "--write")
    assert done.returncode == 3
    assert "user nobody cannot read /etc/vault.d/ca.pem" in done.stderr
    assert "install -D -m 644 /etc/vault.d/ca.pem /etc/kacheck/vault-ca.pem" in done.stderr
    assert files(a) == {}


def test_unicast_peers_find_each_other(nodes: tuple[VaultNode, VaultNode]) -> None:
    a, b = nodes
    b.state = "standby"
    assert init(a, "--peer", b.node.address, "--write").returncode == 0
    start(a)
    wait_until(lambda: a.has_vip, "the VIP is not on a")
    done = init(b, "--node", "2", "--peer", a.node.address, "--write")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{a.node.address} has {VIP} now" in done.stdout
    start(b).wait_for("BACKUP")
    a.kill_vault()
    wait_until(lambda: b.has_vip and not a.has_vip, "the VIP has not left")


ARGV = ("/bin/sh", "-c", "test -e /run/well")
SERVICES = {
    "process": ("--service", "process", "--process", "vault"),
    "tcp": ("--service", "tcp", "--to", "127.0.0.1:8200"),
    "http": (
        *("--service", "http", "--url", "https://127.0.0.1:8200/v1/sys/health"),
        *("--ca-cert", "/etc/vault.d/ca.pem"),
    ),
    "command": ("--service", "command", "--write", "--", *ARGV),
}


@pytest.mark.parametrize("service", SERVICES)
def test_the_vip_follows_a_service(nodes: tuple[VaultNode, VaultNode], service: str) -> None:
    a, b = nodes
    for node, number in ((a, "1"), (b, "2")):
        (node.node.root / "run/well").touch()
        done = init(node, "--node", number, "--write", *SERVICES[service])
        assert (done.returncode, done.stderr) == (0, "")
        start(node)
    wait_until(lambda: a.has_vip and not b.has_vip, "the VIP is not on node 1")
    a.kill_vault()
    (a.node.root / "run/well").unlink()
    wait_until(lambda: b.has_vip and not a.has_vip, "the VIP has not left")
