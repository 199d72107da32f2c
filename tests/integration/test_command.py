"""A program as a check: how it is started, how it ends, and what is left of it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from helpers.answer import Answer
from helpers.faults import be_privileged
from helpers.paths import ROOT
from helpers.waiting import until
from helpers.watcher import Watcher
from kacheck.cli import main
from kacheck.deadline import Deadline, within
from kacheck.probes.command.look import CommandOptions
from kacheck.probes.command.look import look as run_program

Look = Callable[..., Answer]


class Script(Protocol):
    """Writes a script of the shell, and returns its path."""

    def __call__(self, text: str, name: str = "check") -> str: ...


KACHECK = [sys.executable, "-ISB", str(ROOT / "src/kacheck/__main__.py")]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Write a script of the shell, and return its path."""

    def write(text: str, name: str = "check") -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def may_lower_oom_score() -> bool:
    code = "import pathlib; pathlib.Path('/proc/self/oom_score_adj').write_text('-900')"
    argv = [sys.executable, "-c", code]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(0, "ok succeeded"), (1, "warning warned"), (2, "critical failed"), (3, "unknown undetermined"),
     (9, "critical unexpected-exit"), (127, "critical not-found")],
)  # fmt: skip
def test_its_exit_code_is_the_status(look: Look, script: Script, code: int, verdict: str) -> None:
    answer = look("command", "--timeout", "20", "--", script(f"echo says {code}; exit {code}"))
    assert answer.verdict == verdict
    assert f"says {code}" in answer.message
    assert answer.code == (code if code < 4 else 2)


def test_no_shell_reads_the_arguments(look: Look) -> None:
    answer = look("command", "--", "echo", "$HOME;", "*", "|", "a  b")
    assert answer.message == "$HOME; *"
    assert answer.data["performance_data"] == "a b"


def test_its_input_is_empty_and_it_inherits_no_descriptors(look: Look) -> None:
    words = ("sh", "-c", "cat; ls /proc/self/fd | xargs")
    with open("/dev/null"):
        answer = look("command", "--timeout", "20", "--", *words)
    assert answer.message == "0 1 2 3"  # the last one is ls's own


