"""`kacheck run`: checks by their names in the configuration file, all at the same time."""

import json
import os
import pathlib
import subprocess
import time
from collections.abc import Callable

import pytest

from helpers.answer import Answer
from helpers.vault import StandInVault
from kacheck.cli import main
from kacheck.probes.process.scan import is_one_shot

Start = Callable[..., subprocess.Popen[bytes]]
Look = Callable[..., Answer]
Shown = pytest.CaptureFixture[str]

NAME = f"ktest-{os.getpid()}"
HERE = f'[check.here]\nprobe = "process"\nname = "{NAME}"\n'
GONE = '[check.gone]\nprobe = "process"\nname = "ktest-none"\n'


def vault(name: str, address: str, more: str = "") -> str:
    return f'[check.{name}]\nprobe = "vault"\naddress = "{address}"\n{more}\n'


@pytest.fixture
def config(tmp_path: pathlib.Path, start: Start) -> Callable[..., str]:
    """Write a configuration file; its path. The process NAME runs."""
    start(NAME, "60")

    def write(*tables: str) -> str:
        path = tmp_path / "kacheck.toml"
        path.write_text("\n".join(tables))
        return str(path)

    return write


@pytest.fixture
def words(tmp_path: pathlib.Path, config: Callable[..., str]) -> Callable[..., list[str]]:
    """The command's words: a configuration, and a separate state directory."""

    def listed(*tables: str) -> list[str]:
        return ["run", "--state-dir", str(tmp_path), "--config", config(*tables)]

    return listed


Words = Callable[..., list[str]]


def test_one_check_is_answered_as_the_other_commands_do(words: Words, capsys: Shown) -> None:
    argv = words(HERE, GONE)
    assert main([*argv, "here"]) == 0
    assert capsys.readouterr().out.startswith(f"ok running: 1 process named {NAME}")
    assert main([*argv, "gone"]) == 2
    assert capsys.readouterr().out == "critical missing: no process named ktest-none\n"


def test_several_are_a_line_each_in_the_order_asked_for(words: Words, capsys: Shown) -> None:
    argv = words(HERE, GONE)
    assert main([*argv, "gone", "here", "gone"]) == 2
    first, second = capsys.readouterr().out.splitlines()
    assert first == "gone: critical missing: no process named ktest-none"
    assert second.startswith(f"here: ok running: 1 process named {NAME}")
    assert main([*argv, "--format", "nagios", "gone", "here"]) == 2
    heads = [line.split(" - ")[0] for line in capsys.readouterr().out.splitlines()]
    assert heads == ["GONE CRITICAL", "HERE OK"]
    assert main([*argv, "--quiet", "gone", "here"]) == 2
    assert capsys.readouterr().out == ""


def test_json_is_one_object_a_line_with_the_checks_name(words: Words, capsys: Shown) -> None:
    assert main([*words(HERE, GONE), "--format", "json", "here", "gone"]) == 2
    here, gone = map(json.loads, capsys.readouterr().out.splitlines())
    assert (here["check"], here["status"], here["exit_code"]) == ("here", "ok", 0)
    assert (gone["check"], gone["reason"], gone["exit_code"]) == ("gone", "missing", 2)
    assert here["data"]["matches"][0]["pid"], "details, as the other commands have them in JSON"


def test_details_reach_the_members_of_a_combination(words: Words, look: Look) -> None:
    both = '[check.both]\nprobe = "combined"\nall = ["here"]\n'
    command, *rest = words(HERE, both)
    answer = look(command, *rest, "both")
    assert answer.code == 0
    assert answer.data["here"]["matches"]


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["active"], 0),
        (["active", "standby"], 1),
        (["standby", "limited"], 3),
        (["limited", "sealed", "standby"], 2),
    ],
)
def test_the_worst_status_is_the_exit_code_and_critical_exceeds_unknown(
    words: Words, states: list[str], code: int
) -> None:
    bodies = {"limited": "rate-limited"}
    vaults = [StandInVault(state=bodies.get(state, state)) for state in states]
    try:
        for each in vaults:
            each.__enter__()
        argv = words(
            *(
                vault(s, v.address, "timeout = 20\ninterval = 20")
                for s, v in zip(states, vaults, strict=True)
            )
        )
        assert main([*argv, *states]) == code
        assert main([*argv, "--misc", *states]) == min(code, 1)
    finally:
        for each in vaults:
            each.__exit__(None, None, None)


@pytest.mark.parametrize(("on_unknown", "code"), [("fail", 3), ("hold", 3), ("ok", 0)])
def test_run_applies_on_unknown_but_has_nothing_to_hold(
    words: Words, on_unknown: str, code: int
) -> None:
    with StandInVault(state="rate-limited") as limited:
        argv = words(vault("node", limited.address, f'on_unknown = "{on_unknown}"'))
        assert main([*argv, "node"]) == code


