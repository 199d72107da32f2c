"""Each cause of FAULT under the recipes that `kacheck init` writes: doctor's first line names it."""

import signal
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from helpers.certificates import Authority
from helpers.keepalived import Lab
from helpers.needs import needs
from helpers.pair import configuration
from helpers.vault_node import VaultNode, Watcher

pytestmark = [pytest.mark.keepalived, pytest.mark.timeout(240)]


@pytest.fixture
def node() -> Iterator[VaultNode]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        node = VaultNode(lab.node("a"), Authority())
        node.start_vault()
        yield node


def sealed(node: VaultNode, _: Watcher) -> None:
    node.state = "sealed"


def standby(node: VaultNode, _: Watcher) -> None:
    node.state = "standby"


def killed(node: VaultNode, _: Watcher) -> None:
    node.kill_vault()


def drained(node: VaultNode, _: Watcher) -> None:
    assert node.kacheck("drain", "on", "--all", "--message", "new disks").returncode == 0


def stopped(_: VaultNode, watcher: Watcher) -> None:
    watcher.stop()


def both_killed(node: VaultNode, watcher: Watcher) -> None:
    watcher.process.kill(signal.SIGKILL)
    watcher.process.wait()
    node.kill_vault()


class Cause(NamedTuple):
    """What happens, and what the first line has to say then."""

    happens: Callable[[VaultNode, Watcher], None]
    graded: tuple[str, ...] | None
    """Under vault-graded.conf; None: no FAULT."""
    event_driven: tuple[str, ...]


CAUSES = {
    "sealed": Cause(sealed, ("critical sealed: ", "is sealed"), ("critical sealed: ",)),
    "standby": Cause(standby, None, ("warning standby: ",)),
    "dead": Cause(killed, ("critical missing: ",), ("critical missing: ",)),
    "drained": Cause(
        drained, ("critical draining: ", "new disks"), ("critical draining: ", "new disks")
    ),
    "watcher stopped": Cause(stopped, ("watcher",), ("watcher",)),
    "watcher killed, Vault dead": Cause(
        both_killed, ("critical missing: ",), ("critical missing: ",)
    ),
}


@pytest.mark.parametrize("recipe", ["vault-graded", "event-driven"])
@pytest.mark.parametrize("name", CAUSES)
def test_the_first_line_names_what_the_recipe_found(
    node: VaultNode, recipe: str, name: str
) -> None:
    cause = CAUSES[name]
    watcher = node.start_watcher()
    keepalived = node.keepalived(configuration(recipe, 220))
    last = keepalived.wait_for("MASTER", instance="VI_1")
    cause.happens(node, watcher)
    words = cause.graded if recipe == "vault-graded" else cause.event_driven
    if words is not None:
        keepalived.wait_for("FAULT", instance="VI_1", after=last.at)
    done = node.kacheck("doctor", str(keepalived.conf))
    line = done.stdout.splitlines()[0]
    if words is None:
        assert line.startswith("VI_1: MASTER here, priority "), done.stdout
        return
    assert line.startswith("VI_1: FAULT because kacheck_"), done.stdout
    assert all(word in line for word in words), done.stdout
    assert done.stdout.splitlines()[1].startswith("    do:  "), done.stdout
    assert done.returncode == 2
