"""What the watcher's user, or a user with a writable directory, cannot make root do.

In /run/kacheck root owns the directory and drain/, the watcher's user the rest.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.child import run_kacheck
from helpers.needs import needs
from helpers.watcher import Watcher
from kacheck import status
from kacheck.cli import main
from kacheck.doctor.kacheck.state_files import watcher_trouble
from kacheck.doctor.machine.system import Machine
from kacheck.statedir import Published, names_in, uptime, verdicts
from kacheck.watch.lock import lock_file

Shown = pytest.CaptureFixture[str]

USER = 65534
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
OURS = ("track", "verdict", "failing", "watcher")
"""The subdirectories that belong to the watcher's user."""
NOTHING = '[check.nothing]\nprobe = "process"\nname = "kacheck-no-such"\n'
PRECIOUS = "precious\n"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody may enter, unlike tmp_path."""
    needs("setpriv", root=True)
    with tempfile.TemporaryDirectory(prefix="ktest-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def state(place: Path) -> Path:
    """A state directory as tmpfiles.d makes it."""
    state = place / "state"
    for path in (state, *(state / name for name in ("drain", *OURS))):
        path.mkdir(mode=0o755)
        if path.name in OURS:
            os.chown(path, USER, USER)
    return state


@pytest.fixture
def victim(place: Path) -> Path:
    """A file of root's that must stay as it is."""
    victim = place / "victim"
    victim.write_text(PRECIOUS)
    victim.chmod(0o600)
    return victim


def is_untouched(victim: Path) -> bool:
    found = victim.stat()
    return (victim.read_text(), stat.S_IMODE(found.st_mode), found.st_uid) == (PRECIOUS, 0o600, 0)


TRAPS: dict[str, Callable[[Path, Path], object]] = {
    "symbolic link": lambda path, victim: path.symlink_to(victim),
    "hard link": lambda path, victim: path.hardlink_to(victim),
    "FIFO": lambda path, _: os.mkfifo(path),
}
TRAP = pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command of kacheck's, which must not block."""
    return run_kacheck(*argv, timeout=20)


# --- kacheck watch, by root -----------------------------------------------------------------

TOUCHED = ("watcher/lock", "watcher/pid", "watcher/.pid.new", "watcher/status.sock",
           "watcher/.status.sock.new", "track/nothing", "track/.nothing.new", "verdict/nothing",
           "verdict/.nothing.new", "failing/nothing", "failing/.nothing.new")  # fmt: skip


@TRAP
@pytest.mark.parametrize("owner", ["of the subdirectories", "of everything"])
def test_root_does_not_watch_below_another_users_directory(
    place: Path, state: Path, victim: Path, trap: Callable[[Path, Path], object], owner: str
) -> None:
    for name in TOUCHED:
        trap(state / name, victim)
    if owner == "of everything":
        os.chown(state, USER, USER)
    before = sorted(str(path) for path in state.rglob("*"))
    with Watcher(place, NOTHING, state_dir=state, wait=False) as watcher:
        assert watcher.process.wait(20) == 3
    (line,) = watcher.lines
    foreign = state if owner == "of everything" else state / "track"
    assert f"{foreign} belongs to nobody, and this watcher runs as root" in line["message"]
    assert f"runuser -u nobody -- kacheck watch --state-dir {state}" in line["message"]
    assert is_untouched(victim)
    assert sorted(str(path) for path in state.rglob("*")) == before


@TRAP
def test_a_trap_in_its_own_directory_does_not_mislead_the_watcher(
    place: Path, victim: Path, trap: Callable[[Path, Path], object]
) -> None:
    state = place / "state"
    for name in TOUCHED:
        if name != "watcher/lock":
            (state / name).parent.mkdir(parents=True, exist_ok=True)
            trap(state / name, victim)
    with Watcher(place, NOTHING, state_dir=state) as watcher:
        watcher.until(lambda: watcher.says("nothing", "critical missing"))
        assert status.ask(str(state))["pid"] == watcher.pid
    assert is_untouched(victim)


