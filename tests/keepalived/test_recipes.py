"""The shipped recipes under a real keepalived, as they are: they move the VIP and bring it back.

Two nodes with the shipped keepalived.conf, priorities 220 and 218. What a recipe's comment says to
put into the instance is what is put there. Waiting is for events of the notify FIFO.
"""

import re
import time
from pathlib import Path

import pytest

from helpers.keepalived import keepalived_version, wait_until
from helpers.pair import PATIENCE, Pair, configuration, recipe, scripts, tracking
from helpers.vault_node import RECIPES, VaultNode

pytestmark = pytest.mark.keepalived

NAMES = ("process", "vault-node")
"""Those that need no watcher."""


def test_process_the_vip_leaves_and_returns_with_the_process(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    for node in nodes:
        node.start_vault()
    pair = Pair("process", nodes)
    pair.expect(a="MASTER", b="BACKUP")
    pair.after(pair.a.kill_vault)
    pair.expect(a="FAULT", b="MASTER")
    pair.after(pair.a.start_vault)
    pair.expect(a="MASTER", b="BACKUP")
    pair.after(pair.a.kill_vault)
    pair.b.kill_vault()
    pair.expect(a="FAULT", b="FAULT")
    assert pair.holders == [], "it runs nowhere: the VIP is nowhere"


def test_vault_node_keeps_the_vip_on_the_active_process(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    for node, state in zip(nodes, ("active", "standby"), strict=True):
        node.state = state
        node.start_vault()
    pair = Pair("vault-node", nodes)
    pair.expect(a="MASTER", b="FAULT")
    pair.set("hang", "active")
    pair.expect(a="FAULT", b="MASTER")
    pair.set("standby", "standby")
    pair.expect(b="FAULT")
    assert pair.holders == [], "no node is active: the VIP is dropped"
    pair.set("active", "standby")
    pair.expect(a="MASTER")
    pair.after(pair.a.kill_vault)
    pair.expect(a="FAULT")
    pair.after(pair.a.start_vault)
    pair.expect(a="MASTER")


def test_the_shipped_configuration_is_complete_and_accepted(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    """`-t` says nothing at all: no error, no warning about scripts, users or security."""
    a, _ = nodes
    for conf in [recipe("keepalived"), *(configuration(name, 220) for name in NAMES)]:
        path = a.node.write("checked.conf", conf)
        shown = a.node.run(["keepalived", "-t", "-l", "-f", path], check=False)
        assert shown.returncode == 0, shown
        assert shown.stdout + shown.stderr == ""


def test_a_recipe_needs_no_script_user_and_survives_a_reload(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    """A script that has no user is dropped, at the start or at a reload: it would run untracked."""
    a, _ = nodes
    a.state = "sealed"
    a.start_vault()
    conf = configuration("vault-node", 220).replace("    script_user root\n", "")
    keepalived = a.keepalived(conf)
    keepalived.wait_log("kacheck_vault_node` now returning 2", PATIENCE)
    keepalived.reload()
    since = time.monotonic()
    a.state = "active"
    keepalived.wait_for("MASTER", PATIENCE, after=since)
    keepalived.reload()
    since = time.monotonic()
    a.state = "sealed"
    keepalived.wait_for("FAULT", PATIENCE, after=since)
    wait_until(lambda: not a.has_vip, "the VIP stayed on a sealed node")


@pytest.mark.parametrize("name", NAMES)
def test_timeouts_are_nested_and_fit_keepalived_before_2_3_2(name: str) -> None:
    assert scripts(name)
    for script, words in scripts(name).items():
        own = re.search(r"--timeout ([0-9.]+)", words["script"])
        assert own
        assert float(own[1]) < int(words["timeout"]) < int(words["interval"])
        assert words["user"] == "root"
        assert script in tracking(name)
        path = Path(words["script"].strip('"').split()[0])
        assert path.parent == Path("/usr/libexec/kacheck")
        assert (RECIPES.parent.parent / "checks" / path.name).exists()


ONE_SCRIPT = """
vrrp_script check {
    script "%s"
    interval 2
    timeout 1
}
vrrp_instance VI_1 {
    version 3
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 0.1
    virtual_ipaddress {
        192.0.2.100/24
    }
    track_script {
        check
    }
}
"""


def test_a_missing_interpreter_fails_closed_through_our_entry_point(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    """And open without it: the same check with an interpreter in its first line."""
    a, b = nodes
    for node in nodes:
        node.start_vault()
    ours = a.libexec / "kacheck-process"
    ours.unlink()
    ours.write_bytes((RECIPES.parent.parent / "checks/kacheck-process").read_bytes())
    ours.chmod(0o755)
    other = b.libexec / "check.py"
    other.write_text("#!/usr/bin/python3\nraise SystemExit(2)\n")
    other.chmod(0o755)
    for node in nodes:
        node.node.overlay("/usr/bin")
        (node.node.root / "usr/bin/python3").unlink()
    closed = a.keepalived(ONE_SCRIPT % "/usr/libexec/kacheck/kacheck-process vault")
    closed.wait_log("now returning 127", PATIENCE)
    closed.wait_for("FAULT", PATIENCE)
    assert b.keepalived(ONE_SCRIPT % "/usr/libexec/kacheck/check.py").wait_for("MASTER", PATIENCE)


def test_keepalived_2_3_does_not_track_below_a_linked_directory(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    """Why docs/install.md links the entry points one by one: check_security() in lib/notify.c."""
    a, _ = nodes
    (a.node.root / "usr/libexec/linked").symlink_to("/usr/libexec/kacheck")
    keepalived = a.keepalived(ONE_SCRIPT % "/usr/libexec/linked/kacheck-process ktest-none")
    if keepalived_version() < (2, 3):
        keepalived.wait_for("FAULT", PATIENCE)
    else:
        keepalived.wait_log("Wrong file type found in script path")
        keepalived.wait_for("MASTER", PATIENCE)


def test_a_check_that_overruns_keepaliveds_timeout_fails(
    nodes: tuple[VaultNode, VaultNode],
) -> None:
    a, _ = nodes
    a.start_vault()
    script = (
        "/usr/libexec/kacheck/kacheck-vault --timeout 60 "
        "--address https://127.0.0.1:8200 --ca-cert /etc/vault.d/ca.pem"
    )
    keepalived = a.keepalived(ONE_SCRIPT % script)
    keepalived.wait_for("MASTER", PATIENCE)
    a.state = "hang"
    keepalived.wait_for("FAULT", PATIENCE)
    a.state = "active"
    keepalived.wait_for("MASTER", PATIENCE, after=time.monotonic())
