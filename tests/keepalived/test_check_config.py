"""`kacheck watch --check-config` as root checks the files as the watcher's user."""

import grp
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.certificates import Authority
from helpers.keepalived import Lab
from helpers.needs import needs
from helpers.vault_node import VaultNode

pytestmark = pytest.mark.keepalived

GROUP = grp.getgrgid(4).gr_name
CA = "/etc/vault.d"


@pytest.fixture
def node() -> Iterator[VaultNode]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        yield VaultNode(lab.node("a"), Authority())


def close(node: VaultNode, mode: int) -> None:
    """Let a group alone enter the directory of the CA file."""
    directory = node.node.root / "etc/vault.d"
    os.chown(directory, 0, 4)
    directory.chmod(mode)


def test_what_the_user_can_read_is_good(node: VaultNode) -> None:
    done = node.kacheck("watch", "--check-config")
    assert (done.returncode, done.stderr) == (0, "")
    assert " is good: vault-graded" in done.stdout


def test_a_ca_file_unreadable_to_the_user_gets_a_drop_in(node: VaultNode) -> None:
    close(node, 0o750)
    done = node.kacheck("watch", "--check-config")
    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("kacheck: /etc/kacheck/kacheck.toml:")
    assert f"user nobody may not enter {CA} (drwxr-x--- root:{GROUP})" in line
    assert f"printf '[Service]\\nSupplementaryGroups={GROUP}\\n'" in line
    close(node, 0o755)
    assert node.kacheck("watch", "--check-config").returncode == 0


def test_the_installed_file_must_be_readable_and_another_need_not(node: VaultNode) -> None:
    other = Path("/etc/kacheck/new.toml")
    place = node.toml.with_name(other.name)
    place.write_text(node.toml.read_text())
    for path in (place, node.toml):
        path.chmod(0o600)
    assert node.kacheck("watch", "--check-config", "--config", str(other)).returncode == 0
    done = node.kacheck("watch", "--check-config")
    assert done.returncode == 3
    assert "user nobody may not read /etc/kacheck/kacheck.toml" in done.stderr
