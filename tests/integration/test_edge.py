"""Whatever happens around a check, its exit code stays: the real program, in bad surroundings."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from helpers.needs import needs
from helpers.paths import TESTS
from helpers.reasons import REASON
from helpers.vault import StandInVault
from helpers.watcher import Watcher
from kacheck import cli
from kacheck.deadline import Deadline
from kacheck.probes.process import look as process
from kacheck.probes.process.options import ProcessOptions
from kacheck.result import Result, Status

Start = Callable[..., subprocess.Popen[bytes]]

KACHECK = [sys.executable, "-I", "-m", "kacheck"]
NAME = f"ktest-{os.getpid()}"


def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(argv, check=False, timeout=30, **options)


def shell(redirection: str, argv: list[str]) -> list[str]:
    return ["sh", "-c", f'exec "$@" {redirection}', "sh", *argv]


def with_dev(dev: pathlib.Path, argv: list[str]) -> list[str]:
    """Return the command in a separate mount namespace, where /dev is that directory."""
    mount = f'mount --bind {dev} /dev && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mount, "sh", *argv]


VERDICTS = [
    pytest.param(["process", NAME], 0, id="ok"),
    pytest.param(["process", "ktest-none"], 2, id="critical"),
    pytest.param(["process", "--verbose", "ktest-none"], 2, id="verbose"),
    pytest.param(["process", "--format", "json", NAME], 0, id="json"),
    pytest.param(["process", "--nonsense"], 3, id="bad usage"),
    pytest.param(["vault", "--address", "http://127.0.0.1:9"], 2, id="vault"),
    pytest.param(["--version"], 0, id="version"),
    pytest.param(["run", "--config", "/no/such.toml", "x"], 3, id="run"),
    pytest.param(["drain", "status", "--state-dir", "/no/such"], 0, id="drain"),
]


@pytest.mark.parametrize(
    "redirection",
    [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full", "</dev/null >/dev/null 2>&1"],
)  # fmt: skip
@pytest.mark.parametrize(("words", "code"), VERDICTS)
def test_no_output_changes_the_code(
    start: Start, redirection: str, words: list[str], code: int
) -> None:
    start(NAME, "60")
    assert run(shell(redirection, [*KACHECK, *words])).returncode == code


@pytest.mark.parametrize(("words", "code"), VERDICTS)
def test_a_reader_that_has_gone_changes_nothing(start: Start, words: list[str], code: int) -> None:
    start(NAME, "60")
    read, write = os.pipe()
    os.close(read)
    assert run([*KACHECK, *words], stdout=write, stderr=write).returncode == code
    os.close(write)


@pytest.mark.parametrize(("words", "code"), VERDICTS)
def test_keepaliveds_surroundings_change_nothing(
    start: Start, tmp_path: pathlib.Path, words: list[str], code: int
) -> None:
    """No environment, a deleted working directory, umask 0177, a poisoned PYTHONPATH."""
    start(NAME, "60")
    poison = tmp_path / "poison"
    poison.mkdir()
    for module in ("kacheck", "httpx", "argparse", "sitecustomize"):
        (poison / f"{module}.py").write_text("import os; os._exit(0)")
    for env in (
        {},
        {"LANG": "C"},
        {"LC_ALL": "de_DE.ISO-8859-1"},
        {"PYTHONPATH": str(poison), "PYTHONHOME": "/x"},
    ):
        gone = tmp_path / "gone"
        gone.mkdir()
        shown = run(
            shell("", [*KACHECK, *words]),
            env=env,
            umask=0o177,
            cwd=gone,
            preexec_fn=lambda: os.rmdir(gone),
        )
        assert shown.returncode == code, (env, shown)


def test_a_name_that_is_not_text_is_printed_escaped() -> None:
    for env in ({"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}):
        shown = run([*KACHECK, "process", b"\xff\xfe"], env=env)  # type: ignore[list-item]
        assert shown.returncode == 2
        assert b"critical missing: no process named \\udcff\\udcfe" in shown.stdout


def test_sigterm_kills_even_where_it_was_ignored() -> None:
    """keepalived would book an exit with 0 after its SIGTERM as success."""
    with StandInVault(state="hang") as vault:
        argv = [*KACHECK, "vault", "--address", vault.address, "--timeout", "60"]
        for looks, before in enumerate((signal.SIG_DFL, signal.SIG_IGN), start=1):
            child = subprocess.Popen(
                argv,
                stdout=subprocess.DEVNULL,
                preexec_fn=lambda: signal.signal(signal.SIGTERM, before),
            )
            assert vault.wait_for_requests(looks, timeout=20)
            child.terminate()
            assert child.wait(20) == -signal.SIGTERM


def test_sigterm_kills_even_where_it_was_blocked() -> None:
    with StandInVault(state="hang") as vault:
        child = subprocess.Popen(
            [*KACHECK, "vault", "--address", vault.address, "--timeout", "60"],
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}),
        )
        assert vault.wait_for_requests(1, timeout=20)
        child.terminate()
        assert child.wait(20) == -signal.SIGTERM


@pytest.mark.parametrize("words", [["vault"], ["combined", "--process", NAME]])
def test_a_check_that_is_interrupted_dies_of_it(start: Start, words: list[str]) -> None:
    start(NAME, "60")
    with StandInVault(state="hang") as vault:
        argv = [*KACHECK, *words, "--address", vault.address, "--timeout", "60"]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert vault.wait_for_requests(1, timeout=20)
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=20) == (b"", b"")
        assert child.returncode == -signal.SIGINT


def test_a_logger_that_is_stuck_does_not_keep_the_answer(tmp_path: pathlib.Path) -> None:
    needs("unshare", "mount", root=True)
    (tmp_path / "null").touch()
    argv = with_dev(tmp_path, [*KACHECK, "process", "--log", "syslog"])
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler,
    ):
        log.bind(str(tmp_path / "log"))
        filler.connect(str(tmp_path / "log"))
        with contextlib.suppress(BlockingIOError):
            while filler.send(b"full", socket.MSG_DONTWAIT):
                pass
        assert run([*argv, "ktest-none"]).returncode == 2


def test_warnings_reach_syslog_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under keepalived nobody sees stderr, and a success that proves nothing is the worst case."""
    logged: list[str] = []
    monkeypatch.setattr(cli, "to_syslog", lambda _, message: logged.append(message))
    warned = Result(Status.OK, REASON["running"], "fine", {"warnings": ["not this machine"]})
    monkeypatch.setattr(process, "probe", lambda *_: warned)
    assert cli.main(["process", "--log", "syslog", NAME]) == 0
    assert logged == ["process: not this machine"]
    assert "kacheck: warning: not this machine" in capsys.readouterr().err


