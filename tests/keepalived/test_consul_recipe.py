"""The recipe of docs/recipes.md for Consul, under a real keepalived, and its rows of failures.

The node has the two checks of the recipe, each with an instance: one follows Consul, the other one is
reported to Consul. A row begins when the node has both VIPs.
"""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from helpers.certificates import Authority
from helpers.keepalived import Keepalived, Lab, LabError, Process, wait_until
from helpers.needs import needs
from helpers.pair import PATIENCE, recipe, tracking_instance
from helpers.paths import ROOT
from helpers.vault_node import EXAMPLES, VaultNode, Watcher

pytestmark = pytest.mark.keepalived

STAND_IN = ROOT / "tests/helpers/consul.py"
WEB = ROOT / "tests/helpers/web.py"
SECTION = (ROOT / "docs/recipes.md").read_text().partition("## Consul\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"(?m)(?:^    .*\n|^\n(?=    ))+", SECTION)
"""What the section has for other files: the check that follows, the commands, the one that reports."""
VIPS = {"web": "192.0.2.100", "app": "198.51.100.101"}
"""Of different networks: of one, the kernel removes all addresses with the first one."""
PASSING = "service:app passing"
CRITICAL = "service:app critical"


class Services(NamedTuple):
    """The agent and the service app, as processes of the node."""

    node: VaultNode
    running: dict[str, Process]

    def says(self, state: str) -> None:
        """Let the agent say this of the service web."""
        new = self.node.node.write("states.new", json.dumps({"web": state}))
        new.replace(self.node.node.dir / "states.json")

    def serves(self, code: str) -> None:
        """Let the service app answer with this code."""
        self.node.node.write("code.new", code).replace(self.node.node.dir / "code")

    def start_agent(self) -> None:
        states = self.node.node.dir / "states.json"
        self.running["agent"] = self.node.node.popen([sys.executable, STAND_IN, "8500", states])

    def start_app(self) -> None:
        code = self.node.node.dir / "code"
        self.running["app"] = self.node.node.popen([sys.executable, WEB, "8080", code])

    def kill(self, name: str) -> None:
        self.running[name].kill()
        self.running[name].wait()

    def pause(self, name: str, number: int) -> None:
        os.kill(self.running[name].pid, number)

    @property
    def reported(self) -> str:
        """what was reported to the TTL check last."""
        file = self.node.node.dir / "states.ttl"
        return file.read_text() if file.exists() else ""


class Scene(NamedTuple):
    """The node, and everything that runs there."""

    node: VaultNode
    services: Services
    watcher: Watcher
    keepalived: Keepalived

    def has_vip(self, name: str) -> bool:
        return self.node.node.has_address(VIPS[name])


class Row(NamedTuple):
    """A row of the table: what fails, what comes of it, and how it ends."""

    instance: str
    failure: str
    said: str
    vip: str
    hurt: Callable[[Services], object]
    heal: Callable[[Services], object]
    reported: str = PASSING


def kill_agent_and_fail(services: Services) -> None:
    services.kill("agent")
    services.serves("500")


def heal_both(services: Services) -> None:
    services.serves("200")
    services.start_agent()


ROWS = [
    Row(
        "web",
        "one of Consul's checks of the service is critical",
        "`critical service-critical`",
        "leaves after 2 looks",
        lambda services: services.says("critical"),
        lambda services: services.says("passing"),
    ),
    Row(
        "web",
        "the node or the service is put into maintenance, `consul maint -enable`",
        "`critical maintenance`",
        "leaves at the next look",
        lambda services: services.says("maintenance"),
        lambda services: services.says("passing"),
    ),
    Row(
        "web",
        "the agent is killed",
        "`critical`, since nothing listens",
        "leaves at once; with `terminate_delay = 15` when the agent is not back by then",
        lambda services: services.kill("agent"),
        Services.start_agent,
    ),
    Row(
        "web",
        "the agent hangs (SIGSTOP)",
        "`critical timeout`",
        "leaves after 2 looks",
        lambda services: services.pause("agent", signal.SIGSTOP),
        lambda services: services.pause("agent", signal.SIGCONT),
    ),
    Row(
        "app",
        "the service that is reported to Consul fails",
        "`critical unexpected-status`",
        "leaves after 2 looks, and Consul learns of it at once",
        lambda services: services.serves("500"),
        lambda services: services.serves("200"),
        reported=CRITICAL,
    ),
    Row(
        "app",
        "the agent is killed, then that service fails",
        "`critical unexpected-status`, `verdicts are not reported to Consul`",
        "leaves after 2 looks; Consul learns of it when the agent is back",
        kill_agent_and_fail,
        heal_both,
    ),
]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    needs("keepalived", "ip", "unshare", "nsenter", root=True)
    with Lab() as lab:
        node = VaultNode(lab.node("a"), Authority())
        node.node.run(["ip", "link", "set", "lo", "up"])
        node.toml.write_text(text_of(BLOCKS[0]) + text_of(BLOCKS[2]))
        services = Services(node, {})
        services.says("passing")
        services.serves("200")
        services.start_agent()
        services.start_app()
        yield Scene(node, services, node.start_watcher(), node.keepalived(configure(node)))


def text_of(block: str) -> str:
    return re.sub(r"(?m)^    ", "", block)


def configure(node: VaultNode) -> str:
    """Do what the recipe says for both checks; return keepalived.conf."""
    whole = recipe("keepalived").partition("include ")[0]
    (node.node.root / "etc/keepalived").mkdir(exist_ok=True)
    commands = BLOCKS[1].replace("/usr/share/doc/kacheck/examples", str(EXAMPLES))
    for number, (name, vip) in enumerate(VIPS.items()):
        node.node.run(["sh", "-euc", commands.replace("web", name)])
        text = Path(node.node.root / f"etc/keepalived/{name}.conf").read_text()
        whole += f"include /etc/keepalived/{name}.conf\n"
        whole += tracking_instance(name, 51 + number, vip, text)
    return whole


def settle(scene: Scene) -> None:
    """Wait until the node has both VIPs, and Consul knows."""
    try:
        wait_until(
            lambda: all(map(scene.has_vip, VIPS)) and scene.services.reported == PASSING,
            "the VIPs are not back",
            PATIENCE,
        )
    except LabError as error:
        raise AssertionError(f"{error}\n{scene.watcher.journal}\n{scene.keepalived.log}") from None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.failure.replace(" ", "-"))
def test_each_row(scene: Scene, row: Row) -> None:
    settle(scene)
    began, said = time.monotonic(), len(scene.watcher.journal)
    try:
        row.hurt(scene.services)
        scene.keepalived.wait_for("FAULT", PATIENCE, instance=row.instance, after=began)
        wait_until(lambda: not scene.has_vip(row.instance), "the node keeps the VIP", PATIENCE)
        for phrase in re.findall("`([^`]+)`", row.said):
            scene.watcher.wait_said(phrase, after=said)
        other = next(name for name in VIPS if name != row.instance)
        assert "agent" in row.failure or scene.has_vip(other)
        wait_until(
            lambda: scene.services.reported == row.reported, scene.services.reported, PATIENCE
        )
    finally:
        row.heal(scene.services)


def test_the_table_of_failures_has_these_rows() -> None:
    table = (ROOT / "docs/failures.md").read_text().partition("## With Consul")[2]
    rows = re.findall(r"^\| (.+) \|$", table.partition("\n## ")[0], re.MULTILINE)
    wanted = [f"{row.failure} | {row.said} | {row.vip}" for row in ROWS]
    assert rows[1:] == wanted, "\n" + "\n".join(f"| {row} |" for row in wanted)
