"""`kacheck migrate --in-place`: all files are written, or none."""

import errno
import os
import stat
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.child import environment, kacheck_command
from helpers.migrate_command import BLOCK, INSTANCE, CommandOutput, snapshot
from helpers.needs import needs

# --- in place ----------------------------------------------------------------------------------


def test_in_place_writes_both_files_and_keeps_what_was_there(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    before = conf.read_bytes()
    said = migrate("--in-place")

    assert said.code == 0, said.err
    assert "vrrp_script app {" in conf.read_text()
    assert (tmp_path / "kacheck.toml").read_text().startswith("[check.app]\n")
    backup = tmp_path / "keepalived.conf.kacheck-backup"
    assert backup.read_bytes() == before
    assert said.out.splitlines() == [
        f"wrote {conf}; the previous file is {backup}",
        f"wrote {tmp_path}/kacheck.toml",
        "keepalived -t accepts it",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {conf.name, backup.name, "kacheck.toml"}


def test_twice_changes_nothing(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    migrate("--in-place")
    before = snapshot(tmp_path)

    assert migrate("--in-place") == (0, "", "kacheck: nothing to migrate\n")
    assert migrate() == (0, "", "kacheck: nothing to migrate\n")
    assert snapshot(tmp_path) == before
    assert conf.exists()


def test_an_older_backup_is_never_overwritten(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    old = tmp_path / "keepalived.conf.kacheck-backup"
    old.write_text("first")
    Path(f"{old}.1").write_text("second")
    migrate("--in-place")

    assert (old.read_text(), Path(f"{old}.1").read_text()) == ("first", "second")
    assert Path(f"{old}.2").read_text() == BLOCK + INSTANCE
    assert conf.stat().st_ino != Path(f"{old}.2").stat().st_ino


def test_mode_owner_and_group_stay(conf: Path, migrate: Callable[..., CommandOutput]) -> None:
    conf.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(conf, 12345, 54321)
    before = conf.stat()
    migrate("--in-place")
    after = conf.stat()

    assert before.st_ino != after.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid,
    )  # fmt: skip


ACL = "system.posix_acl_access"
ANYBODY = 0xFFFFFFFF


def acl(*entries: tuple[int, int, int]) -> bytes:
    """Return a POSIX ACL as the kernel has it: tags, permissions and ids."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


FOR_USER_1000 = acl(
    (1, 6, ANYBODY), (2, 4, 1000), (4, 0, ANYBODY), (0x10, 4, ANYBODY), (0x20, 0, ANYBODY)
)
"""user::rw-, user:1000:r--, group::---, mask::r--, other::---"""


def set_attribute(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"{path.parent} has no {name}: {error.strerror}")


def test_an_acl_and_every_other_attribute_stay(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    set_attribute(conf, ACL, FOR_USER_1000)
    set_attribute(conf, "user.note", b"mine")
    mode = conf.stat().st_mode
    assert migrate("--in-place").code == 0

    assert "vrrp_script" in conf.read_text()
    assert os.getxattr(conf, ACL) == FOR_USER_1000
    assert os.getxattr(conf, "user.note") == b"mine"
    assert conf.stat().st_mode == mode
    assert os.getxattr(tmp_path / "keepalived.conf.kacheck-backup", ACL) == FOR_USER_1000


def test_an_acl_is_kept_even_if_another_attribute_cannot_be(
    conf: Path, migrate: Callable[..., CommandOutput], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_attribute(conf, ACL, FOR_USER_1000)
    real = os.listxattr
    monkeypatch.setattr(
        os, "listxattr", lambda file: ["no.such", *real(file)] if file == str(conf) else real(file)
    )
    said = migrate("--in-place")

    assert said.code == 0
    assert os.getxattr(conf, ACL) == FOR_USER_1000
    assert f"{conf}: its attribute no.such could not be kept (Operation not supported)" in said.out


def test_a_file_whose_acl_cannot_be_kept_is_not_written(
    tmp_path: Path,
    conf: Path,
    migrate: Callable[..., CommandOutput],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_attribute(conf, ACL, FOR_USER_1000)
    before = snapshot(tmp_path)

    def failing(_: object, name: str, *__: object) -> None:
        if name == ACL:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "setxattr", failing)
    said = migrate("--in-place")
    monkeypatch.undo()

    assert said.code == 3
    assert f"{conf}: its access control list, {ACL}, cannot be kept" in said.err
    assert f"nothing was written; remove it first: setfacl -b {conf}\n" in said.err
    assert snapshot(tmp_path) == before
    assert os.getxattr(conf, ACL) == FOR_USER_1000


def test_a_directorys_default_acl_gives_nobody_access_to_new_files(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    conf.chmod(0o640)
    set_attribute(tmp_path, "system.posix_acl_default", FOR_USER_1000)
    assert migrate("--in-place").code == 0

    assert "vrrp_script" in conf.read_text()
    assert ACL not in os.listxattr(conf)
    assert stat.S_IMODE(conf.stat().st_mode) == 0o640


def test_the_file_that_a_link_leads_to_is_written(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    (tmp_path / "real").mkdir()
    real = conf.rename(tmp_path / "real/ka.conf")
    conf.symlink_to("real/ka.conf")
    assert migrate("--in-place").code == 0

    assert conf.is_symlink()
    assert "vrrp_script" in real.read_text()
    assert (tmp_path / "real/ka.conf.kacheck-backup").exists()


def test_included_files_are_written_where_they_stand(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    included = tmp_path / "app.conf"
    included.write_text(BLOCK)
    text = "global_defs {\n    enable_script_security\n}\ninclude app.conf\n"
    conf.write_text(text + INSTANCE)
    said = migrate("--in-place")

    assert said.code == 0, said.err
    assert "vrrp_script" in included.read_text()
    assert conf.read_text().startswith(text)
    assert "track_script" in conf.read_text()
    assert Path(f"{included}.kacheck-backup").read_text() == BLOCK


def test_an_include_that_would_take_in_the_backup_is_refused(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/app").write_text(BLOCK)
    conf.write_text(f"include {tmp_path}/conf.d/*\n{INSTANCE}")
    before = snapshot(tmp_path)
    said = migrate("--in-place")

    assert said.code == 3
    assert "write *.conf in it" in said.err
    assert snapshot(tmp_path) == before


# --- all or nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rename", "fsync", "link"])
@pytest.mark.parametrize("nth", [1, 2])
def test_an_error_halfway_leaves_everything_as_it_was(  # noqa: PLR0913, PLR0917 - fixtures
    tmp_path: Path,
    conf: Path,
    migrate: Callable[..., CommandOutput],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    nth: int,
) -> None:
    (tmp_path / "kacheck.toml").write_text('[check.x]\nprobe = "process"\nname = "x"\n')
    before = snapshot(tmp_path)
    real, calls = getattr(os, name), []

    def failing(*args: object, **options: object) -> object:
        calls.append(args)
        if len(calls) == nth:
            raise OSError(28, "No space left on device", str(conf))
        return real(*args, **options)

    monkeypatch.setattr(os, name, failing)
    said = migrate("--in-place")
    monkeypatch.undo()

    if name == "link":  # a copy does as well
        assert said.code == 0
        return
    assert said.code == 3
    assert "No space left on device; nothing was written" in said.err
    assert snapshot(tmp_path) == before


def test_a_file_that_somebody_changes_meanwhile_is_not_overwritten(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path
) -> None:
    keepalived.write_text(f"open({str(conf)!r}, 'a').write('# edited')")
    said = migrate("--in-place")

    assert said.code == 3
    assert "has changed meanwhile" in said.err
    assert conf.read_text() == BLOCK + INSTANCE + "# edited"
    assert list(tmp_path.iterdir()) == [conf]


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("fsync", errno.ENOSPC, "No space left on device; nothing was written; make room there"),
        ("fsync", errno.EROFS, "Read-only file system; nothing was written; "),
        ("rename", errno.EBUSY, "Device or resource busy; nothing was written; it is a mount"),
        ("rename", errno.EPERM, "Operation not permitted; nothing was written; see lsattr"),
        ("rename", errno.EIO, "Input/output error; nothing was written\n"),
    ],
)
def test_an_error_names_the_file_that_was_to_change(  # noqa: PLR0913, PLR0917 - fixtures
    tmp_path: Path,
    migrate: Callable[..., CommandOutput],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    number: int,
    words: str,
) -> None:
    before = snapshot(tmp_path)

    def failing(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, name, failing)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    said = migrate("--in-place")
    monkeypatch.undo()

    assert said.code == 3
    file = {"fsync": ".keepalived.conf.kacheck-journal", "rename": "kacheck.toml"}[name]
    assert f"kacheck: {tmp_path}/{file}: {words}" in said.err
    assert snapshot(tmp_path) == before


def test_without_permission_root_is_suggested(
    tmp_path: Path,
    conf: Path,
    migrate: Callable[..., CommandOutput],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = snapshot(tmp_path)

    def failing(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    monkeypatch.setattr(os, "fchown", failing)
    said = migrate("--in-place")
    monkeypatch.undo()

    assert said.code == 3
    assert f"{conf}: Operation not permitted; nothing was written; run it as root\n" in said.err
    assert snapshot(tmp_path) == before


# --- the diff ----------------------------------------------------------------------------------


def test_patch_makes_of_the_diff_what_in_place_writes(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    needs("patch")
    odd = "".join(f"# a{letter}b\n" for letter in "\r\x0b\x0c\x1c\x85\u2028")
    conf.write_bytes(f"{odd}{BLOCK}{odd}{INSTANCE}{odd}# the end".encode())
    diff = tmp_path / "diff"
    patched = tmp_path / "patched"
    diff.write_bytes(migrate("--mode", "script").out.encode())
    subprocess.run(["patch", "-s", "--binary", "-o", patched, conf, diff], check=True)

    assert migrate("--mode", "script", "--in-place").code == 0
    assert patched.read_bytes() == conf.read_bytes()


# --- keepalived -t -----------------------------------------------------------------------------


def test_the_modes_of_a_new_file_are_ordinary(
    tmp_path: Path, migrate: Callable[..., CommandOutput]
) -> None:
    migrate("--in-place", "--config", str(tmp_path / "new/kacheck.toml"))
    file = tmp_path / "new/kacheck.toml"

    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o755


def test_the_diff_has_the_bytes_of_the_file_whatever_they_are(tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_bytes(b"# caf\xe9\nvrrp_track_process app {\n    process app\n}\n")
    argv = kacheck_command("migrate", conf, "--config", tmp_path / "kacheck.toml")
    done = subprocess.run(argv, capture_output=True, check=False, env=environment())
    assert b" # caf\xe9\n" in done.stdout, done
