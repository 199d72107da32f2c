"""Fixtures that several modules share."""

import _thread
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from helpers import surroundings
from helpers.answer import Answer
from helpers.figures import SHOWN
from helpers.machine import directory_of_the_run
from helpers.needs import needs
from helpers.paths import ROOT
from kacheck.cli import main


def pytest_configure() -> None:
    """Make what a run has once; the workers of pytest-xdist find it in their environment."""
    surroundings.set_up()
    directory_of_the_run()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show the figures that tests have found; the workers of pytest-xdist print nothing."""
    for report in terminalreporter.getreports("passed"):
        for name, line in report.user_properties:
            if name == SHOWN and report.when == "call":
                terminalreporter.write_line(str(line))


@pytest.fixture(autouse=True, scope="session")
def _looks_are_measured() -> Iterator[None]:
    """Let coverage see what a look's thread does: it follows those of `threading` alone."""
    trace, start = threading.gettrace(), _thread.start_new_thread

    def start_traced(work: Callable[..., object], args: tuple[Any, ...]) -> int:
        def traced(*words: Any) -> None:
            sys.settrace(trace)
            work(*words)

        return start(traced, args)

    with pytest.MonkeyPatch.context() as patch:
        if trace is not None:
            patch.setattr(_thread, "start_new_thread", start_traced)
        yield


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test goes through a proxy; what is made once for many tests may, to install packages."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a check in this process: `look("process", "vault").verdict`."""

    def run(*argv: str) -> Answer:
        options = [*argv]
        options[1:1] = ["--format", "json"]
        code = main(options)
        return Answer(code, json.loads(capsys.readouterr().out))

    return run


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start processes that end with the test: `start("vault", "60")` is a sleep named vault."""
    processes: list[subprocess.Popen[bytes]] = []

    def run(command: str | Sequence[str], *args: str, **options: Any) -> subprocess.Popen[bytes]:
        if isinstance(command, str):
            link = tmp_path / command
            if not link.exists():
                link.symlink_to("/bin/sleep")
            command = [str(link), *args]
        process = subprocess.Popen(command, **options)
        processes.append(process)
        # Popen returns in the midst of exec, where comm is still ours: the arguments come last.
        cmdline = pathlib.Path(f"/proc/{process.pid}/cmdline")
        while not cmdline.read_bytes() and process.poll() is None:
            time.sleep(0.001)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def script(start: Callable[..., subprocess.Popen[bytes]]) -> Callable[..., list[str]]:
    """Run Python code in a child until it prints a line; that line's words are returned."""

    def run(code: str, *args: str) -> list[str]:
        child = start([sys.executable, "-I", "-c", code, *args], stdout=subprocess.PIPE)
        assert child.stdout is not None
        return child.stdout.readline().decode().split()

    return run


@pytest.fixture
def process_events() -> Iterator[None]:
    """The kernel's process events, for one test of the machine at a time.

    Every listener gets the answer to any other's listen, so it takes a keepalived that was ignored
    for heard. And the address of the listening socket is getpid(), which two keepaliveds in pid
    namespaces of their own can share: the second one gets errno 98 and stays in FAULT.
    """
    directory = os.open(ROOT / "tests", os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        needs("unshare", root=True, process_events=True)
        yield
    finally:
        os.close(directory)
