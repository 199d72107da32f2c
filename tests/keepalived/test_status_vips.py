"""The last lines of `kacheck status`: where the VIPs of the keepalived that runs are."""

from collections.abc import Iterator

import pytest

from helpers.keepalived import Lab, wait_until
from helpers.needs import needs

pytestmark = [pytest.mark.keepalived, pytest.mark.timeout(120)]

CONF = """vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        @one 10.77.0.100
        @two 10.77.0.101
    }
}
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        yield lab


def test_the_vip_is_the_one_of_keepaliveds_id(lab: Lab) -> None:
    node = lab.node("a")
    keepalived = node.keepalived(CONF, options=["--config-id", "two"])
    keepalived.wait_for("MASTER", instance="VI_1")
    wait_until(lambda: node.has_address("10.77.0.101"), "no VIP")
    done = node.kacheck("status")
    assert done.stdout.splitlines()[-1] == "VIP 10.77.0.101: here", done.stdout
