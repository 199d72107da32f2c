"""Other services behind a VIP, under a real keepalived: the rows of a table in docs/failures.md.

Node A has all services of examples/services, one watcher, and one keepalived with an instance for
each service, made with the commands of docs/recipes.md. Node B has another Patroni. A row begins
when A has the VIP of its service.
"""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from helpers.certificates import Authority
from helpers.keepalived import Keepalived, Lab, LabError, children_of, wait_until
from helpers.needs import needs
from helpers.pair import PATIENCE, recipe, tracking_instance
from helpers.paths import ROOT
from helpers.services import NAMES, PLUGIN, READY, WRITABLE, Services, snippets, text_of
from helpers.vault_node import EXAMPLES, VaultNode, Watcher

pytestmark = pytest.mark.keepalived

IDS = {name: 51 + number for number, name in enumerate(NAMES)}
VIPS = {name: f"192.0.{number}.100" for name, number in IDS.items()}
"""Each in a separate network: deleting a network's first address deletes its others."""
REFUSED = "503 not now"
GONE = "`critical`: one of `missing`, `refused` and `reset`"
UNREADY = "500 [+]ping ok [-]etcd failed: reason withheld"


class Scene(NamedTuple):
    """Both nodes, with everything that runs there."""

    a: VaultNode
    b: VaultNode
    services: Services
    b_services: Services
    watcher: Watcher
    keepalived: Keepalived
    b_keepalived: Keepalived


class Row(NamedTuple):
    """A row of the table: how a service fails, and what comes of it."""

    service: str
    failure: str
    said: str
    vip: str
    hurt: Callable[[Services], object]
    heal: Callable[[Services], object]


def says(name: str, words: str) -> Callable[[Services], object]:
    """Return the deed that lets a stand-in say something."""
    return lambda services: services.says(name, words)


def kill(*names: str) -> Callable[[Services], object]:
    """Return the deed that kills something."""
    return lambda services: services.kill(*names)


def pause(number: int) -> Callable[[Services], object]:
    """Return the deed that stops nginx, or lets it go on."""

    def deed(services: Services) -> None:
        master = services.running["nginx"].pid
        for pid in (master, *children_of(master)):
            os.kill(pid, number)

    return deed


def follow_application(services: Services) -> None:
    """Let nginx ask the application, get an answer into its cache, then kill the application."""
    services.nginx_asks_the_application()
    page = services.node.dir / "page"
    ask = ["curl", "-sf", "-o", str(page), "http://127.0.0.1:8405/health"]

    def asks_it() -> bool:
        return not services.node.run(ask, check=False).returncode and page.read_text() == "ok\n"

    wait_until(asks_it, "nginx does not ask the application")
    services.kill("app-nginx")


def restore_application(services: Services) -> None:
    services.endpoint("app-nginx", 8080)
    services.nginx(snippets("nginx")[0])


def remove_plugin(services: Services) -> None:
    path = services.node.root / PLUGIN[1:]
    path.rename(path.with_suffix(".away"))


def restore_plugin(services: Services) -> None:
    path = services.node.root / PLUGIN[1:]
    path.with_suffix(".away").rename(path)


