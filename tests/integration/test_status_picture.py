"""docs/status.svg is what `kacheck status --follow` shows, drawn by a script of the project."""

import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from helpers.paths import ROOT
from kacheck.status_follow import LEAVING
from kacheck.status_table import HEADS

pytestmark = pytest.mark.slow


def shown(path: Path) -> str:
    """Return the text of a picture, without what is not the terminal's."""
    ET.parse(path)
    text = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text()))
    return re.sub(r"\s+", " ", unescape(text))


def test_the_picture_is_what_the_script_draws(tmp_path: Path) -> None:
    pytest.importorskip("rich")
    target = tmp_path / "status.svg"
    argv = [sys.executable, str(ROOT / "script/status_picture.py"), str(target)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert words(target) == words(ROOT / "docs/status.svg")
    for word in (*HEADS, LEAVING, "sealed", "vault operator unseal", "ok running"):
        assert word in shown(target)


def words(path: Path) -> list[str]:
    """Return what does not depend on the time: the words without a digit."""
    return [word for word in shown(path).split() if not re.search(r"\d", word)]


def test_the_picture_asks_for_nothing_from_elsewhere() -> None:
    text = (ROOT / "docs/status.svg").read_text()
    assert not re.search(r"url\((?!#)|href=|@import|@font-face", text)
