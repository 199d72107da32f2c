"""What init writes is the shipped recipe, with the node's values in the marked lines."""

import tomllib
from collections.abc import Mapping
from ipaddress import ip_interface

import pytest

from helpers.paths import ROOT
from kacheck import config
from kacheck.init.recipe import (
    NODES,
    NodeValues,
    check_table,
    checks_text,
    instance_text,
    keepalived_text,
    names_of,
    recipe_text,
    shipped,
    track_lines,
)
from kacheck.init.services import SERVICES, service_check
from kacheck.keepalived import parse

EXAMPLES = ROOT / "examples"
VAULT = NodeValues(
    ip_interface("10.0.0.100/24"),
    "ens3",
    address="https://127.0.0.1:8200",
    ca_cert="/etc/vault.d/ca.pem",
)
GIVEN: dict[str, dict[str, object]] = {
    "process": {"process": "nginx"},
    "http": {"url": "https://127.0.0.1:8443/health?key=secret", "ca_cert": "/etc/ca.pem"},
    "tcp": {"to": "[::1]:5432"},
    "command": {"argv": ("/usr/lib/nagios/plugins/check_load", "-w", "5")},
    "consul": {"consul_service": "web"},
}
"""What is given to init for each service that is not Vault."""


def following(service: str, given: Mapping[str, object]) -> NodeValues:
    """Return the values of a node whose VIP follows a service."""
    return VAULT._replace(service=service_check(service, given), address=None, ca_cert=None)


SERVED = {service: following(service, given) for service, given in GIVEN.items()}


def values_of(text: str, *path: str) -> list[list[str]]:
    return [node.arguments for node in parse(text).find(*path)]


def test_the_texts_are_the_files_that_are_shipped() -> None:
    assert shipped() == (
        (EXAMPLES / "kacheck.toml").read_text(),
        (EXAMPLES / "keepalived.conf.d/vault-graded.conf").read_text(),
        (EXAMPLES / "keepalived.conf.d/event-driven.conf").read_text(),
        (EXAMPLES / "keepalived.conf.d/keepalived.conf").read_text(),
    )
    assert recipe_text(VAULT, shipped()) == shipped().graded


def test_with_the_values_of_the_examples_they_are_the_examples() -> None:
    example = shipped().keepalived
    same = VAULT._replace(vip=ip_interface("192.0.2.100/24"), interface="eth0")
    lines = [
        line.partition("#")[0].rstrip() for line in keepalived_text(same, shipped()).split("\n")
    ]
    wanted = [line.partition("#")[0].rstrip() for line in example.split("\n")]
    assert list(filter(None, lines)) == list(filter(None, wanted))
    made = tomllib.loads(checks_text(same, shipped()))
    assert made["check"]["vault-graded"] == tomllib.loads(shipped().checks)["check"]["vault-graded"]


def test_the_values_of_a_node_are_in_its_instance() -> None:
    values = VAULT._replace(node=3, instance="VAULT", router_id=60)
    text = keepalived_text(values, shipped())
    assert values_of(text, "vrrp_instance") == [["VAULT"]]
    assert values_of(text, "vrrp_instance", "interface") == [["ens3"]]
    assert values_of(text, "vrrp_instance", "virtual_router_id") == [["60"]]
    assert values_of(text, "vrrp_instance", "priority") == [["216"]]
    assert values_of(text, "vrrp_instance", "version") == [["3"]]
    (block,) = parse(text).find("vrrp_instance", "virtual_ipaddress")
    assert [child.keyword for child in block.children or ()] == ["10.0.0.100/24"]
    assert "<-" not in text


def test_every_node_has_another_priority_and_the_numbers_add_up() -> None:
    priorities = [VAULT._replace(node=node).priority for node in NODES]
    difference = max(priorities) - min(priorities)
    assert len(set(priorities)) == len(priorities)
    assert difference < 10
    assert max(priorities) + 20 + 10 <= 254


def test_unicast_goes_to_each_peer_from_this_node() -> None:
    values = VAULT._replace(source="10.0.0.1", peers=("10.0.0.2", "10.0.0.3"))
    text = keepalived_text(values, shipped())
    assert values_of(text, "vrrp_instance", "unicast_src_ip") == [["10.0.0.1"]]
    (block,) = parse(text).find("vrrp_instance", "unicast_peer")
    assert [child.keyword for child in block.children or ()] == ["10.0.0.2", "10.0.0.3"]
    assert "unicast" not in keepalived_text(VAULT, shipped())