ROWS = [
    Row(
        "nginx",
        "nginx is killed",
        GONE,
        "leaves at once",
        kill("nginx"),
        lambda services: services.nginx(snippets("nginx")[0]),
    ),
    Row(
        "haproxy",
        "HAProxy is killed",
        GONE,
        "leaves at once",
        kill("haproxy"),
        Services.haproxy,
    ),
    Row(
        "etcd",
        "the etcd member is killed",
        GONE,
        "leaves at once",
        kill("etcd-one"),
        Services.etcd,
    ),
    Row(
        "apiserver",
        "kube-apiserver is killed",
        GONE,
        "leaves at once",
        kill("apiserver"),
        Services.apiserver,
    ),
    Row(
        "patroni",
        "Patroni is killed",
        "`critical refused`",
        "leaves after 2 looks",
        kill("patroni"),
        Services.patroni,
    ),
    Row(
        "database",
        "the database is down",
        "`critical failed`, `Can't connect to local server`",
        "leaves after 2 looks",
        says("database", "2 QUERY CRITICAL: Can't connect to local server through socket"),
        says("database", WRITABLE),
    ),
    Row(
        "nginx",
        "nginx hangs (SIGSTOP)",
        "`critical timeout`",
        "leaves after 2 looks",
        pause(signal.SIGSTOP),
        pause(signal.SIGCONT),
    ),
    Row(
        "haproxy",
        "the last server of HAProxy's backend is down",
        "`critical unexpected-status`, `answered 503`",
        "leaves after 2 looks",
        says("app-haproxy", REFUSED),
        says("app-haproxy", READY),
    ),
    Row(
        "etcd",
        "the other two of three etcd members are killed: no quorum",
        "`critical`",
        "leaves after 2 looks",
        kill("etcd-two", "etcd-three"),
        Services.etcd,
    ),
    Row(
        "apiserver",
        "kube-apiserver is not ready: etcd fails, or it is shutting down",
        "`critical unexpected-status`, `[-]etcd failed`",
        "leaves after 2 looks",
        says("apiserver", UNREADY),
        says("apiserver", READY),
    ),
    Row(
        "patroni",
        "another node becomes the primary",
        "`warning warning-status`, `answered 503`",
        "moves there",
        says("patroni", REFUSED),
        says("patroni", READY),
    ),
    Row(
        "database",
        "the database is made read-only",
        "`critical failed`, `returned 1.000000`",
        "leaves after 2 looks",
        says("database", "2 QUERY CRITICAL: 'SELECT @@global.read_only' returned 1.000000"),
        says("database", WRITABLE),
    ),
    Row(
        "database",
        "the database hangs",
        "`critical timeout`",
        "leaves after 2 looks",
        says("database", "hang"),
        says("database", WRITABLE),
    ),
    Row(
        "nginx",
        "the application behind nginx dies, and nginx has its last page in a cache",
        "`critical unexpected-status`, `answered 502`",
        "leaves after 2 looks",
        follow_application,
        restore_application,
    ),
    Row(
        "apiserver",
        "kube-apiserver wants credentials that it does not get",
        "`unknown unauthorized`, `--auth-file`",
        "leaves after 2 looks",
        says("apiserver", "401 Unauthorized"),
        says("apiserver", READY),
    ),
    Row(
        "database",
        "the plugin is removed",
        "`critical not-found`",
        "leaves after 2 looks",
        remove_plugin,
        restore_plugin,
    ),
]
STAYS = "nginx and HAProxy are reloaded"


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    needs("keepalived", "ip", "unshare", "nsenter", "haproxy", "nginx", "etcd", "curl", root=True)
    authority = Authority()
    with Lab() as lab:
        a, b = (VaultNode(lab.node(name), authority) for name in "ab")
        services, b_services = Services(a), Services(b)
        services.start()
        b_services.patroni()
        b_services.says("patroni", REFUSED)
        confs = [configure(node, names) for node, names in ((a, NAMES), (b, ["patroni"]))]
        watchers = [node.start_watcher() for node in (a, b)]
        keepaliveds = [node.keepalived(conf) for node, conf in zip((a, b), confs, strict=True)]
        yield Scene(a, b, services, b_services, watchers[0], *keepaliveds)


def configure(node: VaultNode, names: list[str]) -> str:
    """Do what docs/recipes.md says for these services; return keepalived.conf."""
    node.toml.write_text("")
    (node.node.root / "etc/keepalived").mkdir(exist_ok=True)
    conf = recipe("keepalived").partition("include ")[0]
    for name in names:
        node.node.run(["sh", "-euc", commands(name)])
        conf += f"include /etc/keepalived/{name}.conf\n{instance(node, name)}"
    return conf


