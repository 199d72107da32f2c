"""`kacheck consul`, and verdicts that are reported, with a real Consul agent in its dev mode.

With test_real_vault.py the only tests that may skip: where `consul` is not on PATH.
"""

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from helpers.answer import Answer
from helpers.watcher import Watcher
from helpers.web import WebServer

BINARY = shutil.which("consul")
PATIENCE = 60.0
TIMEOUT = ("--timeout", "20")

pytestmark = pytest.mark.skipif(BINARY is None, reason="consul is not on PATH")

Look = Callable[..., Answer]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Agent:
    """A server of one, which leads."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return what it answers, as JSON; None: nothing that is."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as client:
            client.request(method, path, None if body is None else json.dumps(body))
            text = client.getresponse().read()
        try:
            return json.loads(text)
        except ValueError:
            return None

    def register(self, **check: object) -> None:
        """Register a service with this check."""
        body = {
            "Name": "web",
            "Port": 80,
            "Tags": ["active"],
            **({"Check": check} if check else {}),
        }
        self.ask("PUT", "/v1/agent/service/register", body)

    def status_of(self, check: str) -> str:
        """Return what a check says."""
        return str(self.ask("GET", "/v1/agent/checks")[check]["Status"])


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    made = Agent(free_port())
    ports = {name: free_port() for name in ("server", "serf_lan", "serf_wan")}
    configuration = tmp_path / "consul.json"
    configuration.write_text(
        json.dumps({"ports": {"http": made.port, "dns": -1, "grpc": -1, "grpc_tls": -1, **ports}})
    )
    argv = [str(BINARY), "agent", "-dev", "-bind=127.0.0.1", f"-config-file={configuration}"]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(argv, stdout=log, stderr=log) as it:
        try:
            end = time.monotonic() + PATIENCE
            while not leads(made):
                assert it.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < end, (tmp_path / "log").read_text()
                time.sleep(0.1)
            monkeypatch.setenv("CONSUL_HTTP_ADDR", made.address)
            yield made
        finally:
            it.kill()


def leads(agent: Agent) -> bool:
    try:
        return bool(agent.ask("GET", "/v1/status/leader"))
    except OSError:
        return False


def test_a_service(look: Look, agent: Agent) -> None:
    words = ("consul", *TIMEOUT, "--service", "web")
    assert look(*words).verdict == "critical not-registered"
    agent.register()
    assert look(*words).verdict == "critical no-checks"
    assert look(*words, "--allow-no-checks").verdict == "ok passing"
    agent.register(TTL="60s", Notes="x")
    assert look(*words).verdict == "critical service-critical"
    for status, verdict in (
        ("passing", "ok passing"),
        ("warning", "warning service-warning"),
        ("critical", "critical service-critical"),
    ):
        body = {"Status": status, "Output": "it is cold"}
        agent.ask("PUT", "/v1/agent/check/update/service:web", body)
        answer = look(*words)
        assert answer.verdict == verdict
        assert ("it is cold" in answer.message) == (status != "passing")
    agent.ask("PUT", "/v1/agent/check/update/service:web", {"Status": "passing"})
    assert look("consul", *TIMEOUT, "--service-id", "web").verdict == "ok passing"
    assert look(*words, "--tag", "active").verdict == "ok passing"
    assert look(*words, "--tag", "standby").verdict == "warning untagged"
    agent.ask("PUT", "/v1/agent/service/maintenance/web?enable=true&reason=new+disk")
    answer = look(*words)
    assert answer.verdict == "critical maintenance"
    assert "new disk" in answer.message
    agent.ask("PUT", "/v1/agent/service/maintenance/web?enable=false")
    agent.ask("PUT", "/v1/agent/maintenance?enable=true&reason=kernel")
    assert look(*words).verdict == "critical maintenance"


def test_leadership_and_a_lock(look: Look, agent: Agent) -> None:
    assert look("consul", *TIMEOUT, "--leader").verdict == "ok leader"
    words = ("consul", *TIMEOUT, "--lock", "service/web/leader")
    assert look(*words).verdict == "warning lock-free"
    session = agent.ask("PUT", "/v1/session/create", {"TTL": "60s"})["ID"]
    agent.ask("PUT", f"/v1/kv/service/web/leader?acquire={session}", "x")
    assert look(*words).verdict == "ok lock-held"
    agent.ask("PUT", f"/v1/session/destroy/{session}")
    assert look(*words).verdict == "warning lock-free"


def test_a_verdict_is_reported(tmp_path: Path, agent: Agent) -> None:
    with WebServer() as web:
        toml = (
            f'[consul]\naddress = "{agent.address}"\nttl = 5\n[check.web]\nprobe = "http"\n'
            f'url = "{web.url()}"\ninterval = 0.2\ntimeout = 10\nconsul_check = "service:web"\n'
        )
        with Watcher(tmp_path, toml) as watcher:
            watcher.until(lambda: watcher.find("register the check"))
            agent.register(TTL="5s")
            watcher.until(lambda: agent.status_of("service:web") == "passing")
            web.code = 500
            watcher.until(lambda: agent.status_of("service:web") == "critical")
            web.code = 200
            watcher.until(lambda: agent.status_of("service:web") == "passing")
            end = time.monotonic() + 8
            while time.monotonic() < end:
                assert agent.status_of("service:web") == "passing"
                time.sleep(0.2)
        assert agent.status_of("service:web") == "critical"
