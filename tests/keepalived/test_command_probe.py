"""A program as a check, under a real keepalived: the VIP goes where it succeeds."""

import pytest

from helpers.keepalived import Node
from helpers.one_script import one_script
from helpers.paths import ROOT

pytestmark = pytest.mark.keepalived


def test_the_vip_is_where_the_program_succeeds(node: Node) -> None:
    says = node.write("says", "0")
    program = node.write("check_it", f'#!/bin/sh\necho "$*"; exit $(cat {says})\n', 0o755)
    check = ROOT / "checks/kacheck-command"
    keepalived = node.keepalived(one_script(f"{check} --timeout 0.9 -- {program} -w 5"))
    last = keepalived.wait_for("MASTER")
    for code in ("1", "2", "3", "127", "250"):
        node.write("says", code)
        last = keepalived.wait_for("FAULT", after=last.at)
        node.write("says", "0")
        last = keepalived.wait_for("MASTER", after=last.at)
    program.unlink()
    assert keepalived.wait_for("FAULT", after=last.at)
