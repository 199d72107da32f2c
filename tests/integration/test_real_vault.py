"""`kacheck vault` and a real Vault or OpenBao: uninitialized, sealed, active.

With test_real_consul.py the only tests that may skip: where neither `vault` nor `bao` is on PATH.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kacheck.cli import main

BINARY = shutil.which("vault") or shutil.which("bao")
START_TIMEOUT = 30.0

pytestmark = pytest.mark.skipif(BINARY is None, reason="neither vault nor bao is on PATH")

CONFIGURATION = """
disable_mlock = true
api_addr = "http://127.0.0.1:{port}"
storage "inmem" {{}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
}}
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def put(port: int, path: str, body: dict[str, object]) -> dict[str, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.request("PUT", f"/v1/{path}", json.dumps(body))
        response = client.getresponse()
        text = response.read()
        assert response.status == http.client.OK, text
        return dict(json.loads(text))


def wait_until_it_listens(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server did not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the server does not listen")


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A new, uninitialized server."""
    assert BINARY is not None
    number = free_port()
    configuration = tmp_path / "server.hcl"
    configuration.write_text(CONFIGURATION.format(port=number))
    environment = {"PATH": os.environ["PATH"], "HOME": os.fspath(tmp_path)}
    command = [BINARY, "server", f"-config={configuration}"]
    with (
        (tmp_path / "server.log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            wait_until_it_listens(number, process)
            yield number
        finally:
            stop(process)


def said(port: int, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    address = f"http://127.0.0.1:{port}"
    main(["vault", "--address", address, "--timeout", "5", "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    return report["status"], report["reason"]


def said_at_last(
    wanted: str, port: int, capsys: pytest.CaptureFixture[str], seconds: float = 30.0
) -> tuple[str, str]:
    """Return the answer once it is `wanted`, or the last one: a leader begins as a standby."""
    deadline = time.monotonic() + seconds
    while (answer := said(port, capsys))[1] != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def test_a_real_server_is_uninitialized_then_sealed_then_active(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(port, capsys) == ("critical", "uninitialized")
    secrets = put(port, "sys/init", {"secret_shares": 1, "secret_threshold": 1})
    assert said(port, capsys) == ("critical", "sealed")
    put(port, "sys/unseal", {"key": secrets["keys"][0]})
    assert said_at_last("active", port, capsys) == ("ok", "active")
