"""`kacheck migrate`: what is written, all of it or nothing, and what keepalived -t says of it."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from kacheck.cli import main
from kacheck.migrate import verify
from kacheck.migrate.verify import Said

BLOCK = "vrrp_track_process app {\n    process app\n}\n"
INSTANCE = "vrrp_instance VI_1 {\n    track_process {\n        app\n    }\n}\n"


class Said3(NamedTuple):
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
def migrate(tmp_path: Path, conf: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said3]:
    """Run the command with a kacheck.toml of its own."""

    def run(*options: str, path: Path = conf) -> Said3:
        capsys.readouterr()
        code = main(["migrate", str(path), "--config", str(tmp_path / "kacheck.toml"), *options])
        return Said3(code, *capsys.readouterr())

    return run


@pytest.fixture(autouse=True)
def keepalived(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keepalived that says what the file `says` beside it does, with its first line as code."""
    program = tmp_path_factory.mktemp("bin") / "keepalived"
    program.write_text(
        f"#!{sys.executable}\nimport os, re, signal, sys, time\n"
        "text = open(sys.argv[3]).read()\n"
        "for name in re.findall(r'^include (.*)', text, re.M):\n"
        "    open(name if name[0] == '/' else os.path.join(os.path.dirname(sys.argv[3]), name))\n"
        "new = 'vrrp_script' in text\n"
        f"exec(open({str(program)!r} + '.py').read())\n"
    )
    program.chmod(0o755)
    program.with_suffix(".py").write_text("")
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


# --- in place -------------------------------------------------------------------------------


