"""A node of the lab as a user has set it up: kacheck installed, a Vault, its CA file, the recipes."""

import shutil
import sys
import sysconfig
from pathlib import Path

from support import vault
from support.certificates import Authority
from support.keepalived import Keepalived, Node, Process, wait_until

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "examples" / "keepalived.conf.d"
ENTRY_POINTS = Path(sysconfig.get_path("scripts"))
"""Where installing kacheck for this interpreter has put kacheck-vault and its kin."""
VIP = "192.0.2.100"
"""The VIP of the shipped keepalived.conf."""


class VaultNode:
    """Everything that the recipes name, at the place where they name it, seen by this node alone."""

    def __init__(self, node: Node, authority: Authority) -> None:
        self.node = node
        self.vault: Process | None = None
        node.overlay("/usr/libexec")
        node.overlay("/etc")
        self.libexec = node.root / "usr/libexec/kacheck"
        self.libexec.mkdir()
        for entry_point in ENTRY_POINTS.glob("kacheck-*"):
            (self.libexec / entry_point.name).symlink_to(entry_point)
        (node.root / "etc/vault.d").mkdir()
        authority.write(node.root / "etc/vault.d/ca.pem")
        self.certificate = node.dir / "vault.pem"
        leaf = authority.server("127.0.0.1")
        leaf.private_key_and_cert_chain_pem.write_to_path(str(self.certificate))
        (node.dir / "vault").symlink_to(sys.executable)
        for recipe in RECIPES.glob("*.conf"):
            shutil.copy(recipe, node.dir)
        self.state = "active"

    @property
    def state(self) -> str:
        """What this node's Vault says it is, from its next answer on."""
        return (self.node.dir / "state").read_text()

    @state.setter
    def state(self, word: str) -> None:
        self.node.write("state", word)

    def start_vault(self) -> None:
        """Start the stand-in, as a process named vault, and wait until it listens."""
        program = [str(self.node.dir / "vault"), "-I", str(vault.__file__)]
        options = ["--listen", "127.0.0.1:8200", "--state-file", str(self.node.dir / "state")]
        keys = ["--cert", str(self.certificate), "--key", str(self.certificate)]
        self.vault = self.node.popen([*program, *options, *keys])
        wait_until(self.listens, "the stand-in Vault does not listen", timeout=20)

    def listens(self) -> bool:
        """Does the stand-in accept connections?"""
        probe = "import socket; socket.create_connection(('127.0.0.1', 8200)).close()"
        return self.node.run([sys.executable, "-I", "-c", probe], check=False).returncode == 0

    def kill_vault(self) -> None:
        """kill -9."""
        assert self.vault is not None
        self.vault.kill()
        self.vault.wait()

    def keepalived(self, conf: str) -> Keepalived:
        """Start keepalived; relative includes find the recipes."""
        return self.node.keepalived(conf)

    @property
    def has_vip(self) -> bool:
        """Does this node hold the VIP?"""
        return self.node.has_address(VIP)