def test_a_bug_is_one_line_and_a_traceback_with_verbose(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: ProcessOptions, __: Deadline) -> Result:
        raise ZeroDivisionError("the bug")

    monkeypatch.setattr(process, "probe", broken)
    assert cli.main(["process", NAME]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith("kacheck: unknown bug: ZeroDivisionError: the bug at ")
    assert cli.main(["process", "--verbose", NAME]) == 3
    assert "Traceback (most recent call last)" in capsys.readouterr().err
    assert cli.main(["process", "--on-unknown", "ok", NAME]) == 3, "a bug is never ok"


def test_a_bug_in_printing_is_not_a_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], start: Start
) -> None:
    start(NAME, "60")

    def broken(*_: object, **__: object) -> str:
        raise KeyError("format")

    monkeypatch.setattr("kacheck.commands.reports.render", broken)
    assert cli.main(["process", NAME]) == 3
    assert capsys.readouterr().err.startswith("kacheck: unknown bug: KeyError: 'format' at ")


def test_quiet_prints_nothing(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start(NAME, "60")
    assert cli.main(["process", "-q", NAME]) == 0
    assert cli.main(["process", "-q", "ktest-none"]) == 2
    assert capsys.readouterr() == ("", "")


def test_quiet_does_not_hide_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    with StandInVault(state="active") as vault:
        assert cli.main(["vault", "-q", "--address", vault.address]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("kacheck: warning: ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["process", "ktest-none"], "process: critical missing: no process named ktest-none"),
        (["process", "--quorum", "x", "y"], "bad usage: argument --quorum: invalid value"),
        (["process", "--quiet", NAME], None),
    ],
)
def test_failures_are_logged_to_syslog(
    start: Start, tmp_path: pathlib.Path, words: list[str], expected: str | None
) -> None:
    """A /dev/log of the test's own, in a mount namespace."""
    needs("unshare", "mount", root=True)
    start(NAME, "60")
    dev = tmp_path / "dev"
    dev.mkdir()
    (dev / "null").touch()
    command, *rest = words
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(dev / "log"))
        log.settimeout(20)
        run(with_dev(dev, [*KACHECK, command, "--log", "syslog", *rest]))
        run(with_dev(dev, [*KACHECK, "process", "--log=syslog", "ktest-end"]))
        first = log.recv(4096).decode()
        assert "kacheck[" in first
        if expected is None:
            assert "ktest-end" in first, "a success is not logged"
            return
        assert expected in first
        assert first.startswith("<27>"), "facility daemon, severity err"
        assert "ktest-end" in log.recv(4096).decode(), "one line for each failure"


