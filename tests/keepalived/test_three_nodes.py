"""vault-graded.conf on three nodes, as shipped, under a real keepalived: combinations of faults.

tests/unit/test_vault_graded.py has all of them as arithmetic; these show that keepalived agrees.
Each one begins with a, b and c healthy, and the VIP where the active Vault is. Each is a row of the
table in docs/recipes.md.
"""

import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from helpers.certificates import Authority
from helpers.keepalived import Keepalived, Lab, LabError, wait_until
from helpers.needs import needs
from helpers.pair import INSTANCE, configuration, scripts
from helpers.paths import ROOT
from helpers.vault_node import VaultNode, Watcher

pytestmark = pytest.mark.keepalived

PATIENCE = 30
BASES = {"a": 220, "b": 218, "c": 216}
SERVES = scripts("vault-graded")["kacheck_vault_serves"]
BOUND = int(SERVES["interval"]) * int(SERVES["fall"]) + int(SERVES["timeout"])
"""Seconds that a node which cannot serve may keep the VIP, when its watcher is dead."""
BUSY = 5
"""Seconds that a busy machine may add."""


Test = TypeVar("Test", bound=Callable[..., None])
ROWS: list[str] = []


def row(failure: str, vip: str) -> Callable[[Test], Test]:
    """Make a test this row of the table."""

    def register(test: Test) -> Test:
        ROWS.append(f"{failure} | {vip}")
        return test

    return register


