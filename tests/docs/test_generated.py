"""What script/generate-docs makes, and whether what is checked in is up to date."""

import pathlib
import shutil
import subprocess
import sys

import pytest

from helpers.paths import ROOT

STALE = "run script/generate-docs: a declaration has changed since"


@pytest.fixture
def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of what the generator reads and writes."""
    for name in ("docs", "man", "script", "src"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    return tmp_path


def generate(checkout: pathlib.Path, *words: str) -> int:
    """Run the generator; return its exit code."""
    program = [sys.executable, "-I", str(checkout / "script/generate-docs"), *words]
    return subprocess.run(program, check=False, capture_output=True).returncode


def texts(directory: pathlib.Path) -> dict[str, str]:
    names = [path for part in ("docs", "man") for path in (directory / part).rglob("*.*")]
    return {str(path.relative_to(directory)): path.read_text() for path in names}


def test_what_is_checked_in_is_up_to_date(checkout: pathlib.Path) -> None:
    assert generate(checkout) == 0
    assert texts(checkout) == texts(ROOT), STALE


def test_a_changed_declaration_changes_the_pages(checkout: pathlib.Path) -> None:
    module = checkout / "src/kacheck/probes/process/__init__.py"
    module.write_text(module.read_text().replace("require at least", "want at least"))
    assert generate(checkout) == 0
    changed = {name for name, text in texts(checkout).items() if text != texts(ROOT)[name]}
    assert changed == {
        *("docs/commands.md", "docs/configuration.md"),
        *("man/kacheck.1", "man/kacheck.toml.5"),
    }


@pytest.mark.parametrize("words", [["--help"], ["a", "b"]])
def test_bad_usage_writes_nothing(checkout: pathlib.Path, words: list[str]) -> None:
    before = texts(checkout)
    assert generate(checkout, *words) == 3
    assert texts(checkout) == before