@pytest.mark.parametrize("name", ["", *OURS])
def test_a_link_in_a_directorys_place_is_refused(place: Path, state: Path, name: str) -> None:
    for ours in OURS:
        os.chown(state / ours, 0, 0)
    elsewhere = place / "elsewhere"
    (state / name).rename(elsewhere)
    (state / name).symlink_to(elsewhere)
    with Watcher(place, NOTHING, state_dir=state, wait=False) as watcher:
        assert watcher.process.wait(20) == 3
    assert f"{state / name} cannot be written (Not a directory)" in watcher.lines[0]["message"]


# --- kacheck watch, by its user -------------------------------------------------------------


def test_a_user_watches_and_root_drains_in_roots_directory(
    place: Path, state: Path, capsys: Shown
) -> None:
    with Watcher(place, NOTHING, state_dir=state, wrapper=AS_USER) as watcher:
        assert watcher.says("nothing", "critical missing")
        assert status.ask(str(state))["pid"] == watcher.pid
        assert watcher_trouble(Machine(), str(state)) is None
        assert main(["drain", "on", "nothing", "--state-dir", str(state)]) == 0
        watcher.wait_for("nothing", "critical draining")
        assert main(["drain", "off", "nothing", "--state-dir", str(state)]) == 0
        watcher.wait_for("nothing", "critical missing")
        watcher.kill()
        assert main(["status", "--state-dir", str(state)]) == 3
    assert "no process named kacheck-no-such" in capsys.readouterr().out


@pytest.mark.parametrize("missing", [*OURS])
def test_missing_directories_are_reported_with_what_creates_them(
    place: Path, state: Path, missing: str
) -> None:
    (state / missing).rmdir()
    with Watcher(place, NOTHING, state_dir=state, wrapper=AS_USER, wait=False) as watcher:
        assert watcher.process.wait(20) == 3
    said = watcher.lines[0]["message"]
    assert f"{state / missing} cannot be written (Permission denied)" in said
    assert "systemd-tmpfiles --create kacheck.conf" in said


def test_a_root_owned_state_directory_is_refused_with_the_cure(place: Path, state: Path) -> None:
    os.chown(state / "failing", 0, 0)
    with Watcher(place, NOTHING, state_dir=state, wrapper=AS_USER, wait=False) as watcher:
        assert watcher.process.wait(20) == 3
    assert f"as root run chown nobody: {state / 'failing'}" in watcher.lines[0]["message"]


QUICK = {"kacheck.watch.supervisor.LOCK_INTERVAL": 0.2}


def test_it_ends_where_only_root_can_recreate_its_track_directory(place: Path, state: Path) -> None:
    """keepalived reads a missing file as 0; its service manager can recreate the directory."""
    options = {"state_dir": state, "wrapper": AS_USER, "settings": QUICK}
    with Watcher(place, NOTHING, **options) as watcher:  # type: ignore[arg-type]
        (state / "track/nothing").unlink()
        (state / "track").rmdir()
        assert watcher.process.wait(20) == 3
        said = f"{state}/track is gone, and this user cannot make it: make it (systemd-tmpfiles"
        assert watcher.until(lambda: watcher.find(said))


@pytest.mark.parametrize("name", ["verdict", "failing", "watcher"])
def test_without_another_of_its_directories_it_goes_on_and_heals(
    place: Path, state: Path, name: str
) -> None:
    """A node is healthy without them, and a watcher that ends would fail it."""
    options = {"state_dir": state, "wrapper": AS_USER, "settings": QUICK}
    with Watcher(place, NOTHING, **options) as watcher:  # type: ignore[arg-type]
        (state / name).rename(place / "away")
        watcher.until(lambda: watcher.find("Permission denied"))
        assert watcher.track("nothing") == 0
        assert watcher.returncode is None
        (state / name).mkdir(mode=0o755)
        os.chown(state / name, USER, USER)
        watcher.until(lambda: watcher.find("can be written again"))
        watcher.until(lambda: status_pid(state) == watcher.pid)
        watcher.until(lambda: watcher.says("nothing", "critical missing"))
        assert (state / "watcher/pid").read_text().split()[0] == str(watcher.pid)


def status_pid(state: Path) -> int | None:
    with contextlib.suppress(status.NoWatcherError):
        return int(status.ask(str(state))["pid"])
    return None