class Cluster:
    """Three nodes, each with a Vault, a watcher and a keepalived."""

    def __init__(self, nodes: dict[str, VaultNode]) -> None:
        self.nodes = nodes
        self.watchers: dict[str, Watcher] = {}
        self.keepaliveds: dict[str, Keepalived] = {}

    def start(self, states: str) -> None:
        """Start all: `states` are those of a, b and c, such as "active standby sealed"."""
        self.set(states)
        for name, node in self.nodes.items():
            node.start_vault()
            self.watchers[name] = node.start_watcher()
            self.keepaliveds[name] = node.keepalived(configuration("vault-graded", BASES[name]))

    def set(self, states: str) -> None:
        """Set the states of the Vaults; `dead` kills one."""
        for (name, node), state in zip(self.nodes.items(), states.split(), strict=True):
            if state == "dead":
                self.kill_vault(name)
            else:
                node.state = state

    def kill_vault(self, name: str) -> None:
        self.nodes[name].kill_vault()

    def kill_watchers(self, names: str) -> None:
        for name in names:
            self.watchers[name].process.kill()

    def blind(self, name: str) -> None:
        """Replace the directory that keepalived watches: it keeps the last number."""
        node = self.nodes[name]
        node.node.run(["mv", "/run/kacheck", "/run/kacheck-old"])
        node.make_run_dir()
        self.watchers[name].wait_said("is another directory")

    @property
    def holders(self) -> str:
        """The nodes that have the VIP."""
        return "".join(name for name, node in self.nodes.items() if node.has_vip)

    def expect(self, holder: str, within: float = PATIENCE) -> float:
        """Wait until this node alone has the VIP, or none has it; how long it took."""
        began = time.monotonic()
        try:
            wait_until(lambda: self.holders == holder, f"the VIP is not on {holder!r}", within)
        except LabError as error:
            raise AssertionError(f"{error}, but on {self.holders!r}\n{self.said()}") from None
        return time.monotonic() - began

    def stays(self, holder: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.holders == holder, self.said()
            time.sleep(0.02)

    def said(self) -> str:
        logs = {name: each.log[-2000:] for name, each in self.keepaliveds.items()}
        journals = {name: each.journal[-1000:] for name, each in self.watchers.items()}
        return f"{logs}\n{journals}".replace("\\n", "\n")

    def end(self) -> None:
        for keepalived in self.keepaliveds.values():
            keepalived.close()
        for watcher in self.watchers.values():
            watcher.process.close()
        for node in self.nodes.values():
            if node.vault is not None:
                node.vault.close()
            node.node.run(
                ["ip", "address", "flush", "dev", "eth0", "to", "192.0.2.100"], check=False
            )
            node.node.run(["sh", "-c", "rm -rf /run/kacheck*"])
            node.make_run_dir()


@pytest.fixture(scope="module")
def nodes() -> Iterator[dict[str, VaultNode]]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    authority = Authority()
    with Lab() as lab:
        yield {name: VaultNode(lab.node(name), authority) for name in BASES}


@pytest.fixture
def cluster(nodes: dict[str, VaultNode]) -> Iterator[Cluster]:
    cluster = Cluster(nodes)
    try:
        yield cluster
    finally:
        cluster.end()


def took(seconds: float) -> None:
    sys.stdout.write(f"{seconds:.2f} s\n")


@row("another node becomes active", "moves there")
def test_the_vip_follows_the_active_node_through_all_three(cluster: Cluster) -> None:
    cluster.start("standby standby active")
    cluster.expect("c")
    for states, holder in (
        ("standby active standby", "b"),
        ("active standby standby", "a"),
        ("standby standby active", "c"),
    ):
        cluster.set(states)
        took(cluster.expect(holder))
    # The guard's 10 come after the takeover, of which this is the event.
    assert cluster.keepaliveds["c"].events[-1].priority in (216 + 20, 216 + 20 + 10)
    assert cluster.keepaliveds["a"].state(INSTANCE) == "BACKUP"


@row("Vault is killed on the active node", "at once on a standby; then on the new leader")
def test_when_the_active_node_dies_a_standby_bridges_the_election(
    cluster: Cluster,
) -> None:
    cluster.start("active standby standby")
    cluster.expect("a")
    cluster.kill_vault("a")
    took(cluster.expect("b"))
    assert cluster.keepaliveds["a"].wait_for("FAULT", instance=INSTANCE)
    cluster.stays("b", 2)
    cluster.set("dead standby active")
    took(cluster.expect("c"))


@row("no node serves: sealed, dead, hanging", "nowhere; on the first node that serves again")
def test_no_node_serves_and_the_vip_is_nowhere_until_one_does(cluster: Cluster) -> None:
    cluster.start("active standby standby")
    cluster.expect("a")
    cluster.set("sealed dead hang")
    took(cluster.expect(""))
    cluster.set("sealed dead standby")
    took(cluster.expect("c"))
    cluster.set("standby dead standby")
    took(cluster.expect("a"))


@row(
    "the watcher of the active node is killed, then another node becomes active",
    "moves there, although the file of the old one still says +20",
)
def test_the_leader_changes_after_the_old_leaders_watcher_died(
    cluster: Cluster,
) -> None:
    """Its file says +20 for good."""
    cluster.start("active standby standby")
    cluster.expect("a")
    cluster.kill_watchers("a")
    cluster.set("standby standby active")
    took(cluster.expect("c"))
    assert cluster.nodes["a"].read("track/vault-graded") == "20\n", "the file is stale"


@row(
    "the watcher of a standby is killed, then that node becomes active",
    "moves there, by the guard alone",
)
def test_the_leader_changes_after_the_new_leaders_watcher_died(
    cluster: Cluster,
) -> None:
    """Its file says 0 for good: its guard alone brings the VIP."""
    cluster.start("active standby standby")
    cluster.expect("a")
    cluster.kill_watchers("c")
    cluster.set("standby standby active")
    took(cluster.expect("c"))


@row(
    "the watchers of both are killed, then another node becomes active",
    "stays on the old one while that serves; follows when the watchers are back",
)
def test_without_both_leaders_watchers_a_serving_node_has_the_vip(
    cluster: Cluster,
) -> None:
    """The file of the old leader outweighs the guard of the new one until the watchers are back."""
    cluster.start("active standby standby")
    cluster.expect("a")
    cluster.kill_watchers("ac")
    cluster.set("standby standby active")
    took(cluster.expect("a"))
    cluster.set("sealed standby active")
    wait_until(lambda: cluster.holders in ("b", "c"), "a keeps the VIP", PATIENCE)
    for name in "ac":
        cluster.watchers[name] = cluster.nodes[name].start_watcher()
    cluster.set("active standby standby")
    took(cluster.expect("a"))


@row(
    "the watcher, or all watchers, and Vault are killed together",
    "leaves by the guard, although the file still says +20",
)
@pytest.mark.parametrize("names", ["a", "abc"])
def test_watcher_and_leader_are_killed_together(cluster: Cluster, names: str) -> None:
    cluster.start("active standby standby")
    cluster.expect("a")
    cluster.kill_watchers(names)
    cluster.kill_vault("a")
    took(cluster.expect("b", BOUND + BUSY))
    assert cluster.nodes["a"].read("track/vault-graded") == "20\n", "the file is stale"


@row(
    "/run/kacheck is replaced, so that keepalived does not see the file, then Vault is killed",
    "leaves by the guard",
)
def test_keepalived_is_blind_to_the_file_and_then_the_leader_dies(cluster: Cluster) -> None:
    cluster.start("active standby standby")
    cluster.expect("a")
    cluster.blind("a")
    cluster.stays("a", BOUND)
    cluster.kill_vault("a")
    took(cluster.expect("b", BOUND + BUSY))
    cluster.set("dead standby active")
    took(cluster.expect("c"))


@row("the same, then another node becomes active", "moves there")
def test_the_leader_steps_down_while_keepalived_misses_the_file(cluster: Cluster) -> None:
    cluster.start("active standby standby")
    cluster.expect("a")
    cluster.blind("a")
    cluster.set("standby standby active")
    took(cluster.expect("c"))
    cluster.set("active standby standby")
    took(cluster.expect("a"))


@row(
    "one node is sealed, the watcher of the second is stopped (SIGSTOP), keepalived of the third does not see its file",
    "on the third, which is active; when it dies, on the second",
)
def test_one_blind_one_sealed_and_one_with_a_stopped_watcher(cluster: Cluster) -> None:
    cluster.start("active standby standby")
    cluster.expect("a")
    cluster.blind("c")
    cluster.watchers["b"].process.kill(signal.SIGSTOP)
    cluster.set("sealed standby active")
    took(cluster.expect("c"))
    cluster.kill_vault("c")
    took(cluster.expect("b", BOUND + BUSY))


@row(
    "Vault and keepalived die together",
    "on a standby; a keepalived that was killed leaves the address behind on its node",
)
@pytest.mark.parametrize("action", [Keepalived.stop, Keepalived.close], ids=["stopped", "killed"])
def test_leader_and_keepalived_die_together(
    cluster: Cluster, action: Callable[[Keepalived], object]
) -> None:
    """One that is killed leaves the VIP behind on the node, and another node takes it nevertheless."""
    cluster.start("active standby standby")
    cluster.expect("a")
    began = time.monotonic()
    action(cluster.keepaliveds["a"])
    cluster.kill_vault("a")
    cluster.keepaliveds["b"].wait_for("MASTER", PATIENCE, instance=INSTANCE, after=began)
    wait_until(lambda: "b" in cluster.holders, "b has no VIP", PATIENCE)


@row("Vault changes its role every second", "moves at most six times a minute")
def test_vault_changes_its_role_every_second(cluster: Cluster) -> None:
    cluster.start("standby standby active")
    cluster.expect("c")
    moves, before = [], "c"
    for number in range(20):
        cluster.set(f"standby standby {('standby', 'active')[number % 2]}")
        end = time.monotonic() + 1
        while time.monotonic() < end:
            if (now := cluster.holders) != before:
                moves.append(now)
                before = now
            time.sleep(0.02)
    sys.stdout.write(f"{moves}\n")
    assert len(moves) <= 6, moves


def test_the_table_has_these_rows() -> None:
    table = (ROOT / "docs/recipes.md").read_text().partition("## Failures, also two at a time")[2]
    rows = re.findall(r"^\| (.+) \|$", table.partition("\n## ")[0], re.MULTILINE)
    assert rows[1:] == ROWS, "\n" + "\n".join(f"| {row} |" for row in ROWS)
