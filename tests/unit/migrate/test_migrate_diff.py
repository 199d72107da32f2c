"""The diff of known edits is difflib's, and is a diff whatever the edits are."""

import difflib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.paths import CONFIGURATIONS
from kacheck.keepalived import EditError, Node, Tree, parse
from kacheck.migrate.command import lines_of
from kacheck.migrate.diff import unified
from kacheck.migrate.equivalents import Mode, Paths
from kacheck.migrate.plan import MigrationOrder, changes_of, read, rewritten

SAMPLES = sorted((CONFIGURATIONS / "migrate").glob("*.conf"))
PLACE = re.compile(r"@@ -(\d+)(,0)?")


@pytest.mark.parametrize("mode", ["watch", "script"])
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_migration_is_shown_as_difflib_shows_it(tmp_path: Path, path: Path, mode: Mode) -> None:
    order = MigrationOrder(str(path), mode, Paths(config=str(tmp_path / "kacheck.toml")))
    configuration = read(order.conf)
    changes = changes_of(configuration, rewritten(configuration, order, None).checks)

    for change in changes:
        old, new = (lines_of((data or b"").decode()) for data in (change.old, change.new))
        shown = list(unified(old, new, "old", "new", change.spans))
        assert shown == list(difflib.unified_diff(old, new, "old", "new"))


LINES = st.lists(
    st.sampled_from(["a\n", "b {\n", " c d\n", "}\n", "# x\n", "\n", " e { f }\n", "g h # i\n"]),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(LINES, st.sampled_from(["", "z", "z {"]), st.data())
def test_the_diff_of_any_edits_makes_the_new_text(
    lines: list[str], last: str, data: st.DataObject
) -> None:
    tree = parse("".join(lines) + last)
    for node in data.draw(st.lists(st.sampled_from([tree.root, *tree.root.walk()]), max_size=6)):
        edit(tree, node, data.draw(st.sampled_from(["a\n", "b {\n}\n", "c\na\n}"])), data)
    old, new = lines_of(tree.source.text), lines_of(tree.text())

    assert patched(old, list(unified(old, new, "old", "new", tree.spans()))) == new


def test_a_change_of_thousands_of_lines_is_not_compared_in_detail() -> None:
    tree = parse("a {\n" + " b\n c\n" * 3000 + "}\n")
    tree.replace(tree.find("a")[0], "a {\n" + "b\nd\n" * 3000 + "}\n")
    old, new = lines_of(tree.source.text), lines_of(tree.text())

    assert patched(old, list(unified(old, new, "old", "new", tree.spans()))) == new


def edit(tree: Tree, node: Node, text: str, data: st.DataObject) -> None:
    """Make some edit, if it is possible there."""
    kinds = ["append"] if node is tree.root else ["append", "remove", "replace", "before", "after"]
    kind = data.draw(st.sampled_from(kinds))
    try:
        if kind == "append" and node.children is not None:
            tree.append(node, text)
        elif kind == "remove":
            tree.remove(node, comment=True)
        elif kind == "replace":
            tree.replace(node, text)
        elif kind == "before":
            tree.insert_before(node, text)
        elif kind == "after":
            tree.insert_after(node, text)
    except EditError:
        pass


def patched(old: list[str], diff: list[str]) -> list[str]:
    """Return what patch(1) makes of the old lines."""
    new: list[str] = []
    position = 0
    for line in diff[2:]:
        if place := PLACE.match(line):
            start = int(place[1]) - (place[2] is None)
            new += old[position:start]
            position = start
        elif line[0] == "+":
            new.append(line[1:])
        else:
            assert old[position] == line[1:]
            new += [line[1:]] if line[0] == " " else []
            position += 1
    return new + old[position:]
