"""`kacheck status`: what the watcher answers, whoever asks and however badly; and how it is shown."""

import contextlib
import errno
import json
import os
import pathlib
import resource
import selectors
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from helpers.vault import StandInVault
from helpers.watcher import PATIENCE, RUN, SOURCE, Watcher
from kacheck import status, status_follow, status_table, terminal
from kacheck.cli import main
from kacheck.status_table import View
from kacheck.watch import clients
from kacheck.watch import status_server as server
from kacheck.watch.status_server import StatusServer
from kacheck.watch.timers import Timers

Start = Callable[..., subprocess.Popen[bytes]]
Shown = pytest.CaptureFixture[str]

NAME = f"kstat-{os.getpid()}"
QUICK = "import kacheck.watch.supervisor as s; s.LOCK_INTERVAL = 0.1"
"""A watcher that looks after its socket ten times a second."""


def check(name: str, process: str, more: str = "") -> str:
    return f'[check.{name}]\nprobe = "process"\nname = "{process}"\n{more}\n'


HERE, GONE = check("here", NAME), check("gone", "kstat-none")


def kacheck(watcher: Watcher, *words: str) -> int:
    return main(["status", "--state-dir", str(watcher.state_dir), *words])


def ask(state_dir: pathlib.Path) -> dict[str, Any]:
    return status.ask(str(state_dir))


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    end = time.monotonic() + seconds
    while not (said := condition()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.005)
    return said


# --- what it answers ------------------------------------------------------------------------


def test_the_keys_are_a_contract(tmp_path: pathlib.Path, start: Start) -> None:
    start(NAME, "60")
    before = time.time()
    with Watcher(tmp_path, HERE + GONE) as watcher:
        told = ask(watcher.state_dir)
        assert [*told] == [
            "schema", "pid", "started_at", "config", "state_dir", "trouble", "checks",
        ]  # fmt: skip
        assert (told["schema"], told["pid"], told["trouble"]) == (1, watcher.pid, None)
        assert (told["config"], told["state_dir"]) == (
            str(watcher.config),
            str(watcher.state_dir),
        )
        assert before <= told["started_at"] <= time.time()
        here, gone = told["checks"]
        assert [*here] == [
            "check", "probe", "status", "reason", "message", "exit_code", "track", "since",
            "since_s", "interval_s", "drained", "run", "held", "last_look", "looks",
            "transition_count", "transitions",
        ]  # fmt: skip
        assert (here["check"], here["probe"], here["interval_s"]) == ("here", "process", 1.0)
        assert (here["status"], here["reason"], here["exit_code"], here["track"]) == (
            "ok", "running", 0, 1,
        )  # fmt: skip
        assert before <= here["since"] <= time.time()
        assert abs(time.time() - here["since_s"] - here["since"]) < 10
        assert [*here["last_look"]] == [
            "status", "reason", "message", "duration_ms", "ago_s", "warnings",
        ]  # fmt: skip
        assert here["looks"].keys() == {"ok", "warning", "critical", "unknown"}
        assert here["transition_count"] == 1
        first = here["transitions"][0]
        assert first == {
            "at": first["at"], "from_status": None, "from_reason": None,
            "status": "ok", "reason": "running", "after_s": None,
        }  # fmt: skip
        assert (gone["exit_code"], gone["track"]) == (2, 0)


def test_transitions_are_the_newest_first_with_what_was_before(
    tmp_path: pathlib.Path, start: Start
) -> None:
    process = start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher:
        process.kill()
        watcher.wait_for("here", "critical missing")
        (here,) = until(
            lambda: [c for c in ask(watcher.state_dir)["checks"] if c["transition_count"] == 2]
        )
        newest, first = here["transitions"]
        assert (newest["from_status"], newest["from_reason"]) == ("ok", "running")
        assert (newest["status"], newest["reason"]) == ("critical", "missing")
        assert newest["after_s"] == pytest.approx(newest["at"] - first["at"], abs=0.2)
        assert here["since"] == pytest.approx(newest["at"], abs=0.2)


