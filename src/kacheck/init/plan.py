"""From this node's values to the contents of files, old and new."""

import os
from typing import NamedTuple

from kacheck import config
from kacheck.init.existing import LeftAloneError, by_hand, edit, refuse_half
from kacheck.init.instance import ExistingInstance
from kacheck.init.recipe import (
    NodeValues,
    ShippedTexts,
    check_table,
    checks_text,
    keepalived_text,
    recipe_text,
)
from kacheck.keepalived import Configuration
from kacheck.keepalived.edit import Span
from kacheck.migrate import files
from kacheck.migrate.checks import joined, meaning
from kacheck.migrate.files import BOM
from kacheck.migrate.plan import configuration_text
from kacheck.migrate.transaction import Change
from kacheck.result import BadConfigError


class PlannedFiles(NamedTuple):
    """What is to be written, in this order, and what is left alone."""

    changes: list[Change]
    left: list[str]
    table: str
    """Of the check that is wanted."""
    recipe: Change
    """The file that the include names; its old content counts where it is left alone."""


class NodePaths(NamedTuple):
    """Where keepalived.conf and kacheck.toml are."""

    keepalived: str
    checks: str


def plan(
    paths: NodePaths,
    configuration: Configuration | None,
    existing: ExistingInstance | None,
    values: NodeValues,
    texts: ShippedTexts,
) -> PlannedFiles:
    """Plan what is written: kacheck.toml first, and keepalived.conf last.

    Raises:
        KacheckError: a file cannot be read; BadConfigError: a value cannot be written.

    """
    left: list[str] = []
    table = check_table(values, texts)
    change = planned_checks(paths.checks, table, checks_text(values, texts), left)
    recipe = planned_recipe(paths.keepalived, values, texts, left)
    is_asked = not left
    changes = [change] if change else []
    if recipe.old is None and (configuration is None or is_needed(configuration, values, texts)):
        changes.append(recipe)
    tracking = planned_keepalived(paths.keepalived, configuration, existing, values, texts, left)
    if is_asked:
        changes += tracking
    elif tracking:
        left.append(
            f"{paths.keepalived} is left alone: {values.instance} would not follow this check;"
            f" first change what is left alone above, then add\n{by_hand(values, texts)}"
        )
    return PlannedFiles(changes, left, table, recipe)


def is_needed(configuration: Configuration, values: NodeValues, texts: ShippedTexts) -> bool:
    """Return whether what the recipe defines is missing."""
    try:
        return refuse_half(configuration, values, texts)
    except LeftAloneError:
        return True


def planned_checks(path: str, table: str, whole: str, left: list[str]) -> Change | None:
    """Return the change of kacheck.toml, if it has one."""
    (planned,) = config.parse(table, path).checks
    old = configuration_text(path)
    if old is None:
        return Change(path, None, whole.encode())
    known = {}
    if old.strip():
        known = {each.name: each for each in config.parse(old.removeprefix(BOM), path).checks}
    if planned.name in known:
        if meaning(known[planned.name]) != meaning(planned):
            left.append(f"{path} is left alone: its check {planned.name} differs from\n{table}")
        return None
    text = joined(old, [table])
    try:
        config.parse(text.removeprefix(BOM), path)
    except BadConfigError:  # both parts alone are good
        left.append(f"{path} is left alone: no table can be appended to it; add\n{table}")
        return None
    last, end = old.count("\n"), text.count("\n")
    return Change(path, old.encode(), text.encode(), [Span(last, last + 1, last, end + 1)])


def planned_recipe(conf: str, values: NodeValues, texts: ShippedTexts, left: list[str]) -> Change:
    """Return the file that defines what is tracked; one that is there stays."""
    path = os.path.join(os.path.dirname(os.path.abspath(conf)), values.recipe)
    new = recipe_text(values, texts).encode()
    old = files.content(path)
    if old not in (None, new):
        left.append(f"{path} is left alone: it differs from the recipe of this kacheck")
    return Change(path, old, new)


def planned_keepalived(  # noqa: PLR0913, PLR0917 - the plan's own
    path: str,
    configuration: Configuration | None,
    existing: ExistingInstance | None,
    values: NodeValues,
    texts: ShippedTexts,
    left: list[str],
) -> list[Change]:
    """Return the changes of keepalived's own files."""
    if configuration is None:
        return [Change(path, None, keepalived_text(values, texts).encode())]
    try:
        edit(configuration, existing, values, texts)
    except LeftAloneError as error:
        left.append(f"{path} is left alone: {error}; add\n{by_hand(values, texts)}")
        return []
    changes = []
    for name, new in configuration.changed().items():
        tree = configuration.files[name]
        old = tree.source.text.encode("utf-8", "surrogateescape")
        if old != new:
            changes.append(Change(name, old, new, tree.spans()))
    return sorted(changes, key=lambda change: change.path == path)
