"""The end of an include's line, which keepalived's parent reads and its children do not."""

from pathlib import Path

import pytest

from kacheck.keepalived import load
from kacheck.keepalived.version import Version

RELEASES = [Version(2, 0, 20), Version(2, 1, 5), Version(2, 2, 7), Version(2, 4, 3)]


def included(tmp_path: Path, line: bytes, release: Version) -> bool:
    """Return whether the release reads the file that the line names."""
    (tmp_path / "other").write_text("vrrp_instance VI_1 {\n}\n")
    conf = tmp_path / "keepalived.conf"
    conf.write_bytes(line + b"\nglobal_defs {\n}\n")
    return bool(load(str(conf), release=release).find("vrrp_instance"))


@pytest.mark.parametrize("release", RELEASES, ids=str)
@pytest.mark.parametrize("line", [b"include other\r", b"include other # x", b"include other"])
def test_what_ends_the_line_is_not_of_the_name(
    tmp_path: Path, line: bytes, release: Version
) -> None:
    assert included(tmp_path, line, release)


@pytest.mark.parametrize("release", RELEASES, ids=str)
@pytest.mark.parametrize("line", [b"include other\r# x", b"include other \r ! x"])
def test_a_carriage_return_before_a_comment_is_of_the_name(
    tmp_path: Path, line: bytes, release: Version
) -> None:
    """decomment() leaves it, and only words are parted by it, which an include has before 2.1.4."""
    assert included(tmp_path, line, release) is (release < (2, 1, 4))