def test_in_place_writes_both_files_and_keeps_what_was_there(
    tmp_path: Path, conf: Path, migrate: Callable[..., Said3]
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


def test_twice_changes_nothing(tmp_path: Path, conf: Path, migrate: Callable[..., Said3]) -> None:
    migrate("--in-place")
    before = snapshot(tmp_path)

    assert migrate("--in-place") == (0, "", "")
    assert migrate() == (0, "", "")
    assert snapshot(tmp_path) == before
    assert conf.exists()


def test_an_older_backup_is_never_overwritten(
    tmp_path: Path, conf: Path, migrate: Callable[..., Said3]
) -> None:
    old = tmp_path / "keepalived.conf.kacheck-backup"
    old.write_text("first")
    Path(f"{old}.1").write_text("second")
    migrate("--in-place")

    assert (old.read_text(), Path(f"{old}.1").read_text()) == ("first", "second")
    assert Path(f"{old}.2").read_text() == BLOCK + INSTANCE
    assert conf.stat().st_ino != Path(f"{old}.2").stat().st_ino


def test_mode_owner_and_group_stay(conf: Path, migrate: Callable[..., Said3]) -> None:
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


def test_the_file_that_a_link_leads_to_is_written(
    tmp_path: Path, conf: Path, migrate: Callable[..., Said3]
) -> None:
    (tmp_path / "real").mkdir()
    real = conf.rename(tmp_path / "real/ka.conf")
    conf.symlink_to("real/ka.conf")
    assert migrate("--in-place").code == 0

    assert conf.is_symlink()
    assert "vrrp_script" in real.read_text()
    assert (tmp_path / "real/ka.conf.kacheck-backup").exists()


def test_included_files_are_written_where_they_stand(
    tmp_path: Path, conf: Path, migrate: Callable[..., Said3]
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
    tmp_path: Path, conf: Path, migrate: Callable[..., Said3]
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
    migrate: Callable[..., Said3],
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
    tmp_path: Path, conf: Path, migrate: Callable[..., Said3], keepalived: Path
) -> None:
    keepalived.write_text(f"open({str(conf)!r}, 'a').write('# edited')")
    said = migrate("--in-place")

    assert said.code == 3
    assert "has changed meanwhile" in said.err
    assert conf.read_text() == BLOCK + INSTANCE + "# edited"
    assert list(tmp_path.iterdir()) == [conf]


# --- kacheck.toml ---------------------------------------------------------------------------


def test_checks_are_appended_to_what_is_there(
    tmp_path: Path, migrate: Callable[..., Said3]
) -> None:
    toml = tmp_path / "kacheck.toml"
    there = '# mine\n[check.x]   # x\nprobe = "process"\nname = "x"'
    toml.write_text(there)
    assert migrate("--in-place").code == 0

    assert toml.read_text().startswith(there + "\n\n[check.app]\n")
    assert (tmp_path / "kacheck.toml.kacheck-backup").read_text() == there


def test_a_check_of_the_same_meaning_is_taken_as_it_is(
    tmp_path: Path, migrate: Callable[..., Said3]
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
    tmp_path: Path, conf: Path, migrate: Callable[..., Said3]
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
    tmp_path: Path, migrate: Callable[..., Said3], text: str
) -> None:
    (tmp_path / "kacheck.toml").write_text(text)
    before = snapshot(tmp_path)

    assert migrate("--in-place").code == 3
    assert snapshot(tmp_path) == before


# --- -o -------------------------------------------------------------------------------------


def test_the_result_goes_to_another_file(
    tmp_path: Path, conf: Path, migrate: Callable[..., Said3]
) -> None:
    new = tmp_path / "new.conf"
    said = migrate("-o", str(new))

    assert said.code == 0
    assert conf.read_text() == BLOCK + INSTANCE
    assert "vrrp_script app {" in new.read_text()
    assert (tmp_path / "kacheck.toml").exists()
    assert f"wrote {new}\n" in said.out


def test_more_than_one_file_does_not_fit_into_another_one(
    tmp_path: Path, conf: Path, migrate: Callable[..., Said3]
) -> None:
    (tmp_path / "app.conf").write_text(BLOCK)
    conf.write_text("include app.conf\n" + INSTANCE)
    before = snapshot(tmp_path)
    said = migrate("-o", str(tmp_path / "new.conf"))

    assert said.code == 3
    assert "app.conf would change, too" in said.err
    assert "take --in-place" in said.err
    assert snapshot(tmp_path) == before


def test_the_file_itself_is_no_other_file(conf: Path, migrate: Callable[..., Said3]) -> None:
    said = migrate("-o", str(conf))
    assert said.code == 3
    assert "take --in-place" in said.err


def test_both_ways_of_writing_are_bad_usage(conf: Path, migrate: Callable[..., Said3]) -> None:
    assert migrate("-o", "x", "--in-place").code == 3
    assert conf.read_text() == BLOCK + INSTANCE


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
    migrate: Callable[..., Said3], keepalived: Path, program: str, words: str
) -> None:
    keepalived.write_text(program)
    said = migrate("--in-place")

    assert said.code == 0
    assert words in said.out.splitlines()[-1]


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
    migrate: Callable[..., Said3],
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


def test_a_keepalived_that_hangs_is_not_waited_for(
    migrate: Callable[..., Said3], keepalived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "TIMEOUT", 0.5)
    keepalived.write_text("new and time.sleep(60)")
    said = migrate("--in-place")

    assert said.code == 3
    assert "does not come to an end within" in said.err


def test_without_keepalived_that_is_said(
    migrate: Callable[..., Said3], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "program", lambda: None)
    assert "keepalived is not installed here" in migrate("--in-place").out


def test_a_violation_that_was_there_is_no_new_one() -> None:
    before = Said(6, ("SECURITY VIOLATION - check scripts",))
    after = Said(6, (*before.complaints, "SECURITY VIOLATION - scripts"))
    assert verify.new_complaints(before, after) == []


def test_the_modes_of_a_new_file_are_ordinary(
    tmp_path: Path, migrate: Callable[..., Said3]
) -> None:
    migrate("--in-place", "--config", str(tmp_path / "new/kacheck.toml"))
    file = tmp_path / "new/kacheck.toml"

    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o755
