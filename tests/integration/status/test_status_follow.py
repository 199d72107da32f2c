"""`kacheck status --follow`, into a pipe and on a terminal."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from helpers.child import SOURCE, environment, kacheck_command
from helpers.status import GONE, HERE, NAME, change, shown
from helpers.waiting import until
from helpers.watcher import Watcher
from kacheck import status_follow, terminal
from kacheck.cli import main
from kacheck.status_table import View

Start = Callable[..., subprocess.Popen[bytes]]

OFTEN = {"kacheck.status_follow.FOLLOWED": 0.1}


def follow(
    watcher: Watcher, settings: Mapping[str, object] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    words = ("status", "--follow", "--state-dir", watcher.state_dir)
    argv = kacheck_command(*words, settings=settings)
    return subprocess.Popen(argv, env=environment(TERM="xterm"), **options)


@pytest.fixture
def terminal_files() -> Iterator[tuple[int, int]]:
    """Open a terminal; its master and slave."""
    files = os.openpty()
    yield files
    for file in reversed(files):  # a read of the master ends with the slave
        os.close(file)


class Reader:
    """Collects what comes from a descriptor."""

    def __init__(self, file: int) -> None:
        self.text = ""
        self._file = file
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: nobody has the terminal any more
            while data := os.read(self._file, 65536):
                self.text += data.decode()

    def wait_for(self, words: str, start: int = 0) -> None:
        until(lambda: words in self.text[start:])


def test_followed_into_a_pipe_each_transition_is_a_line(
    tmp_path: pathlib.Path, start: Start
) -> None:
    process = start(NAME, "60")
    watcher = Watcher(tmp_path, HERE + GONE)
    with watcher, follow(watcher, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        reader = Reader(client.stdout.fileno())
        try:
            reader.wait_for(f"watcher, pid {watcher.pid}, since")
            assert "gone" not in reader.text, "what was before is kacheck status's business"
            process.kill()
            watcher.wait_for("here", "critical missing")
            reader.wait_for("here: ok running -> critical missing after ")
            watcher.stop()
            reader.wait_for("no watcher answers")
            with Watcher(tmp_path, HERE) as again:
                reader.wait_for(f"watcher, pid {again.pid}, since")
                reader.wait_for("here: critical missing: no process named")
        finally:
            client.terminate()
        assert client.wait(10) == -signal.SIGTERM


def test_followed_into_a_pipe_that_nobody_reads_it_ends(
    tmp_path: pathlib.Path, start: Start
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher:
        client = follow(watcher, stdout=subprocess.PIPE)
        assert client.stdout is not None
        assert b"watcher" in client.stdout.readline()
        client.stdout.close()
        assert client.wait(10) == 3


def test_an_output_that_nobody_reads_ends_it_at_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert main(["status", "--follow", "--state-dir", str(tmp_path)]) == 3
        assert not terminal.is_read(write, 60)
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["status", "--follow", "--state-dir", str(tmp_path)]) == 3


def test_more_transitions_than_are_remembered_are_counted(tmp_path: pathlib.Path) -> None:
    log = status_follow.Log(str(tmp_path), [])
    base = shown(check="x", transition_count=1, transitions=[change(9, "ok", "running")])
    log._seen = {"x": base}
    new = [change(n / 10, "critical", "missing") for n in range(3)]
    lines = [*log._news([{**base, "transition_count": 9, "transitions": new}])]
    assert lines[0] == "x: 5 earlier transitions were not kept"
    assert len(lines) == 4


def test_a_signal_restores_the_screen_before_its_usual_effect() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    read, write = os.pipe()
    try:
        with terminal.full_screen(write):
            os.kill(os.getpid(), signal.SIGTERM)
            pytest.fail("it should have ended")
        assert os.read(read, 100).decode() == terminal.ENTER + terminal.LEAVE
        assert came == [signal.SIGTERM]
        with contextlib.suppress(ZeroDivisionError), terminal.full_screen(write):
            raise ZeroDivisionError
        assert os.read(read, 100).decode() == terminal.ENTER + terminal.LEAVE
    finally:
        signal.signal(signal.SIGTERM, before)
        os.close(read)
        os.close(write)


def test_what_an_output_can_show() -> None:
    master, slave = os.openpty()
    with open(slave, "w") as stream, open(os.devnull, "w") as null:
        assert terminal.view_of(stream, {"TERM": "xterm"}) == View(80, 24, colours=True)
        termios.tcsetwinsize(slave, (50, 132))
        view = View(132, 50, colours=False)
        assert terminal.view_of(stream, {"TERM": "xterm", "NO_COLOR": "1"}) == view
        for other, environ in ((stream, {}), (null, {"TERM": "xterm"}), (None, {"TERM": "xterm"})):
            assert terminal.view_of(other, environ) == View()
    os.close(master)
    assert terminal.view_of(stream, {"TERM": "xterm"}) == View(), "closed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_terminal_is_given_back_as_it_was(
    tmp_path: pathlib.Path, start: Start, terminal_files: tuple[int, int], number: signal.Signals
) -> None:
    process = start(NAME, "60")
    master, slave = terminal_files
    termios.tcsetwinsize(slave, (20, 100))
    with (
        Watcher(tmp_path, HERE) as watcher,
        follow(watcher, OFTEN, stdin=slave, stdout=slave, stderr=slave) as client,
    ):
        reader = Reader(master)
        try:
            reader.wait_for("here ")
            assert reader.text.startswith("\033[?1049h")
            assert "\033[32mok\033[0m" in reader.text
            process.kill()
            reader.wait_for("\033[31mcritical\033[0m  missing")
            watcher.kill()
            place = len(reader.text)
            reader.wait_for("no watcher answers at", place)
            reader.wait_for("VERDICT FILE", place)
            assert "\033[?1049l" not in reader.text
        finally:
            client.send_signal(number)
        assert client.wait(10) == -number
        reader.wait_for("\033[?25h\033[?1049l")
        assert reader.text.endswith("\033[?1049l")


def test_a_live_view_says_how_to_leave_and_q_leaves(
    tmp_path: pathlib.Path, start: Start, terminal_files: tuple[int, int]
) -> None:
    start(NAME, "60")
    master, slave = terminal_files
    before = termios.tcgetattr(slave)
    with (
        Watcher(tmp_path, HERE) as watcher,
        follow(watcher, OFTEN, stdin=slave, stdout=slave, stderr=slave) as client,
    ):
        reader = Reader(master)
        try:
            reader.wait_for("q: quit  watcher, pid")
            os.write(master, b"x\n")
            place = len(reader.text)
            reader.wait_for("here ", place)
            os.write(master, b"q")
            assert client.wait(10) == 0
        finally:
            client.kill()
        reader.wait_for("\033[?25h\033[?1049l")
    assert termios.tcgetattr(slave) == before, "the terminal is as it was"


def test_stopped_by_the_user_it_shows_the_old_screen_meanwhile(
    tmp_path: pathlib.Path, start: Start, terminal_files: tuple[int, int]
) -> None:
    start(NAME, "60")
    master, slave = terminal_files
    with (
        Watcher(tmp_path, HERE) as watcher,
        follow(watcher, OFTEN, stdin=slave, stdout=slave, stderr=slave) as client,
    ):
        reader = Reader(master)
        try:
            reader.wait_for("here ")
            client.send_signal(signal.SIGTSTP)
            reader.wait_for("\033[?1049l")
            until(lambda: " T " in pathlib.Path(f"/proc/{client.pid}/stat").read_text())
            place = len(reader.text)
            client.send_signal(signal.SIGCONT)
            reader.wait_for("\033[?1049h", place)
            reader.wait_for("here ", place)
        finally:
            client.kill()


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
    ids=["xterm", "NO_COLOR", "dumb"],
)
def test_colours_only_on_a_terminal_that_wants_them(
    tmp_path: pathlib.Path,
    start: Start,
    terminal_files: tuple[int, int],
    environ: dict[str, str],
    coloured: bool,
) -> None:
    start(NAME, "60")
    master, slave = terminal_files
    with Watcher(tmp_path, HERE) as watcher:
        argv = kacheck_command("status", "--state-dir", watcher.state_dir)
        subprocess.run(argv, stdout=slave, check=True, env={"PYTHONPATH": str(SOURCE), **environ})
        text = os.read(master, 65536).decode()
        assert ("\033[32mok\033[0m" in text) is coloured
        assert "running" in text
