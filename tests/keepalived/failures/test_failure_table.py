"""The table of docs/failures.md has the rows that the tests try, in their order."""

import importlib
import re

import pytest

from helpers.paths import ROOT

pytestmark = pytest.mark.keepalived

MODULES = ("test_failures_of_vault", "test_failures_of_the_watcher", "test_failures_around_it")
"""Beside this one, so that pytest has made them importable."""


def test_the_table_of_failures_has_these_rows() -> None:
    tests = [test for name in MODULES for test in vars(importlib.import_module(name)).values()]
    wanted = [" | ".join(test.row) for test in tests if hasattr(test, "row")]
    text = (ROOT / "docs/failures.md").read_text()
    table = text.partition("## With the watcher")[2]
    rows = re.findall(r"^\| (.+) \|$", table, re.MULTILINE)
    assert rows[1 : 1 + len(wanted)] == wanted, "\n" + "\n".join(f"| {row} |" for row in wanted)
    assert not table.partition(f"| {wanted[-1]} |\n")[2].startswith("|")
