"""`kacheck migrate`: what is written, all of it or nothing, and what keepalived -t says of it."""

import errno
import json
import os
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import kacheck
from helpers.doctor import FakeMachine
from helpers.keepalived import Lab, Node
from helpers.needs import needs
from kacheck import config
from kacheck.cli import main
from kacheck.doctor.context import Context
from kacheck.doctor.kacheck.installation import Installation
from kacheck.doctor.keepalived.tracked_names import defined_below, undefined_name
from kacheck.keepalived import load
from kacheck.migrate import command, verify
from kacheck.migrate.verify import Said

BLOCK = "vrrp_track_process app {\n    process app\n}\n"
ENVIRON = {**os.environ, "PYTHONPATH": str(Path(kacheck.__file__).parents[1])}
"""A process of its own has the kacheck that is tested here."""
INSTANCE = "vrrp_instance VI_1 {\n    track_process {\n        app\n    }\n}\n"


class CommandOutput(NamedTuple):
    """What the command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A keepalived.conf to migrate."""
    path = tmp_path / "keepalived.conf"
    path.write_text(BLOCK + INSTANCE)
    return path


@pytest.fixture
def migrate(
    tmp_path: Path, conf: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., CommandOutput]:
    """Run the command with a kacheck.toml of its own."""

    def run(*options: str, path: Path = conf) -> CommandOutput:
        capsys.readouterr()
        code = main(["migrate", str(path), "--config", str(tmp_path / "kacheck.toml"), *options])
        return CommandOutput(code, *capsys.readouterr())

    return run


