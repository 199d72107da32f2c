"""Two clean Debian machines on a wire, each with its Vault, as an administrator has them.

    with vault_machines("trixie") as (a, b):
        a.vault("active")
        a.sh("apt install ./kacheck_*_all.deb keepalived")

Python, which the stand-in for Vault needs, comes with the package: Vault starts when it is there.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from helpers import package, vault
from helpers.certificates import Authority
from helpers.keepalived import command, wait_until
from helpers.machine import Machine, put
from helpers.paths import ROOT

VIP = "192.0.2.100"
VAULT_SERVICE = """
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/local/bin/vault -I /usr/local/lib/vault.py --listen 127.0.0.1:8200 \\
    --state-file /etc/vault.d/state --cert /etc/vault.d/vault.pem --key /etc/vault.d/vault.pem
User=daemon
Restart=always
RestartSec=1
KillSignal=SIGKILL
[Install]
WantedBy=multi-user.target
"""
Prepare = Callable[[Path], object]


class VaultMachine:
    """One of the two machines."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.run = machine.run

    def vault(self, state: str) -> None:
        """Set the state that its Vault answers with."""
        self.machine.write("/etc/vault.d/state", state)

    def has_vip(self) -> bool:
        return self.machine.has_address(VIP)

    def states(self) -> list[str]:
        """Return the states that its VRRP instance has been in."""
        return re.findall(r"Entering (\w+) STATE", self.machine.journal("keepalived"))

    def sh(self, line: str) -> str:
        """Return what a line of sh prints. A check may say that this node is the standby (1)."""
        if line.startswith(("kacheck vault", "kacheck status")):
            line += " || [ $? = 1 ]"
        done = self.run(["sh", "-euc", f"cd /root; {line}"], timeout=300)
        return done.stdout + ("" if line.startswith("apt ") else done.stderr)

    def wait_for_vault(self) -> None:
        """Wait until its Vault runs; the package is installed."""

        def runs() -> bool:
            done = self.run(["kacheck", "process", "vault"], check=False)
            return done.returncode == 0

        wait_until(runs, "Vault does not start", 60)


@contextmanager
def vault_machines(suite: str, *more: Prepare) -> Iterator[tuple[VaultMachine, VaultMachine]]:
    """Boot them, with 192.0.2.1 and 192.0.2.2; `more` prepares each, in this order."""
    package.package()
    authority = Authority()
    prepare_each = more or (lambda _: None,) * 2

    def prepare(also: Prepare) -> Prepare:
        def prepared(root: Path) -> None:
            package.prepare_apt(root)
            put(root, "usr/local/lib/vault.py", Path(vault.__file__).read_text())
            (root / "usr/local/bin").mkdir(exist_ok=True)
            (root / "usr/local/bin/vault").symlink_to("/usr/bin/python3")
            put(root, "etc/systemd/system/vault.service", VAULT_SERVICE)
            put(root, "etc/vault.d/state", "standby")
            authority.write(root / "etc/vault.d/ca.pem")
            leaf = authority.server("127.0.0.1")
            leaf.private_key_and_cert_chain_pem.write_to_path(str(root / "etc/vault.d/vault.pem"))
            (root / "etc/vault.d/vault.pem").chmod(0o644)
            command(["systemctl", "--root", root, "enable", "vault.service"])
            also(root)

        return prepared

    with ExitStack() as stack:
        root = package.clean(suite)
        a, b = (stack.enter_context(Machine(root, prepare(also))) for also in prepare_each)
        a.run(["true"])
        wire = ["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0"]
        command(["nsenter", f"--target={a.leader}", "--net", *wire, "netns", str(b.leader)])
        for number, machine in enumerate((a, b), 1):
            machine.run(["ip", "address", "add", f"192.0.2.{number}/24", "dev", "eth0"])
            machine.run(["ip", "link", "set", "eth0", "up"])
        yield VaultMachine(a), VaultMachine(b)


def settles(a: VaultMachine, b: VaultMachine, *, on: VaultMachine) -> None:
    """Wait until that node alone has the VIP."""

    def settled() -> bool:
        return [each.has_vip() for each in (a, b)] == [each is on for each in (a, b)]

    wait_until(settled, "the VIP is elsewhere", 60)


def commands(page: str, title: str, end: str) -> list[str]:
    """Return the commands of a part of a page, in order, from one line to another."""
    text = (ROOT / page).read_text()
    part = text[text.index(f"\n{title}") + 1 :]
    lines = part[: part.index(f"\n{end}")].splitlines()
    return [line.strip() for line in lines if line.startswith("    ")]
