"""The first user's case, from the FAULT to the VIP, in a container: the package, systemd, keepalived.

systemd-nspawn gives the machine a separate network and pids, as LXC does.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import package
from helpers.keepalived import command, wait_until
from helpers.machine import WIRE_SERVICE, Machine, put

pytestmark = [pytest.mark.keepalived, pytest.mark.timeout(300)]

VIP = "192.0.2.100"
CONF = "/etc/keepalived/keepalived.conf"
KEEPALIVED = f"""
vrrp_track_process track_vault {{
    process vault
    delay 1
}}

vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    virtual_ipaddress {{
        {VIP}/24
    }}
    track_process {{
        track_vault
    }}
}}
"""
VAULT_SERVICE = """
[Service]
Type=exec
ExecStart=/usr/local/bin/vault infinity
User=daemon
[Install]
WantedBy=multi-user.target
"""


def prepare(root: Path) -> None:
    put(root, CONF[1:], KEEPALIVED)
    put(root, "etc/systemd/system/vault.service", VAULT_SERVICE)
    put(root, "etc/systemd/system/wire.service", WIRE_SERVICE)
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/vault").symlink_to("/usr/bin/sleep")
    command(["systemctl", "--root", root, "enable", "vault.service", "wire.service"])


@pytest.fixture(params=package.SUITES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    with Machine(package.installed(request.param), prepare) as booted:
        yield booted


def has_vip(machine: Machine) -> bool:
    return machine.has_address(VIP)


def test_from_errno_111_to_the_vip(machine: Machine) -> None:
    def log() -> str:
        return machine.journal("keepalived")

    wait_until(lambda: "errno 111" in log(), "no errno 111")
    wait_until(lambda: "track_vault quorum not achieved" in log(), "no FAULT")
    assert machine.systemctl("is-active", "vault") == "active", "it runs all the time"

    said = machine.run(["kacheck", "doctor"], check=False)
    assert said.returncode == 2
    first, _, rest = said.stdout.partition("\n")
    assert first.startswith("VI_1: FAULT because track_vault fails: ")
    assert "errno 111" in first.lower()
    assert "\nerror KA110 " in rest
    assert "errno 111" in said.stdout

    assert not has_vip(machine)
    machine.run(["kacheck", "migrate", CONF, "--in-place"])
    machine.systemctl("reload-or-restart", "kacheck")
    machine.systemctl("restart", "keepalived")
    wait_until(lambda: has_vip(machine), "the VIP does not come")
    said = machine.run(["kacheck", "doctor"], check=False)
    assert said.returncode <= 1, said.stdout
    assert "0 errors" in said.stdout

    machine.systemctl("kill", "--signal=KILL", "vault")
    wait_until(lambda: not has_vip(machine), "the VIP stays")
    machine.systemctl("start", "vault")
    wait_until(lambda: has_vip(machine), "the VIP does not come back")
