"""The README is short, and its examples, its links and the pages of docs/ are what the code does."""

import re
from pathlib import Path

import pytest

from helpers.paths import ROOT
from helpers.reasons import REASON
from kacheck.cli import main
from kacheck.result import Status

DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
COMMANDS = ("process", "vault", "combined", "run", "status", "drain", "doctor", "migrate")


def page(name: str) -> str:
    return (DOCS / name).read_text()


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(README.encode()) <= 8192


def test_every_option_is_documented_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    defined: set[str] = set()
    for command in (*COMMANDS, "watch"):
        main([command, "--help"])
        defined |= set(
            re.findall(r"^ +(?:-\w(?: \w+)?, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)
        )
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page("commands.md"))) == defined


def test_every_reason_is_documented_and_no_other() -> None:
    rows = [row.split("|")[1] for row in page("reasons.md").splitlines() if row.startswith("| `")]
    assert set(re.findall(r"`([a-z-]+)`", "".join(rows))) == set(REASON)


def test_the_exit_codes_in_the_documentation_are_the_statuses() -> None:
    table = page("commands.md").split("## Exit codes")[1].split("## ")[0]
    rows = re.findall(r"^\| (\d) \| (\w+)", table, re.MULTILINE)
    assert rows == [(str(status.value), status.word) for status in Status]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(path: Path) -> None:
    text = path.read_text()
    for name in re.findall(r"`((?:script|tests|bench|examples)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`([\w-]+\.conf)`", text):
        recipes = ROOT / "examples/keepalived.conf.d"
        assert name == "keepalived.conf" or (recipes / name).exists(), name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        if "://" not in link:
            name, _, anchor = link.partition("#")
            target = path.parent / name if name else path
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text()), link


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
