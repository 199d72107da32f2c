"""A vrrp_instance that is there: what it says of itself, and what stays of it. Pure."""

from collections.abc import Iterator
from ipaddress import ip_interface
from typing import NamedTuple

from kacheck.init.recipe import NODES, priority_of
from kacheck.keepalived import Configuration, Node
from kacheck.result import BadConfigError

DEFAULT_INTERVAL = 1.0
FASTEST = 0.25
"""The advert_int of the shipped keepalived.conf."""


class ExistingInstance(NamedTuple):
    """A vrrp_instance of an existing configuration."""

    node: Node
    name: str
    version: int
    interval: float
    router_id: int | None
    interface: str | None
    has_authentication: bool
    peers: tuple[str, ...]
    addresses: tuple[str, ...]

    @property
    def node_number(self) -> int | None:
        """The number of the node whose priority it has."""
        priority = number(value_of(self.node, "priority"))
        return next((each for each in NODES if priority_of(each) == priority), None)


def instances(configuration: Configuration) -> list[ExistingInstance]:
    """Return the instances of a configuration."""
    default = value_of(configuration.root, "global_defs", "vrrp_version")
    return [
        instance_of(node, default or "2")
        for node in configuration.find("vrrp_instance")
        if node.arguments
    ]


def instance_of(node: Node, default_version: str) -> ExistingInstance:
    """Return what an instance says of itself, with keepalived's defaults."""
    addresses = tuple(vips(node))
    is_ipv6 = bool(addresses) and ":" in addresses[0]
    version = value_of(node, "version") or ("3" if is_ipv6 else default_version)
    return ExistingInstance(
        node,
        node.arguments[0],
        int(version) if version in ("2", "3") else 2,
        number(value_of(node, "advert_int")) or DEFAULT_INTERVAL,
        int(number(value_of(node, "virtual_router_id")) or 0) or None,
        value_of(node, "interface"),
        bool(node.find("authentication")),
        tuple(
            child.keyword for block in node.find("unicast_peer") for child in block.children or ()
        ),
        addresses,
    )


def vips(node: Node) -> Iterator[str]:
    """Yield the virtual addresses of an instance, without their prefixes."""
    for keyword in ("virtual_ipaddress", "virtual_ipaddress_excluded"):
        for block in node.find(keyword):
            for child in block.children or ():
                try:
                    yield str(ip_interface(child.keyword).ip)
                except ValueError:
                    continue


def value_of(node: Node, *path: str) -> str | None:
    """Return the last value of a statement."""
    values = [each.arguments[0] for each in node.find(*path) if each.arguments]
    return values[-1] if values else None


def number(text: str | None) -> float | None:
    """Return a text as a number; None if it is not one."""
    try:
        return float(text or "")
    except ValueError:
        return None


def select(
    existing: list[ExistingInstance], vip: str, name: str | None
) -> tuple[str, ExistingInstance | None]:
    """Return the name of the instance for a VIP, and what is there of it.

    Raises:
        BadConfigError: the named one has another VIP, or the VIP is another one's.

    """
    with_vip = [each for each in existing if vip in each.addresses]
    if name is None and with_vip:
        return with_vip[0].name, with_vip[0]
    name = name or "VI_1"
    named = next((each for each in existing if each.name == name), None)
    if with_vip and with_vip[0].name != name:
        raise BadConfigError(
            f"{vip} is a VIP of {with_vip[0].name} here; give --instance {with_vip[0].name}"
        )
    if named is not None and not with_vip:
        have = ", ".join(named.addresses) or "no address"
        raise BadConfigError(
            f"{name} has {have} here, and not {vip}; give another --instance, or one of its"
            " addresses as --vip"
        )
    return name, named


def gains(instance: ExistingInstance) -> str | None:
    """Return what another version and interval on all nodes would gain."""
    kept = f"VRRPv{instance.version} and advert_int {instance.interval:g}"
    if instance.has_authentication:
        kept += " and its authentication"
    if instance.version == 3 and instance.interval <= FASTEST:
        return None
    now, then = (f"{2 * each:.1f} to {3 * each + 0.2 * each:.1f} s"
                 for each in (instance.interval, FASTEST))  # fmt: skip
    return (
        f"{instance.name} keeps {kept}: a move by priority, or from a dead machine, takes {now};"
        f" with version 3, advert_int {FASTEST} and no authentication, on all nodes at the same"
        f" time, it takes {then}; see From VRRPv2 to VRRPv3 in docs/recipes.md"
    )
