"""Where a comment above the first statement of a file goes, when something is written there."""

import re
from pathlib import Path

import pytest

from kacheck.cli import main
from kacheck.migrate import verify

BLOCK = "vrrp_track_process app {\n    process app\n}\n"
INSTANCE = (
    "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 5\n    priority 100\n%s"
    "    track_process {\n        app\n    }\n}\n"
)
GROUP = "vrrp_sync_group G {\n    group {\n        VI_1\n    }\n%s}\n"


def migrated(directory: Path, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit code and the new keepalived.conf."""
    path = directory / "keepalived.conf"
    path.write_text(text)
    code = main(["migrate", str(path), "--in-place", "--config", str(directory / "kacheck.toml")])
    capsys.readouterr()
    return code, path.read_text()


@pytest.fixture(autouse=True)
def without_keepalived(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry points are not installed, of which keepalived -t would complain."""
    monkeypatch.setattr(verify, "program", lambda: None)


@pytest.fixture
def included(tmp_path: Path) -> Path:
    (tmp_path / "vip.conf").write_text(BLOCK + INSTANCE % "")
    return tmp_path


def test_a_comment_of_the_first_statement_stays_above_it(
    included: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "# node a, managed by hand\n\n# all that has a VIP\ninclude vip.conf\n"
    _, new = migrated(included, text, capsys)
    assert new.startswith("# node a, managed by hand\n\nglobal_defs {")
    assert new.endswith("}\n\n# all that has a VIP\ninclude vip.conf\n")


def test_an_instances_comment_stays_above_it_when_its_check_moves_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = "# the VIP\n" + INSTANCE.partition("\n")[0]
    text = "global_defs {\n    enable_script_security\n}\ninclude vip.conf\n" + BLOCK
    (tmp_path / "vip.conf").write_text("# head\n\n# the VIP\n" + INSTANCE % "")
    migrated(tmp_path, text, capsys)
    assert own in (tmp_path / "vip.conf").read_text()


@pytest.mark.parametrize("text", ["# head\ninclude vip.conf\n", "# a\n# b\n\ninclude vip.conf\n"])
def test_the_only_comment_is_the_files(
    included: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    _, new = migrated(included, text, capsys)
    assert new.startswith(text.partition("include")[0])


@pytest.mark.parametrize("word", ["sync_group_tracking_weight", "global_tracking"])
def test_a_weight_counts_in_a_group_that_allows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    text = BLOCK.replace("}", "    weight 3\n}") + GROUP + INSTANCE % ""
    assert migrated(tmp_path, text % f"    {word}\n", capsys)[0] == 0
    assert migrated(tmp_path, text % "", capsys)[0] == 1


def test_a_comment_is_never_lost(included: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "! 1\n\n# 2\n# 3\n\n# 4\ninclude vip.conf\n# 5\n"
    _, new = migrated(included, text, capsys)
    assert re.findall(r"[#!] (\d)", new) == ["1", "2", "3", "4", "5"]
