"""A URL as a check, under a real keepalived: the VIP leaves a server that answers, but not well."""

import sys

import pytest

from helpers.keepalived import Node
from helpers.one_script import one_script
from helpers.paths import ROOT

pytestmark = pytest.mark.keepalived


def test_the_vip_is_where_the_url_answers_as_expected(node: Node) -> None:
    node.run(["ip", "link", "set", "lo", "up"])
    code = node.write("code", "200")
    server = node.popen([sys.executable, ROOT / "tests/helpers/web.py", "8008", code])
    check = ROOT / "checks/kacheck-http"
    keepalived = node.keepalived(one_script(f"{check} --timeout 0.9 http://127.0.0.1:8008/primary"))
    last = keepalived.wait_for("MASTER")
    for each in ("503", "302", "404", "401"):
        node.write("code", each)
        last = keepalived.wait_for("FAULT", after=last.at)
        node.write("code", "200")
        last = keepalived.wait_for("MASTER", after=last.at)
    server.kill()
    assert keepalived.wait_for("FAULT", after=last.at)
