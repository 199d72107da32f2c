"""`kacheck init`: a working configuration for this node."""

import argparse
import os
from argparse import Namespace

from kacheck import packages
from kacheck.commands import Edge
from kacheck.init.services import SERVICES

DESCRIPTION = """Write a working kacheck.toml and keepalived.conf for this node: with the \
recommended recipe for Vault, or with `event-driven.conf` for another service.

It finds the interface, Vault's address, its CA file and its process, and says where it found \
them. If it cannot find one, it names the option that gives it. Without `--write` it prints both \
files.

Before it writes, it runs the check once as the watcher's user, lets `keepalived -t` read the \
result, and listens for VRRP adverts on the interface for three seconds. Run it as root.

Nothing is lost: an existing keepalived.conf gets an `include`, the track lines and the priority, \
with a backup, or is left alone. An existing instance keeps its version, advert_int and \
authentication. A second run changes nothing."""


def declare(parser: argparse.ArgumentParser, _: str) -> None:
    """Declare what is known, and whether to write."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "--vip", metavar="ADDRESS/LENGTH", required=True, help="the VIP, such as 192.0.2.100/24"
    )
    parser.add_argument(
        "--node",
        metavar="N",
        type=node,
        help="the number of this node, 1 to 5; default 1, or the one that fits its priority\n\n"
        "Node 1 has the highest priority, 220; each following node has 2 less.",
    )
    parser.add_argument(
        "--instance",
        metavar="NAME",
        help="the vrrp_instance; default the one that has the VIP, or VI_1",
    )
    parser.add_argument(
        "--interface",
        metavar="IF",
        help="the interface of the VIP; default the one with an address in its network",
    )
    parser.add_argument(
        "--service",
        choices=("vault", *SERVICES),
        default="vault",
        help="what the VIP follows; default vault, the active node\n\n"
        "`process` needs `--process`: the VIP is where it runs. `http` needs `--url`: where it "
        "answers as expected. `tcp` needs `--to`: where it accepts connections. `consul` needs "
        "`--consul-service`: where it is passing. `command` needs a program after `--`: where it "
        "succeeds.",
    )
    parser.add_argument(
        "--address",
        metavar="URL",
        help="where this node's Vault listens; default from VAULT_ADDR, its configuration file, or "
        "the process that listens",
    )
    parser.add_argument(
        "--ca-cert",
        metavar="FILE",
        help="the authority of the certificate; default the system's authorities, for Vault from "
        "VAULT_CACERT or its configuration file",
    )
    parser.add_argument(
        "--process",
        metavar="NAME",
        help="the name of the process; default for Vault the one that runs",
    )
    parser.add_argument(
        "--url", metavar="URL", help="the URL for `--service http`, such as http://127.0.0.1/health"
    )
    parser.add_argument(
        "--to",
        metavar="ADDRESS",
        help="where the service of `--service tcp` listens: HOST:PORT, or unix:PATH",
    )
    parser.add_argument(
        "--consul-service",
        metavar="NAME",
        help="the service for `--service consul`, as it is registered with this node's agent",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="ARGV",
        help="the program for `--service command`, and its arguments, after `--`",
    )
    parser.add_argument(
        "--router-id",
        metavar="ID",
        type=router_id,
        help="the virtual_router_id, 1 to 255, the same on all nodes; default 51",
    )
    parser.add_argument(
        "--peer",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="another node's address, for unicast VRRP; give it once for each other node\n\n"
        "Networks without multicast, as in most clouds, need it.",
    )
    parser.add_argument("--write", action="store_true", help="write the files; default: print them")
    parser.epilog = (
        "exit codes: 0 nothing is wrong, 1 something was left alone or needs attention, "
        "3 nothing was written"
    )


def node(text: str) -> int:
    """Return the value of `--node`."""
    if text not in ("1", "2", "3", "4", "5"):
        raise argparse.ArgumentTypeError(
            f"{text} is not a number from 1 to 5, for which the recipe has priorities"
        )
    return int(text)


def router_id(text: str) -> int:
    """Return the value of `--router-id`."""
    if not text.isdecimal() or not 1 <= int(text) <= 255:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 255")
    return int(text)


def run(args: Namespace, edge: Edge) -> int:
    """Print the files, or what was written, apart from what is said about it."""
    packages.need()
    from kacheck.init.command import init
    from kacheck.init.knowledge import InitOrder

    order = InitOrder(
        args.vip,
        args.node,
        args.instance,
        args.interface,
        args.service,
        args.address,
        args.ca_cert,
        args.process,
        args.url,
        args.to,
        args.consul_service,
        tuple(args.words),
        args.router_id,
        tuple(args.peer),
        args.write,
    )
    answer = init(order, os.environ)
    edge.answer(answer.text)
    for remark in answer.remarks:
        edge.note(remark)
    return answer.code
