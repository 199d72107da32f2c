"""A file that the user may not read: the user, what refuses, and commands to paste."""

import grp
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping

import pytest

from helpers.child import run_kacheck
from helpers.needs import needs

NOBODY = 65534
AS_SERVICE = {"kacheck.permission.SERVICE_USER": "nobody"}
VAULT = ("vault", "--timeout", "30", "--address", "https://127.0.0.1:1", "--ca-cert")
GROUP = grp.getgrgid(4).gr_name


@pytest.fixture
def closed() -> Iterator[pathlib.Path]:
    """A directory that a group may enter, in one that everybody may."""
    needs("setpriv", root=True)
    with tempfile.TemporaryDirectory(prefix="kperm-") as parent:
        os.chmod(parent, 0o755)
        directory = pathlib.Path(parent) / "vault.d"
        directory.mkdir()
        (directory / "ca.pem").write_text("x")
        (directory / "kacheck.toml").write_text("x")
        os.chown(directory, 0, 4)
        directory.chmod(0o750)
        yield directory


def as_nobody(*words: object, settings: Mapping[str, object] | None = None) -> str:
    """Run kacheck as a user who may read little, and return what it prints."""
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    done = run_kacheck(*words, wrapper=user, settings=settings)
    assert done.returncode == 3, done
    return done.stdout + done.stderr


def test_the_watchers_user_gets_a_drop_in_to_paste(
    closed: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = closed / "ca.pem"
    said = as_nobody(*VAULT, path, settings=AS_SERVICE)
    what, _, cure = said.rstrip("\n").partition("; ")
    assert what.endswith(
        f"the CA file {path} cannot be used: Permission denied: user nobody may not enter {closed} "
        f"(drwxr-x--- root:{GROUP})"
    )
    # It is what a shell makes of it that counts; systemd is not asked here.
    here = cure.replace("/etc/systemd", f"{tmp_path}/etc/systemd")
    here = here.replace("systemctl", ": systemctl")
    subprocess.run(["sh", "-euc", here], check=True)
    drop_in = tmp_path / "etc/systemd/system/kacheck.service.d/groups.conf"
    assert drop_in.read_text() == f"[Service]\nSupplementaryGroups={GROUP}\n"
    assert cure.endswith("; systemctl daemon-reload; systemctl restart kacheck")


def test_anybody_else_is_to_be_root(closed: pathlib.Path) -> None:
    path = closed / "kacheck.toml"
    said = as_nobody("watch", "--check-config", "--config", path)
    assert said == (
        f"kacheck: {path}: Permission denied: user nobody may not enter {closed} "
        f"(drwxr-x--- root:{GROUP}); run it as root\n"
    )


def test_a_file_that_no_group_may_read_needs_an_acl(closed: pathlib.Path) -> None:
    closed.chmod(0o755)
    path = closed / "ca.pem"
    path.chmod(0o600)
    said = as_nobody(*VAULT, path, settings=AS_SERVICE)
    assert f"user nobody may not read {path} (-rw------- root:root)" in said
    assert f"; allow it: setfacl -m u:nobody:rX {path}; systemctl restart kacheck" in said
