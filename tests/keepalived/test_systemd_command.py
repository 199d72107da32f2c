"""Programs of command checks under the watcher's unit: what it forbids, and what allows it.

The lines of the drop-in are those of the table in docs/probes.md.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import package
from helpers.keepalived import wait_until
from helpers.machine import Machine, put
from helpers.paths import ROOT

pytestmark = [pytest.mark.keepalived, pytest.mark.timeout(300)]

CHECK = """
[check.{name}]
probe = "command"
argv = ["/usr/local/lib/{name}"]
timeout = 5
rise = 1
"""
FREE = 'echo "$(id -un), nice $(nice), oom_score_adj $(cat /proc/self/oom_score_adj)"'
COMPILES = "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)"
NEEDS = {
    "setuid": ('[ "$(/usr/local/lib/id -u)" = 0 ]', "NoNewPrivileges=no"),
    "compiler": (f'python3 -c "{COMPILES}"', "MemoryDenyWriteExecute=no"),
    "home": ("[ -e /home/here ]", "ProtectHome=read-only"),
    "tmp": ("[ -e /tmp/here ]", "PrivateTmp=no"),
    "writer": ("date >/var/lib/plugin/here", "ReadWritePaths=/var/lib/plugin"),
    "netlink": ("ip link >/dev/null", "RestrictAddressFamilies=AF_NETLINK AF_PACKET"),
    "reader": ("cat /etc/adms >/dev/null", "SupplementaryGroups=adm"),
}
"""Programs that the unit forbids something, and the line that allows it."""
SET_UP = """
cp /usr/bin/id /usr/local/lib/id
chmod u+s /usr/local/lib/id
touch /home/here /tmp/here /etc/adms
chown root:adm /etc/adms
chmod 640 /etc/adms
install -d -o kacheck /var/lib/plugin
"""


def prepare(root: Path) -> None:
    texts = {"free": FREE, **{name: text for name, (text, _) in NEEDS.items()}}
    for name, text in texts.items():
        put(root, f"usr/local/lib/{name}", f"#!/bin/sh\n{text}\n", 0o755)
    put(root, "etc/kacheck/kacheck.toml", "".join(CHECK.format(name=name) for name in texts))


@pytest.fixture(scope="module", params=package.SUITES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    with Machine(package.installed(request.param), prepare) as machine:
        machine.run(["sh", "-euc", SET_UP])
        yield machine


def track(machine: Machine, name: str) -> str:
    return (machine.root / "run/kacheck/track" / name).read_text().strip()


def failing(machine: Machine) -> set[str]:
    return {name for name in NEEDS if track(machine, name) == "0"}


def test_a_program_runs_as_kacheck_with_ordinary_priorities(machine: Machine) -> None:
    wait_until(lambda: track(machine, "free") == "1", "it fails")
    verdict = (machine.root / "run/kacheck/verdict/free").read_text()
    assert "kacheck, nice 0, oom_score_adj 0" in verdict


def test_the_documented_drop_in_allows_what_the_unit_forbids(
    machine: Machine,
) -> None:
    lines = [line for _, line in NEEDS.values()]
    documented = set(re.findall("`([A-Z]\\w+=[^`]+)`", (ROOT / "docs/probes.md").read_text()))
    assert {line.replace("=adm", "=GROUP") for line in lines} <= documented
    assert failing(machine) == set(NEEDS)
    directory = "/etc/systemd/system/kacheck.service.d"
    machine.write(f"{directory}/plugins.conf", "\n".join(["[Service]", *lines, ""]))
    machine.systemctl("daemon-reload")
    machine.systemctl("restart", "kacheck")
    wait_until(lambda: not failing(machine), f"{failing(machine)} fail")
