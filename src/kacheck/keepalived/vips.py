"""The VIPs that leave a node when checks fail: those of the instances that track them. Pure."""

import ipaddress
import os
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import NamedTuple

from kacheck.keepalived.configuration import Configuration
from kacheck.keepalived.syntax import Node
from kacheck.keepalived.tracking import SYNC_GROUP, lines_of, members

ENTRY_POINTS = {"kacheck": "", "kacheck-verdict": "run"}
"""What a script may run of kacheck, and the command that it stands for; `kacheck-PROBE` besides."""
ADDRESSES = ("virtual_ipaddress", "virtual_ipaddress_excluded")


class Vip(NamedTuple):
    """An address that an instance has while it is MASTER."""

    address: str
    instance: str

    def __str__(self) -> str:
        return f"VIP {self.address} ({self.instance})"


def vips_of(
    configuration: Configuration, names: AbstractSet[str] | None, state_dir: str
) -> tuple[Vip, ...]:
    """Return the VIPs of all instances that track one of these checks; None: any of kacheck's.

    Of a sync group all instances fail together.
    """
    tracked = {*definitions(configuration, names, state_dir)}
    instances = configuration.find("vrrp_instance")
    failing = {name_of(node) for node in instances if tracks(node, tracked)}
    for group in configuration.find(SYNC_GROUP):
        names_in_group = {*members(group)}
        if tracks(group, tracked) or failing & names_in_group:
            failing |= names_in_group
    return tuple(
        dict.fromkeys(
            Vip(address, name_of(node))
            for node in instances
            if name_of(node) in failing
            for address in addresses(node)
        )
    )


def definitions(
    configuration: Configuration, names: AbstractSet[str] | None, state_dir: str
) -> Iterator[tuple[str, str]]:
    """Yield the block and the name by which an instance refers to what follows these checks."""
    for keyword in ("vrrp_track_file", "track_file"):
        for node in configuration.find(keyword):
            for file in node.find("file"):
                directory, _, check = "".join(file.arguments[:1]).rpartition("/")
                is_ours = directory.removeprefix("/var") == f"{state_dir}/track"
                if is_ours and (names is None or check in names):
                    yield "track_file", name_of(node)
    for node in configuration.find("vrrp_script"):
        for script in node.find("script"):
            asked = checks_of(script.command or [])
            if asked and (names is None or asked & names):
                yield "track_script", name_of(node)


def checks_of(words: list[str]) -> AbstractSet[str]:
    """Return the checks that a command asks for, by the names that a drain has for them."""
    from kacheck import arguments
    from kacheck.commands import TextRequested
    from kacheck.probes import MODULES
    from kacheck.result import BadConfigError

    programs = {**ENTRY_POINTS, **{f"kacheck-{name}": name for name in MODULES}}
    for index, word in enumerate(words):  # `timeout 2 kacheck-verdict vault` is one, too
        command = programs.get(os.path.basename(word))
        if command is not None:
            with suppress(BadConfigError, TextRequested):
                args = arguments.parse([*filter(None, [command]), *words[index + 1 :]])
                return {*args.names} if args.command == "run" else {args.command} & {*MODULES}
    return set()


def tracks(node: Node, tracked: AbstractSet[tuple[str, str]]) -> bool:
    """Return whether an instance or group refers to one of these definitions."""
    return any(
        (kind, line.keyword) in tracked
        for kind in ("track_file", "track_script")
        for line in lines_of(node, kind)
    )


def addresses(node: Node) -> Iterator[str]:
    """Yield the addresses of an instance, as the kernel shows them."""
    for keyword in ADDRESSES:
        for line in lines_of(node, keyword):
            with suppress(ValueError):
                yield str(ipaddress.ip_interface(line.keyword).ip)


def name_of(node: Node) -> str:
    """Return the name of a block."""
    return "".join(node.arguments[:1])
