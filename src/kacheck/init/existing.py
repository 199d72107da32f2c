"""A keepalived.conf that is there: what of an instance stays, and what is added to it.

The editor is the one of `migrate`: every byte that is not the recipe's stays. Where an edit would
not mean what it should, the file is left alone.
"""

import os
from typing import TypeAlias

from kacheck.init.instance import ExistingInstance, instances
from kacheck.init.recipe import (
    NodeValues,
    ShippedTexts,
    instance_text,
    keepalived_text,
    names_of,
    recipe_text,
)
from kacheck.init.recipe import track_lines as lines_of
from kacheck.keepalived import Configuration, EditError, Node, parse
from kacheck.migrate.comments import has_comment
from kacheck.migrate.security import secure
from kacheck.result import BadConfigError

Meaning: TypeAlias = list[list[str] | None]
Definitions: TypeAlias = dict[tuple[str, str], list[Meaning]]


class LeftAloneError(Exception):
    """Why an existing configuration is not edited."""


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
        f"{instance.name} still tracks {', '.join(others)}; remove what the new checks replace: its"
        " weight can move the VIP to the wrong node, and its failure can leave the VIP nowhere"
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
        raise LeftAloneError(f"$NAME, ~SEQ or @id is used to write {existing.name}")
    try:
        secure(configuration)
        if is_missing:
            include = include_in(source.tree.name, configuration, values)
            source.tree.insert_before(source, f"{include}\n\n", comment=has_comment(source))
        for keyword, names in names_of(recipe_text(values, texts)).items():
            track(existing.node, keyword, names)
        set_priority(existing.node, values.priority)
    except EditError as error:
        raise LeftAloneError(f"{error}; write that part on separate lines") from None


def refuse_half(configuration: Configuration, values: NodeValues, texts: ShippedTexts) -> bool:
    """Return whether what the recipe tracks has to be defined; refuse a part or another check."""
    defined = definitions(configuration.root)
    wanted = definitions(parse(recipe_text(values, texts)).root)
    names, there = {name for _, name in wanted}, {name for _, name in defined}
    if not names & there:
        return True
    if not names <= there:
        raise LeftAloneError(
            f"it defines {' and '.join(sorted(names & there))} and not"
            f" {' and '.join(sorted(names - there))}; remove that, or add what is missing"
        )
    refuse_others(defined, wanted, values.recipe)
    return False


def refuse_others(defined: Definitions, wanted: Definitions, recipe: str) -> None:
    """Refuse names of the recipe that stand for something else: the VIP would follow that."""
    others = sorted(
        key[1]
        for key, (own,) in wanted.items()
        if any(each != own for each in defined.get(key, [[]]))
    )
    if others:
        raise LeftAloneError(
            f"it defines {' and '.join(others)} otherwise than {recipe}, such as for another check;"
            " first rename or remove that"
        )


def definitions(root: Node) -> Definitions:
    """Return by keyword and name what can be tracked, and what each definition of it means."""
    found: Definitions = {}
    for keyword in ("vrrp_script", "track_file", "vrrp_track_file"):
        for node in root.find(keyword):
            if node.arguments:
                name = (keyword.removeprefix("vrrp_"), node.arguments[0])
                found.setdefault(name, []).append(meaning(node))
    return found


def meaning(definition: Node) -> Meaning:
    """Return what a definition reads or runs, and what follows from it."""
    return [
        *(node.command for node in definition.find("script")),
        *(node.arguments for key in ("file", "weight") for node in definition.find(key)),
    ]


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
    if values.service is not None:
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
    tracked = [child for block in blocks for child in block.children or ()]
    for child in tracked:
        if child.keyword in names and child.arguments:
            raise LeftAloneError(
                f"{child.position} has {' '.join(child.arguments)}, in place of what the recipe"
                f" gives {child.keyword}; remove it"
            )
    there = {child.keyword for child in tracked}
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
