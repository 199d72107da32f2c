"""A keepalived.conf that is there: what of an instance stays, and what is added to it.

The editor is the one of `migrate`: every byte that is not the recipe's stays. Where an edit would
not mean what it should, the file is left alone.
"""

import os
from collections.abc import Iterator
from ipaddress import ip_interface
from typing import NamedTuple

from kacheck.init.recipe import (
    NodeValues,
    ShippedTexts,
    instance_text,
    keepalived_text,
    names_of,
    recipe_text,
)
from kacheck.init.recipe import track_lines as lines_of
from kacheck.keepalived import Configuration, EditError, Node
from kacheck.migrate.rewrite import has_comment
from kacheck.migrate.security import secure
from kacheck.result import BadConfigError

DEFAULT_INTERVAL = 1.0
FASTEST = 0.3
"""The advert_int of the shipped keepalived.conf."""


class LeftAloneError(Exception):
    """Why an existing configuration is not edited."""


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
    """Return a number; None if it is none."""
    try:
        return float(text or "")
    except ValueError:
        return None


def select(
    found: list[ExistingInstance], vip: str, name: str | None
) -> tuple[str, ExistingInstance | None]:
    """Return the name of the instance for a VIP, and what is there of it.

    Raises:
        BadConfigError: the named one has another VIP, or the VIP is another one's.

    """
    with_vip = [each for each in found if vip in each.addresses]
    if name is None and with_vip:
        return with_vip[0].name, with_vip[0]
    name = name or "VI_1"
    named = next((each for each in found if each.name == name), None)
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
        f" time, it takes {then}; docs/recipes.md says how, From VRRPv2 to VRRPv3"
    )


def also_tracked(instance: ExistingInstance, recipe: str) -> str | None:
    """Return what else moves the VIP of an instance, and stays."""
    own = {name for names in names_of(recipe).values() for name in names}
    others = [
        child.keyword
        for keyword in ("track_script", "track_process", "track_file")
        for block in instance.node.find(keyword)
        for child in block.children or ()
        if child.keyword not in own
    ]
    if not others:
        return None
    return (
        f"{instance.name} goes on tracking {', '.join(others)}; remove what the new checks replace,"
        " since a weight of its own can take the VIP to the wrong node, and a failure to none"
        " (kacheck doctor examines it)"
    )


def edit(
    configuration: Configuration,
    existing: ExistingInstance | None,
    values: NodeValues,
    texts: ShippedTexts,
) -> None:
    """Make the edits in the configuration's trees.

    Raises:
        LeftAloneError: the configuration has to be changed by hand.

    """
    is_missing = refuse_half(configuration, values, texts)
    if existing is None:
        append_instance(configuration, values, texts, is_missing=is_missing)
        return
    refuse_unfit(configuration, existing.node, values)
    source = existing.node.source
    if source is None or source.tree is None or not existing.node.is_literal:
        raise LeftAloneError(f"$NAME, ~SEQ or @id has a hand in {existing.name}")
    try:
        secure(configuration)
        if is_missing:
            include = include_in(source.tree.name, configuration, values)
            source.tree.insert_before(source, f"{include}\n\n", comment=has_comment(source))
        for keyword, names in names_of(recipe_text(values, texts)).items():
            track(existing.node, keyword, names)
        set_priority(existing.node, values.priority)
    except EditError as error:
        raise LeftAloneError(f"{error}; write that part in lines of its own") from None


def refuse_half(configuration: Configuration, values: NodeValues, texts: ShippedTexts) -> bool:
    """Return whether what the recipe tracks has to be defined; refuse if a part of it is."""
    defined = {
        node.arguments[0]
        for keyword in ("vrrp_script", "track_file", "vrrp_track_file")
        for node in configuration.find(keyword)
        if node.arguments
    }
    names = {name for each in names_of(recipe_text(values, texts)).values() for name in each}
    if names <= defined:
        return False
    if names & defined:
        raise LeftAloneError(
            f"it defines {' and '.join(sorted(names & defined))} and not"
            f" {' and '.join(sorted(names - defined))}; remove that, or add what is missing"
        )
    return True


def include_in(file: str, configuration: Configuration, values: NodeValues) -> str:
    """Return the line that includes the recipe, which is beside the main file, in any file."""
    home, here = (os.path.dirname(os.path.abspath(path))
                  for path in (next(iter(configuration.files)), file))  # fmt: skip
    return f"include {os.path.relpath(f'{home}/{values.recipe}', here)}"


def append_instance(
    configuration: Configuration, values: NodeValues, texts: ShippedTexts, *, is_missing: bool
) -> None:
    """Add an instance to a configuration that does not have it."""
    for other in instances(configuration):
        if other.router_id == values.router_id and other.interface == values.interface:
            raise BadConfigError(
                f"{other.name} has virtual_router_id {values.router_id} on {values.interface}"
                " already; give another --router-id"
            )
    main = next(iter(configuration.files.values()))
    if not configuration.root.children:
        main.append(main.root, keepalived_text(values, texts))
        return
    secure(configuration)
    include = f"include {values.recipe}\n\n" if is_missing else ""
    main.append(main.root, f"\n{include}{instance_text(values, texts)}")


def refuse_unfit(configuration: Configuration, node: Node, values: NodeValues) -> None:
    """Refuse an instance under which the recipe would not move the VIP."""
    if values.address is None:
        return
    if node.find("nopreempt"):
        raise LeftAloneError(
            "nopreempt keeps the VIP where it is, whatever the priority; remove it on all nodes"
        )
    for group in configuration.find("vrrp_sync_group"):
        members = {child.keyword for block in group.find("group") for child in block.children or ()}
        if node.arguments[0] in members and not group.find("sync_group_tracking_weight"):
            raise LeftAloneError(
                f"{' '.join(group.arguments)} ignores weights without sync_group_tracking_weight;"
                " add that to it on all nodes"
            )


def track(node: Node, keyword: str, names: list[str]) -> None:
    """Let an instance track these, too."""
    blocks = node.find(keyword)
    there = {child.keyword for block in blocks for child in block.children or ()}
    missing = [name for name in names if name not in there]
    if not missing:
        return
    holder = (blocks[0] if blocks else node).source
    if holder is None or holder.tree is None:
        raise LeftAloneError(f"its {keyword} cannot be edited")
    if blocks:
        holder.tree.append(holder, "\n".join(missing))
    else:
        lines = "".join(f"    {name}\n" for name in missing)
        holder.tree.append(holder, f"{keyword} {{\n{lines}}}")


def set_priority(node: Node, priority: int) -> None:
    """Give an instance its base priority."""
    statements = node.find("priority")
    holder = (statements[-1] if statements else node).source
    if holder is None or holder.tree is None:
        raise LeftAloneError("its priority cannot be edited")
    if not statements:
        holder.tree.append(holder, f"priority {priority}")
    elif statements[-1].arguments != [str(priority)]:
        holder.tree.replace_word(holder.words[1], str(priority))


def by_hand(values: NodeValues, texts: ShippedTexts) -> str:
    """Return the lines to add to a configuration that is left alone."""
    recipe = recipe_text(values, texts)
    inside = "".join(f"    {line}\n" for line in lines_of(recipe).splitlines())
    return (
        f"include {values.recipe}    # above the instance\n\n"
        f"vrrp_instance {values.instance} {{\n    priority {values.priority}\n{inside}}}"
    )
