"""The Debian package from its installation to its purge, as docs/ describes it, on Debian 12 and 13.

Two machines with systemd, each with a Vault of its own, on one wire. Whatever docs/ has
between "With the Debian package" and "Upgrade", and to start the watcher, is run as it is; the
editor that it calls changes the lines that it tells the user to change.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from helpers import package, vault
from helpers.certificates import Authority
from helpers.keepalived import command, wait_until
from helpers.machine import Machine, put
from helpers.paths import ROOT
from kacheck import __version__

pytestmark = [pytest.mark.keepalived, pytest.mark.timeout(600)]

VIP = "192.0.2.100"
TOML = "/etc/kacheck/kacheck.toml"
CONF = "/etc/keepalived/keepalived.conf"
RECIPES = "/usr/share/doc/kacheck/examples/keepalived.conf.d"
TRACK = "/run/kacheck/track/vault-node"
SUMS = "find /etc/keepalived -type f -exec md5sum {} +"
ENTRY_POINTS = ("process", "vault", "http", "tcp", "command", "consul", "combined", "verdict")

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
EDITOR = r"""#!/bin/sh
# Change the lines that are marked in a file that docs/ says to edit.
set -e
case $1 in
*/keepalived.conf)
    sed -i 's/priority 220 /priority PRIORITY /' "$1"
    if [ -e /root/event-driven ]; then
        sed -i -e 's/^include vault-graded.conf/include event-driven.conf/' \
            -e 's/kacheck_vault_graded/kacheck_vault_node/' -e 's/kacheck_vault_active/kacheck_guard/' \
            -e '/kacheck_vault_serves/d' "$1"
    fi ;;
*/kacheck.toml) sed -i '/^#\[check.vault-node/,$ s/^#\([a-z[]\)/\1/' "$1" ;;
*) exit 1 ;;
esac
"""


class Node:
    """One of the two machines."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.run = machine.run

    def vault(self, state: str) -> None:
        """What its Vault says it is."""
        self.machine.write("/etc/vault.d/state", state)

    def has_vip(self) -> bool:
        return self.machine.has_address(VIP)

    def states(self) -> list[str]:
        """The states that its VRRP instance has been in."""
        return re.findall(r"Entering (\w+) STATE", self.machine.journal("keepalived"))

    def sh(self, line: str) -> str:
        """What a line of sh prints. A check may say that this node is the standby (1)."""
        if line.startswith(("kacheck vault", "kacheck status")):
            line += " || [ $? = 1 ]"
        done = self.run(["sh", "-euc", f"cd /root; {line}"], timeout=300)
        return done.stdout + ("" if line.startswith("apt ") else done.stderr)

    def track(self) -> str:
        return self.sh(f"cat {TRACK} 2>/dev/null || :").strip()


def blocks(page: str, title: str, end: str) -> list[str]:
    """The commands of a part of a page of docs/, in order."""
    text = (ROOT / "docs" / page).read_text()
    part = text[text.index(f"\n{title}\n") :]
    lines = part[: part.index(f"\n{end}")].splitlines()
    return [line.strip() for line in lines if line.startswith("    ")]


@pytest.fixture(params=package.SUITES)
def nodes(request: pytest.FixtureRequest) -> Iterator[tuple[Node, Node]]:
    """Two clean machines on a wire; Vault starts when Python is there to stand in for it."""
    package.package()
    authority = Authority()

    def prepare(priority: int) -> Callable[[Path], None]:
        def prepared(root: Path) -> None:
            package.prepare_apt(root)
            editor = EDITOR.replace("PRIORITY", str(priority))
            put(root, "usr/local/bin/editor", editor, 0o755)
            put(root, "usr/local/lib/vault.py", Path(vault.__file__).read_text())
            (root / "usr/local/bin/vault").symlink_to("/usr/bin/python3")
            put(root, "etc/systemd/system/vault.service", VAULT_SERVICE)
            put(root, "etc/vault.d/state", "standby")
            authority.write(root / "etc/vault.d/ca.pem")
            leaf = authority.server("127.0.0.1")
            leaf.private_key_and_cert_chain_pem.write_to_path(str(root / "etc/vault.d/vault.pem"))
            (root / "etc/vault.d/vault.pem").chmod(0o644)
            command(["systemctl", "--root", root, "enable", "vault.service"])

        return prepared

    with ExitStack() as stack:
        root = package.clean(request.param)
        a, b = (stack.enter_context(Machine(root, prepare(number))) for number in (220, 218))
        a.run(["true"])
        wire = ["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0"]
        command(["nsenter", f"--target={a.leader}", "--net", *wire, "netns", str(b.leader)])
        for number, machine in enumerate((a, b), 1):
            machine.run(["ip", "address", "add", f"192.0.2.{number}/24", "dev", "eth0"])
            machine.run(["ip", "link", "set", "eth0", "up"])
        yield Node(a), Node(b)


def settles(a: Node, b: Node, *, on: Node) -> None:
    """Wait until that node alone has the VIP."""

    def settled() -> bool:
        return [each.has_vip() for each in (a, b)] == [each is on for each in (a, b)]

    wait_until(settled, "the VIP is elsewhere", 60)


