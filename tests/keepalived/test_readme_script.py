"""The smallest vrrp_script of the README, with a real keepalived."""

import re
import textwrap
from collections.abc import Iterator

import pytest

from helpers.certificates import Authority
from helpers.keepalived import Lab
from helpers.needs import needs
from helpers.paths import ROOT
from helpers.vault_node import VaultNode

pytestmark = pytest.mark.keepalived

README = (ROOT / "README.md").read_text()


@pytest.fixture
def node() -> Iterator[VaultNode]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        yield VaultNode(lab.node("a"), Authority())


def configuration() -> str:
    """Return what the README has for above the instance, and for the instance."""
    settings, script, tracking = (
        re.findall(rf"^    {word} .*?^    \}}\n", README, re.MULTILINE | re.DOTALL)[0]
        for word in ("global_defs", "vrrp_script", "track_script")
    )
    return f"""{textwrap.dedent(settings)}{textwrap.dedent(script)}
vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {{
        192.0.2.100/24
    }}
{tracking}}}
"""


def test_the_smallest_script_is_accepted_and_moves_the_vip(node: VaultNode) -> None:
    path = node.node.write("checked.conf", configuration())
    shown = node.node.run(["keepalived", "-t", "-l", "-f", path], check=False)
    assert (shown.returncode, shown.stdout + shown.stderr) == (0, "")
    node.start_vault()
    keepalived = node.keepalived(configuration())
    master = keepalived.wait_for("MASTER")
    node.kill_vault()
    assert keepalived.wait_for("FAULT", after=master.at)
