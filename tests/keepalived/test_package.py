"""The Debian package from its installation to its purge, as docs/ describes it, on Debian 12 and 13.

Two machines with systemd, each with its Vault, on one wire. Whatever docs/ has
between "With the Debian package" and "Upgrade", and to start the watcher, is run as it is; the
editor that it calls changes the lines that it tells the user to change.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers import package
from helpers.keepalived import wait_until
from helpers.machine import put
from helpers.vault_machines import VaultMachine, commands, settles, vault_machines
from kacheck import __version__

pytestmark = [pytest.mark.keepalived, pytest.mark.timeout(600)]

TOML = "/etc/kacheck/kacheck.toml"
CONF = "/etc/keepalived/keepalived.conf"
RECIPES = "/usr/share/doc/kacheck/examples/keepalived.conf.d"
TRACK = "/run/kacheck/track/vault-node"
SUMS = "find /etc/keepalived -type f -exec md5sum {} +"
ENTRY_POINTS = ("process", "vault", "http", "tcp", "command", "consul", "combined", "verdict")

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


@pytest.fixture(params=package.SUITES)
def nodes(request: pytest.FixtureRequest) -> Iterator[tuple[VaultMachine, VaultMachine]]:
    """Two clean machines on a wire, with an editor."""

    def editor(priority: int) -> Callable[[Path], object]:
        text = EDITOR.replace("PRIORITY", str(priority))
        return lambda root: put(root, "usr/local/bin/editor", text, 0o755)

    with vault_machines(request.param, editor(220), editor(218)) as nodes:
        yield nodes


def test_from_nothing_to_a_moving_vip_and_back(
    nodes: tuple[VaultMachine, VaultMachine], tmp_path: Path
) -> None:
    a, b = nodes
    a.vault("active")
    began = time.monotonic()

    def step(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s: {what}")  # noqa: T201 - shown where it fails

    step("the installation")
    first, *rest = commands("docs/install.md", "## With the Debian package", "### Upgrade")
    for node in nodes:
        node.sh(first)
        assert_installed(node)
        assert node.sh("grep -rl kacheck /etc/keepalived || :") == ""
        node.wait_for_vault()
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
        for line in commands("docs/watch.md", "## Start it", "Then let the instance"):
            node.sh(line)
            if line == "systemctl reload kacheck":  # which does not wait for the first look
                wait_until(lambda node=node: track(node) != "", "no look", 30)  # type: ignore[misc]
        node.sh(
            f"touch event-driven; cp {RECIPES}/event-driven.conf {RECIPES}/keepalived.conf /etc/keepalived"
        )
        node.sh(f"editor {CONF}; keepalived -t; systemctl restart keepalived")
    settles(a, b, on=a)
    assert track(a) == "1"

    step("upgrade: the VIP stays")
    upgraded(a, b, package.next_version(package.package(), tmp_path))

    step("remove: the checks fail")
    toml, keepalived = a.sh(f"cat {TOML}"), a.sh(SUMS)
    said = package.apt(a.machine, "remove kacheck").stdout
    assert "still named in" in said
    assert CONF.rpartition("/")[0] in said
    assert track(a) == "0"
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


def track(node: VaultMachine) -> str:
    """Return the content of the track file."""
    return node.sh(f"cat {TRACK} 2>/dev/null || :").strip()


def assert_installed(node: VaultMachine) -> None:
    """Check that everything is installed, and harmless."""
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


def upgraded(a: VaultMachine, b: VaultMachine, new: Path) -> None:
    """Install the new version, and check that A keeps the VIP meanwhile."""
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


def left(node: VaultMachine) -> list[str]:
    """Return what a purge has left behind."""
    found = node.sh(
        "find / -xdev -name '*kacheck*' ! -path '/root/*.deb'; find /run -name '*kacheck*'"
    )
    users = node.sh("getent passwd kacheck || :; getent group kacheck || :")
    return [*found.splitlines(), *users.splitlines()]
