"""`kacheck status`: what it prints, its exit codes, and watchers that do not answer."""

import contextlib
import errno
import json
import pathlib
import signal
import socket
import subprocess
import threading
from collections.abc import Callable

import pytest

from helpers.status import GONE, HERE, NAME, ask, kacheck
from helpers.waiting import until
from helpers.watcher import Watcher
from kacheck import status
from kacheck.cli import main

Start = Callable[..., subprocess.Popen[bytes]]
Shown = pytest.CaptureFixture[str]


def test_a_row_for_each_check_and_the_worst_verdicts_code(
    tmp_path: pathlib.Path, start: Start, capsys: Shown
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE + GONE) as watcher:
        assert kacheck(watcher) == 2
        out, err = capsys.readouterr()
        assert err == ""
        head, columns, here, gone, why = out.splitlines()
        assert head.startswith(f"watcher, pid {watcher.pid}, since ")
        assert head.endswith(str(watcher.config))
        assert columns.split("  ")[0] == "CHECK"
        assert here.split()[:3] == ["here", "ok", "running"]
        assert gone.split()[:3] == ["gone", "critical", "missing"]
        assert why == "    no process named kstat-none"
        assert "\033" not in out
        assert kacheck(watcher, "here") == 0
        assert kacheck(watcher, "gone", "here", "gone") == 2
        _, _, gone, _, here = capsys.readouterr().out.splitlines()[-5:]
        assert (gone.split()[0], here.split()[0]) == ("gone", "here"), "in the order asked for"


def test_json_is_what_the_watcher_says(tmp_path: pathlib.Path, start: Start, capsys: Shown) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE + GONE) as watcher:
        assert kacheck(watcher, "--json") == 2
        report = json.loads(capsys.readouterr().out)
        assert report.keys() == ask(watcher.state_dir).keys()
        assert [each["check"] for each in report["checks"]] == ["here", "gone"]
        assert kacheck(watcher, "here", "--json") == 0
        assert [c["check"] for c in json.loads(capsys.readouterr().out)["checks"]] == ["here"]


@pytest.mark.parametrize("words", [[], ["--json"], ["--follow"]])
def test_an_unknown_check_is_refused_with_the_nearest_name(
    tmp_path: pathlib.Path, start: Start, capsys: Shown, words: list[str]
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher:
        assert kacheck(watcher, *words, "hero") == 3
        out, err = capsys.readouterr()
        assert out == ""
        assert "has no check hero; did you mean here?" in err


def test_json_and_follow_exclude_each_other(capsys: Shown) -> None:
    assert main(["status", "--json", "--follow"]) == 3
    assert "not allowed with" in capsys.readouterr().err


def test_without_a_watcher_it_shows_what_the_files_say(
    tmp_path: pathlib.Path, start: Start, capsys: Shown
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE + GONE) as watcher:
        watcher.kill()
        assert kacheck(watcher) == 3
        out, err = capsys.readouterr()
        path = watcher.state_dir / "watcher/status.sock"
        assert err.startswith(f"kacheck: no watcher answers at {path}")
        assert "systemctl start kacheck, or kacheck watch --state-dir" in err
        head, gone, why, here = out.splitlines()
        assert head.split() == ["CHECK", "VERDICT", "FILE", "REASON", "WRITTEN", "VALIDITY"]
        assert gone.split()[:3] == ["gone", "critical", "missing"]
        assert why.strip() == "no process named kstat-none"
        assert here.split()[:3] == ["here", "ok", "running"]
        assert here.endswith(f"none: the watcher, pid {watcher.pid}, has ended")
        (watcher.state_dir / "verdict/here").write_text("0 1 ok running x\n")
        (watcher.state_dir / "verdict/junk").write_text("junk\n")
        assert kacheck(watcher, "here", "junk", "nothing") == 3
        _, here = capsys.readouterr().out.splitlines()
        assert "expired " in here
        assert kacheck(watcher, "--json") == 3
        assert capsys.readouterr().out == ""


def test_a_silent_watchers_verdicts_are_valid_while_it_runs(
    tmp_path: pathlib.Path, start: Start, capsys: Shown
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher:
        (watcher.state_dir / "watcher/status.sock").unlink()
        assert kacheck(watcher) == 3
        _, here = capsys.readouterr().out.splitlines()
        assert here.endswith(" s more")
        watcher.signal(signal.SIGSTOP)
        until(lambda: " T " in pathlib.Path(f"/proc/{watcher.pid}/stat").read_text())
        assert kacheck(watcher) == 3
        _, here = capsys.readouterr().out.splitlines()
        assert here.endswith(f"none: the watcher, pid {watcher.pid}, is stopped (SIGSTOP)")
        watcher.signal(signal.SIGCONT)
    assert kacheck(watcher) == 3
    _, here, _ = capsys.readouterr().out.splitlines()
    assert here.endswith("expired")


@pytest.mark.parametrize("state_dir", ["/no/such", "/dev/null"])
def test_without_a_state_directory_there_is_nothing_to_show(capsys: Shown, state_dir: str) -> None:
    assert main(["status", "--state-dir", state_dir]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert f"no watcher answers at {state_dir}/watcher/status.sock" in err


def test_a_watcher_that_hangs_does_not_make_the_command_hang(
    tmp_path: pathlib.Path, start: Start, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "TIMEOUT", 0.2)
    start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher:
        watcher.signal(signal.SIGSTOP)
        try:
            assert kacheck(watcher) == 3
            out, err = capsys.readouterr()
            assert f"no answer at {watcher.state_dir}/watcher/status.sock within 0.2 s" in err
            assert "systemctl restart" not in err
            assert "Do not restart it" in err
            assert out.splitlines()[1].split()[:3] == ["here", "ok", "running"]
        finally:
            watcher.signal(signal.SIGCONT)


@pytest.mark.parametrize("answer", [b"\n", b"\xff\n", b"[1]\n", b'{"schema": 2}\n'])
def test_another_versions_answer_is_not_accepted(tmp_path: pathlib.Path, answer: bytes) -> None:
    (tmp_path / "watcher").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "watcher/status.sock"))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as connection:
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(status.NoWatcherError, match="not this version of kacheck") as error:
            ask(tmp_path)
        thread.join()
        assert "systemctl kill -s USR2 kacheck" in str(error.value)
        assert "restart" not in str(error.value)


def test_an_answer_that_was_cut_off_is_asked_for_again(tmp_path: pathlib.Path) -> None:
    """As where a user has more connections than it has places."""
    (tmp_path / "watcher").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "watcher/status.sock"))
        listener.listen()

        def serve() -> None:
            for answer in (b"", b'{"schema": 1', b'{"schema": 1, "checks": []}\n'):
                with listener.accept()[0] as connection:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert ask(tmp_path) == {"schema": 1, "checks": []}
        thread.join()


def test_where_too_many_ask_the_command_waits_its_turn(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "TIMEOUT", 0.2)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "watcher").mkdir()
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind("watcher/status.sock")
        listener.listen(0)
        with pytest.raises(BlockingIOError) as full:  # noqa: PT012 - until it is full
            while True:
                each = stack.enter_context(socket.socket(socket.AF_UNIX))
                each.settimeout(0)
                each.connect("watcher/status.sock")
        assert full.value.errno == errno.EAGAIN
        with pytest.raises(status.NoWatcherError, match=r"within 0\.2 s"):
            ask(tmp_path)


def test_without_permission_to_connect_root_is_suggested(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(status, "received", refuse)
    with pytest.raises(status.NoWatcherError, match="Permission denied; run it as root"):
        ask(tmp_path)