def test_a_drain_is_told_beside_what_was_seen(tmp_path: pathlib.Path, start: Start) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, check("here", NAME, "interval = 0.1")) as watcher:
        where = ["--state-dir", str(watcher.state_dir), "--config", str(watcher.config)]
        assert main(["drain", "on", *where, "--message", "new disks", "here"]) == 0
        watcher.wait_for("here", "critical draining")
        (here,) = ask(watcher.state_dir)["checks"]
        assert (here["status"], here["reason"]) == ("critical", "draining")
        assert here["drained"] == "new disks"
        assert here["last_look"]["reason"] == "running"
        assert main(["drain", "off", *where, "here"]) == 0
        watcher.wait_for("here", "ok running")
        until(lambda: ask(watcher.state_dir)["checks"][0]["drained"] is None)


def test_a_drain_is_in_the_next_answer_and_so_is_its_end(
    tmp_path: pathlib.Path, start: Start
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, check("here", NAME, "interval = 60") + GONE) as watcher:
        file = watcher.state_dir / "drain/here"
        file.parent.mkdir(exist_ok=True)
        for _ in range(3):
            file.write_text("0 new disks\n")
            here, gone = ask(watcher.state_dir)["checks"]
            assert (here["status"], here["reason"]) == ("critical", "draining")
            assert (here["drained"], here["track"], watcher.track("here")) == ("new disks", 0, 0)
            assert gone["reason"] == "missing"
            file.unlink()
            until(lambda: ask(watcher.state_dir)["checks"][0]["reason"] == "running")
            assert watcher.track("here") == 1


def test_a_drain_that_is_over_ends_long_before_the_next_look(
    tmp_path: pathlib.Path, start: Start
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, check("here", NAME, "interval = 60")) as watcher:
        where = ["--state-dir", str(watcher.state_dir), "--config", str(watcher.config)]
        assert main(["drain", "on", *where, "--for", "1s", "here"]) == 0
        assert watcher.says("here", "critical draining"), "the command has told the watcher"
        watcher.wait_for("here", "ok running")
        assert main(["drain", "on", *where, "here"]) == 0
        assert watcher.says("here", "critical draining")
        assert main(["drain", "off", *where, "here"]) == 0
        watcher.wait_for("here", "ok running")


