"""`kacheck migrate` reads a configuration as the keepalived that is installed does."""

import re
from pathlib import Path

import pytest

from helpers.release import install
from kacheck.keepalived import Version, parse
from kacheck.migrate import command, verify
from kacheck.migrate.command import MigrationAnswer, migrate
from kacheck.migrate.equivalents import Paths
from kacheck.migrate.plan import MigrationOrder

SECURE = "global_defs {\n    enable_script_security\n}\n"
BLOCK = "vrrp_track_process app {{\n    {}\n}}\n"
TRACKING = "vrrp_instance VI_1 {\n    track_process {\n        app\n    }\n}\n"
COMMENT = BLOCK.format("process nginx  # see C:\\") + TRACKING
MOVED = (
    "vrrp_instance VI_1 {\n    track_script {\n    }\n"
    "    track_process {\n        app } # one \\\n}\n"
    "vrrp_track_process app {\n    process nginx\n} # two \\\n"
)


@pytest.fixture(autouse=True)
def _without_keepalived() -> None:
    """Each test installs a release, in place of what the other tests of migrate have: none."""


def ask(directory: Path, text: str) -> tuple[MigrationAnswer, str]:
    """Return what migrate answers, and the new keepalived.conf and kacheck.toml."""
    conf = directory / "keepalived.conf"
    conf.write_text(SECURE + text)
    answer = migrate(MigrationOrder(str(conf), paths=Paths(f"{directory}/kacheck.toml")))
    return answer, "\n".join(re.findall(r"(?m)^[+ ](?!\+\+ )(.*)", answer.text))


@pytest.mark.parametrize("release", ["2.4.0", "2.4.3"])
def test_since_2_4_0_a_names_comment_may_end_in_a_backslash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    install(monkeypatch, tmp_path, release)
    answer, new = ask(tmp_path, COMMENT)

    assert answer.code == 0
    assert 'name = "nginx"\n' in new


@pytest.mark.parametrize("release", ["2.0.20", "2.2.7", "2.3.4"])
def test_before_2_4_0_a_name_keepalived_never_finds_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    install(monkeypatch, tmp_path, release)
    answer, _ = ask(tmp_path, COMMENT)

    assert (answer.text, answer.code) == ("", 1)
    assert "app is left alone: a comment in it ends in \\" in answer.remarks[0]


@pytest.mark.parametrize("release", ["2.2.7", "2.4.0"])
def test_a_comment_that_moves_is_a_statement_to_no_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    install(monkeypatch, tmp_path, release)
    _, new = ask(tmp_path, MOVED)

    assert "# two \\ \n" in new
    for reader in (Version(2, 2, 7), Version(2, 4, 0)):
        tree = parse(new, release=reader)
        (tracking,) = tree.find("vrrp_instance", "track_script")
        (script,) = tree.find("vrrp_script")
        assert [node.keyword for node in tracking.children or ()] == ["app"]
        assert "\\" not in [node.keyword for node in script.children or ()]


def test_a_process_from_the_environment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path, "2.4.0")
    answer, _ = ask(tmp_path, BLOCK.format("process ${_ENV SERVICE}") + TRACKING)

    assert (answer.text, answer.code) == ("", 1)
    assert "app is left alone" in answer.remarks[0]


def test_without_keepalived_the_assumed_release_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "program", lambda: None)
    answer, _ = ask(tmp_path, BLOCK.format("process nginx") + TRACKING)

    assert f"note: {command.NO_RELEASE}" in answer.remarks
    assert "2.2.7" in command.NO_RELEASE
