"""The command that comes next, where a command leaves something to do."""

import pathlib

import pytest

from helpers.watcher import Watcher
from kacheck import next_step, statedir
from kacheck.cli import main
from kacheck.migrate import verify

Shown = pytest.CaptureFixture[str]
CHECK = '[check.x]\nprobe = "process"\nname = "x"\n'
CONF = """
vrrp_track_process vault {
    process vault
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    track_process {
        vault
    }
    virtual_ipaddress {
        192.0.2.100
    }
}
"""


def test_a_good_configuration_is_to_be_taken_by_the_watcher(
    tmp_path: pathlib.Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kacheck.toml"
    file.write_text(CHECK)
    words = ["watch", "--check-config", "--config", str(file), "--state-dir", str(tmp_path / "s")]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{file} is good: x\n", "a file that may not be in use"
    monkeypatch.setattr("kacheck.commands.options.CONFIGURATION", str(file))
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"next: kacheck watch --state-dir {tmp_path}/s"
    ]
    with Watcher(tmp_path, CHECK, state_dir=tmp_path / "s") as watcher:
        assert main(words) == 0
        assert capsys.readouterr().out.splitlines()[1:] == [f"next: kill -HUP {watcher.pid}"]


@pytest.mark.parametrize(("has_systemd", "runs", "command"), [
    (True, True, "systemctl reload kacheck"),
    (True, False, "systemctl start kacheck"),
    (False, True, "kill -HUP 4711"),
    (False, False, "kacheck watch"),
])  # fmt: skip
def test_the_service_is_reloaded_or_started(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, *, has_systemd: bool, runs: bool,
    command: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(next_step, "SYSTEMD", str(tmp_path) if has_systemd else "/no/such")
    pid = 4711 if runs else None
    monkeypatch.setattr(next_step, "watcher_pid", lambda _: pid)
    assert next_step.reload_watcher(statedir.DEFAULT) == command


def test_migrate_says_what_comes_next(
    tmp_path: pathlib.Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "program", lambda: None)
    conf, config = tmp_path / "keepalived.conf", tmp_path / "kacheck.toml"
    conf.write_text(CONF)
    words = ["migrate", str(conf), "--config", str(config), "--state-dir", str(tmp_path / "s")]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert out.startswith("--- "), "a diff for patch(1), without another word"
    assert err.endswith("kacheck: next: the same command with --in-place\n")
    assert main([*words, "-o", str(tmp_path / "new.conf")]) == 0
    assert (
        f"next: mv {tmp_path}/new.conf {conf}; kacheck watch --state-dir" in capsys.readouterr().err
    )
    assert main([*words, "--in-place"]) == 0
    err = capsys.readouterr().err
    watch = (
        f"kacheck watch --state-dir {tmp_path}/s; kacheck status --wait --state-dir {tmp_path}/s"
    )
    assert f"kacheck: next: {watch}; {next_step.reload_keepalived()}\n" in err
    assert main([*words, "--in-place"]) == 0
    assert capsys.readouterr() == ("", "kacheck: nothing to migrate\n")