def test_a_configuration_is_in_the_next_answer_after_its_reload(
    tmp_path: pathlib.Path, start: Start
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher:
        for number in range(20):
            watcher.configure(check(f"new-{number}", NAME))
            watcher.signal(signal.SIGHUP)
            assert [c["check"] for c in ask(watcher.state_dir)["checks"]] == [f"new-{number}"]


def test_wait_returns_when_every_check_has_a_verdict_or_at_its_limit(
    tmp_path: pathlib.Path, start: Start, capsys: Shown
) -> None:
    start(NAME, "60")
    with StandInVault(state="hang") as vault:
        hangs = f'[check.vault]\nprobe = "vault"\naddress = "{vault.address}"\n'
        with Watcher(tmp_path, HERE) as watcher:
            watcher.reload(f"{HERE}{hangs}timeout = 2\ninterval = 2\n")
            assert kacheck(watcher) == 3
            assert "not looked yet" in capsys.readouterr().out
            assert kacheck(watcher, "--wait") == 2
            assert "not looked yet" not in capsys.readouterr().out
            watcher.reload(f"{HERE}{hangs}timeout = 30\ninterval = 30\n")
            assert watcher.find("configuration not") is None, watcher.lines
            assert kacheck(watcher, "here", "--wait") == 0, "only those that are shown"
            capsys.readouterr()
            assert kacheck(watcher, "--wait=0.2s") == 3
            out, err = capsys.readouterr()
            assert "not looked yet" in out
            assert err == "kacheck: vault: no verdict within 0.2 s\n"


def test_wait_waits_for_a_watcher_that_starts(tmp_path: pathlib.Path, capsys: Shown) -> None:
    words = ["status", "--state-dir", str(tmp_path / "state")]
    assert main([*words, "--wait", "100ms"]) == 3
    assert "no watcher answers" in capsys.readouterr().err
    waiting = threading.Thread(target=lambda: codes.append(main([*words, "--wait", "30s"])))
    codes: list[int] = []
    waiting.start()
    with Watcher(tmp_path, GONE):
        waiting.join(PATIENCE)
    assert codes == [2]


def test_a_look_that_is_held_is_told(tmp_path: pathlib.Path) -> None:
    more = 'interval = 0.5\non_unknown = "hold"\nhold_for = 50\n'
    with StandInVault(state="active") as vault:
        table = f'[check.vault]\nprobe = "vault"\naddress = "{vault.address}"\n{more}'
        with Watcher(tmp_path, table) as watcher:
            until(lambda: ask(watcher.state_dir)["checks"][0]["status"] == "ok")
            vault.state = "rate-limited"
            (told,) = until(lambda: [c for c in ask(watcher.state_dir)["checks"] if c["held"]])
            assert (told["status"], told["last_look"]["reason"]) == ("ok", "rate-limited")
            assert told["held"]["hold_for_s"] == 50
            assert 0 <= told["held"]["held_s"] < 10


def test_a_run_of_looks_that_has_not_changed_the_verdict_is_told(
    tmp_path: pathlib.Path, start: Start
) -> None:
    process = start(NAME, "60")
    slow = "interval = 0.1\nfall = 100\nterminate_delay = 50"
    with Watcher(tmp_path, check("here", NAME, slow)) as watcher:
        process.kill()
        process.wait()
        (here,) = until(lambda: [c for c in ask(watcher.state_dir)["checks"] if c["run"]])
        assert (here["status"], here["last_look"]["reason"]) == ("ok", "missing")
        assert here["run"]["needed"] == 1, "an event was confirmed"
        assert 40 < here["run"]["wait_s"] <= 50
        assert kacheck(watcher) == 0


# --- the socket -----------------------------------------------------------------------------


class Served:
    """A status server in a loop of its own, with an answer as large as one likes."""

    def __init__(self, directory: pathlib.Path, size: int) -> None:
        (directory / "watcher").mkdir(exist_ok=True)
        self.answer = "x" * size
        self.made = 0
        self.reports: list[str | None] = []
        self.selector, self.timers = selectors.DefaultSelector(), Timers()
        self.server = StatusServer(
            str(directory),
            self.selector,
            self.timers,
            self.pieces,
            self.reports.append,
            update=lambda: None,
        )
        self.path = directory / "watcher/status.sock"
        self._is_running = True
        self._thread = threading.Thread(target=self._run)

    def pieces(self) -> Iterator[str]:
        self.made += 1
        for start in range(0, len(self.answer), 4096):
            yield self.answer[start : start + 4096]

    def __enter__(self) -> Self:
        self.server.check()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_running = False
        self._thread.join()
        self.server.close()
        self.selector.close()

    def _run(self) -> None:
        while self._is_running:
            for key, _ in self.selector.select(0.005):
                key.data()
            self.timers.run(time.monotonic())

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        while True:
            try:
                connection.connect(f"/proc/self/cwd/{os.path.relpath(self.path)}")
            except BlockingIOError:
                time.sleep(0.005)
            else:
                return connection

    def get(self) -> bytes:
        with self.connect() as connection:
            return received(connection)


def received(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def served(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.chdir(tmp_path)
    with Served(tmp_path, 3_000_000) as running:
        yield running


def test_an_answer_larger_than_the_sockets_buffer_arrives_whole(served: Served) -> None:
    with served.connect() as slow:
        assert slow.recv(1) == b"x"
        assert served.get() == served.answer.encode(), "others are served meanwhile"
        assert len(received(slow)) == len(served.answer) - 1


def test_who_never_reads_is_dropped_and_leaves_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.3)
    before = descriptors()
    with contextlib.ExitStack() as stack:
        for _ in range(clients.FAVOURED_PLACES + 5):
            stack.enter_context(served.connect())
        until(lambda: len([*served.server._clients]) == clients.FAVOURED_PLACES)
        assert served.get() == served.answer.encode()
        until(lambda: not [*served.server._clients])
    assert descriptors() == before


def test_500_connections_that_are_gone_at_once_or_write_garbage_do_no_harm(served: Served) -> None:
    before = descriptors()
    for number in range(500):
        with served.connect() as connection, contextlib.suppress(OSError):
            if number % 3 == 1:
                connection.send(b"GET / HTTP/1.1\r\n\r\n\0\xff")
            if number % 3 == 2:
                connection.shutdown(socket.SHUT_RD)
    assert served.get() == served.answer.encode()
    until(lambda: not [*served.server._clients])
    assert descriptors() == before


def test_many_who_ask_at_once_are_told_the_same(served: Served) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(len(served.get()))) for _ in range(60)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [len(served.answer)] * 60
    assert served.made < 60


def test_who_writes_garbage_first_is_told_all_the_same(
    tmp_path: pathlib.Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher, socket.socket(socket.AF_UNIX) as connection:
        monkeypatch.chdir(watcher.state_dir)
        watcher.signal(signal.SIGSTOP)
        connection.connect("watcher/status.sock")
        connection.send(b"GET / HTTP/1.1\r\n\r\n\0\xff")
        watcher.signal(signal.SIGCONT)
        assert json.loads(received(connection))["pid"] == watcher.pid


def test_out_of_descriptors_nobody_is_let_in_for_a_while_and_nobody_is_lost(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(served.server, "_rest", noting(pauses, served.server._rest))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(5)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (clients[-1].fileno() + 1, limits[1]))
        try:
            with contextlib.suppress(OSError):
                while True:
                    stack.callback(os.close, os.open("/", os.O_PATH))
            for client in clients:
                client.connect("watcher/status.sock")
            until(lambda: len(pauses) > 1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert pauses[1] - pauses[0] > server.PAUSE / 2, "it does not spin"
        assert [len(received(client)) for client in clients] == [len(served.answer)] * 5


def noting(times: list[float], method: Callable[..., None]) -> Callable[..., None]:
    def noted(*args: Any) -> None:
        times.append(time.monotonic())
        method(*args)

    return noted


def test_anyone_may_connect_and_the_socket_goes_with_the_watcher(
    tmp_path: pathlib.Path, start: Start
) -> None:
    start(NAME, "60")
    deep = tmp_path / ("long-" * 30) / "state"
    with Watcher(tmp_path, HERE, state_dir=deep, environ={"TZ": "UTC"}) as watcher:
        path = deep / "watcher/status.sock"
        assert path.stat().st_mode & 0o777 == 0o666
        assert path.is_socket()
        assert ask(deep)["pid"] == watcher.pid
        watcher.stop()
        assert not path.exists()
    assert sorted(os.listdir(deep / "watcher")) == ["lock", "pid"]


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: pathlib.Path, start: Start) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE) as watcher:
        watcher.kill()
        assert (watcher.state_dir / "watcher/status.sock").is_socket()
    with Watcher(tmp_path, HERE) as watcher:
        assert ask(watcher.state_dir)["pid"] == watcher.pid


def test_the_socket_is_made_again_where_it_or_its_directory_has_gone(
    tmp_path: pathlib.Path, start: Start
) -> None:
    start(NAME, "60")
    with Watcher(tmp_path, HERE, prelude=QUICK) as watcher:

        def answers() -> bool:
            with contextlib.suppress(status.NoWatcherError):
                return bool(ask(watcher.state_dir)["pid"] == watcher.pid)
            return False

        assert answers()
        (watcher.state_dir / "watcher/status.sock").unlink()
        watcher.until(answers)
        watcher.state_dir.rename(tmp_path / "old")
        watcher.until(answers)
        before = watcher.descriptors()
        (watcher.state_dir / "watcher/status.sock").unlink()
        (watcher.state_dir / "watcher/status.sock").touch()
        watcher.until(answers)
        watcher.until(lambda: watcher.descriptors() == before)


def test_where_no_socket_can_be_made_the_watcher_says_so_once_and_goes_on(
    tmp_path: pathlib.Path, start: Start
) -> None:
    process = start(NAME, "60")
    (tmp_path / "state/watcher/status.sock/x").mkdir(parents=True)
    with Watcher(tmp_path, HERE, prelude=QUICK) as watcher:
        watcher.until(lambda: watcher.find("status.sock: Is a directory: kacheck status is not"))
        process.kill()
        watcher.wait_for("here", "critical missing")
        (watcher.state_dir / "watcher/status.sock/x").rmdir()
        (watcher.state_dir / "watcher/status.sock").rmdir()
        watcher.until(lambda: watcher.find("kacheck status is answered again"))
        assert ask(watcher.state_dir)["pid"] == watcher.pid
        said = [line for line in watcher.lines if "is not answered" in str(line.get("message"))]
        assert len(said) == 1


# --- the command ----------------------------------------------------------------------------


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
        told = json.loads(capsys.readouterr().out)
        assert told.keys() == ask(watcher.state_dir).keys()
        assert [each["check"] for each in told["checks"]] == ["here", "gone"]
        assert kacheck(watcher, "here", "--json") == 0
        assert [c["check"] for c in json.loads(capsys.readouterr().out)["checks"]] == ["here"]


@pytest.mark.parametrize("words", [[], ["--json"], ["--follow"]])
def test_a_check_that_is_none_is_refused_with_the_nearest_name(
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


def test_without_a_watcher_it_says_so_and_shows_what_the_files_say(
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


def test_what_a_watcher_that_does_not_answer_has_written_is_valid_while_it_runs(
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
            assert "a restart would drop the VIP" in err
            assert out.splitlines()[1].split()[:3] == ["here", "ok", "running"]
        finally:
            watcher.signal(signal.SIGCONT)


@pytest.mark.parametrize("answer", [b"\n", b"\xff\n", b"[1]\n", b'{"schema": 2}\n'])
def test_another_versions_answer_is_no_answer(tmp_path: pathlib.Path, answer: bytes) -> None:
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
            for answer in (b"", b'{"schema": 1', b'{"schema": 1}\n'):
                with listener.accept()[0] as connection:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert ask(tmp_path) == {"schema": 1}
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


def test_who_may_not_connect_is_told_to_be_root(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(status, "received", refuse)
    with pytest.raises(status.NoWatcherError, match="Permission denied; run it as root"):
        ask(tmp_path)


# --- the table ------------------------------------------------------------------------------

NOW = time.mktime((2026, 11, 23, 12, 0, 0, 0, 0, -1))


def look(word: str = "ok", reason: str = "running", **more: Any) -> dict[str, Any]:
    values = {"message": "seen", "duration_ms": 0.31, "ago_s": 0.42, "warnings": [], **more}
    return {"status": word, "reason": reason, **values}


def told(*checks: dict[str, Any], trouble: str | None = None) -> dict[str, Any]:
    return {
        "schema": 1, "pid": 7, "started_at": NOW - 11000, "config": "/etc/kacheck/kacheck.toml",
        "state_dir": "/run/kacheck", "trouble": trouble, "checks": [*checks],
    }  # fmt: skip


def shown(word: str = "ok", reason: str = "running", **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "check": "vault", "message": "all is well", "since": NOW - 10920, "since_s": 10920.0,
        "run": None, "held": None, "last_look": look(word, reason), "drained": None,
        "transitions": [], "exit_code": 0,
    }  # fmt: skip
    return {**values, "status": word, "reason": reason, **more}


def change(ago: float, word: str, reason: str) -> dict[str, Any]:
    return {"at": NOW - ago, "from_status": "ok", "from_reason": "running", "status": word,
            "reason": reason, "after_s": 10.0}  # fmt: skip


def table(*checks: dict[str, Any], view: View | None = None) -> list[str]:
    blocks = status_table.blocks_of(told(*checks), view or View(), NOW)
    return [line for block in blocks for line in block.lines]


def test_a_row_has_the_time_in_words() -> None:
    _, row = table(shown())
    assert row == "vault  ok       running  08:58:00 (3 h 2 min)  0.3 ms, 0.4 s ago"


def test_the_columns_are_aligned() -> None:
    head, *rows = table(
        shown(transitions=[change(60, "ok", "running")]),
        shown("critical", "bad-response", check="a-long-name", last_look=None),
    )
    for title, words in (("VERDICT", ("ok", "critical")), ("REASON", ("running", "bad-response"))):
        place = head.index(title)
        assert rows[0][place:].startswith(words[0])
        assert rows[1][place:].startswith(words[1])
    assert rows[0][head.index("LAST TRANSITIONS") :] == "11:59:00 ok running"


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (10, "11:59:50"),
        (11 * 3600, "01:00:00"),
        (13 * 3600, "2026-11-22 23:00"),
        (90 * 86400, "2026-08-25 1"),
    ],
)
def test_a_time_of_today_is_a_time_and_an_older_one_a_date(ago: float, words: str) -> None:
    assert status_table.clock(NOW - ago, NOW).startswith(words)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.3, "0 s"), (-1, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (10920, "3 h 2 min"),
     (90000, "1 d 1 h")],
)  # fmt: skip
def test_ages_in_words(seconds: float, words: str) -> None:
    assert status_table.age(seconds) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"), [(0.31, "0.3 ms"), (12.4, "12 ms"), (800, "800 ms"), (2500, "2.5 s")]
)
def test_how_long_a_look_took(milliseconds: float, words: str) -> None:
    assert status_table.milliseconds(milliseconds) == words