def test_each_check_has_its_deadline_and_the_slowest_sets_the_time(
    words: Words, capsys: Shown
) -> None:
    with StandInVault(state="hang") as hangs:
        argv = words(
            HERE,
            *(vault(f"hangs{n}", hangs.address, "timeout = 0.6") for n in range(4)),
            vault("hangs-less", hangs.address, "timeout = 0.3"),
        )
        begun = time.monotonic()
        names = ["hangs0", "here", "hangs1", "hangs-less", "hangs2", "hangs3"]
        assert main([*argv, *names]) == 2
        assert time.monotonic() - begun < 4 * 0.6
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("hangs0: critical timeout: no answer within 0.6 s")
    assert lines[1].startswith("here: ok running")
    assert lines[3].startswith("hangs-less: critical timeout: no answer within 0.3 s")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "CHECK is missing"),
        (["hre"], "has no check hre; did you mean here?"),
        (["zzzzzz"], "has no check zzzzzz; choose from here, gone"),
        (["../here"], "'../here' is not a valid name for a check"),
        (["ALL"], "'ALL' is not a valid name for a check"),
        (["all"], "'all' is not a valid name for a check"),
        (["here", "--timeout", "0"], "--timeout"),
        (["here", "--on-unknown", "ok"], "--on-unknown"),
        (["--", "here"], "-- has no meaning for kacheck run"),
    ],
)
def test_bad_usage_is_3_and_says_what_to_write(
    words: Words, capsys: Shown, names: list[str], message: str
) -> None:
    argv = words(HERE, GONE)
    assert main([*argv, *names]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert message in shown.err
    assert main([*argv, "--misc", *names]) == 1


def test_a_name_that_is_unknown_spoils_only_itself(words: Words, capsys: Shown) -> None:
    assert main([*words(HERE, GONE), "hre", "gone"]) == 2
    shown = capsys.readouterr()
    assert shown.out == "gone: critical missing: no process named ktest-none\n"
    assert shown.err.startswith("kacheck: hre: unknown bad-config: ")


@pytest.mark.parametrize(
    "text", ["nonsense", "[check.here]\nprobe = 'process'\nnaem = 'x'\n", None]
)
def test_a_configuration_that_is_bad_or_missing_is_unknown(
    tmp_path: pathlib.Path, capsys: Shown, text: str | None
) -> None:
    path = tmp_path / "bad.toml"
    if text is not None:
        path.write_text(text)
    assert main(["run", "--state-dir", str(tmp_path), "--config", str(path), "here", "gone"]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count(str(path)) == 2, "each check says it"


def test_options_may_come_between_the_names(words: Words, capsys: Shown) -> None:
    assert main([*words(HERE, GONE), "here", "--format", "text", "gone"]) == 2
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_without_an_option_it_is_the_file_in_etc(capsys: Shown) -> None:
    if pathlib.Path("/etc/kacheck").exists():
        pytest.skip("this machine has a configuration")
    assert main(["run", "x"]) == 3
    assert "/etc/kacheck/kacheck.toml: No such file or directory" in capsys.readouterr().err


def test_run_and_its_entry_point_are_not_counted_as_the_service() -> None:
    for line in (
        "/bin/sh /usr/libexec/kacheck/kacheck-verdict vault",
        "python3 -IB -m kacheck run vault",
        "/usr/bin/python3 /usr/local/bin/kacheck run vault",
        "python3 -IB /src/kacheck/__main__.py run vault",
    ):
        assert is_one_shot(line.encode().split()), line
    assert not is_one_shot(b"/usr/bin/python3 /usr/bin/kacheck watch".split())


def test_a_warning_that_is_accepted_is_ok_and_no_failure_is(words: Words, capsys: Shown) -> None:
    with StandInVault(state="standby") as stand_in:
        argv = words(vault("node", stand_in.address))
        assert main([*argv, "node"]) == 1
        assert main([*argv, "--accept", "standby", "node"]) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith("ok standby: ")
        assert main([*argv, "--accept", "performance-standby", "node"]) == 1
        stand_in.state = "sealed"
        assert main([*argv, "--accept", "standby", "node"]) == 2


def test_only_the_reason_of_a_warning_can_be_accepted(words: Words, capsys: Shown) -> None:
    for word in ("sealed", "standbye", ""):
        assert main([*words(HERE), "--accept", word, "here"]) == 3
        assert f'invalid value "{word}" for --accept' in capsys.readouterr().err
