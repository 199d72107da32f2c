"""A look's imports come before its deadline begins: a slow import is not a failure of the node."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from helpers.certificates import Authority, server_context
from helpers.checks import vault_check
from helpers.child import environment
from helpers.faults import fail_to_import, import_slowly
from helpers.vault import StandInVault
from helpers.watcher import Watcher

Start = Callable[..., subprocess.Popen[bytes]]
NAME = f"kload-{os.getpid()}"
MODULES = (
    "httpx",
    "httpcore",
    "h11",
    "httpcore._sync.http11",
    "kacheck.exchange.client",
    "kacheck.probes.process.tracker",
    "kacheck.probes.combined.repeated",
)
PROCESS = f'[check.proc]\nprobe = "process"\nname = "{NAME}"\n'


def both() -> str:
    return '[check.both]\nprobe = "combined"\nall = ["proc", "vault"]\n'


@pytest.fixture
def server(start: Start) -> Iterator[StandInVault]:
    start(NAME, "60")
    with StandInVault() as stand_in:
        yield stand_in


@pytest.mark.parametrize("module", MODULES)
def test_a_slow_import_does_not_make_the_first_look_time_out(
    tmp_path: Path, server: StandInVault, module: str
) -> None:
    toml = PROCESS + vault_check(server.address) + both()
    with Watcher(tmp_path, toml, faults=[partial(import_slowly, module)]) as watcher:
        assert watcher.says("proc", "ok running")
        assert watcher.says("vault", "ok active")
        assert watcher.says("both", "ok active")
    for check in ("proc", "vault", "both"):
        assert len(watcher.transitions(check)) == 1


@pytest.mark.parametrize("module", ["httpx", "httpcore"])
def test_a_slow_import_after_a_re_execution_leaves_the_verdict(
    tmp_path: Path, server: StandInVault, module: str
) -> None:
    with Watcher(
        tmp_path, vault_check(server.address), faults=[partial(import_slowly, module)]
    ) as watcher:
        requests = len(server.requests)
        watcher.signal(signal.SIGUSR2)
        watcher.until(lambda: watcher.notified.count("READY=1") == 2)
        watcher.until(lambda: len(server.requests) > requests + 2)
        assert watcher.says("vault", "ok active")
    assert watcher.transitions("vault") == ["ok active"]


@pytest.mark.parametrize("module", ["httpx", "kacheck.exchange.client"])
def test_a_slow_import_for_a_reload_causes_no_timeout(
    tmp_path: Path, server: StandInVault, module: str
) -> None:
    with Watcher(tmp_path, PROCESS, faults=[partial(import_slowly, module)]) as watcher:
        watcher.reload(PROCESS + vault_check(server.address))
        watcher.until(lambda: watcher.transitions("vault"))
    assert watcher.transitions("vault") == ["ok active"]


@pytest.mark.parametrize("error", ["ImportError", "ZeroDivisionError"])
def test_an_unimportable_module_fails_only_the_checks_that_need_it(
    tmp_path: Path, server: StandInVault, error: str
) -> None:
    fails = partial(fail_to_import, "httpx", error)
    with Watcher(tmp_path, PROCESS + vault_check(server.address), faults=[fails]) as watcher:
        assert watcher.says("proc", "ok running")
        verdict = watcher.verdict("vault")
        assert verdict is not None
        assert (verdict.status.word, verdict.exit_code) == ("unknown", 3)


FIRST_LOOK = """
import sys
from kacheck import config, looks
from kacheck.deadline import Deadline, within
(check,) = config.load(sys.argv[1]).checks
looks.preload([check.question])
look = looks.repeated_look_of(check.question, iter(()))
names = []
sys.addaudithook(lambda event, args: names.append(args[0]) if event == "import" else None)
result = within(Deadline(30), look)
print(result.reason, *(name for name in names if name not in sys.builtin_module_names))
"""


def first_look(tmp_path: Path, toml: str) -> str:
    """Return the reason of a first look, and the modules that it imported from files."""
    file = tmp_path / "first.toml"
    file.write_text(toml)
    argv = [sys.executable, "-c", FIRST_LOOK, str(file)]
    ended = subprocess.run(argv, env=environment(), capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def test_a_first_look_imports_nothing(tmp_path: Path, server: StandInVault) -> None:
    authority = Authority()
    ca = authority.write(tmp_path / "ca.pem")
    trust = f'ca_cert = "{ca}"\n'
    named = f"http://localhost:{server.port}"
    assert first_look(tmp_path, PROCESS) == "running"
    assert first_look(tmp_path, PROCESS + f'user = "{os.getuid()}"\n') == "running"
    assert first_look(tmp_path, vault_check(server.address)) == "active"
    assert first_look(tmp_path, vault_check(named)) == "active"
    with StandInVault(unix_path=tmp_path / "vault.sock") as unix:
        assert first_look(tmp_path, vault_check(unix.address)) == "active"
    with StandInVault(tls=server_context(authority.server("127.0.0.1"))) as tls:
        assert first_look(tmp_path, vault_check(tls.address) + trust) == "active"
        assert first_look(tmp_path, vault_check(tls.address)) == "tls"
    with StandInVault(tls=server_context(authority.server("vault.example"))) as tls:
        assert first_look(tmp_path, vault_check(tls.address) + trust) == "tls"
    server.stop()
    assert first_look(tmp_path, vault_check(server.address)) == "refused"
    inline = f'[check.both]\nprobe = "combined"\nprocess = "{NAME}"\naddress = "{named}"\n'
    assert first_look(tmp_path, inline) == "refused"
