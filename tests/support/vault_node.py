"""A node of the lab as a user has set it up: kacheck installed, a Vault, its CA file, the recipes."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from support import vault
from support.certificates import Authority
from support.keepalived import Keepalived, LabError, Node, Process

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "examples" / "keepalived.conf.d"
VIP = "192.0.2.100"
"""The VIP of the shipped keepalived.conf."""


def start_stand_in(
    start: Callable[..., Process], program: Path, options: list[str]
) -> tuple[Process, str]:
    """Start a stand-in for Vault whose process is named like the file `program`; its address."""
    if not program.is_symlink():
        program.symlink_to(os.path.realpath(sys.executable))
    # It ends by itself should whoever started it be killed.
    argv = [program, "-I", str(vault.__file__), "--seconds", "300", *options]
    process = start(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    line = process.popen.stdout.readline() if process.popen.stdout else ""
    if not line.startswith("listening on "):
        process.close()
        raise LabError("the stand-in for Vault did not start")
    return process, line.split()[-1]


class VaultNode:
    """Everything that the recipes name, at the place where they name it, seen by this node alone."""

    def __init__(self, node: Node, authority: Authority) -> None:
        self.node = node
        self.vault: Process | None = None
        node.overlay("/usr/libexec")
        node.overlay("/etc")
        self.libexec = node.root / "usr/libexec/kacheck"
        self._install(node.dir / "kacheck-bin")
        (node.root / "etc/vault.d").mkdir()
        authority.write(node.root / "etc/vault.d/ca.pem")
        self.certificate = node.dir / "vault.pem"
        leaf = authority.server("127.0.0.1")
        leaf.private_key_and_cert_chain_pem.write_to_path(str(self.certificate))
        for recipe in RECIPES.glob("*.conf"):
            shutil.copy(recipe, node.dir)
        self.state = "active"

    def _install(self, directory: Path) -> None:
        """Link each entry point to a directory with a Python beside it, as the README does.

        They are copies that belong to root, as keepalived wants it; your clone may not.
        """
        directory.mkdir()
        self.libexec.mkdir()
        python = directory / "python3"
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        for program in (ROOT / "checks").iterdir():
            shutil.copyfile(program, directory / program.name)
            (self.libexec / program.name).symlink_to(directory / program.name)
        for path in (self.libexec, directory, *directory.iterdir()):
            path.chmod(0o755)

    @property
    def state(self) -> str:
        """What this node's Vault says it is, from its next answer on."""
        return (self.node.dir / "state").read_text()

    @state.setter
    def state(self, word: str) -> None:
        self.node.write("state.new", word).replace(self.node.dir / "state")

    def start_vault(self) -> None:
        """Start the stand-in, as a process named vault that listens."""
        options = ["--listen", "127.0.0.1:8200", "--state-file", str(self.node.dir / "state")]
        options += ["--cert", str(self.certificate), "--key", str(self.certificate)]
        self.vault, _ = start_stand_in(self.node.popen, self.node.dir / "vault", options)

    def kill_vault(self) -> None:
        """kill -9."""
        if self.vault is not None:
            self.vault.kill()
            self.vault.wait()

    def keepalived(self, conf: str) -> Keepalived:
        """Start keepalived; relative includes find the recipes."""
        return self.node.keepalived(conf)

    @property
    def has_vip(self) -> bool:
        """Does this node hold the VIP?"""
        return self.node.has_address(VIP)
