"""A node of the lab as a user has set it up: kacheck installed, a Vault, its CA file, the recipes."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import trustme

from helpers import vault
from helpers.certificates import Authority
from helpers.keepalived import Keepalived, LabError, Node, Process, Start, StrPath, wait_until
from helpers.needs import IS_PACKAGE
from helpers.paths import ROOT

EXAMPLES = ROOT / "examples"
RECIPES = EXAMPLES / "keepalived.conf.d"
TMPFILES = ROOT / "systemd" / "kacheck.tmpfiles"
CONFIGURATION = re.sub(r"(?m)^#(?=\S)", "", (EXAMPLES / "kacheck.toml").read_text())
"""The shipped configuration of the watcher, all of its checks in force."""
VIP = "192.0.2.100"
"""The VIP of the shipped keepalived.conf."""
USER = 65534
"""The watcher's user in the lab: nobody, since the machine may have no user kacheck."""
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")


def start_stand_in(
    start: Callable[..., Process], program: Path, options: list[str]
) -> tuple[Process, str]:
    """Start a stand-in for Vault whose process is named like the file `program`; its address."""
    if not program.is_symlink():
        program.symlink_to(os.path.realpath(sys.executable))
    # It ends by itself if the program that started it is killed.
    argv = [program, "-I", str(vault.__file__), "--seconds", "900", *options]
    process = start(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    line = process.popen.stdout.readline() if process.popen.stdout else ""
    if not line.startswith("listening on "):
        process.close()
        raise LabError("the stand-in for Vault did not start")
    return process, line.split()[-1]


class Watcher:
    """A running `kacheck watch`, whose standard error goes to a file."""

    def __init__(self, process: Process, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def journal(self) -> str:
        """What it has said until now."""
        return self._log.read_text()

    def wait_said(self, text: str, timeout: float = 30, *, after: int = 0) -> str:
        """Return the first line with `text`, from the offset `after` on (a `len(journal)`)."""

        def found() -> list[str]:
            return [line for line in self.journal[after:].splitlines() if text in line]

        try:
            wait_until(found, f"the watcher did not say {text!r}", timeout)
        except LabError as error:
            raise AssertionError(f"{error}\n{self.journal}") from None
        return found()[0]

    def stop(self) -> int:
        """Send SIGTERM and wait for the end: the exit status."""
        self.process.kill(signal.SIGTERM)
        return self.process.wait()


class VaultNode:
    """Everything that the recipes name, at the place where they name it, seen by this node alone."""

    def __init__(self, node: Node, authority: Authority) -> None:
        self.node = node
        self.vault: Process | None = None
        node.overlay("/usr/libexec")
        node.overlay("/etc")
        self.libexec = node.root / "usr/libexec/kacheck"
        self._install(node.dir / "kacheck-bin")
        (node.root / "etc/vault.d").mkdir(exist_ok=True)
        authority.write(node.root / "etc/vault.d/ca.pem")
        self.authority = authority
        self.certificate = node.dir / "vault.pem"
        self.certify()
        for recipe in RECIPES.glob("*.conf"):
            shutil.copy(recipe, node.dir)
        self.state = "active"
        (node.root / "etc/kacheck").mkdir(exist_ok=True)
        self.toml = node.root / "etc/kacheck/kacheck.toml"
        self.toml.write_text(CONFIGURATION)
        self.toml.chmod(0o644)  # the package's file is for its own group alone
        self.run_dir = node.root / "run/kacheck"
        self.make_run_dir()
        self._watchers = 0

    def certify(self, leaf: trustme.LeafCert | None = None) -> None:
        """Give Vault's next start this certificate, or a valid one."""
        leaf = leaf or self.authority.server("127.0.0.1")
        leaf.private_key_and_cert_chain_pem.write_to_path(str(self.certificate))

    def make_run_dir(self) -> None:
        """Make what is missing of /run/kacheck, as tmpfiles.d does."""
        lines = TMPFILES.read_text().splitlines()
        for line in (line for line in lines if not line.startswith("#")):
            kind, path, mode, user, group, _ = line.split()
            assert (kind, group) == ("d", user)
            owner = {"root": 0, "kacheck": USER}[user]
            self.node.run(["install", "-d", f"--mode={mode}", f"--owner={owner}", path])

    def _install(self, directory: Path) -> None:
        """Link each entry point to a directory with a Python beside it, as docs/install.md does.

        They are copies that belong to root, as keepalived wants it; your clone may not.
        """
        directory.mkdir()
        python = directory / "python3"
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        python.chmod(0o755)
        if IS_PACKAGE:
            return  # they are there
        if self.libexec.exists():  # of a kacheck that is installed on this machine
            shutil.rmtree(self.libexec)
        self.libexec.mkdir()
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
        """Kill Vault with SIGKILL."""
        if self.vault is not None:
            self.vault.kill()
            self.vault.wait()

    def start_watcher(
        self, *options: str, env: Mapping[str, str] | None = None, wait: bool = True, **popen: bool
    ) -> Watcher:
        """Start `kacheck watch` as its unit does, and wait until it has a verdict on every check.

        With `net=False` it is in the host's network, as with `docker run --net=host`.
        """
        self.make_run_dir()
        self._watchers += 1
        log = self.node.dir / f"journal-{self._watchers}"
        argv: list[StrPath] = [*AS_USER, sys.executable, "-IB", "-m", "kacheck", "watch", *options]
        with log.open("w") as stderr:
            env = {**os.environ, **(env or {})}
            process = self.node.popen(argv, stderr=stderr, env=env, **popen)
        watcher = Watcher(process, log)
        if wait:
            watcher.wait_said("ready: watching", 20)
        return watcher

    def kacheck(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command of kacheck's to its end."""
        program = self.node.dir / "kacheck-bin/python3"
        return self.node.run([program, "-IB", "-m", "kacheck", *argv], check=False)

    def read(self, name: str) -> str:
        """Return a file of the state directory; nothing if it does not exist."""
        try:
            return (self.run_dir / name).read_text()
        except OSError:
            return ""

    def keepalived(self, conf: str, start: Start = "node") -> Keepalived:
        """Start keepalived; relative includes find the recipes."""
        return self.node.keepalived(conf, start)

    @property
    def has_vip(self) -> bool:
        """Does this node hold the VIP?"""
        return self.node.has_address(VIP)
