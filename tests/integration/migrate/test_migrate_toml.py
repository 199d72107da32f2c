"""`kacheck migrate` and the kacheck.toml that is already there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.migrate_command import CommandOutput, snapshot


def test_checks_are_appended_to_what_is_there(
    tmp_path: Path, migrate: Callable[..., CommandOutput]
) -> None:
    toml = tmp_path / "kacheck.toml"
    there = '# mine\n[check.x]   # x\nprobe = "process"\nname = "x"'
    toml.write_text(there)
    assert migrate("--in-place").code == 0

    assert toml.read_text().startswith(there + "\n\n[check.app]\n")
    assert (tmp_path / "kacheck.toml.kacheck-backup").read_text() == there


def test_a_check_of_the_same_meaning_is_reused(
    tmp_path: Path, migrate: Callable[..., CommandOutput]
) -> None:
    toml = tmp_path / "kacheck.toml"
    there = (
        '[check.app]\ninterval = 2\nprobe = "process"\nname = "app"\nrise = 1\nfall = 1\n'
        "all_namespaces = true\n"
    )
    toml.write_text(there)
    assert migrate("--in-place").code == 0
    assert toml.read_text() == there


def test_a_check_of_another_meaning_leaves_the_block_alone(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    (tmp_path / "kacheck.toml").write_text('[check.app]\nprobe = "process"\nname = "other"\n')
    before = snapshot(tmp_path)
    said = migrate("--in-place")

    assert said.code == 1
    assert f"{conf}:1: app is left alone: {tmp_path}/kacheck.toml has a check app" in said.err
    assert snapshot(tmp_path) == before
    assert migrate("--mode", "script").code == 0


@pytest.mark.parametrize("text", ["[check", '[check.x]\nprobe = "nothing"\n', "check = {}\n"])
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, migrate: Callable[..., CommandOutput], text: str
) -> None:
    (tmp_path / "kacheck.toml").write_text(text)
    before = snapshot(tmp_path)

    assert migrate("--in-place").code == 3
    assert snapshot(tmp_path) == before


def test_a_byte_order_mark_stays(tmp_path: Path, migrate: Callable[..., CommandOutput]) -> None:
    toml = tmp_path / "kacheck.toml"
    there = '\ufeff[check.x]\nprobe = "process"\nname = "x"\n'
    toml.write_text(there)
    said = migrate("--in-place")

    assert said.code == 0, said.err
    assert toml.read_text().startswith(f"{there}\n[check.app]\n")
    assert migrate("--in-place") == (0, "", "kacheck: nothing to migrate\n")


def test_a_file_with_the_line_ends_of_windows_keeps_them(
    tmp_path: Path, migrate: Callable[..., CommandOutput]
) -> None:
    toml = tmp_path / "kacheck.toml"
    toml.write_bytes(b'[check.x]\r\nprobe = "process"\r\nname = "x"')
    assert migrate("--in-place").code == 0

    text = toml.read_bytes()
    assert b'name = "x"\r\n\r\n[check.app]\r\n' in text
    assert text.count(b"\r\n") == text.count(b"\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"# 1\n# caf\xe9\n", ":2: byte 0xe9 is not UTF-8; save it as UTF-8\n"),
        (
            b'check = { x = { probe = "process", name = "x" } }\n',
            (
                ": check is an inline table, and no table can be appended to one;"
                " write each check below a separate header, [check.NAME]\n"
            ),
        ),
    ],
)
def test_a_file_that_cannot_take_another_table_is_refused_clearly(
    tmp_path: Path, migrate: Callable[..., CommandOutput], content: bytes, words: str
) -> None:
    toml = tmp_path / "kacheck.toml"
    toml.write_bytes(content)
    said = migrate("--in-place")

    assert said == (3, "", f"kacheck: {toml}{words}")
    assert toml.read_bytes() == content


def test_two_blocks_that_would_be_one_check_are_both_named(
    conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    conf.write_text(
        "vrrp_track_process a:b {\n    process x\n}\nvrrp_track_process a_b {\n    process y\n}\n"
    )
    said = migrate()

    assert said.code == 1
    assert (
        f"{conf}:4: a_b is left alone: its check would be a_b, as a:b's is, which asks something"
        " else; rename one of the two blocks\n" in said.err
    )


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "is not a regular file; give the path of one"),
        (os.mkdir, "is a directory; give the path of a file"),
    ],
)
def test_only_a_file_can_be_a_configuration(
    tmp_path: Path, migrate: Callable[..., CommandOutput], make: Callable[[Path], None], words: str
) -> None:
    make(tmp_path / "kacheck.toml")
    said = migrate("--in-place")

    assert said.code == 3
    assert f"{tmp_path}/kacheck.toml {words}" in said.err
