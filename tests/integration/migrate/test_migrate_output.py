"""`kacheck migrate -o`: which files may be the output."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.migrate_command import BLOCK, INSTANCE, CommandOutput, snapshot
from helpers.needs import needs


def test_the_result_goes_to_another_file(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    new = tmp_path / "new.conf"
    said = migrate("-o", str(new))

    assert said.code == 0
    assert conf.read_text() == BLOCK + INSTANCE
    assert "vrrp_script app {" in new.read_text()
    assert (tmp_path / "kacheck.toml").exists()
    assert f"wrote {new}\n" in said.out


def test_more_than_one_file_does_not_fit_into_another_one(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    (tmp_path / "app.conf").write_text(BLOCK)
    conf.write_text("include app.conf\n" + INSTANCE)
    before = snapshot(tmp_path)
    said = migrate("-o", str(tmp_path / "new.conf"))

    assert said.code == 3
    assert "app.conf would change, too" in said.err
    assert "use --in-place" in said.err
    assert snapshot(tmp_path) == before


def test_the_input_file_cannot_be_the_output_of_o(
    conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    said = migrate("-o", str(conf))
    assert said.code == 3
    assert "use --in-place" in said.err


def test_both_ways_of_writing_are_bad_usage(
    conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    assert migrate("-o", "x", "--in-place").code == 3
    assert conf.read_text() == BLOCK + INSTANCE


def node_of(path: Path) -> None:
    """Make /dev/null under another name."""
    needs(root=True)
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("is_link", [False, True])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (node_of, "is not a regular file; give the path of one"),
        (os.mkfifo, "is not a regular file; give the path of one"),
        (os.mkdir, "is a directory; give the path of a file"),
    ],
)
def test_only_a_regular_file_is_replaced(  # noqa: PLR0913, PLR0917 - fixtures
    tmp_path: Path,
    conf: Path,
    migrate: Callable[..., CommandOutput],
    make: Callable[[Path], None],
    words: str,
    is_link: bool,
) -> None:
    place = tmp_path / "place"
    make(place)
    if is_link:
        place = tmp_path / "link"
        place.symlink_to("place")
    names = {path.name for path in tmp_path.iterdir()}
    mode = place.stat().st_mode
    said = migrate("-o", str(place))

    assert said == (3, "", said.err)
    assert f"{place} {words}" in said.err
    assert {path.name for path in tmp_path.iterdir()} == names
    assert place.stat().st_mode == mode
    assert conf.read_text() == BLOCK + INSTANCE


def test_a_hyphen_names_no_file(
    tmp_path: Path, migrate: Callable[..., CommandOutput], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = migrate("-o", "-")

    assert said.code == 3
    assert "-o -: only the diff goes to standard output, without -o; name a file" in said.err
    assert not Path("-").exists()


@pytest.mark.parametrize("name", ["app.conf", "kacheck.toml"])
def test_a_file_with_another_meaning_cannot_be_the_output(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput], name: str
) -> None:
    (tmp_path / "app.conf").write_text("# nothing\n")
    conf.write_text("include app.conf\n" + BLOCK + INSTANCE)
    (tmp_path / "link").symlink_to(name)
    before = snapshot(tmp_path)
    said = migrate("-o", str(tmp_path / "link"))

    assert said.code == 3
    assert (
        f"-o {tmp_path}/link is {tmp_path}/{name}, which is in use; name another file" in said.err
    )
    assert snapshot(tmp_path) == before


def test_relative_includes_hold_in_their_own_directory_alone(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    (tmp_path / "app.conf").write_text("# nothing\n")
    conf.write_text("# 1\n  include app.conf\n" + BLOCK + INSTANCE)
    (tmp_path / "other").mkdir()
    before = snapshot(tmp_path)
    said = migrate("-o", str(tmp_path / "other/new.conf"))

    assert said.code == 3
    assert "is a directory" in migrate("-o", str(tmp_path / "other")).err
    assert f"{conf}:2: include app.conf is relative; write it into the same directory" in said.err
    assert snapshot(tmp_path) == before
    assert migrate("-o", str(tmp_path / "new.conf")).code == 0


def test_an_empty_include_counts_as_relative(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    (tmp_path / "other").mkdir()
    conf.write_text('include "\n')
    assert "is relative" in migrate("-o", str(tmp_path / "other/new.conf")).err


def test_absolute_includes_hold_everywhere(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    (tmp_path / "app.conf").write_text("# nothing\n")
    conf.write_text(f"include {tmp_path}/app.conf\n" + BLOCK + INSTANCE)
    (tmp_path / "other").mkdir()

    assert migrate("-o", str(tmp_path / "other/new.conf")).code == 0
