"""README's quick start, as it is, on two clean machines: from apt install to a VIP that moves.

Nothing is edited. The first commands run on both nodes; those that show the VIP move run on the
node that has it.
"""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers import package
from helpers.vault_machines import VIP, VaultMachine, commands, settles, vault_machines

pytestmark = [pytest.mark.keepalived, pytest.mark.timeout(600)]

SETUP = commands("README.md", "## Quick start", "Now see it move")
MOVE = commands("README.md", "Now see it move", "## ")


def test_the_quick_start_is_short() -> None:
    assert len(SETUP) + len(MOVE) < 10
    assert [line.split()[0] for line in SETUP] == [
        *("apt", "kacheck", "systemctl", "systemctl", "kacheck", "kacheck")
    ]
    assert not re.search(r"\b(editor|vi|nano|sed)\b", " ".join(SETUP + MOVE))


@pytest.mark.parametrize("suite", package.SUITES)
def test_the_vip_follows_vault_within_the_first_hour(suite: str) -> None:
    with vault_machines(suite) as (a, b):
        a.vault("active")
        with ThreadPoolExecutor() as both:
            list(both.map(install, (a, b)))
        said = [set_up(node, number) for number, node in ((1, a), (2, b))]
        settles(a, b, on=a)
        assert "VI_1: " in said[0]
        assert "VI_1: BACKUP, priority 218; the VIP is on 192.0.2.1\n" in said[1]
        assert a.sh("kacheck doctor").startswith("VI_1: MASTER here, priority 2")

        rehearsal, kill = MOVE
        shown = a.sh(rehearsal)
        assert f"VIP {VIP} (VI_1): left after " in shown
        assert f"VIP {VIP} (VI_1): back after " in shown
        settles(a, b, on=a)

        a.vault("sealed")  # what Vault is after a start
        a.sh(kill)
        settles(a, b, on=b)
        assert "VI_1: FAULT because " in a.sh("kacheck doctor || [ $? = 2 ]")
        a.vault("active")
        settles(a, b, on=a)


def install(node: VaultMachine) -> None:
    """Run the first command."""
    node.sh(SETUP[0])
    node.wait_for_vault()


def set_up(node: VaultMachine, number: int) -> str:
    """Run the others; return what the last one says."""
    return [node.sh(line.replace("--node 1", f"--node {number}")) for line in SETUP[1:]][-1]