def test_from_nothing_to_a_moving_vip_and_back(nodes: tuple[Node, Node], tmp_path: Path) -> None:
    a, b = nodes
    a.vault("active")
    began = time.monotonic()

    def step(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s: {what}")  # noqa: T201 - shown where it fails

    step("the installation")
    first, *rest = blocks("install.md", "## With the Debian package", "### Upgrade")
    for node in nodes:
        node.sh(first)
        assert_installed(node)
        assert node.sh("grep -rl kacheck /etc/keepalived || :") == ""
        wait_until(lambda node=node: listens(node), "Vault does not start", 60)  # type: ignore[misc]
    for line in rest:
        for number, node in enumerate(nodes, 1):
            node.sh(line.replace("--node 1", f"--node {number}"))
    settles(a, b, on=a)
    step("the VIP follows the active Vault")
    a.vault("standby")
    b.vault("active")
    settles(a, b, on=b)

    step("the watcher, and event-driven.conf")
    a.vault("active")
    b.vault("standby")
    for node in nodes:
        for line in blocks("watch.md", "## Start it", "Then let the instance"):
            node.sh(line)
            if line == "systemctl reload kacheck":  # which does not wait for the first look
                wait_until(lambda node=node: node.track() != "", "no look", 30)  # type: ignore[misc]
        node.sh(
            f"touch event-driven; cp {RECIPES}/event-driven.conf {RECIPES}/keepalived.conf /etc/keepalived"
        )
        node.sh(f"editor {CONF}; keepalived -t; systemctl restart keepalived")
    settles(a, b, on=a)
    assert a.track() == "1"

    step("upgrade: the VIP stays")
    upgraded(a, b, package.next_version(package.package(), tmp_path))

    step("remove: the checks fail")
    toml, keepalived = a.sh(f"cat {TOML}"), a.sh(SUMS)
    said = package.apt(a.machine, "remove kacheck").stdout
    assert "still named in" in said
    assert CONF.rpartition("/")[0] in said
    assert a.track() == "0"
    wait_until(lambda: not a.has_vip(), "the VIP stays", 30)
    assert a.sh(f"cat {TOML}") == toml

    step("install again: as it was")
    package.apt(a.machine, f"install ./{package.package().name}")
    assert a.sh(f"cat {TOML}") == toml
    settles(a, b, on=a)

    step("purge: nothing is left")
    package.apt(a.machine, "purge kacheck")
    assert left(a) == []
    package.apt(a.machine, f"install ./{package.package().name}")
    assert_installed(a)
    assert a.sh(SUMS) == keepalived
    step("done")


def listens(node: Node) -> bool:
    done = node.run(["kacheck", "process", "vault"], check=False)
    return done.returncode == 0


def assert_installed(node: Node) -> None:
    """Everything is where it belongs, and harmless."""
    assert (
        node.sh("systemctl is-enabled kacheck; systemctl is-active kacheck") == "enabled\nactive\n"
    )
    assert "has no check" in node.machine.show("kacheck", "StatusText")
    assert node.sh(f"stat -c '%A %U %G' {TOML}") == "-rw-r----- root kacheck\n"
    owners = node.sh("stat -c '%U %a' /run/kacheck /run/kacheck/drain /run/kacheck/track")
    assert owners.splitlines() == ["root 755", "root 755", "kacheck 755"]
    for name in ENTRY_POINTS:
        parts = node.sh(f"namei -mo /usr/libexec/kacheck/kacheck-{name}").splitlines()[1:]
        assert len(parts) == 5
        for part in parts:
            mode, owner, *_ = part.split()
            assert owner == "root"
            assert mode[5] == mode[8] == "-"
    active = [line for line in node.sh(f"cat {TOML}").splitlines() if line[:1] not in ("#", "")]
    assert active == []


def upgraded(a: Node, b: Node, new: Path) -> None:
    """While the new version comes, A has the VIP at every moment."""
    machine = a.machine
    machine.write("/root/new.deb", "")
    with (machine.root / "root/new.deb").open("wb") as file:
        file.write(new.read_bytes())
    pid, states, seen = machine.main_pid("kacheck"), (a.states(), b.states()), 0
    identity = a.sh(f"stat -c '%i %z' {TRACK}")
    toml = a.sh(f"echo '# mine' >>{TOML}; cat {TOML}")
    process = machine.popen(["sh", "-c", "apt-get -q install /root/new.deb >/root/log 2>&1"])
    ready = f"kacheck {__version__}+next"
    end = time.monotonic() + 120
    while ready not in machine.journal("kacheck") or process.returncode is None:
        assert a.has_vip(), a.sh("cat /root/log")
        assert time.monotonic() < end, a.sh("cat /root/log") + machine.journal("kacheck")
        seen += 1
    end = time.monotonic() + 6  # what the guard may take
    while time.monotonic() < end:
        assert a.has_vip()
        time.sleep(0.02)
    assert process.returncode == 0, a.sh("cat /root/log")
    assert seen > 5
    assert (a.states(), b.states()) == states
    assert machine.main_pid("kacheck") == pid
    assert a.sh(f"stat -c '%i %z' {TRACK}") == identity
    assert a.sh(f"cat {TOML}") == toml
    assert a.sh("kacheck --version") == f"kacheck {__version__}+next\n"
    assert a.sh("kacheck status vault-node").count("ok") > 0


def left(node: Node) -> list[str]:
    """What a purge has left behind."""
    found = node.sh(
        "find / -xdev -name '*kacheck*' ! -path '/root/*.deb'; find /run -name '*kacheck*'"
    )
    users = node.sh("getent passwd kacheck || :; getent group kacheck || :")
    return [*found.splitlines(), *users.splitlines()]
