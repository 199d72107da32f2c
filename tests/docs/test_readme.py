"""The README's tables are what the code does."""

import re

import pytest

from helpers.paths import ROOT
from helpers.reasons import REASON
from kacheck.cli import main
from kacheck.result import Status

README = (ROOT / "README.md").read_text()


def test_every_option_is_in_the_readme_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    defined: set[str] = set()
    for command in ("process", "vault", "combined", "run", "status", "drain", "doctor", "migrate"):
        main([command, "--help"])
        defined |= set(
            re.findall(r"^ +(?:-\w(?: \w+)?, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)
        )
    reference = README.split("## The checks")[1].split("## What it costs")[0]
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", reference)) == defined


def test_every_reason_is_in_the_readme_and_no_other() -> None:
    table = README.split("### Reasons")[1].split("\n## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert set(re.findall(r"`([a-z-]+)`", "".join(rows))) == set(REASON)


def test_the_exit_codes_in_the_readme_are_the_statuses() -> None:
    table = README.split("### Exit codes")[1].split("### ")[0]
    rows = re.findall(r"^\| (\d) \| (\w+)", table, re.MULTILINE)
    assert rows == [(str(status.value), status.word) for status in Status]


def test_every_file_that_the_readme_names_is_there() -> None:
    for name in re.findall(r"`((?:script|tests|bench|examples)/[\w./-]+)`", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`([\w-]+\.conf)`", README):
        assert (ROOT / "examples/keepalived.conf.d" / name).exists(), name
