"""What is known of this node: from the command line, the machine, and what is configured."""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_interface
from typing import NamedTuple

from kacheck.init.instance import ExistingInstance, instances, select
from kacheck.init.network import choose, elsewhere, is_here, own_on, routed_from
from kacheck.init.plan import NodePaths
from kacheck.init.recipe import NodeValues, Vip
from kacheck.init.services import refuse_others, service_check
from kacheck.init.vault_server import GivenServer, ServerSearch
from kacheck.keepalived import DEFAULT, Configuration
from kacheck.keepalived.program import version_at
from kacheck.migrate import command as migrating
from kacheck.migrate import verify
from kacheck.migrate.plan import read
from kacheck.network import NetworkInterfaces, interfaces
from kacheck.result import BadConfigError

KEEPALIVED = "/etc/keepalived/keepalived.conf"
WORD = re.compile(r"[\w.:+-]+")
"""What keepalived reads as one word, without quotes."""
CHECKS = "/etc/kacheck/kacheck.toml"


class InitOrder(NamedTuple):
    """What is asked for."""

    vip: str
    node: int | None = None
    instance: str | None = None
    interface: str | None = None
    service: str = "vault"
    address: str | None = None
    ca_cert: str | None = None
    process: str | None = None
    url: str | None = None
    to: str | None = None
    consul_service: str | None = None
    argv: tuple[str, ...] = ()
    router_id: int | None = None
    peers: tuple[str, ...] = ()
    write: bool = False
    paths: NodePaths = NodePaths(KEEPALIVED, CHECKS)


class Gathered(NamedTuple):
    """What is known of this node."""

    machine: NetworkInterfaces
    configuration: Configuration | None
    existing: ExistingInstance | None
    values: NodeValues
    sources: list[str]
    """Where each value is from, in words."""
    remarks: list[str]


def gather(order: InitOrder, environ: Mapping[str, str]) -> Gathered:
    """Find what the command line leaves open."""
    refuse_others(order.service, order._asdict())
    machine = interfaces()
    vip = vip_of(order.vip, machine)
    configuration = configuration_at(order.paths.keepalived)
    there = instances(configuration) if configuration else []
    name, existing = select(there, str(vip.ip), order.instance)
    refuse_other(order, existing)
    if WORD.fullmatch(name) is None:
        raise BadConfigError(f"--instance {name} cannot be a name in keepalived.conf; give another")
    given = order.interface or (existing.interface if existing else None)
    interface, own, source = interface_of(given, order, machine, vip)
    sources = [f"interface {interface}: {source}"]
    peers = peers_of(order, machine, vip)
    values = NodeValues(
        vip,
        interface,
        order.node or (existing.node_number if existing else None) or 1,
        name,
        (existing.router_id if existing else None) or order.router_id or 51,
        source=own if peers else None,
        peers=peers,
    )
    if order.service != "vault":
        values = with_service(values, order)
        remarks = doubts_about(values, machine)
        return Gathered(machine, configuration, existing, values, sources, remarks)
    asked = GivenServer(vip, order.address, order.ca_cert, order.process)
    server = ServerSearch(asked, machine, environ).find()
    authority = server.ca_cert
    sources.append(f"address {server.address.value}: {server.address.source}")
    if authority is not None:
        sources.append(f"ca_cert {authority.value}: {authority.source}")
    elif server.address.value.startswith("https:"):
        sources.append("ca_cert: none; the system's authorities verify the certificate")
    name_shown = server.tls_server_name
    if name_shown is not None:
        sources.append(f"tls_server_name {name_shown.value}: {name_shown.source}")
    sources.append(f"process {server.process.value}: {server.process.source}")
    values = values._replace(
        process=server.process.value,
        address=server.address.value,
        tls_server_name=name_shown.value if name_shown else None,
        all_namespaces=server.in_container,
        ca_cert=authority.value if authority else None,
    )
    return Gathered(machine, configuration, existing, values, sources, list(server.remarks))


def with_service(values: NodeValues, order: InitOrder) -> NodeValues:
    """Return the values with the check of a service that is not Vault."""
    given = order._asdict()
    if order.ca_cert is not None:
        given["ca_cert"] = os.path.abspath(order.ca_cert)
    service = service_check(order.service, given)
    return values._replace(service=service, ca_cert=service.values.get("ca_cert"))


def doubts_about(values: NodeValues, machine: NetworkInterfaces) -> list[str]:
    """Return why the service may not be this node's.

    Raises:
        BadConfigError: it is asked at the VIP, where the node answers that has it.

    """
    service = values.service
    if service is None or service.host is None or is_here(service.host, machine, values.vip):
        return []
    return [elsewhere(service.row.flag, service.subject, service.host, values.vip)]


def vip_of(text: str, machine: NetworkInterfaces) -> Vip:
    """Return the VIP with its network's length."""
    try:
        vip = ip_interface(text)
    except ValueError:
        raise BadConfigError(
            f"--vip {text} is not an address with a prefix length, such as 192.0.2.100/24"
        ) from None
    if "/" not in text:
        inside = machine.in_network(vip)
        length = inside[0].address.network.prefixlen if inside else vip.network.prefixlen
        raise BadConfigError(f"--vip {text} has no prefix length; give --vip {text}/{length}")
    return vip


def configuration_at(path: str) -> Configuration | None:
    """Return the configuration that is there, as the installed keepalived reads it."""
    if not os.path.lexists(path):
        return None
    keepalived = verify.program()
    configuration = read(path, (version_at(keepalived) if keepalived else None) or DEFAULT)
    migrating.refuse_doubt(configuration)
    return configuration


def refuse_other(order: InitOrder, existing: ExistingInstance | None) -> None:
    """Refuse options that contradict what an existing instance keeps."""
    if existing is None:
        return
    pairs = (
        ("--router-id", "virtual_router_id", order.router_id, existing.router_id),
        ("--interface", "interface", order.interface, existing.interface),
    )
    for option, keyword, given, there in pairs:
        if None not in (given, there) and given != there:
            raise BadConfigError(
                f"{existing.name} has {keyword} {there} in keepalived.conf, which init does not"
                f" change; leave out {option}, or change it there on all nodes"
            )


def interface_of(
    given: str | None, order: InitOrder, machine: NetworkInterfaces, vip: Vip
) -> tuple[str, str | None, str]:
    """Return the interface, this node's address on it, and why it is that one."""
    if given is None:
        own = choose(machine, vip, routed_from(vip.ip))
        return own.interface, str(own.address.ip), f"it has {own.address}, the VIP's network"
    source = "--interface" if order.interface else "keepalived.conf"
    if given not in machine.names:
        raise BadConfigError(
            f"interface {given} does not exist here ({source}); give --interface with one of"
            f" {', '.join(machine.names)}"
        )
    address = own_on(machine, given, vip)
    return given, str(address.address.ip) if address else None, source


def peers_of(order: InitOrder, machine: NetworkInterfaces, vip: Vip) -> tuple[str, ...]:
    """Return the other nodes' addresses."""
    peers = []
    for peer in order.peers:
        try:
            address = ip_address(peer)
        except ValueError:
            raise BadConfigError(f"--peer {peer} is not an IP address") from None
        if address.version != vip.version:
            raise BadConfigError(
                f"--peer {peer} and the VIP {vip.ip} are not both IPv4 or both IPv6"
            )
        if machine.has_own(str(address)) or address == vip.ip:
            whose = "the VIP" if address == vip.ip else "this node's own address"
            raise BadConfigError(f"--peer {peer} is {whose}; give the other nodes' addresses")
        peers.append(str(address))
    return tuple(dict.fromkeys(peers))
