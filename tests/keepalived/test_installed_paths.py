"""Which places of the entry points keepalived accepts: `keepalived -t`, and what the doctor says."""

import os
import shutil
import sysconfig
from pathlib import Path

import pytest

from helpers.keepalived import Node
from kacheck.doctor.context import Context
from kacheck.doctor.kacheck.entry_point_paths import ENTRY_POINT
from kacheck.doctor.kacheck.installation import Installation
from kacheck.doctor.machine import entry_points
from kacheck.doctor.machine.system import Machine
from kacheck.keepalived import load

pytestmark = pytest.mark.keepalived

CONFIGURATION = """
global_defs {
    enable_script_security
    script_user root
}
vrrp_script check {
    script "%s/kacheck-process vault"
    interval 2
    timeout 1
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        192.0.2.100/24
    }
    track_script {
        check
    }
}
"""
SOMEONE = 1000


@pytest.fixture
def programs(node: Node) -> Path:
    """opt/kacheck/bin with the entry points, as pip has put them there, but root's."""
    programs = node.dir / "opt/kacheck/bin"
    for directory in reversed((programs, *programs.parents[:2])):
        directory.mkdir()
        directory.chmod(0o755)
    for path in Path(sysconfig.get_path("scripts")).glob("kacheck-*"):
        shutil.copyfile(path, programs / path.name)
        (programs / path.name).chmod(0o755)
    assert (programs / ENTRY_POINT).exists()
    return programs


def checked(node: Node, programs: Path) -> str:
    """Return what `keepalived -t` says of the entry point there."""
    conf = node.write("checked.conf", CONFIGURATION % programs)
    shown = node.run(["keepalived", "-t", "-l", "-f", conf], check=False)
    assert (shown.returncode == 0) is (shown.stdout + shown.stderr == "")
    return shown.stdout + shown.stderr


@pytest.mark.parametrize(
    ("path", "mode", "uid", "gid", "is_refused"),
    [
        pytest.param("", 0o755, 0, 0, False, id="root's"),
        pytest.param("..", 0o775, 0, 0, False, id="group root may write"),
        pytest.param("..", 0o1777, 0, 0, False, id="sticky, as /tmp"),
        pytest.param("../..", 0o755, SOMEONE, SOMEONE, True, id="below someone's directory"),
        pytest.param("", 0o755, SOMEONE, SOMEONE, True, id="in someone's directory"),
        pytest.param("", 0o2775, 0, SOMEONE, True, id="a group may write"),
        pytest.param("..", 0o777, 0, 0, True, id="everyone may write"),
        pytest.param("kacheck-process", 0o755, SOMEONE, 0, True, id="someone's file"),
        pytest.param("kacheck-process", 0o775, 0, SOMEONE, True, id="a group's file"),
    ],
)
def test_the_doctor_refuses_what_keepalived_refuses(  # noqa: PLR0913, PLR0917 - a table
    node: Node,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    mode: int,
    uid: int,
    gid: int,
    is_refused: bool,
) -> None:
    changed = programs / path
    os.chown(changed, uid, gid)
    os.chmod(changed, mode)
    monkeypatch.setattr(entry_points, "entry_points", lambda: str(programs))
    kacheck = Installation("/no/kacheck.toml", "/no")
    context = Context("/no/conf", load("/no/conf"), Machine(), None, None, kacheck)
    whats = [finding.what for finding in entry_points.refused_entry_points(context)]
    assert ("due to insecure" in checked(node, programs)) is is_refused
    component = os.path.realpath(changed)
    assert [f": {component} (" in what for what in whats] == [True] * is_refused


def test_entry_points_linked_by_pipx_uv_and_the_readme_are_accepted(
    node: Node, programs: Path
) -> None:
    links = node.dir / "libexec"
    links.mkdir()
    links.chmod(0o755)
    for program in programs.iterdir():
        (links / program.name).symlink_to(program)
    assert checked(node, links) == ""
    os.chown(programs.parent, SOMEONE, SOMEONE)
    assert "due to insecure" in checked(node, links)
