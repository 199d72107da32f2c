"""What is written: the shipped recipe with a node's values in its marked lines. Pure but `shipped`.

The texts are the files in examples/, which are linked into the package, so the two cannot differ.
"""

import os
import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, TypeAlias

from kacheck.init.services import ServiceCheck
from kacheck.keepalived import Node, Tree, parse
from kacheck.network import NetworkAddress
from kacheck.render import printable
from kacheck.written import toml, toml_string

Vip: TypeAlias = NetworkAddress

SHIPPED = f"{os.path.dirname(os.path.realpath(__file__))}/shipped"
MARKED = re.compile(r"^( *)(.+?)( +)# <- ?(.*)$")
"""A line whose value depends on the node: its indentation, statement and remark."""
KEY = re.compile(r"(?:(\w+)( = | ))?")
HIGHEST = 220
STEP = 2
"""Node 1 has the highest priority, and each other one this much less than the one before."""
NODES = range(1, 6)
"""More nodes would differ by more than vault-graded.conf's numbers allow."""
GRADED = "vault-graded"
EVENT_DRIVEN = "event-driven"
EVENT_DRIVEN_CHECK = "vault-node"
OF_VAULT = re.compile(r"^# (?:Use it|Failure|No node active)\b.*\n(?:# {5,}.*\n)*", re.MULTILINE)
"""The paragraphs of event-driven.conf's comment that are about Vault."""
OF_SERVICE = """\
# Failure  A process exits or a connection is lost: FAULT at once. The check fails otherwise: FAULT
#          after 2 looks. If the check passes on no node, the VIP is nowhere.
"""


class NodeValues(NamedTuple):
    """What is this node's own, or this VIP's."""

    vip: Vip
    interface: str
    node: int = 1
    instance: str = "VI_1"
    router_id: int = 51
    service: ServiceCheck | None = None
    """None: Vault, of which the rest is about."""
    process: str = "vault"
    address: str | None = None
    all_namespaces: bool = False
    """The process runs in a container."""
    ca_cert: str | None = None
    tls_server_name: str | None = None
    source: str | None = None
    """The address that unicast adverts come from."""
    peers: tuple[str, ...] = ()

    @property
    def priority(self) -> int:
        """The priority of this node."""
        return priority_of(self.node)

    @property
    def check(self) -> str:
        """The name of the check."""
        return GRADED if self.service is None else self.service.name

    @property
    def recipe(self) -> str:
        """The name of the file that defines what is tracked."""
        return f"{GRADED}.conf" if self.service is None else f"kacheck-{self.check}.conf"


class ShippedTexts(NamedTuple):
    """The files that a configuration is made from."""

    checks: str
    graded: str
    event_driven: str
    keepalived: str


def priority_of(node: int) -> int:
    """Return the base priority of a node."""
    return HIGHEST - STEP * (node - 1)


@cache
def shipped() -> ShippedTexts:
    """Return the shipped files."""
    names = ("kacheck.toml", f"{GRADED}.conf", f"{EVENT_DRIVEN}.conf", "keepalived.conf")
    texts = []
    for name in names:
        with open(f"{SHIPPED}/{name}", encoding="utf-8") as file:
            texts.append(file.read())
    return ShippedTexts(*texts)


def recipe_text(values: NodeValues, texts: ShippedTexts) -> str:
    """Return the file that defines the track file and its guards."""
    if values.service is None:
        return texts.graded
    name = re.sub(r"\W", "_", values.check)
    text = OF_VAULT.sub(lambda found: OF_SERVICE * ("Failure" in found[0]), texts.event_driven)
    text = text.replace(EVENT_DRIVEN_CHECK, values.check)
    text = text.replace("kacheck_vault_node", f"kacheck_{name}")
    text = re.sub(r"\bkacheck_guard\b", f"kacheck_{name}_guard", text)
    text = text.replace(f"{EVENT_DRIVEN}.conf", values.recipe)
    return f"# {values.recipe}: the VIP where {state(values.service)}.\n" + text.partition("\n")[2]


def track_lines(recipe: str) -> str:
    """Return the blocks that a recipe's comment has for the instance."""
    blocks = re.findall(r"^#     track_\w+ \{\n(?:#.*\n)*?#     \}\n", recipe, re.MULTILINE)
    return re.sub(r"^#     ", "", "".join(blocks), flags=re.MULTILINE)


def names_of(recipe: str) -> dict[str, list[str]]:
    """Return what an instance tracks of a recipe: `track_file` and `track_script` to names."""
    root = parse(track_lines(recipe)).root
    return {
        node.keyword: [child.keyword for child in node.children or ()]
        for node in root.children or ()
    }


