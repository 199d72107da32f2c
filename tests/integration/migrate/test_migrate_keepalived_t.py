"""`kacheck migrate` and what `keepalived -t` says of the result."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.child import environment, kacheck_command
from helpers.keepalived import Lab, Node
from helpers.migrate_command import BLOCK, CommandOutput, release, snapshot
from helpers.needs import needs
from kacheck.keepalived import load
from kacheck.migrate import command, verify
from kacheck.migrate.verify import Said

# --- keepalived -t -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("", "keepalived -t accepts it"),
        ("sys.exit(0 if new else 5)", "keepalived -t accepts it"),
        ("print('' if new else 'bad')", "accepts it and no longer complains"),
        ("print('(/x: Line %d) old' % (9 if new else 1)); sys.exit(5)", "1 complaint that it had"),
        ("print('old\\nold'); sys.exit(5)", "2 complaints that it had before, and no new one"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "says nothing: it is ended by signal SIGSEGV"),
        ("sys.exit(143)", "says nothing: it is ended by signal SIGTERM, as before"),
        ("sys.exit(4)", "cannot read it, nor could it before"),
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
        ("2.1.5", 3, "cannot read it, nor could it before"),
        ("2.1.5", 4, "1 complaint that it had before"),
        ("2.2.0", 4, "cannot read it, nor could it before"),
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
        ("new and sys.exit(5)", "complains: it exits with 5, and before with 0"),
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


def test_an_old_complaint_is_named_as_the_cause_of_another(
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
    """The other files are restored nevertheless, and deleted ones are no obstacle."""
    backup = tmp_path / "keepalived.conf.kacheck-backup"
    gone = (str(backup), str(tmp_path / "kacheck.toml"))
    keepalived.write_text(f"new and [os.unlink(f) for f in {gone!r}]; new and print('new')")
    said = migrate("--in-place")

    assert said.code == 3
    assert "complains: new;" in said.err
    assert f"{conf} cannot be put back (No such file or directory)" in said.err
    assert f"the previous file is {backup}" in said.err
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
        assert f"{conf} cannot be put back (Read-only file system)" in said.err
        assert backup.read_bytes() == before, "what was there is not lost"
        assert not toml.exists()
    else:
        assert f"{toml} cannot be put back (Read-only file system)" in said.err
        assert "it did not exist before" in said.err
        assert conf.read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        "(Line %d) Unknown keyword 'nonsense'",
        "(/etc/a: b (1).conf: Line %d) Unknown keyword 'nonsense'",
        "(b.conf: Line %d) Config files missing 'nowhere.conf'.",
    ],
)
def test_an_old_complaint_on_another_line_is_not_new(
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
def test_a_keepalived_that_ends_itself_for_a_user_cannot_judge(
    conf: Path, migrate: Callable[..., CommandOutput], keepalived: Path, text: str, user: str
) -> None:
    keepalived.write_text(KILLED)
    conf.write_text(text)
    said = migrate("--in-place", "--recipes")

    assert said.code == 0, said.err
    assert "kacheck-process --all-namespaces haproxy" in conf.read_text()
    line = conf.read_text().partition(user)[0].count("\n") + 1
    assert said.out.splitlines()[-1] == (
        f"keepalived -t cannot judge the result: it kills itself (SIGTERM) because of {user} at"
        f" {conf}:{line}, as keepalived 2.2.7 does for every user but root; as a service it does"
        " not"
    )


@pytest.mark.parametrize("user", ["", "    user root\n"])
def test_without_such_a_user_a_killed_keepalived_means_a_complaint(
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


def test_without_root_scripts_cannot_be_judged(
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
    assert "does not end within" in said.err


def test_without_keepalived_it_says_that_nothing_was_tested(
    migrate: Callable[..., CommandOutput], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "program", lambda: None)
    assert "keepalived is not installed here" in migrate("--in-place").out


def test_a_violation_that_was_there_is_not_new() -> None:
    before = Said(6, ("SECURITY VIOLATION - check scripts",))
    after = Said(6, (*before.complaints, "SECURITY VIOLATION - scripts"))
    assert verify.new_complaints(before, after) == []


# --- a real keepalived -------------------------------------------------------------------------


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
    """Migrate a configuration in place in the node."""
    path = node.write("keepalived.conf", text)
    argv = [*prefix, *kacheck_command("migrate", path, "--in-place", *options)]
    return path, node.run(argv, check=False, env=environment())


VIP = (
    "global_defs {\n    enable_script_security\n}\n%svrrp_instance VI_1 {\n    interface eth0\n"
    "    virtual_router_id 5\n    priority 100\n    virtual_ipaddress {\n        10.77.0.9\n    }\n"
    "    %s {\n        app\n    }\n}\n"
)


@pytest.mark.keepalived
@pytest.mark.parametrize(
    "old", ["include nowhere.conf\n", "nonsense_keyword\n", "foo {\n    bar baz\n}\n"]
)
def test_an_old_complaint_below_an_edit_is_not_new(node: Node, old: str) -> None:
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
def test_a_file_that_is_a_mount_is_reported(node: Node) -> None:
    path = node.write("keepalived.conf", "")
    path.write_text(VIP % (BLOCK, "track_process"))
    before = snapshot(path.parent)
    mounted = ("unshare", "--mount", "sh", "-c", f'mount --bind {path} {path}; exec "$@"', "sh")
    _, done = migrated(node, path.read_text(), "--mode", "script", prefix=mounted)

    assert done.returncode == 3
    assert f"{path}: Device or resource busy; nothing was written; it is a mount" in done.stderr
    assert snapshot(path.parent).keys() == before.keys()
