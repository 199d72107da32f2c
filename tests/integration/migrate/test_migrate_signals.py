"""`kacheck migrate` that is interrupted or killed, or that runs twice at the same time."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from helpers.child import Fault, environment, kacheck_command, run_kacheck
from helpers.doctor import FakeMachine
from helpers.faults import ignore_hangup, judge_with, signal_at_call
from helpers.migrate_command import BLOCK, INSTANCE, CommandOutput, snapshot
from kacheck import config
from kacheck.doctor.context import Context
from kacheck.doctor.kacheck.installation import Installation
from kacheck.doctor.keepalived.tracked_names import defined_below, undefined_name
from kacheck.keepalived import load
from kacheck.migrate import command, verify


@pytest.fixture
def interrupted(
    tmp_path: Path, conf: Path, keepalived: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Migrate in a process that gets a signal when the nth call of a function of `os` returns."""

    def run(name: str, nth: int, number: int, *faults: Fault) -> subprocess.CompletedProcess[str]:
        judge = partial(judge_with, str(keepalived.with_suffix("")))
        signalled = partial(signal_at_call, name, str(nth), str(int(number)))
        words = ("migrate", conf, "--in-place", "--config", tmp_path / "kacheck.toml")
        return run_kacheck(*words, faults=[judge, signalled, *faults])

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
    assert f"interrupted; but {conf} cannot be put back" in done.stderr


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
def test_after_kill_9_anywhere_references_resolve_and_a_second_run_completes(  # noqa: PLR0913, PLR0917 - fixtures
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


def test_a_killed_runs_changes_are_undone_by_the_next_run(
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
    argv = kacheck_command("migrate", conf, "--in-place", "--config", toml)
    environ = environment(PATH=f"{program.parent}:/usr/bin:/bin")
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True) as first:
        try:
            while not waits.exists():
                assert first.poll() is None
            before = snapshot(tmp_path)
            for options in ((), ("--in-place",)):
                said = migrate(*options)
                assert said.code == 3
                assert f"another run on {conf} is in progress, pid {first.pid}; wait" in said.err
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
    assert f"another run on {conf} is in progress; wait" in said.err
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
    done = interrupted("fsync", 1, signal.SIGHUP, ignore_hangup)

    assert done.returncode == 0, done.stderr
    assert "keepalived -t accepts it" in done.stdout
    assert "vrrp_script" in conf.read_text()