@pytest.mark.parametrize(
    ("check", "lines"),
    [
        (shown(), []),
        (shown("critical", "missing", message="no process"), ["no process"]),
        (
            shown(
                last_look=look("critical", "timeout", message="too late"),
                run={"looks": 1, "needed": 2, "wait_s": 0.0},
            ),
            ["last look: critical timeout (1 of 2): too late"],
        ),
        (
            shown(
                last_look=look("critical", "missing", message="none"),
                run={"looks": 3, "needed": 1, "wait_s": 3.21},
            ),
            ["last look: critical missing (3.2 s more to wait): none"],
        ),
        (
            shown(
                last_look=look("critical", "too-few", message="one"),
                run={"looks": 1, "needed": 3, "wait_s": 60.5},
            ),
            ["last look: critical too-few (1 of 3, 1 min 0 s more to wait): one"],
        ),
        (
            shown(
                last_look=look("unknown", "rate-limited", message="429"),
                held={"held_s": 12.3, "hold_for_s": 60.0},
            ),
            ["last look: unknown rate-limited (held for 12 s, at most 1 min 0 s): 429"],
        ),
        (
            shown("critical", "draining", message="drained", last_look=look()),
            ["drained", "last look: ok running: seen"],
        ),
        (shown(last_look=look(warnings=["odd", "od\nd"])), ["warning: odd", r"warning: od\nd"]),
        (shown("critical", "missing", message="\033[31mred"), [r"\x1b[31mred"]),
    ],
)
def test_below_a_row_is_why(check: dict[str, Any], lines: list[str]) -> None:
    assert table(check)[2:] == [f"    {line}" for line in lines]


