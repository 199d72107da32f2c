"""A port as a check, under a real keepalived: the VIP is where it accepts and greets."""

import sys

import pytest

from helpers.keepalived import Node
from helpers.one_script import one_script
from helpers.paths import ROOT

pytestmark = pytest.mark.keepalived


SERVER = """
import pathlib, socket, sys
server = socket.create_server(("127.0.0.1", 2525))
while True:
    connection, _ = server.accept()
    with connection:
        connection.sendall(pathlib.Path(sys.argv[1]).read_bytes())
"""


def test_the_vip_is_where_the_port_accepts_and_greets(node: Node) -> None:
    node.run(["ip", "link", "set", "lo", "up"])
    greeting = node.write("greeting", "220 mail\r\n")
    server = node.popen([sys.executable, "-c", SERVER, greeting])
    check = ROOT / "checks/kacheck-tcp"
    keepalived = node.keepalived(one_script(f"{check} --timeout 0.9 --expect 220 127.0.0.1:2525"))
    last = keepalived.wait_for("MASTER")
    node.write("greeting", "421 busy\r\n")
    last = keepalived.wait_for("FAULT", after=last.at)
    node.write("greeting", "220 mail\r\n")
    last = keepalived.wait_for("MASTER", after=last.at)
    server.kill()
    assert keepalived.wait_for("FAULT", after=last.at)