@pytest.mark.parametrize("values", [VAULT, *SERVED.values()], ids=["vault", *SERVED])
def test_what_the_instance_tracks_is_what_the_recipe_defines(values: NodeValues) -> None:
    recipe = recipe_text(values, shipped())
    defined = {name for keyword in ("vrrp_track_file", "vrrp_script")
               for (name,) in values_of(recipe, keyword)}  # fmt: skip
    names = names_of(recipe)
    assert {name for each in names.values() for name in each} == defined
    text = keepalived_text(values, shipped())
    for keyword, tracked in names.items():
        (block,) = parse(text).find("vrrp_instance", keyword)
        assert [child.keyword for child in block.children or ()] == tracked
    assert values_of(text, "include") == [[values.recipe]]
    assert track_lines(recipe).startswith("track_file {\n")


@pytest.mark.parametrize("name", ["nginx", "my.service", "a b", "ünïcode", "a\nb"])
def test_the_recipe_reads_a_check_named_after_the_process(name: str) -> None:
    values = following("process", {"process": name})
    (check,) = config.parse(checks_text(values, shipped()), "kacheck.toml").checks
    assert check.name == values.check
    assert check.interval == 0.25
    recipe = recipe_text(values, shipped())
    assert f'file "/run/kacheck/track/{check.name}"' in recipe
    assert f'kacheck-verdict --timeout 1.5 {check.name}"' in recipe
    assert "vault-node" not in recipe


@pytest.mark.parametrize(
    ("service", "name", "keys", "state"),
    [
        ("process", "nginx", {"name": "nginx"}, "nginx runs"),
        (
            "http",
            "http-8443",
            {"url": "https://127.0.0.1:8443/health?key=secret", "ca_cert": "/etc/ca.pem"},
            "https://127.0.0.1:8443/health answers as expected",
        ),
        ("tcp", "tcp-5432", {"address": "[::1]:5432"}, "[::1]:5432 accepts connections"),
        (
            "command",
            "check_load",
            {"argv": ["/usr/lib/nagios/plugins/check_load", "-w", "5"]},
            "/usr/lib/nagios/plugins/check_load succeeds",
        ),
    ],
)
def test_a_service_has_a_check_of_its_probe(
    service: str, name: str, keys: dict[str, object], state: str
) -> None:
    values = SERVED[service]
    text = checks_text(values, shipped())
    config.parse(text, "kacheck.toml")
    ((checked, table),) = tomllib.loads(text)["check"].items()
    assert (checked, table["probe"]) == (name, service)
    assert table.items() >= keys.items()
    assert table["interval"] >= table.get("timeout", 0)
    recipe = recipe_text(values, shipped())
    assert recipe.startswith(f"# kacheck-{name}.conf: the VIP where {state}.\n")


@pytest.mark.parametrize("service", SERVED)
def test_the_recipe_of_a_service_says_nothing_of_vault(service: str) -> None:
    recipe = recipe_text(SERVED[service], shipped())
    words = ("vault", "sealed", "standby", "leader", "node active", "Use it")
    assert [word for word in words if word in recipe.lower()] == []
    assert recipe.count("\n# Failure ") == recipe.count("\n# Guard ") == 1


def test_every_service_is_tried_here() -> None:
    assert GIVEN.keys() == SERVICES.keys()


def test_the_table_has_what_is_needed_and_no_more() -> None:
    values = VAULT._replace(ca_cert=None, all_namespaces=True, tls_server_name="vault.example")
    table = check_table(values, shipped())
    check = tomllib.loads(table)["check"]["vault-graded"]
    assert "ca_cert" not in check
    assert check["all_namespaces"] is True
    assert check["tls_server_name"] == "vault.example"
    config.parse(table, "kacheck.toml")


def test_an_instances_text_is_complete_by_itself() -> None:
    text = instance_text(VAULT._replace(instance="OTHER"), shipped())
    assert text.startswith("vrrp_instance OTHER {\n")
    assert parse(text).problems == []
    assert values_of(text, "vrrp_instance", "priority") == [["220"]]