def test_a_check_that_has_not_looked_yet() -> None:
    nothing = dict.fromkeys(("status", "reason", "message", "exit_code", "since", "since_s"))
    _, row = table({**shown(last_look=None), **nothing})
    assert row.split("  ")[0] == "vault"
    assert "not looked yet" in row


def test_the_last_three_transitions_newest_first() -> None:
    many = [change(n, "critical", f"reason-{n}") for n in range(1, 6)]
    row = table(shown(transitions=many))[1]
    assert row.endswith(
        "11:59:59 critical reason-1, 11:59:58 critical reason-2, 11:59:57 critical reason-3"
    )


@pytest.mark.parametrize("width", [120, 100, 80, 60, 40, 20, 1])
def test_a_narrow_terminal_takes_transitions_and_never_a_reason(width: int) -> None:
    many = [change(n, "critical", "missing") for n in range(1, 6)]
    check = shown("warning", "performance-standby", transitions=many, message="word " * 30)
    head, row, *why = table(check, view=View(width, 24))
    assert "performance-standby" in row
    if width >= 60:
        assert len(row) <= max(width, 59)
        assert all(len(line) <= width for line in [head, *why])
    assert " ".join(line.strip() for line in why) == ("word " * 30).strip()


def test_colours_are_of_the_verdict_alone_and_move_nothing() -> None:
    check = shown("critical", "missing", check="critical-thing")
    plain, coloured = table(check), table(check, view=View(colours=True))
    assert coloured[1].replace("\033[31m", "").replace("\033[0m", "") == plain[1]
    assert "\033[31mcritical\033[0m  missing" in coloured[1]