def test_what_the_system_does_not_start_fails(look: Look, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("echo no line with #!\n")
    assert look("command", "--", str(plain)).verdict == "critical not-executable"
    plain.chmod(0o755)
    assert look("command", "--", str(plain)).verdict == "critical not-executable"
    assert look("command", "--", str(tmp_path)).verdict == "critical not-executable"
    assert look("command", "--", f"{plain}/x").verdict == "critical not-found"
    assert look("command", "--", "no-such-program-anywhere").verdict == "critical not-found"
    plain.write_text("#!/no/such/interpreter\n")
    assert look("command", "--", str(plain)).verdict == "critical not-found"


def test_a_signal_is_not_a_success(look: Look, script: Script) -> None:
    answer = look("command", "--timeout", "20", "--", script("echo OK; kill -TERM $$"))
    assert answer.verdict == "critical killed"
    assert "SIGTERM" in answer.message


def test_performance_data_is_passed_on(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    program = script("echo 'OK: load 1 | load1=1.0;4;8;0;'")
    assert main(["command", "--timeout", "20", "--format", "json", "--", program]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["performance_data"] == "load1=1.0;4;8;0;"
    assert main(["command", "--timeout", "20", "--format", "nagios", "--", program]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("COMMAND OK - succeeded: OK: load 1 | time=")
    assert shown.endswith("s load1=1.0;4;8;0;\n")


def test_a_flood_of_output_is_read_and_dropped(look: Look, script: Script) -> None:
    answer = look(
        "command", "--timeout", "30", "--", script("yes begin | head -c 30000000; exit 1")
    )
    assert (answer.verdict, answer.message) == ("warning warned", "begin")


def test_arguments_are_not_shown(look: Look) -> None:
    answer = look("command", "--", "sh", "-c", "exit 2", "--password=hunter2")
    assert "hunter2" not in json.dumps([answer.message, answer.data])


def test_the_whole_group_is_killed_at_the_deadline(script: Script) -> None:
    program = script("sleep 1000 & echo $! >$0.pid; trap '' TERM; sleep 1000")
    deadline = Deadline(1.5)
    result = within(deadline, lambda each: run_program(CommandOptions((program,)), each))
    assert result.reason == "timeout"
    assert program in result.message
    child = int(Path(f"{program}.pid").read_text())
    until(lambda: not is_alive(child))


def test_what_it_leaves_behind_is_not_waited_for_and_killed(look: Look, script: Script) -> None:
    program = script("sleep 1000 & echo $! >$0.pid; echo done")
    answer = look("command", "--timeout", "20", "--", program)
    assert (answer.verdict, answer.message) == ("ok succeeded", "done")
    child = int(Path(f"{program}.pid").read_text())
    until(lambda: not is_alive(child))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_check_that_is_killed_takes_its_program_along(script: Script, number: int) -> None:
    program = script("echo $$ >$0.pid.new; mv $0.pid.new $0.pid; exec sleep 1000")
    argv = [*KACHECK, "command", "--timeout", "60", "--", program]
    check = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    place = Path(f"{program}.pid")
    until(place.exists)
    check.send_signal(number)
    assert check.wait(30) == -number
    until(lambda: not is_alive(int(place.read_text())))


def test_it_is_right_where_standard_files_are_closed(script: Script) -> None:
    program = script("echo fine; exit 1")
    words = " ".join([*KACHECK, "command", "--timeout", "20", "--", program])
    assert subprocess.run(["sh", "-c", f"{words} <&- >&- 2>&-"], check=False).returncode == 1


def test_a_success_whose_code_nobody_kept_fails() -> None:
    code = (
        "import signal, os, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    argv = [sys.executable, "-c", code, *KACHECK, "command", "--timeout", "20", "--", "true"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()[:2]) == (2, ["critical", "unexpected-exit:"])


# --- in the watcher -------------------------------------------------------------------------


def check(program: str, *args: str, more: str = "") -> str:
    argv = json.dumps([program, *args])
    return f'[check.plugin]\nprobe = "command"\nargv = {argv}\ninterval = 0.2\ntimeout = 10\n{more}'


def test_the_watcher_has_it_with_rise_fall_and_metrics(tmp_path: Path, script: Script) -> None:
    program = script("cat $0.says; exit $(cat $0.code)")
    says, code = Path(f"{program}.says"), Path(f"{program}.code")
    says.write_text("fine\n")
    code.write_text("0")
    metrics = tmp_path / "k.prom"
    toml = f'metrics = "{metrics}"\n' + check(program, more="fall = 2\n")
    with Watcher(tmp_path, toml) as watcher:
        watcher.wait_for("plugin", "ok succeeded")
        assert watcher.track("plugin") == 1
        code.write_text("2")
        says.write_text("it is broken\n")
        watcher.wait_for("plugin", "critical failed")
        assert watcher.track("plugin") == 0
        verdict = watcher.verdict("plugin")
        assert verdict is not None
        assert verdict.message == "it is broken"
        watcher.until(lambda: 'reason="failed"' in metrics.read_text())
        code.write_text("0")
        watcher.wait_for("plugin", "ok succeeded")
        assert not any("Traceback" in str(line) for line in watcher.lines)


def test_a_program_that_hangs_fails_and_is_killed(tmp_path: Path, script: Script) -> None:
    program = script("echo $$ >$0.pid; [ -e $0.fine ] || exec sleep 1000")
    toml = check(program).replace("timeout = 10", "timeout = 1")
    with Watcher(tmp_path, toml) as watcher:
        watcher.wait_for("plugin", "critical timeout")
        hanging = int(Path(f"{program}.pid").read_text())
        Path(f"{program}.fine").touch()
        watcher.wait_for("plugin", "ok succeeded")
        assert not is_alive(hanging)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to be nicer than it may")
def test_it_runs_with_nice_0_and_oom_score_adj_0(tmp_path: Path, script: Script) -> None:
    program = script(
        "sleep 0.3; echo nice $(cut -d')' -f2 /proc/$$/stat | cut -d' ' -f18)"
        " oom $(cat /proc/$$/oom_score_adj) socket ${NOTIFY_SOCKET:-none}"
    )
    # To lower the score takes a capability that a container's root may not have.
    score = "-900" if may_lower_oom_score() else "0"
    with Watcher(tmp_path, check(program), faults=[partial(be_privileged, score)]) as watcher:
        watcher.wait_for("plugin", "ok succeeded")
        verdict = watcher.verdict("plugin")
        assert verdict is not None
        assert verdict.message == "nice 0 oom 0 socket none"
        assert Path(f"/proc/{watcher.pid}/oom_score_adj").read_text() == f"{score}\n"
        assert os.getpriority(os.PRIO_PROCESS, watcher.pid) == -10


def test_the_unit_lets_the_watcher_outlive_and_deprioritize_a_program() -> None:
    """systemd's default, OOMPolicy=stop, ends a service of which one process was OOM-killed."""
    lines = (ROOT / "systemd/kacheck.service").read_text().splitlines()
    assert "OOMPolicy=continue" in lines
    denied = lines.index("SystemCallFilter=~@privileged @resources")
    assert "SystemCallFilter=setpriority" in lines[denied:]


def test_nothing_is_left_of_its_programs(tmp_path: Path, script: Script) -> None:
    """No zombie, no descriptor; and after a kill no program."""
    program = script("echo $$ >$0.pid; [ -e $0.hang ] && exec sleep 1000; exit 0")
    with Watcher(tmp_path, check(program)) as watcher:
        pid = Path(f"{program}.pid")
        watcher.wait_for("plugin", "ok succeeded")
        seen = {pid.read_text()}
        for _ in range(10):
            watcher.until(lambda: pid.read_text() not in {"", *seen})
            seen.add(pid.read_text())
        children = Path(f"/proc/{watcher.pid}/task/{watcher.pid}/children")
        assert len(children.read_text().split()) <= 2  # of a run that is under way
        Path(f"{program}.hang").touch()
        last = pid.read_text()
        watcher.until(lambda: pid.read_text() not in ("", last))
        hanging = int(pid.read_text())
        cmdline = Path(f"/proc/{hanging}/cmdline")
        watcher.until(lambda: cmdline.read_text().startswith("sleep"))
        watcher.kill()
        until(lambda: not is_alive(hanging))


def test_it_is_a_member_of_a_combination(tmp_path: Path, script: Script) -> None:
    good, bad = script("echo fine", name="good"), script("echo bad; exit 2", name="bad")
    toml = "".join(
        f'[check.{name}]\nprobe = "command"\nargv = ["{path}"]\ntimeout = 10\n'
        for name, path in (("good", good), ("bad", bad))
    )
    members = 'probe = "combined"\ntimeout = 20\ninterval = 0.5\n'
    toml += f'[check.every]\n{members}all = ["good", "bad"]\n'
    toml += f'[check.either]\n{members}any = ["bad", "good"]\n'
    with Watcher(tmp_path, toml) as watcher:
        watcher.wait_for("every", "critical failed")
        watcher.wait_for("either", "ok succeeded")
