"""A URL as a check, under a real keepalived: the VIP leaves a server that answers, but not well."""

import sys
from collections.abc import Iterator

import pytest

from helpers.keepalived import Lab, Node
from helpers.needs import needs
from helpers.paths import ROOT

pytestmark = pytest.mark.keepalived

CONFIGURATION = """
global_defs {{
    enable_script_security
}}
vrrp_script web {{
    script "{check} --timeout 0.9 http://127.0.0.1:8008/primary"
    interval 1
    timeout 5
    fall 1
    rise 1
    user root
}}
vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {{
        192.0.2.100/24
    }}
    track_script {{
        web
    }}
}}
"""


@pytest.fixture
def node() -> Iterator[Node]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        yield lab.node("a")


def test_the_vip_is_where_the_url_answers_as_expected(node: Node) -> None:
    node.run(["ip", "link", "set", "lo", "up"])
    code = node.write("code", "200")
    server = node.popen([sys.executable, ROOT / "tests/helpers/web.py", "8008", code])
    keepalived = node.keepalived(CONFIGURATION.format(check=ROOT / "checks/kacheck-http"))
    last = keepalived.wait_for("MASTER")
    for each in ("503", "302", "404", "401"):
        node.write("code", each)
        last = keepalived.wait_for("FAULT", after=last.at)
        node.write("code", "200")
        last = keepalived.wait_for("MASTER", after=last.at)
    server.kill()
    assert keepalived.wait_for("FAULT", after=last.at)