def test_the_watchers_line_tells_its_trouble() -> None:
    line = status_table.watcher_line(told(trouble="track: disk full"), NOW)
    assert line == (
        "watcher, pid 7, since 08:56:40 (3 h 3 min), /etc/kacheck/kacheck.toml; "
        "TROUBLE: track: disk full"
    )


def test_on_a_small_screen_what_is_not_ok_comes_first() -> None:
    checks = [shown(check=f"fine-{n}") for n in range(10)]
    checks += [shown("critical", "missing", check=f"down-{n}") for n in range(3)]
    blocks = status_table.blocks_of(told(*checks), View(80, 10), NOW)
    lines = status_table.shortened(blocks, View(80, 10))
    assert len(lines) <= 9, "one line is the head's"
    assert [line.split()[0] for line in lines[1::2]][:3] == ["down-0", "down-1", "down-2"]
    assert lines[-1] == "... 9 checks more, 0 of them not ok"
    assert status_table.shortened(blocks, View(80, 40)) == [
        line for block in blocks for line in block.lines
    ]


# --- --follow -------------------------------------------------------------------------------


OFTEN = "import kacheck.status_follow as s; s.FOLLOWED = 0.1\n"


def follow(watcher: Watcher, prelude: str = "", **options: Any) -> subprocess.Popen[bytes]:
    words = ["status", "--follow", "--state-dir", str(watcher.state_dir)]
    return subprocess.Popen(
        [sys.executable, "-c", prelude + RUN, *words],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "TERM": "xterm"},
        **options,
    )


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
    assert lines[0] == "x: 5 transitions more than the watcher remembers"
    assert len(lines) == 4


