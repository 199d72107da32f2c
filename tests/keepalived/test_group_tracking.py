"""Which words in a vrrp_sync_group let its members' priorities change, for a real keepalived."""

from collections.abc import Iterator

import pytest

from helpers.keepalived import Lab, Node
from helpers.needs import needs

pytestmark = pytest.mark.keepalived
CONFIGURATION = """
global_defs {{
    enable_script_security
}}
vrrp_script up {{
    script "/bin/true"
    interval 1
    weight 20
    user root
}}
vrrp_sync_group G {{
    group {{
        VI_1
    }}
    {word}
}}
vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {{
        192.0.2.100/24
    }}
    track_script {{
        up
    }}
}}
"""


@pytest.fixture
def node() -> Iterator[Node]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        yield lab.node("a")


@pytest.mark.parametrize(
    ("word", "priority"),
    [("", 100), ("sync_group_tracking_weight", 120), ("global_tracking", 120)],
)
def test_a_member_has_the_weight_of_its_script(node: Node, word: str, priority: int) -> None:
    keepalived = node.keepalived(CONFIGURATION.format(word=word))
    assert keepalived.wait_for("MASTER").priority == priority
