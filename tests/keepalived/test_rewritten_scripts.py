"""What migrate --recipes writes, beside what it replaces: both are run against the same service.

The new check is right in every state; the old one is right but in the states that are named.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import kacheck
from helpers.keepalived import Lab, Node
from helpers.needs import needs
from helpers.paths import CHECKS
from helpers.web import WebServer
from kacheck.cli import main
from kacheck.keepalived import parse
from kacheck.migrate.equivalents import LIBEXEC

pytestmark = pytest.mark.keepalived

ANSWERS = {
    "healthy": (200, b"status: UP\n"),
    "redirect": (302, b"moved\n"),
    "missing": (404, b"no such page\n"),
    "broken": (500, b"status: DOWN, database: UP\n"),
    "unavailable": (503, b"status: DOWN\n"),
}
ERRORS = {"missing", "broken", "unavailable"}
WRONG_TEXT = {"missing", "unavailable"}
HEALTH = {
    "healthy": (200, {"initialized": True, "sealed": False, "standby": False}),
    "standby": (429, {"initialized": True, "sealed": False, "standby": True}),
    "sealed": (503, {"initialized": True, "sealed": True, "standby": True}),
    "uninitialized": (501, {"initialized": False, "sealed": True, "standby": True}),
}


class Both:
    """A script, and the check that it has become."""

    def __init__(self, directory: Path, script: str, capsys: pytest.CaptureFixture[str]) -> None:
        conf = directory / "keepalived.conf"
        text = f'vrrp_script it {{\n    script "{script}"\n    interval 5\n    timeout 4\n}}\n'
        conf.write_text(text)
        assert main(["migrate", str(conf), "--recipes"]) == 0
        diff = capsys.readouterr().out
        (line,) = [line[1:] for line in diff.splitlines() if line.startswith("+ ")]
        self.old = command_of(text)
        path, *words = command_of(f"vrrp_script it {{\n{line}\n}}\n")
        self.new = [path.replace(LIBEXEC, str(CHECKS)), *words]

    def results(self) -> tuple[bool, bool]:
        """Return whether each succeeds, as keepalived runs it."""
        return passes(self.old), passes(self.new)


Migrated = Callable[[str], Both]


def command_of(text: str) -> list[str]:
    (node,) = parse(text).find("vrrp_script", "script")
    assert node.command is not None
    return node.command


def passes(command: list[str]) -> bool:
    nothing = subprocess.DEVNULL
    done = subprocess.run(
        command, stdin=nothing, stdout=nothing, stderr=nothing, cwd="/", timeout=30, check=False
    )
    return done.returncode == 0


@pytest.fixture
def migrated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Migrated:
    return lambda script: Both(tmp_path, script, capsys)


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer(fields={"Location": "http://127.0.0.1:1/"}) as server:
        yield server


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


REDIRECTS_PASS = {"healthy", "redirect"}
ONLY_200 = {"healthy"}


@pytest.mark.parametrize(
    ("script", "good", "wrong"),
    [
        ("curl -sf -o /dev/null {url}", REDIRECTS_PASS, set()),
        ("curl -fsS -m 2 {url}", REDIRECTS_PASS, set()),
        ("curl -fI {url}", REDIRECTS_PASS, set()),
        ("sh -c 'curl -sf {url} >/dev/null || exit 1'", REDIRECTS_PASS, set()),
        ("bash -c 'curl -sf {url} &>/dev/null && exit 0 || exit 1'", REDIRECTS_PASS, set()),
        ("timeout 2 curl -f {url}", REDIRECTS_PASS, set()),
        ("curl -s {url}", REDIRECTS_PASS, ERRORS),
        ("curl -o /dev/null {url}", REDIRECTS_PASS, ERRORS),
        ("curl -sI {url}", REDIRECTS_PASS, ERRORS),
        ("sh -c 'curl -s {url} | grep -q UP'", ONLY_200, {"broken"}),
        ("sh -c 'curl -sf {url} | grep -q UP'", ONLY_200, set()),
        ("sh -c 'curl -so /dev/null -w %{{http_code}} {url} | grep -q 200'", ONLY_200, set()),
        ("sh -c 'test $(curl -so /dev/null -w %{{http_code}} {url}) = 200'", ONLY_200, set()),
        ("sh -c 'curl -sI {url} | grep -q 200'", ONLY_200, set()),
        ("sh -c 'curl -sv {url} 2>&1 | grep -q 200'", ONLY_200, set()),
        ("wget -q -t 1 --spider {url}", ONLY_200, set()),
        ("wget -q -t 1 -O /dev/null {url}", ONLY_200, set()),
        ("sh -c 'wget -t 1 -qO- {url} | grep -q UP'", ONLY_200, set()),
    ],
)
def test_a_url_is_judged_as_before_or_better(
    migrated: Migrated, web: WebServer, script: str, good: set[str], wrong: set[str]
) -> None:
    needs("curl", "wget")
    both = migrated(script.format(url=web.url()))
    for state, (web.code, web.body) in ANSWERS.items():
        old, new = both.results()
        assert new is (state in good), state
        assert old is (state in good or state in wrong), state


@pytest.mark.parametrize(
    ("script", "good"),
    [
        ("curl -sf {url}", {"healthy"}),
        ("curl -sf -m 2 {url}?standbyok=true", {"healthy", "standby"}),
        ("wget -q -t 1 -O- {url}", {"healthy"}),
    ],
)
def test_the_role_of_vault_is_judged_as_before(
    migrated: Migrated, web: WebServer, script: str, good: set[str]
) -> None:
    needs("curl", "wget")
    both = migrated(script.format(url=web.url("/v1/sys/health")))
    for state, (code, body) in HEALTH.items():
        is_accepted = state == "standby" and "standbyok" in script
        # kacheck-vault asks without the query, so a standby answers it with 429 and not with 200
        for command, its_code in ((both.old, 200 if is_accepted else code), (both.new, code)):
            web.code, web.body = its_code, json.dumps(body).encode()
            assert passes(command) is (state in good), (state, command)


@pytest.mark.parametrize(
    "script",
    [
        "curl -sf -m 2 http://127.0.0.1:{port}/",
        "wget -q -t 1 --spider http://127.0.0.1:{port}/",
        "nc -z -w 2 127.0.0.1 {port}",
        "bash -c '</dev/tcp/127.0.0.1/{port}'",
        "bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'",
        "timeout 2 bash -c 'cat </dev/null >/dev/tcp/127.0.0.1/{port}'",
    ],
)
def test_a_closed_port_fails_and_an_open_one_passes(
    migrated: Migrated, web: WebServer, script: str
) -> None:
    needs("curl", "wget", "nc")
    open_port = web.url().rpartition(":")[2].partition("/")[0]
    for port, is_open in ((open_port, True), (unused_port(), False)):
        assert migrated(script.format(port=port)).results() == (is_open, is_open)


@pytest.mark.parametrize(
    ("script", "counts_zombies"),
    [
        ("pidof {name}", False),
        ("pgrep -x {name}", True),
        ("killall -0 {name}", True),
        ("pkill -0 -x {name}", True),
        ("ps -C {name}", True),
        ("sh -c 'pidof {name} >/dev/null 2>&1 || exit 1'", False),
    ],
)
def test_a_process_that_runs_passes_and_a_dead_one_fails(
    tmp_path: Path, migrated: Migrated, script: str, counts_zombies: bool
) -> None:
    needs("pidof", "pgrep", "ps", "killall")
    name = f"kachk-{os.getpid() % 100000}"
    shutil.copy("/bin/sleep", tmp_path / name)
    both = migrated(script.format(name=name))
    assert both.results() == (False, False)
    with subprocess.Popen([tmp_path / name, "60"]) as process:
        assert both.results() == (True, True)
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
        assert both.results() == (counts_zombies, False)
    assert both.results() == (False, False)


@pytest.mark.parametrize("script", ["{dir}/systemctl is-active -q x", "{dir}/systemctl is-active x",
                                    "{dir}/nagios/plugins/check_x -w 5"])  # fmt: skip
def test_a_program_decides_by_its_exit_code(
    tmp_path: Path, migrated: Migrated, script: str
) -> None:
    both = migrated(script.format(dir=tmp_path))
    program = Path(both.old[0])
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\nexit $(cat {tmp_path}/code)\n")
    program.chmod(0o755)
    for code in range(5):
        (tmp_path / "code").write_text(str(code))
        assert both.results() == (code == 0, code == 0), code


def test_a_silent_service_fails_before_keepalived_ends_the_check(
    migrated: Migrated,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        for script, deadline in ((f"curl -f {url}", "3.8"), (f"curl -f -m 1 {url}", "1")):
            both = migrated(script)
            assert not passes(both.new)
            assert both.new[both.new.index("--timeout") + 1] == deadline, "keepalived waits for 4"


SCRIPTS = [
    "curl -sf -o /dev/null http://127.0.0.1/health",
    "curl -s -H 'Host: www.example.org' http://127.0.0.1/",
    "sh -c 'curl -s http://127.0.0.1/ | grep -q UP'",
    "curl -sf https://127.0.0.1:8200/v1/sys/health?standbyok=true",
    "wget -q --spider 127.0.0.1:8080/index.html",
    "nc -zw1 ::1 80",
    "bash -c '</dev/tcp/127.0.0.1/80'",
    "killall -0 haproxy",
    "systemctl is-active --quiet haproxy",
]


@pytest.fixture
def node() -> Iterator[Node]:
    """A node with entry points that keepalived -t finds."""
    needs("keepalived", "ip", "unshare", "nsenter", "setpriv", root=True)
    with Lab() as lab:
        node = lab.node("a")
        node.overlay("/usr/libexec")
        libexec = node.root / "usr/libexec/kacheck"
        libexec.mkdir(exist_ok=True)
        libexec.chmod(0o755)
        for path in CHECKS.glob("kacheck-*"):
            (libexec / path.name).write_text("#!/bin/sh\n")
            (libexec / path.name).chmod(0o755)
        yield node


def test_keepalived_accepts_all_of_it(node: Node) -> None:
    blocks = [
        f'vrrp_script chk_{number} {{\n    script "{script}"\n    interval 3\n    timeout 2\n'
        f"    fall 2\n    rise 2\n    weight {-number or 2}\n    user root\n}}\n"
        for number, script in enumerate(SCRIPTS)
    ]
    path = node.write(
        "keepalived.conf", "global_defs {\n    enable_script_security\n}\n" + "".join(blocks)
    )
    old = path.read_text()
    done = node.run(
        [sys.executable, "-m", "kacheck", "migrate", str(path), "--in-place", "--recipes"],
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(kacheck.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    assert "keepalived -t accepts it" in done.stdout
    new = path.read_text()
    assert new.count(LIBEXEC) == len(SCRIPTS)
    kept = [[line for line in text.splitlines() if " script " not in line] for text in (old, new)]
    assert kept[0] == kept[1]
