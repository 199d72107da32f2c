"""The watcher's user: from the unit, and what that user can read."""

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kacheck.service_user import ServiceUser, cure, service_user, unreadable

NOBODY = ServiceUser("nobody", 65534, 65534, (), "kacheck.service")


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody can read, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def unit(root: Path, base: str, name: str, text: str) -> None:
    path = root / base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_unit_and_its_drop_ins_give_the_user(tmp_path: Path) -> None:
    unit(tmp_path, "usr/lib/systemd/system", "kacheck.service", "[Service]\nUser=kacheck-no\n")
    drop_in = "[Service]\nUser=daemon\nSupplementaryGroups=adm\n"
    unit(tmp_path, "etc/systemd/system", "kacheck.service.d/x.conf", drop_in)
    found = service_user(str(tmp_path))
    assert found is not None
    assert (found.name, found.groups) == ("daemon", (4,))


def test_without_a_unit_the_track_files_give_the_user(tmp_path: Path) -> None:
    assert service_user(str(tmp_path)) is None
    (tmp_path / "run/kacheck/track").mkdir(parents=True)
    found = service_user(str(tmp_path))
    assert found is not None
    assert found.name == pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize(
    ("directory", "file", "at"), [(0o755, 0o644, None), (0o755, 0o640, "file"), (0o750, 0o644, "d")]
)
def test_the_component_that_stops_a_user_is_found(
    public: Path, directory: int, file: int, at: str | None
) -> None:
    path = public / "d" / "ca.pem"
    path.parent.mkdir()
    path.write_text("")
    path.chmod(file)
    path.parent.chmod(directory)
    wanted = {None: None, "file": str(path), "d": str(path.parent)}[at]
    assert unreadable(str(path), NOBODY) == wanted


def test_the_cure_is_a_group_that_can_read_or_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "my ca.pem"
    path.write_text("")
    assert cure(str(path), str(path)).startswith("install -D -m 644 '")
