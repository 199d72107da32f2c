"""Every sample configuration, migrated, and the command's exit codes."""

import difflib
import re
from pathlib import Path
from random import Random

import pytest

from helpers.migrated import MODES, Migrated, block, tracking
from helpers.paths import CONFIGURATIONS
from kacheck import config
from kacheck.cli import main
from kacheck.keepalived import parse
from kacheck.migrate.equivalents import Mode
from kacheck.result import BadConfigError

pytestmark = pytest.mark.usefixtures("_without_keepalived")

SAMPLES = sorted((CONFIGURATIONS / "migrate").glob("*.conf"))


# --- all configurations ------------------------------------------------------------------------


TOUCHED = ("vrrp_track_process", "track_process")
MADE = ("vrrp_script", "vrrp_track_file", "track_file", "track_script")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
class TestEveryConfiguration:
    def test_migrating_twice_changes_nothing(self, tmp_path: Path, path: Path, mode: Mode) -> None:
        once = Migrated(path, mode, tmp_path / "kacheck.toml")
        second = tmp_path / "keepalived.conf"
        second.write_text(once.text, newline="")
        twice = Migrated(second, mode, tmp_path / "kacheck.toml")

        assert twice.text == once.text
        assert twice.toml == ""

    def test_comments_survive(self, tmp_path: Path, path: Path, mode: Mode) -> None:
        done = Migrated(path, mode, tmp_path / "kacheck.toml")
        for comment in re.findall(r"(?:^|\s)([#!] ?[a-zA-Z].*)", path.read_text()):
            assert comment.strip() in done.text

    def test_only_tracking_is_touched(self, tmp_path: Path, path: Path, mode: Mode) -> None:
        done = Migrated(path, mode, tmp_path / "kacheck.toml")
        old, new = (
            text.splitlines(keepends=True) for text in (path.read_bytes().decode(), done.text)
        )
        may_go = lines_of(path.read_bytes().decode(), (*TOUCHED, *MADE))
        may_come = lines_of(done.text, MADE) | lines_of(done.text, ("global_defs",))
        for tag, a, b, c, d in difflib.SequenceMatcher(
            None, old, new, autojunk=False
        ).get_opcodes():
            if tag != "equal":
                assert set(range(a, b)) <= may_go, old[a:b]
                assert {
                    line for line in range(c, d) if new[line].strip() not in ("", "}")
                } <= may_come, new[c:d]

    def test_the_checks_are_a_configuration(self, tmp_path: Path, path: Path, mode: Mode) -> None:
        done = Migrated(path, mode, tmp_path / "kacheck.toml")
        names = {made.check for made in done.rewrite.migrated.values()} - {None}
        checks = config.parse(done.toml, "kacheck.toml").checks if done.toml else ()

        assert {check.name for check in checks} == names
        assert bool(names) == (mode == "watch" and bool(done.rewrite.migrated))

    def test_line_ends_are_the_files(self, tmp_path: Path, path: Path, mode: Mode) -> None:
        done = Migrated(path, mode, tmp_path / "kacheck.toml")
        ends = {b"\r\n"} if b"\r\n" in path.read_bytes() else {b"\n"}
        assert set(re.findall(rb"\r?\n", done.text.encode())) == ends


def lines_of(text: str, keywords: tuple[str, ...]) -> set[int]:
    """Return the lines that statements with these keywords stand on."""
    found: set[int] = set()
    for node in parse(text).root.walk():
        if node.keyword in keywords:
            first, last = (text.count("\n", 0, offset) for offset in (node.start, node.end))
            found |= set(range(first, last + 1))
    return found


def mutilated(text: str, random: Random) -> str:
    """Return the configuration after a careless editor."""
    lines = text.split("\n")
    for _ in range(random.randrange(1, 5)):
        place = random.randrange(len(lines))
        line = lines[place]
        lines[place : place + 1] = random.choice(
            [[], [line, line], [line + " # c"], ["@node1 " + line], ["@node2 " + line], [line + "\\"],
             [line.replace("{", "\n{ ", 1)], [line.replace("}", "} }", 1)],
             [line + " " + "".join(lines[place + 1 : place + 2])]]
        )  # fmt: skip
        lines = lines or [""]
    return "\n".join(lines)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.no_cover
def test_whatever_is_in_the_file_it_is_refused_or_migrated_once(tmp_path: Path, mode: Mode) -> None:
    random = Random(20)
    path = tmp_path / "keepalived.conf"
    for _ in range(10):
        for original in SAMPLES:
            text = mutilated(original.read_bytes().decode(), random)
            try:
                path.write_text(text, newline="")
                once = Migrated(path, mode, tmp_path / "kacheck.toml").text
                path.write_text(once, newline="")
                assert Migrated(path, mode, tmp_path / "kacheck.toml").text == once
            except BadConfigError:
                continue


# --- the command -------------------------------------------------------------------------------


def test_a_diff_is_printed_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(block("process app") + tracking("app"))
    before = path.read_bytes()
    code = main(["migrate", str(path), "--config", str(tmp_path / "kacheck.toml")])
    said = capsys.readouterr()

    assert code == 0
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert said.out.startswith(f"--- {path}\n+++ {path}\n@@ ")
    assert (
        f"\n--- /dev/null\n+++ {tmp_path}/kacheck.toml\n@@ -0,0 +1,6 @@\n+[check.app]\n" in said.out
    )
    assert "FAULT takes milliseconds" in said.err


def test_nothing_to_migrate_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text('this is { no configuration " at all\n')

    assert main(["migrate", str(path)]) == 0
    assert capsys.readouterr() == ("", "kacheck: nothing to migrate\n")


def test_what_is_left_alone_is_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(block("process app", "weight 254") + tracking("app"))

    assert main(["migrate", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"kacheck: {path}:1: app is left alone: weight 254 has no equivalent")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("vrrp_script x {\n", "no } for vrrp_script"),
        ('global_defs {\n    router_id "x\n}\n', "no closing quote"),
        ("include keepalived.conf\n", "includes itself"),
    ],
)
def test_a_configuration_that_cannot_be_read_for_certain_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(block("process app") + tracking("app") + text)

    assert main(["migrate", str(path)]) == 3
    assert why in capsys.readouterr().err


def test_a_missing_file_exits_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", str(tmp_path / "none.conf")]) == 3
    assert "No such file" in capsys.readouterr().err