def instance(node: VaultNode, name: str) -> str:
    """Return the vrrp_instance of the shipped keepalived.conf that tracks a service."""
    text = (node.node.root / f"etc/keepalived/{name}.conf").read_text()
    return tracking_instance(name, IDS[name], VIPS[name], text)


def commands(name: str) -> str:
    """Return the commands of docs/recipes.md for a service."""
    text = (ROOT / "docs/recipes.md").read_text().partition("## Other services")[2]
    block: str = re.findall(r"(?m)(?:^    .*\n)+", text)[0]
    assert "/usr/share/doc/kacheck/examples" in block
    block = block.replace("/usr/share/doc/kacheck/examples", str(EXAMPLES))
    return block.replace("nginx", name)


def has_vip(node: VaultNode, service: str) -> bool:
    return node.node.has_address(VIPS[service])


def settle(scene: Scene, service: str) -> None:
    """Wait until A has the VIP."""
    try:
        wait_until(
            lambda: scene.keepalived.state(service) == "MASTER" and has_vip(scene.a, service),
            f"A has no VIP for {service}",
            PATIENCE,
        )
    except LabError as error:
        raise AssertionError(f"{error}\n{scene.watcher.journal}\n{scene.keepalived.log}") from None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.failure.replace(" ", "-"))
def test_the_vip_is_where_the_service_serves(scene: Scene, row: Row) -> None:
    settle(scene, row.service)
    began, said = time.monotonic(), len(scene.watcher.journal)
    try:
        row.hurt(scene.services)
        if row.vip == "moves there":
            scene.b_services.says("patroni", READY)
        fault = scene.keepalived.wait_for("FAULT", PATIENCE, instance=row.service, after=began)
        sys.stdout.write(f"FAULT after {fault.at - began:.3f} s\n")
        wait_until(lambda: not has_vip(scene.a, row.service), "A keeps the VIP", PATIENCE)
        if row.vip == "moves there":
            wait_until(lambda: has_vip(scene.b, "patroni"), "B has no VIP", PATIENCE)
        line = line_of(scene, row.service, said)
        certain, _, possible = row.said.partition(": one of ")
        assert all(phrase in line for phrase in quoted(certain))
        assert not possible or any(phrase in line for phrase in quoted(possible))
    finally:
        scene.b_services.says("patroni", REFUSED)
        row.heal(scene.services)


def quoted(words: str) -> list[str]:
    return re.findall("`([^`]+)`", words)


def line_of(scene: Scene, service: str, after: int) -> str:
    """Return what the watcher has said about a service that it calls failing."""
    said: str = scene.watcher.wait_said(f"{service}: ", after=after)
    sys.stdout.write(f"{said}\n")
    return said


def test_a_reload_of_a_proxy_does_not_move_the_vip(scene: Scene) -> None:
    for service in ("nginx", "haproxy"):
        settle(scene, service)
    began, seen = time.monotonic(), scene.watcher.journal
    scene.services.nginx(snippets("nginx")[0])
    scene.services.reload_haproxy()
    time.sleep(3)  # longer than a kept connection is believed
    for service in ("nginx", "haproxy"):
        assert scene.keepalived.states(service, began) == [], scene.watcher.journal[len(seen) :]


def test_the_table_of_failures_has_these_rows() -> None:
    table = (ROOT / "docs/failures.md").read_text().partition("## With other services")[2]
    rows = re.findall(r"^\| (.+) \|$", table.partition("\n## ")[0], re.MULTILINE)
    wanted = [f"{row.failure} | {row.said} | {row.vip}" for row in ROWS]
    assert rows[1:-1] == wanted, "\n" + "\n".join(f"| {row} |" for row in wanted)
    assert rows[-1].startswith(f"{STAYS} | ")
    assert rows[-1].endswith(" | stays")


def test_the_recipes_list_every_service() -> None:
    text = (ROOT / "docs/recipes.md").read_text().partition("## Other services")[2]
    assert re.findall(r"(?m)^\| `(\w+)\.toml`", text) == NAMES
    assert all(f"[check.{name}]" in text_of(name) for name in NAMES)