# --- the lock -------------------------------------------------------------------------------

LOCKS = """
import fcntl, os, sys, threading
def lock(file):
    fcntl.flock(file, fcntl.LOCK_EX)
    print("locked", flush=True)
for place, _, names in os.walk(sys.argv[1]):
    for path in (place, *(os.path.join(place, name) for name in names)):
        try:
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            continue
        threading.Thread(target=lock, args=[file]).start()
print("waiting", flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("attacker", [AS_USER, []], ids=["another user", "its own user"])
def test_nobody_takes_the_lock_while_the_watcher_becomes_another_program(
    place: Path, attacker: list[str]
) -> None:
    """Whoever had it then would end the watcher at each upgrade of the package."""
    state = place / "state"
    with Watcher(place, NOTHING, state_dir=state) as watcher:
        argv = [*attacker, sys.executable, "-I", "-c", LOCKS, str(state)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                while process.stdout.readline() != "waiting\n":
                    assert process.poll() is None
                known = len(watcher.lines)
                watcher.signal(signal.SIGUSR2)
                watcher.until(lambda: watcher.find("ready: watching", known))
                assert watcher.returncode is None
                with pytest.raises(Exception, match="another watcher, pid"):
                    lock_file(str(state))
            finally:
                process.kill()


def test_only_its_owner_can_open_the_lock(place: Path) -> None:
    with Watcher(place, NOTHING, state_dir=place / "state"):
        found = (place / "state/watcher/lock").stat()
        assert (stat.S_IMODE(found.st_mode), found.st_size) == (0o600, 0)
        with (place / "state/watcher/pid").open() as public:
            fcntl.flock(public, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which means nothing


# --- kacheck drain, by root -----------------------------------------------------------------


@pytest.mark.parametrize("action", ["on", "off"])
@pytest.mark.parametrize("foreign", [".", "drain"])
def test_root_does_not_drain_below_another_users_directory(
    state: Path, action: str, foreign: str
) -> None:
    os.chown(state / foreign, USER, USER)
    (state / "drain/vault").write_text("0 by its user\n")
    shown = run("drain", action, "vault", "--state-dir", str(state))
    assert shown.returncode == 3
    path = os.path.normpath(state / foreign)
    assert f"{path} belongs to nobody, and root only writes to directories of root" in shown.stderr
    assert (state / "drain/vault").read_text() == "0 by its user\n"


@pytest.mark.parametrize("action", ["on", "off"])
@pytest.mark.parametrize("name", [".", "drain"])
def test_a_link_in_the_drains_place_is_not_followed(
    place: Path, state: Path, action: str, name: str
) -> None:
    elsewhere = place / "elsewhere"
    os.rename(os.path.normpath(state / name), elsewhere)
    Path(os.path.normpath(state / name)).symlink_to(elsewhere)
    (elsewhere / "drain").mkdir(exist_ok=True)
    (elsewhere / "vault").write_text(PRECIOUS)
    (elsewhere / "drain/vault").write_text(PRECIOUS)
    shown = run("drain", action, "vault", "--state-dir", str(state))
    assert shown.returncode == 3, shown
    assert "Not a directory" in shown.stderr
    assert (elsewhere / "vault").read_text() == PRECIOUS
    assert (elsewhere / "drain/vault").read_text() == PRECIOUS


@TRAP
@pytest.mark.parametrize("name", ["vault", ".vault.new"])
def test_who_may_drain_leads_root_nowhere_with_a_trap(
    state: Path, victim: Path, trap: Callable[[Path, Path], object], name: str
) -> None:
    """A group may be allowed to, with a line in tmpfiles.d."""
    (state / "drain").chmod(0o775)
    os.chown(state / "drain", 0, USER)
    trap(state / "drain" / name, victim)
    shown = run("drain", "on", "vault", "--state-dir", str(state))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert (state / "drain/vault").read_text() == "0\n"
    assert (state / "drain/vault").stat().st_nlink == 1
    assert is_untouched(victim)
    trap(state / "drain/ALL", victim)
    assert run("drain", "status", "--state-dir", str(state)).returncode == 0
    assert run("drain", "off", "--all", "--state-dir", str(state)).returncode == 0
    assert is_untouched(victim)


def test_what_a_drain_links_to_is_not_shown(state: Path, victim: Path) -> None:
    victim.write_text("0 secret\n")
    (state / "drain/vault").symlink_to(victim)
    shown = run("drain", "status", "--state-dir", str(state))
    assert "secret" not in shown.stdout
    assert f"{state}/drain/vault cannot be read: it is a symbolic link" in shown.stdout


# --- kacheck status, by root ----------------------------------------------------------------


def line() -> str:
    return f"0 {int(uptime()) + 100} ok running secret\n"


@pytest.mark.parametrize("trap", ["symbolic link", "FIFO"])
@pytest.mark.parametrize("name", ["verdict/nothing", "watcher/pid"])
def test_a_trap_is_neither_shown_nor_waited_for(
    state: Path, victim: Path, trap: str, name: str
) -> None:
    victim.write_text(line())
    TRAPS[trap](state / name, victim)
    shown = run("status", "--state-dir", str(state))
    assert shown.returncode == 3
    assert "secret" not in shown.stdout + shown.stderr
    assert "no watcher answers" in shown.stderr


def test_a_directory_that_is_a_link_has_no_verdicts(place: Path, state: Path) -> None:
    (place / "elsewhere").mkdir()
    (place / "elsewhere/nothing").write_text(line())
    (state / "verdict").rmdir()
    (state / "verdict").symlink_to(place / "elsewhere")
    assert names_in(str(state / "verdict")) == ["nothing"]
    assert verdicts(str(state)) == {}


def test_a_verdict_that_never_ends_is_not_read_to_its_end(state: Path) -> None:
    (state / "verdict/huge").write_text(line()[:-1] + "x" * 1_000_000 + "\n")
    (state / "verdict/fine").write_text(line())
    found = verdicts(str(state))
    assert list(found) == ["fine"]
    assert isinstance(found["fine"][0], Published)


@contextlib.contextmanager
def answering(path: Path, user: int) -> Iterator[None]:
    """Run another server of this user that answers like a watcher."""
    answer = {"schema": 1, "checks": [], "pid": 1, "config": "secret"}
    with socket.socket(socket.AF_UNIX) as listener:
        os.seteuid(user)  # whose credentials listen() keeps
        try:
            listener.bind(str(path))
            listener.listen()
        finally:
            os.seteuid(0)
        listener.settimeout(20)

        def serve() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                connection.sendall(json.dumps(answer).encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            with socket.socket(socket.AF_UNIX) as last, contextlib.suppress(OSError):
                last.connect(str(path))  # it waits no longer
            thread.join()


def test_a_link_in_the_sockets_place_is_not_followed(place: Path, state: Path) -> None:
    (state / "watcher/status.sock").symlink_to(place / "other.sock")
    refused = pytest.raises(status.NoWatcherError, match="it is not a socket")
    with answering(place / "other.sock", 0), refused:
        status.ask(str(state))


def test_a_directory_that_is_a_link_has_no_socket(place: Path, state: Path) -> None:
    (state / "watcher").rmdir()
    (place / "elsewhere").mkdir()
    (state / "watcher").symlink_to(place / "elsewhere")
    refused = pytest.raises(status.NoWatcherError, match="Not a directory")
    with answering(place / "elsewhere/status.sock", 0), refused:
        status.ask(str(state))


def test_another_users_server_in_the_sockets_place_is_not_believed(state: Path) -> None:
    """A hard link leads to it as well."""
    refused = pytest.raises(status.NoWatcherError, match="root answers instead of nobody")
    with answering(state / "watcher/status.sock", 0), refused:
        status.ask(str(state))


def test_the_server_of_the_directorys_owner_is_believed(state: Path) -> None:
    with answering(state / "watcher/status.sock", USER):
        assert status.ask(str(state))["config"] == "secret"


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch, Path.mkdir])
def test_only_a_socket_is_opened(state: Path, make: Callable[[Path], object]) -> None:
    make(state / "watcher/status.sock")
    shown = run("status", "--state-dir", str(state))
    assert shown.returncode == 3
    assert "it is not a socket" in shown.stderr