def test_a_signal_gives_the_screen_back_before_it_does_what_it_did() -> None:
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
    tmp_path: pathlib.Path, start: Start, number: signal.Signals
) -> None:
    process = start(NAME, "60")
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (20, 100))
    try:
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
    finally:
        os.close(slave)
        os.close(master)


def test_a_live_view_says_how_to_leave_and_q_leaves(tmp_path: pathlib.Path, start: Start) -> None:
    start(NAME, "60")
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    try:
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
    finally:
        os.close(slave)
        os.close(master)


def test_stopped_by_the_user_it_shows_the_old_screen_meanwhile(
    tmp_path: pathlib.Path, start: Start
) -> None:
    start(NAME, "60")
    master, slave = os.openpty()
    try:
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
    finally:
        os.close(slave)
        os.close(master)


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
    tmp_path: pathlib.Path, start: Start, environ: dict[str, str], coloured: bool
) -> None:
    start(NAME, "60")
    master, slave = os.openpty()
    try:
        with Watcher(tmp_path, HERE) as watcher:
            words = ["status", "--state-dir", str(watcher.state_dir)]
            subprocess.run(
                [sys.executable, "-c", RUN, *words], stdout=slave, check=True,
                env={"PYTHONPATH": str(SOURCE), **environ},
            )  # fmt: skip
            text = os.read(master, 65536).decode()
            assert ("\033[32mok\033[0m" in text) is coloured
            assert "running" in text
    finally:
        os.close(slave)
        os.close(master)