OWN_ADDRESSES = f"""
import subprocess, sys
sys.path.insert(0, {str(TESTS)!r})
for command in ("link set lo up", "addr add 10.77.0.1/24 dev lo", "addr add 10.77.0.100/24 dev lo"):
    subprocess.run(["ip", *command.split()], check=True)
from helpers.vault import StandInVault
from kacheck.cli import main
for host in ("10.77.0.1", "10.77.0.100", "127.0.0.5"):
    with StandInVault("active", host=host) as vault:
        assert main(["vault", "--address", vault.address]) == 0
"""


def test_an_own_secondary_address_such_as_a_vip_is_this_machine() -> None:
    """To one the kernel goes from the primary address of its network."""
    needs("unshare", "ip", root=True)
    shown = run(["unshare", "--net", sys.executable, "-I", "-c", OWN_ADDRESSES])
    assert shown.returncode == 0, shown
    assert b"is not this machine" not in shown.stderr


def test_a_watcher_without_outputs_watches_and_gives_no_file_their_numbers(
    tmp_path: pathlib.Path, start: Start
) -> None:
    start(NAME, "60")
    toml = f'[check.here]\nprobe = "process"\nname = "{NAME}"\n'
    wrapper = shell("<&- >&- 2>&-", [])
    with Watcher(tmp_path, toml, wrapper=wrapper) as watcher:
        watcher.wait_for("here", "ok running")
        for file in range(3):
            assert os.readlink(f"/proc/{watcher.pid}/fd/{file}") == os.devnull
        watcher.notified.clear()
        watcher.signal(signal.SIGUSR2)
        watcher.until(lambda: "READY=1" in watcher.notified)
        assert os.readlink(f"/proc/{watcher.pid}/fd/2") == os.devnull
    assert watcher.returncode == 0
    assert watcher.says("here", "critical stopped")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", "/no/such.toml", "--log-format", "json"], "/no/such.toml: No such file or directory; kacheck init"),
        (["--log-format=json", "--config", "/no/such.toml", "--check-config"], "/no/such.toml: No such"),
        (["--log-format", "json", "--nonsense"], "--nonsense"),
    ],
)  # fmt: skip
def test_a_watcher_that_logs_json_reports_its_end_in_json(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert cli.main(["watch", *words]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert [*said] == ["time", "level", "event", "check", "message"]
    assert (said["level"], said["event"], said["check"]) == (3, "message", None)
    assert message in said["message"]


def test_a_bug_of_a_watcher_that_logs_json_is_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object, __: object) -> int:
        raise ZeroDivisionError("the bug")

    monkeypatch.setattr("kacheck.commands.watch.run", broken)
    assert cli.main(["watch", "--log-format", "json"]) == 1
    message = json.loads(capsys.readouterr().err)["message"]
    assert message.startswith("unknown bug: ZeroDivisionError: the bug")
    assert cli.main(["watch", "--log-format", "text"]) == 1
    assert capsys.readouterr().err.startswith("kacheck: unknown bug: ZeroDivisionError")


def test_a_log_format_is_watchs_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["process", "--log-format", "json", "x"]) == 3
    assert capsys.readouterr().err.startswith("kacheck: ")


def test_nothing_imports_httpx_for_a_process_or_psutil_for_vault() -> None:
    for words, unwanted in (
        (["process", "ktest-none"], {"httpx", "psutil", "ssl", "socket", "json", "tomllib"}),
        (["vault", "--address", "http://127.0.0.1:9"], {"psutil"}),
        (["drain", "status"], {"httpx", "psutil", "ssl", "socket", "json", "tomllib"}),
        (["--version"], {"httpx", "psutil", "ssl", "socket", "json"}),
    ):
        shown = run([sys.executable, "-I", "-X", "importtime", "-m", "kacheck", *words])
        imported = {row.rpartition("|")[2].strip() for row in shown.stderr.decode().splitlines()}
        assert "kacheck.cli" in imported
        assert not imported & unwanted


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["statsu"], "unknown command statsu; did you mean status? see kacheck --help"),
        (["zzzz"], "unknown command zzzz; choose from process, vault, http, tcp, command"),
        (["help", "drian"], "unknown command drian; did you mean drain?"),
        (["drain", "of", "x"], "invalid choice: 'of'; did you mean off?"),
        (["drain", "--fro", "3m", "on", "x"], "did you mean --for? see kacheck drain --help"),
        (["vault", "--format", "jsn"], "invalid choice: 'jsn'; did you mean json?"),
        (["vault", "--adress", "https://x"], "did you mean --address? see kacheck vault --help"),
        (["process", "--usr=root", "x"], "did you mean --user?"),
        (["status", "--folow", "--jsno"], "did you mean --follow --json?"),
        (["--versoin"], "did you mean --version? see kacheck --help"),
        (["status", "--zzz"], "unrecognized arguments: --zzz; see kacheck status --help"),
    ],
)
def test_a_misspelt_word_gets_the_nearest_one(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 3
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert message in err