def keepalived_text(values: NodeValues, texts: ShippedTexts) -> str:
    """Return a whole keepalived.conf."""
    filled = {
        "interface": values.interface,
        "virtual_router_id": str(values.router_id),
        "priority": str(values.priority),
        "": str(values.vip),
    }
    text = filled_in(
        with_head(texts.keepalived, head(values, "keepalived.conf: complete, for this node")),
        filled,
    )
    tree = parse(text)
    (instance,) = tree.find("vrrp_instance")
    tree.replace_word(instance.words[1], values.instance)
    if values.peers:
        (addresses,) = instance.find("virtual_ipaddress")
        tree.insert_before(addresses, unicast(values) + "\n\n")
    if values.service is not None:
        (include,) = tree.find("include")
        tree.replace_word(include.words[1], values.recipe)
        track_instead(tree, instance, recipe_text(values, texts), values.recipe)
    return tree.text()


def instance_text(values: NodeValues, texts: ShippedTexts) -> str:
    """Return the instance alone, for a configuration that has others."""
    tree = parse(keepalived_text(values, texts))
    (instance,) = tree.find("vrrp_instance")
    return tree.source.text[instance.start : instance.end]


def track_instead(tree: Tree, instance: Node, recipe: str, name: str) -> None:
    """Let an instance track another recipe than the shipped one."""
    first, *others = [*instance.find("track_file"), *instance.find("track_script")]
    for node in others:
        tree.remove(node)
    tree.remove(first, comment=True)
    tree.append(instance, f"# These lines are from {name}.\n{track_lines(recipe)}")


def unicast(values: NodeValues) -> str:
    """Return the statements for adverts that go to each peer instead of a multicast group."""
    peers = "".join(f"    {peer}\n" for peer in values.peers)
    source = f"unicast_src_ip {values.source}\n" if values.source else ""
    return f"{source}unicast_peer {{    # the other nodes\n{peers}}}"


def checks_text(values: NodeValues, texts: ShippedTexts) -> str:
    """Return a whole kacheck.toml."""
    first = head(values, "/etc/kacheck/kacheck.toml: the checks of the watcher, `kacheck watch`")
    return f"{first}\n{check_table(values, texts)}"


def check_table(values: NodeValues, texts: ShippedTexts) -> str:
    """Return the table of the check, with the comment above it."""
    if values.service is not None:
        return service_table(values.service, values.recipe)
    table = re.search(rf"^(#.*\n)*\[check\.{GRADED}\]\n(.+\n)*", texts.checks, re.MULTILINE)
    if table is None:
        raise ValueError(f"the shipped kacheck.toml has no check {GRADED}")
    strings = {
        "process": values.process,
        "address": values.address,
        "ca_cert": values.ca_cert,
    }
    text = filled_in(table[0], {key: text and toml_string(text) for key, text in strings.items()})
    if values.tls_server_name is not None:
        name = toml_string(values.tls_server_name)
        text = re.sub(r"^(address = .*\n)", lambda match: f"{match[1]}tls_server_name = {name}\n",
                      text, flags=re.MULTILINE)  # fmt: skip
    if values.all_namespaces:
        text = text.replace(
            "address = ", "all_namespaces = true    # in a container\naddress = ", 1
        )
    return text


def service_table(service: ServiceCheck, recipe: str) -> str:
    """Return the table of a check that is not Vault's."""
    key = service.name if re.fullmatch(r"[\w-]+", service.name) else toml_string(service.name)
    lines = [
        f"# For {recipe}: {state(service)}.",
        f"[check.{key}]",
        *toml(service.declared, service.values),
        f"interval = {service.row.interval}",
    ]
    if service.row.timeout is not None:
        lines.append(f"timeout = {service.row.timeout}")
    return "\n".join(lines) + "\n"


def state(service: ServiceCheck) -> str:
    """Return what the VIP needs, in words."""
    return f"{printable(service.subject)} {service.row.verb}"


def filled_in(text: str, values: Mapping[str, str | None]) -> str:
    """Put values into the marked lines, and take the marks away; a line without a value goes.

    The value of a line that is one word has the key "".
    """
    lines = []
    for line in text.splitlines():
        marked = MARKED.match(line)
        if marked is None:
            lines.append(line)
            continue
        indentation, statement, gap, remark = marked.groups()
        key, separator = KEY.match(statement).groups(default="")  # type: ignore[union-attr]
        value = values[key]
        if value is None:
            continue
        new = f"{indentation}{key}{separator}{value}"
        width = len(indentation + statement + gap) - 2
        lines.append(f"{new:<{width}}  # {remark}" if remark else new)
    return "\n".join(lines) + "\n"


def with_head(text: str, first: str) -> str:
    """Return a text with another comment at its beginning."""
    return first + text[text.index("\n\n") + 1 :]


def head(values: NodeValues, what: str) -> str:
    """Return the comment at the beginning of a file."""
    service = "Vault" if values.service is None else printable(values.service.subject)
    return (
        f"# {what}\n"
        f"# {service} behind the VIP {values.vip.ip}, node {values.node};"
        " written by `kacheck init`.\n"
    )