@pytest.fixture(autouse=True)
def keepalived(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keepalived that says what the file `says` beside it does, with its first line as code."""
    program = tmp_path_factory.mktemp("bin") / "keepalived"
    program.write_text(
        f"#!{sys.executable}\nimport os, re, signal, sys, time\n"
        f"if sys.argv[1] == '-v':\n    sys.exit(open({str(program)!r} + '.version').read())\n"
        "text = open(sys.argv[3]).read()\n"
        "for name in re.findall(r'^include (.*)', text, re.M):\n"
        "    open(name if name[0] == '/' else os.path.join(os.path.dirname(sys.argv[3]), name))\n"
        "new = 'vrrp_script' in text\n"
        f"exec(open({str(program)!r} + '.py').read())\n"
    )
    program.chmod(0o755)
    program.with_suffix(".py").write_text("")
    program.with_suffix(".version").write_text("Keepalived v2.2.7 (01/16,2022)")
    monkeypatch.setattr(verify, "program", lambda: str(program))
    return program.with_suffix(".py")


def snapshot(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """All files below, their content, mode and inode."""
    return {
        str(path.relative_to(directory)): (
            path.read_bytes(),
            path.stat().st_mode,
            path.stat().st_ino,
        )
        for path in directory.rglob("*")
        if path.is_file()
    }


# --- what each release does -----------------------------------------------------------------

GROUP = "vrrp_sync_group G {\n    group {\n        VI_1\n    }\n%s}\n"
OTHER = "vrrp_script ping {\n    script /bin/ping\n    user root\n}\n"
TRACKS = "    track_process {\n        app\n    }\n"
DROPPED = {"script": ("2.1.0", "2.1.5", ""), "watch": ("2.1.0", "2.1.5", "2.2.0", "2.2.1", "")}
"""By mode: the releases that would not track what a member tracks; "" is one that is not known."""
KEPT = {
    "script": ("2.0.20", "2.2.0", "2.2.7", "2.4.3"),
    "watch": ("2.0.20", "2.2.2", "2.2.7", "2.4.3"),
}
CASES = [(mode, version) for mode, versions in DROPPED.items() for version in versions]
OTHERS = [(mode, version) for mode, versions in KEPT.items() for version in versions]


def release(keepalived: Path, version: str) -> None:
    """Have the keepalived be that release; with "" it does not say."""
    keepalived.with_suffix(".version").write_text(
        f"Keepalived v{version} (1/2,2021)" * bool(version)
    )


def tracked(conf: Path) -> dict[str, list[str]]:
    """What the instance and the sync group track."""
    return {
        owner.arguments[0]: [
            f"{block.keyword} {line.line.text}"
            for block in owner.children or ()
            if block.keyword.startswith("track_")
            for line in block.children or ()
        ]
        for keyword in ("vrrp_instance", "vrrp_sync_group")
        for owner in load(str(conf)).find(keyword)
    }


@pytest.mark.parametrize("place", ["above", "below"])
@pytest.mark.parametrize(("mode", "version"), CASES)
def test_a_line_that_a_member_would_lose_moves_to_its_sync_group(  # noqa: PLR0913, PLR0917 - fixtures
    conf: Path,
    migrate: Callable[..., CommandOutput],
    keepalived: Path,
    place: str,
    mode: str,
    version: str,
) -> None:
    groups = [GROUP % "", ""] if place == "above" else ["", GROUP % ""]
    conf.write_text(groups[0] + BLOCK + INSTANCE + groups[1])
    release(keepalived, version)
    said = migrate("--in-place", "--mode", mode)

    assert said.code == 0, said.err
    files = ["track_file app"] if mode == "watch" else []
    assert tracked(conf) == {"VI_1": [], "G": [*files, "track_script app"]}
    text = conf.read_text()
    assert text.index("vrrp_script app") < min(text.index("vrrp_sync"), text.index("vrrp_inst"))
    line = (groups[0] + BLOCK + INSTANCE).partition("        app\n")[0].count("\n") + 1
    assert f"{conf}:{line}: app: G tracks it from now on: keepalived " in said.err
    assert (version or "2.1.0 to 2.2.1") in said.err
    assert migrate("--in-place", "--mode", mode) == (0, "", "kacheck: nothing to migrate\n")


@pytest.mark.parametrize(("mode", "version"), OTHERS)
def test_a_line_that_a_member_keeps_stays_there(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path, mode: str, version: str
) -> None:
    conf.write_text(BLOCK + INSTANCE + GROUP % "")
    release(keepalived, version)
    said = migrate("--in-place", "--mode", mode)

    assert said.code == 0, said.err
    files = ["track_file app"] if mode == "watch" else []
    assert tracked(conf) == {"VI_1": [*files, "track_script app"], "G": []}


def test_where_keepalived_is_not_installed_a_member_s_line_moves_too(
    conf: Path, migrate: Callable[..., CommandOutput], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "program", lambda: None)
    conf.write_text(BLOCK + INSTANCE + GROUP % "")

    assert migrate("--in-place").code == 0
    assert tracked(conf) == {"VI_1": [], "G": ["track_file app", "track_script app"]}


def test_a_line_joins_what_its_sync_group_tracks_already(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path
) -> None:
    second = BLOCK.replace("app", "two") + INSTANCE.replace("VI_1", "VI_2").replace("app", "two")
    members = GROUP.replace("VI_1", "VI_1\n        VI_2")
    there = "    track_script {\n        ping  # it\n    }\n"
    both = INSTANCE.replace("        app\n", "        app  # one\n        two\n")
    conf.write_text(OTHER + BLOCK + both + second + members % there)
    release(keepalived, "2.1.5")

    assert migrate("--in-place").code == 0
    files = ["track_file app", "track_file two"]
    scripts = ["track_script ping", "track_script app", "track_script two"]
    assert sorted(tracked(conf).pop("G")) == sorted([*files, *scripts])
    assert tracked(conf)["VI_1"] == tracked(conf)["VI_2"] == []
    assert "    # one\n" in conf.read_text()


def test_a_group_that_tracks_weights_leaves_its_members_what_they_track(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path
) -> None:
    conf.write_text(BLOCK + INSTANCE + GROUP % "    sync_group_tracking_weight\n")
    release(keepalived, "2.1.5")

    assert migrate("--in-place", "--mode", "script").code == 0
    assert tracked(conf) == {"VI_1": ["track_script app"], "G": []}


@pytest.mark.parametrize(("mode", "version"), CASES)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BLOCK + INSTANCE.replace("{\n", "{\n    priority 255\n", 1), "of at most 254"),
        (BLOCK + INSTANCE + GROUP % "" + (GROUP % "").replace("G {", "H {"), "upgrade it to 2.2"),
        (
            BLOCK + INSTANCE + GROUP % "" + "@other vrrp_sync_group H { group { VI_1 } }\n",
            "upgrade",
        ),
        (BLOCK + INSTANCE + "@other vrrp_sync_group H { group { VI_1 } }\n", "upgrade"),
        (BLOCK + INSTANCE + GROUP % "    @other sync_group_tracking_weight\n", "upgrade"),
        (
            BLOCK + INSTANCE + GROUP % TRACKS.replace("app", "app weight 3"),
            "upgrade",
        ),
    ],
)
def test_a_line_that_would_be_lost_and_cannot_move_is_left_alone(  # noqa: PLR0913, PLR0917 - fixtures
    conf: Path,
    migrate: Callable[..., CommandOutput],
    keepalived: Path,
    text: str,
    words: str,
    mode: str,
    version: str,
) -> None:
    conf.write_text(text)
    release(keepalived, version)
    said = migrate("--in-place", "--mode", mode)

    assert said.code == 1
    assert ": app is left alone: " in said.err
    assert words in said.err
    assert conf.read_text() == text


@pytest.mark.parametrize("mode", ["watch", "script"])
@pytest.mark.parametrize("version", ["2.0.19", "1.4.5"])
def test_a_keepalived_that_is_not_supported_is_refused(
    tmp_path: Path, migrate: Callable[..., CommandOutput], keepalived: Path, version: str, mode: str
) -> None:
    before = snapshot(tmp_path)
    release(keepalived, version)

    said = migrate("--in-place", "--mode", mode)
    assert (said.code, said.out) == (3, "")
    assert f"keepalived {version} is too old: kacheck's checks need 2.0.20 or later" in said.err
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("version", ["2.0.20", "2.1.5", ""])
def test_a_line_that_had_no_effect_in_a_sync_group_is_said_to_have_one_now(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path, version: str
) -> None:
    conf.write_text(BLOCK + GROUP % TRACKS)
    release(keepalived, version)
    said = migrate("--in-place")

    assert said.code == 0
    assert f"{conf}:9: app: keepalived before 2.2.0 ignores this line; G goes by it now" in said.err
    assert tracked(conf) == {"G": ["track_file app", "track_script app"]}


@pytest.mark.parametrize("version", ["2.2.0", "2.4.3"])
def test_a_line_that_has_its_effect_in_a_sync_group_is_not_spoken_of(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path, version: str
) -> None:
    conf.write_text(BLOCK + GROUP % TRACKS)
    release(keepalived, version)

    assert "ignores this line" not in migrate("--in-place").err


# --- in place -------------------------------------------------------------------------------


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
        f"wrote {conf}, what was there is {backup}",
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


def test_an_acl_stays_though_another_attribute_cannot_be_kept_and_that_is_said(
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


def test_nobody_may_read_what_is_written_by_a_default_acl_of_its_directory(
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
    assert "let it name *.conf" in said.err
    assert snapshot(tmp_path) == before


# --- all or nothing -------------------------------------------------------------------------


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


def test_who_is_not_root_and_may_not_is_told_to_be(
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


# --- signals --------------------------------------------------------------------------------

UNTIL = """
import os, signal, sys
from kacheck import cli
from kacheck.migrate import verify

program, name, nth, number, *argv = sys.argv[1:]
sys.argv = ["kacheck", *argv]
verify.program = lambda: program
real, calls = getattr(os, name, None), []

def signalled(*args, **options):
    made = real(*args, **options)
    calls.append(args)
    if len(calls) == int(nth):
        os.kill(os.getpid(), int(number))
    return made

if real:
    setattr(os, name, signalled)
"""
"""A kacheck that gets a signal when the nth call of a function of `os` returns."""


@pytest.fixture
def interrupted(
    tmp_path: Path, conf: Path, keepalived: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Migrate in a process of its own, as `UNTIL` says."""

    def run(name: str, nth: int, number: int, first: str = "") -> subprocess.CompletedProcess[str]:
        code = f"{UNTIL}{first}\ncli.run()"
        place = [str(keepalived.with_suffix("")), name, str(nth), str(int(number))]
        argv = ["migrate", str(conf), "--in-place", "--config", str(tmp_path / "kacheck.toml")]
        return subprocess.run(
            [sys.executable, "-c", code, *place, *argv],
            capture_output=True,
            text=True,
            check=False,
            env=ENVIRON,
        )

    return run


@pytest.mark.parametrize(
    ("which", "number"),
    [
        ("new", signal.SIGINT),
        ("new", signal.SIGTERM),
        ("new", signal.SIGHUP),
        ("not new", signal.SIGTERM),
    ],
)
def test_a_signal_while_keepalived_judges_takes_everything_back(
    tmp_path: Path,
    keepalived: Path,
    interrupted: Callable[..., subprocess.CompletedProcess[str]],
    which: str,
    number: int,
) -> None:
    before = snapshot(tmp_path)
    keepalived.write_text(f"if {which}:\n    os.kill(os.getppid(), {number})\n    time.sleep(60)")
    done = interrupted("nothing", 0, 0)

    assert (done.returncode, done.stdout, done.stderr) == (-number, "", "")
    assert snapshot(tmp_path) == before


def test_what_a_signal_cannot_take_back_is_named(
    conf: Path, keepalived: Path, interrupted: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    gone = f"{conf}.kacheck-backup"
    keepalived.write_text(
        f"if new:\n    os.unlink({gone!r})\n    os.kill(os.getppid(), 15)\n    time.sleep(60)"
    )
    done = interrupted("nothing", 0, 0)

    assert done.returncode == 3
    assert f"interrupted; but {conf} is as it was written" in done.stderr


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("name", ["fsync", "link", "rename"])
def test_a_signal_while_files_are_written_leaves_everything_as_it_was(
    tmp_path: Path,
    interrupted: Callable[..., subprocess.CompletedProcess[str]],
    name: str,
    nth: int,
) -> None:
    (tmp_path / "kacheck.toml").write_text('[check.x]\nprobe = "process"\nname = "x"\n')
    before = snapshot(tmp_path)
    done = interrupted(name, nth, signal.SIGTERM)

    assert done.returncode == -signal.SIGTERM, done.stderr
    assert snapshot(tmp_path) == before


def acceptable(conf: Path, toml: Path) -> bool:
    """Return whether all that is tracked is defined, and each check that is asked for is there."""
    context = Context(
        str(conf),
        load(str(conf)),
        FakeMachine(),
        None,
        None,
        Installation(str(toml), "/run/kacheck"),
    )
    checks = config.load(str(toml)).checks if toml.exists() else ()
    asked = [
        argv[-1]
        for script in context.configuration.find("vrrp_script", "script")
        for argv in [script.command or []]
        if argv[0].endswith("kacheck-verdict")
    ]
    return {*asked} <= {check.name for check in checks} and not any(
        [*undefined_name(context), *defined_below(context)]
    )


def contents(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {name: file[:2] for name, file in snapshot(directory).items()}


@pytest.mark.parametrize("name", ["rename", "link", "fsync", "unlink"])
@pytest.mark.parametrize("files", ["one", "new", "several"])
def test_after_kill_9_anywhere_what_is_tracked_exists_and_a_second_run_completes_it(  # noqa: PLR0913, PLR0917 - fixtures
    tmp_path: Path,
    conf: Path,
    migrate: Callable[..., CommandOutput],
    interrupted: Callable[..., subprocess.CompletedProcess[str]],
    files: str,
    name: str,
) -> None:
    toml = tmp_path / "kacheck.toml"
    there = '[check.x]\nprobe = "process"\nname = "x"\n'

    def begin() -> None:
        for path in (*tmp_path.glob("*"), *tmp_path.glob(".*.kacheck-*")):
            path.unlink()
        conf.write_text(BLOCK + INSTANCE)
        if files != "new":
            toml.write_text(there)
        if files == "several":
            two = INSTANCE.replace("VI_1", "VI_2").replace("app", "two")
            (tmp_path / "one.inc").write_text(BLOCK + two.replace("two", "app"))
            (tmp_path / "two.inc").write_text(BLOCK.replace("app", "two"))
            conf.write_text("include two.inc\ninclude one.inc\n" + two.replace("VI_2", "VI_3"))

    begin()
    assert migrate("--in-place").code == 0
    undisturbed = contents(tmp_path)
    for nth in range(1, 100):
        begin()
        done = interrupted(name, nth, signal.SIGKILL)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert acceptable(conf, toml), (nth, contents(tmp_path))
        again = migrate("--in-place")
        assert again.code == 0, (nth, again.err)
        assert contents(tmp_path) == undisturbed, nth
    assert nth > 1


def test_what_a_killed_run_has_left_is_taken_back_before_another_look(
    tmp_path: Path,
    conf: Path,
    migrate: Callable[..., CommandOutput],
    interrupted: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    before = snapshot(tmp_path)
    assert interrupted("rename", 2, signal.SIGKILL).returncode == -signal.SIGKILL
    said = migrate()

    assert said.code == 3
    assert f"an earlier run on {conf} was killed; run it with --in-place again" in said.err
    (tmp_path / "kacheck.toml").write_text("# mine\n")
    killed = snapshot(tmp_path)
    said = migrate("--in-place")
    assert said.code == 3
    assert f"and {tmp_path}/kacheck.toml has changed since; " in said.err
    assert f"rm {tmp_path}/.keepalived.conf.kacheck-journal" in said.err
    assert snapshot(tmp_path) == killed != before


def test_a_run_does_not_take_back_what_another_one_is_writing(
    tmp_path: Path,
    conf: Path,
    migrate: Callable[..., CommandOutput],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits, go, toml = (tmp_path / name for name in ("waits", "go", "kacheck.toml"))
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/keepalived"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = -t ] && [ -e {toml} ] || exit 0\n'
        f"touch {waits}; until [ -e {go} ]; do sleep 0.01; done\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(verify, "program", lambda: None)
    argv = [sys.executable, "-m", "kacheck", "migrate", str(conf), "--in-place"]
    environ = {**ENVIRON, "PATH": f"{program.parent}:/usr/bin:/bin"}
    argv += ["--config", str(toml)]
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True) as first:
        try:
            while not waits.exists():
                assert first.poll() is None
            before = snapshot(tmp_path)
            for options in ((), ("--in-place",)):
                said = migrate(*options)
                assert said.code == 3
                assert f"another run on {conf} is under way, pid {first.pid}; wait" in said.err
            assert snapshot(tmp_path) == before
        finally:
            go.touch()
        assert "keepalived -t accepts it" in first.communicate()[0]
    assert acceptable(conf, toml)
    assert not [*tmp_path.glob(".*")]


def test_of_two_runs_at_the_same_moment_one_changes_nothing(
    tmp_path: Path,
    conf: Path,
    migrate: Callable[..., CommandOutput],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other one's journal appears when this one has looked for it already."""
    monkeypatch.setattr(verify, "program", lambda: None)
    monkeypatch.setattr(command, "recover", lambda _: None)
    for name in ("journal", "new"):
        (tmp_path / f".keepalived.conf.kacheck-{name}").write_text("the other one's")
    before = snapshot(tmp_path)
    said = migrate("--in-place")

    assert said.code == 3
    assert f"another run on {conf} is under way; wait" in said.err
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("kind", ["other", "writable", "link"])
def test_a_journal_that_others_may_have_written_deletes_nothing(
    tmp_path: Path,
    migrate: Callable[..., CommandOutput],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    journal = tmp_path / ".keepalived.conf.kacheck-journal"
    journal.write_text(json.dumps({"files": [], "staged": [str(victim)]}))
    if kind == "other":
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    elif kind == "writable":
        journal.chmod(0o666)
    else:
        journal.symlink_to(journal.rename(tmp_path / "elsewhere"))
    said = migrate("--in-place")

    assert said.code == 3
    assert f"{journal} may have been written by another user; rm {journal}\n" in said.err
    assert victim.read_text() == "precious"


def test_a_signal_that_was_ignored_is_ignored(
    conf: Path, interrupted: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = interrupted("fsync", 1, signal.SIGHUP, "signal.signal(signal.SIGHUP, signal.SIG_IGN)")

    assert done.returncode == 0, done.stderr
    assert "keepalived -t accepts it" in done.stdout
    assert "vrrp_script" in conf.read_text()


# --- the diff -------------------------------------------------------------------------------


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


# --- kacheck.toml ---------------------------------------------------------------------------


def test_checks_are_appended_to_what_is_there(
    tmp_path: Path, migrate: Callable[..., CommandOutput]
) -> None:
    toml = tmp_path / "kacheck.toml"
    there = '# mine\n[check.x]   # x\nprobe = "process"\nname = "x"'
    toml.write_text(there)
    assert migrate("--in-place").code == 0

    assert toml.read_text().startswith(there + "\n\n[check.app]\n")
    assert (tmp_path / "kacheck.toml.kacheck-backup").read_text() == there


def test_a_check_of_the_same_meaning_is_taken_as_it_is(
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
def test_a_file_that_no_table_can_be_appended_to_is_refused_in_plain_words(
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
def test_what_is_no_file_is_no_configuration(
    tmp_path: Path, migrate: Callable[..., CommandOutput], make: Callable[[Path], None], words: str
) -> None:
    make(tmp_path / "kacheck.toml")
    said = migrate("--in-place")

    assert said.code == 3
    assert f"{tmp_path}/kacheck.toml {words}" in said.err


# --- -o -------------------------------------------------------------------------------------


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
    assert "take --in-place" in said.err
    assert snapshot(tmp_path) == before


def test_the_file_itself_is_no_other_file(
    conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    said = migrate("-o", str(conf))
    assert said.code == 3
    assert "take --in-place" in said.err


def test_both_ways_of_writing_are_bad_usage(
    conf: Path, migrate: Callable[..., CommandOutput]
) -> None:
    assert migrate("-o", "x", "--in-place").code == 3
    assert conf.read_text() == BLOCK + INSTANCE


def node_of(path: Path) -> None:
    """/dev/null under another name."""
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
    assert "-o -: what is printed is the diff, without -o; name a file" in said.err
    assert not Path("-").exists()


@pytest.mark.parametrize("name", ["app.conf", "kacheck.toml"])
def test_a_file_that_has_a_meaning_already_is_no_output(
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


def test_an_include_that_names_nothing_is_relative(
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


# --- keepalived -t --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("", "keepalived -t accepts it"),
        ("sys.exit(0 if new else 5)", "keepalived -t accepts it"),
        ("print('' if new else 'bad')", "accepts it and has nothing left to complain of"),
        ("print('(/x: Line %d) old' % (9 if new else 1)); sys.exit(5)", "1 complaint that it had"),
        ("print('old\\nold'); sys.exit(5)", "2 complaints that it had before, and no new one"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "cannot tell: it is ended by signal SIGSEGV"),
        ("sys.exit(143)", "cannot tell: it is ended by signal SIGTERM, as it was before"),
        ("sys.exit(4)", "cannot read it, as it could not before"),
    ],
)
def test_what_keepalived_says_in_our_words(
    migrate: Callable[..., CommandOutput], keepalived: Path, program: str, words: str
) -> None:
    keepalived.write_text(program)
    said = migrate("--in-place")

    assert said.code == 0
    assert words in said.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("version", "code", "words"),
    [
        ("2.1.5", 3, "cannot read it, as it could not before"),
        ("2.1.5", 4, "1 complaint that it had before"),
        ("2.2.0", 4, "cannot read it, as it could not before"),
        ("2.2.0", 5, "1 complaint that it had before"),
    ],
)
def test_an_exit_code_means_what_it_does_in_this_release(
    migrate: Callable[..., CommandOutput], keepalived: Path, version: str, code: int, words: str
) -> None:
    release(keepalived, version)
    keepalived.write_text(f"print('old'); sys.exit({code})")

    assert words in migrate("--in-place").out.splitlines()[-1]


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("print('old'); new and print('new complaint'); sys.exit(5)", "complains: new complaint;"),
        ("new and print('quiet, with 0')", "complains: quiet, with 0;"),
        ("new and sys.exit(5)", "complains: it exits with 5, and did with 0 before"),
        (
            "new and os.kill(os.getpid(), signal.SIGSEGV)",
            "complains: it is ended by signal SIGSEGV",
        ),
        ("new and sys.exit(139)", "complains: it is ended by signal SIGSEGV"),
    ],
)
@pytest.mark.parametrize("where", ["--in-place", "-o"])
def test_a_new_complaint_takes_everything_back(  # noqa: PLR0913, PLR0917 - fixtures
    tmp_path: Path,
    migrate: Callable[..., CommandOutput],
    keepalived: Path,
    where: str,
    program: str,
    words: str,
) -> None:
    before = snapshot(tmp_path)
    keepalived.write_text(program)
    said = migrate(*(["-o", str(tmp_path / "new.conf")] if where == "-o" else [where]))

    assert said.code == 3
    assert words in said.err
    assert snapshot(tmp_path) == before


def test_a_complaint_that_was_there_may_be_why_there_is_another_one(
    monkeypatch: pytest.MonkeyPatch, migrate: Callable[..., CommandOutput], keepalived: Path
) -> None:
    monkeypatch.setattr(command, "LIBEXEC", str(keepalived.parent))
    entry = keepalived.parent / "kacheck-verdict"
    entry.touch(mode=0o755)
    keepalived.write_text("print(\"Unknown keyword 'foo'\"); new and print('new complaint')")
    said = migrate("--in-place")

    assert said.code == 3
    assert "correct what it complained of before, Unknown keyword 'foo', or report it" in said.err


def test_what_cannot_be_taken_back_is_named(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path
) -> None:
    """The rest is taken back nevertheless, what is gone already included."""
    backup = tmp_path / "keepalived.conf.kacheck-backup"
    gone = (str(backup), str(tmp_path / "kacheck.toml"))
    keepalived.write_text(f"new and [os.unlink(f) for f in {gone!r}]; new and print('new')")
    said = migrate("--in-place")

    assert said.code == 3
    assert "complains: new;" in said.err
    assert f"{conf} is as it was written (No such file or directory)" in said.err
    assert f"what was there is {backup}" in said.err
    assert [*tmp_path.iterdir()] == [conf]
    assert "vrrp_script" in conf.read_text()


@pytest.mark.parametrize("name", ["rename", "unlink"])
def test_one_that_cannot_be_taken_back_does_not_keep_the_others(  # noqa: PLR0913, PLR0917 - fixtures
    tmp_path: Path,
    conf: Path,
    migrate: Callable[..., CommandOutput],
    keepalived: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    before = conf.read_bytes()
    keepalived.write_text("new and print('new')")
    toml, backup = tmp_path / "kacheck.toml", tmp_path / "keepalived.conf.kacheck-backup"
    real = getattr(os, name)

    def failing(path: str, *others: str) -> None:
        if path in {str(toml), str(backup)}:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        real(path, *others)

    monkeypatch.setattr(os, name, failing)
    said = migrate("--in-place")
    monkeypatch.undo()

    assert said.code == 3
    assert "complains: new;" in said.err
    if name == "rename":
        assert f"{conf} is as it was written (Read-only file system)" in said.err
        assert backup.read_bytes() == before, "what was there is not lost"
        assert not toml.exists()
    else:
        assert f"{toml} is as it was written (Read-only file system)" in said.err
        assert "nothing was there before" in said.err
        assert conf.read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        "(Line %d) Unknown keyword 'nonsense'",
        "(/etc/a: b (1).conf: Line %d) Unknown keyword 'nonsense'",
        "(b.conf: Line %d) Config files missing 'nowhere.conf'.",
    ],
)
def test_an_old_complaint_on_another_line_is_no_new_one(
    migrate: Callable[..., CommandOutput], keepalived: Path, line: str
) -> None:
    keepalived.write_text(f"print({line!r} % (29 if new else 11)); sys.exit(5)")
    said = migrate("--in-place")

    assert said.code == 0, said.err
    assert "1 complaint that it had before, and no new one; the first: " in said.out
    assert "Line" not in said.out


def test_a_complaint_of_an_instance_keeps_its_name(
    migrate: Callable[..., CommandOutput], keepalived: Path
) -> None:
    keepalived.write_text("print('(Line 3) (VI_1) old'); sys.exit(5)")
    assert "the first: (VI_1) old\n" in migrate("--in-place").out


BARE = 'vrrp_script app {\n    script "killall -0 haproxy"\n%s}\n'
KILLED = (
    "if 'kacheck-process' in text:\n    os.kill(os.getpid(), signal.SIGTERM)\n"
    "print('Disabling track script app since not found/accessible'); sys.exit(5)"
)


@pytest.mark.parametrize(
    ("text", "user"),
    [
        (BARE % "    user nobody\n", "user nobody"),
        (BARE % "    user nobody nogroup\n", "user nobody nogroup"),
        (f"global_defs {{\n    script_user nobody\n}}\n{BARE % ''}", "script_user nobody"),
    ],
)
def test_a_keepalived_that_ends_itself_for_a_user_is_no_judge(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path, text: str, user: str
) -> None:
    keepalived.write_text(KILLED)
    conf.write_text(text)
    said = migrate("--in-place", "--recipes")

    assert said.code == 0, said.err
    assert "kacheck-process --all-namespaces haproxy" in conf.read_text()
    line = conf.read_text().partition(user)[0].count("\n") + 1
    assert said.out.splitlines()[-1] == (
        f"keepalived -t cannot judge the result: it ends itself (SIGTERM) over {user} at"
        f" {conf}:{line}, as keepalived 2.2.7 does with every user but root; started as a"
        " service it does not"
    )


@pytest.mark.parametrize("user", ["", "    user root\n"])
def test_without_such_a_user_a_keepalived_that_is_ended_has_found_something(
    tmp_path: Path, conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path, user: str
) -> None:
    keepalived.write_text(KILLED)
    conf.write_text(BARE % user)
    before = snapshot(tmp_path)
    said = migrate("--in-place", "--recipes")

    assert said.code == 3
    assert "keepalived -t complains: it is ended by signal SIGTERM; nothing was written" in said.err
    assert snapshot(tmp_path) == before


def test_what_it_says_before_it_ends_itself_counts(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path
) -> None:
    keepalived.write_text(f"'kacheck-process' in text and print('new')\n{KILLED}")
    conf.write_text(BARE % "    user nobody\n")

    assert "complains: new; nothing was written" in migrate("--in-place", "--recipes").err


def test_the_user_that_keepalived_takes_by_itself_counts(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf.write_text(BARE % "")
    monkeypatch.setattr(verify, "DEFAULT_USER", "nobody")
    assert "user nobody" in (verify.other_user(load(str(conf))) or "")
    monkeypatch.setattr(verify, "DEFAULT_USER", "no such user")
    assert verify.other_user(load(str(conf))) is None


def test_who_is_not_root_cannot_have_scripts_judged(
    tmp_path: Path,
    migrate: Callable[..., CommandOutput],
    keepalived: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "kacheck-verdict").touch(0o755)
    monkeypatch.setattr(command, "LIBEXEC", str(tmp_path))
    keepalived.write_text("new and print('Disabling track script app due to insecure')")
    assert "due to insecure; nothing was written; please report it" in migrate("--in-place").err
    monkeypatch.setattr(os, "geteuid", os.getpid)
    assert "due to insecure; nothing was written; run it as root" in migrate("--in-place").err


def test_a_keepalived_that_cannot_be_started_is_named(
    tmp_path: Path, migrate: Callable[..., CommandOutput], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "keepalived"
    program.write_bytes(b"\0")
    program.chmod(0o755)
    before = snapshot(tmp_path)
    monkeypatch.setattr(verify, "program", lambda: str(program))

    assert f"{program}: Exec format error; nothing was written" in migrate("--in-place").err
    assert snapshot(tmp_path) == before


def test_a_keepalived_that_hangs_is_not_waited_for(
    migrate: Callable[..., CommandOutput], keepalived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "TIMEOUT", 0.5)
    keepalived.write_text("new and time.sleep(60)")
    said = migrate("--in-place")

    assert said.code == 3
    assert "does not come to an end within" in said.err


def test_without_keepalived_that_is_said(
    migrate: Callable[..., CommandOutput], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "program", lambda: None)
    assert "keepalived is not installed here" in migrate("--in-place").out


def test_a_violation_that_was_there_is_no_new_one() -> None:
    before = Said(6, ("SECURITY VIOLATION - check scripts",))
    after = Said(6, (*before.complaints, "SECURITY VIOLATION - scripts"))
    assert verify.new_complaints(before, after) == []


def test_the_modes_of_a_new_file_are_ordinary(
    tmp_path: Path, migrate: Callable[..., CommandOutput]
) -> None:
    migrate("--in-place", "--config", str(tmp_path / "new/kacheck.toml"))
    file = tmp_path / "new/kacheck.toml"

    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o755


# --- a real keepalived ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node with entry points that keepalived -t finds."""
    needs("keepalived", "ip", "unshare", "nsenter", "setpriv", root=True)
    with Lab() as lab:
        node = lab.node("a")
        node.overlay("/usr/libexec")
        libexec = node.root / "usr/libexec/kacheck"
        libexec.mkdir(exist_ok=True)
        libexec.chmod(0o755)
        for name in ("kacheck-process", "kacheck-verdict"):
            (libexec / name).write_text("#!/bin/sh\n")
            (libexec / name).chmod(0o755)
        yield node


def migrated(
    node: Node, text: str, *options: str, prefix: tuple[str, ...] = ()
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A configuration, migrated in place in the node."""
    path = node.write("keepalived.conf", text)
    argv = [*prefix, sys.executable, "-m", "kacheck", "migrate", str(path), "--in-place", *options]
    return path, node.run(argv, check=False, env=ENVIRON)


VIP = (
    "global_defs {\n    enable_script_security\n}\n%svrrp_instance VI_1 {\n    interface eth0\n"
    "    virtual_router_id 5\n    priority 100\n    virtual_ipaddress {\n        10.77.0.9\n    }\n"
    "    %s {\n        app\n    }\n}\n"
)


@pytest.mark.keepalived
@pytest.mark.parametrize(
    "old", ["include nowhere.conf\n", "nonsense_keyword\n", "foo {\n    bar baz\n}\n"]
)
def test_what_keepalived_complains_of_below_an_edit_is_no_new_complaint(
    node: Node, old: str
) -> None:
    path, done = migrated(node, VIP % (BLOCK, "track_process") + old, "--mode", "script")

    assert done.returncode == 0, done.stderr
    assert "no new one; the first: " in done.stdout
    assert "vrrp_script app {" in path.read_text()


@pytest.mark.keepalived
def test_a_script_of_another_user_is_migrated(node: Node) -> None:
    text = VIP % (BARE % "    user nobody\n", "track_script")
    path, done = migrated(node, text, "--recipes")

    assert done.returncode == 0, done.stderr
    assert "kacheck-process --all-namespaces haproxy" in path.read_text()
    assert "keepalived -t " in done.stdout


@pytest.mark.keepalived
def test_a_file_that_is_a_mount_is_said_to_be_one(node: Node) -> None:
    path = node.write("keepalived.conf", "")
    path.write_text(VIP % (BLOCK, "track_process"))
    before = snapshot(path.parent)
    mounted = ("unshare", "--mount", "sh", "-c", f'mount --bind {path} {path}; exec "$@"', "sh")
    _, done = migrated(node, path.read_text(), "--mode", "script", prefix=mounted)

    assert done.returncode == 3
    assert f"{path}: Device or resource busy; nothing was written; it is a mount" in done.stderr
    assert snapshot(path.parent).keys() == before.keys()


def test_the_diff_has_the_bytes_of_the_file_whatever_they_are(tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_bytes(b"# caf\xe9\nvrrp_track_process app {\n    process app\n}\n")
    words = ["migrate", str(conf), "--config", str(tmp_path / "kacheck.toml")]
    done = subprocess.run(
        [sys.executable, "-m", "kacheck", *words], capture_output=True, check=False
    )
    assert b" # caf\xe9\n" in done.stdout, done
