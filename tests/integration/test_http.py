"""URLs as checks: real servers over TCP, TLS and Unix sockets, by hand and in the watcher."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from helpers.answer import Answer
from helpers.certificates import Authority, server_context
from helpers.paths import ROOT
from helpers.watcher import Watcher
from helpers.web import WebServer
from kacheck.cli import main

Look = Callable[..., Answer]
PATIENT = ("--timeout", "20")


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.mark.parametrize("form", ["text", "json"])  # plainly, and with httpx
@pytest.mark.parametrize(
    ("code", "words", "exit_code", "verdict"),
    [
        (200, (), 0, "ok answered"),
        (503, (), 2, "critical unexpected-status"),
        (503, ("--warn", "503"), 1, "warning warning-status"),
        (401, (), 3, "unknown unauthorized"),
        (200, ("--contains", "read"), 0, "ok answered"),
        (200, ("--contains", "dead"), 2, "critical unexpected-body"),
        (200, ("--json", "a=b"), 2, "critical bad-response"),
        (200, ("--method", "HEAD"), 0, "ok answered"),
        (503, ("--method", "HEAD"), 2, "critical unexpected-status"),
    ],
)
def test_its_answer_is_the_status(  # noqa: PLR0913, PLR0917 - a row
    web: WebServer, capsys: pytest.CaptureFixture[str], form: str, code: int,
    words: tuple[str, ...], exit_code: int, verdict: str,
) -> None:  # fmt: skip
    web.code = code
    assert main(["http", *PATIENT, "--format", form, *words, web.url()]) == exit_code
    shown = capsys.readouterr().out
    if form == "json":
        fields = json.loads(shown)
        assert f"{fields['status']} {fields['reason']}" == verdict
        assert fields["data"]["http_status"] == code
    else:
        assert shown.startswith(f"{verdict}: http://127.0.0.1:")
    assert {path for _, path, _ in web.requests} == {"/health"}


def test_the_body_is_compared(look: Look, web: WebServer) -> None:
    web.body = b'{"health": "true", "deep": {"n": [1, 2]}}'
    words = ("--json", "health=true", "--json", "/deep/n/1=2")
    assert look("http", *PATIENT, *words, web.url()).verdict == "ok answered"
    answer = look("http", *PATIENT, "--json", "health=false", web.url())
    assert answer.verdict == "critical unexpected-body"
    assert 'health is "true" (wanted: "false")' in answer.message


def test_a_unix_socket_that_is_missing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "s")
    assert main(["http", *PATIENT, "--unix-socket", path, "http://localhost/health"]) == 2
    assert capsys.readouterr().out.startswith(
        f"critical refused: http://localhost/health (Unix socket {path}) refuses connections"
    )


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_body_that_is_cut_fails_where_the_rest_is_needed(
    web: WebServer, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """At most 64 KiB are read: a code and a text in them are certain, JSON and the rest are not."""
    web.body = b'{"a": "early", "b": "' + b"x" * 65536 + b'late"}'
    for words, code in (
        ((), 0),
        (("--contains", "early"), 0),
        (("--contains", "late"), 2),
        (("--json", "a=early"), 2),
    ):
        assert main(["http", *PATIENT, "--format", form, *words, web.url()]) == code
    assert "in its first 64 KiB" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["text", "json"])
def test_header_fields_and_a_query_are_sent(web: WebServer, form: str) -> None:
    words = ("--header", "Host: www.example.org", "--header", "X-Role: a: b")
    assert main(["http", *PATIENT, "--format", form, *words, web.url("/x?serializable=true")]) == 0
    (method, path, fields) = web.requests[-1]
    assert (method, path) == ("GET", "/x?serializable=true")
    assert (fields["host"], fields["x-role"]) == ("www.example.org", "a: b")
    assert fields["accept-encoding"] == "identity"


@pytest.mark.parametrize("form", ["text", "json", "nagios"])
def test_credentials_are_sent_and_never_shown(
    web: WebServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    file = tmp_path / "token"
    file.write_text("bearer hunter2\n")
    file.chmod(0o640)
    for code in (200, 403, 500):
        web.code = code
        main(["http", *PATIENT, "--verbose", "--format", form, "--auth-file", str(file), web.url()])
        shown = capsys.readouterr()
        assert "hunter2" not in shown.out + shown.err
    assert web.requests[-1][2]["authorization"] == "Bearer hunter2"


def test_a_file_that_others_may_read_is_refused(look: Look, web: WebServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("bearer hunter2\n")
    for mode in (0o644, 0o660, 0o604):
        file.chmod(mode)
        answer = look("http", "--auth-file", str(file), web.url())
        assert answer.verdict == "unknown bad-config"
        assert f"chmod o=,g-w {file}" in answer.message
    assert look("http", "--auth-file", "/no/file", web.url()).verdict == "unknown bad-config"
    assert web.requests == []


def test_a_redirect_is_not_followed(look: Look, web: WebServer) -> None:
    web.code, web.fields = 302, {"Location": web.url("/elsewhere")}
    answer = look("http", *PATIENT, web.url())
    assert answer.verdict == "critical unexpected-status"
    assert "/elsewhere, which is not followed" in answer.message
    assert len(web.requests) == 1


def test_a_unix_socket(look: Look, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "s")
    assert main(["http", "--unix-socket", path, "http://localhost/x"]) == 2
    assert capsys.readouterr().out.startswith("critical refused")
    with WebServer(address=path) as server:
        words = ("http", *PATIENT, "--unix-socket", path, "http://localhost/x")
        assert look(*words).verdict == "ok answered"
        assert main([*words, "--format", "text"]) == 0
        assert server.requests[-1][1] == "/x"


def test_tls_and_the_end_of_its_certificate(look: Look, tmp_path: Path) -> None:
    authority = Authority()
    ca = str(authority.write(tmp_path / "ca.pem"))
    with WebServer(context=server_context(authority.server("127.0.0.1"))) as server:
        assert look("http", *PATIENT, server.url()).verdict == "critical tls"
        words = ("http", *PATIENT, "--ca-cert", ca)
        assert look(*words, server.url()).verdict == "ok answered"
        assert look(*words, "--cert-days", "29", server.url()).verdict == "ok answered"
        answer = look(*words, "--cert-days", "31", server.url())
        assert answer.verdict == "warning certificate-expiring"
        assert "its certificate ends on" in answer.message
        assert main([*words, "--cert-days", "31", server.url()]) == 1


def test_an_answer_without_a_length_and_one_that_never_ends(look: Look) -> None:
    with WebServer(chunked=True, body=b"x" * 200_000 + b"end") as server:
        assert look("http", *PATIENT, "--contains", "xx", server.url()).verdict == "ok answered"
        answer = look("http", *PATIENT, "--contains", "end", server.url())
        assert answer.verdict == "critical unexpected-body"
        assert main(["http", *PATIENT, server.url()]) == 0


def test_a_code_without_a_body_is_not_waited_for(look: Look) -> None:
    """204 and 304 have none, whatever length is announced (RFC 9110, 8.6)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading

        def serve() -> None:
            with suppress(OSError):  # the socket is closed under it when the test ends
                for _ in range(2):
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(
                            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
                        )
                        connection.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        answer = look("http", *PATIENT, "--expect", "304", url)
        assert answer.verdict == "ok answered"


# --- in the watcher -------------------------------------------------------------------------


def check(url: str, more: str = "") -> str:
    return f'[check.web]\nprobe = "http"\nurl = "{url}"\ninterval = 0.2\ntimeout = 10\n{more}'


def test_the_watcher_keeps_one_connection_and_sees_each_change(
    tmp_path: Path, web: WebServer
) -> None:
    metrics = tmp_path / "k.prom"
    toml = f'metrics = "{metrics}"\n' + check(web.url(), 'json = ["up=true"]\n')
    web.body = b'{"up": true}'
    with Watcher(tmp_path, toml) as watcher:
        watcher.wait_for("web", "ok answered")
        web.body = b'{"up": false}'
        watcher.wait_for("web", "critical unexpected-body")
        assert watcher.track("web") == 0
        web.body = b'{"up": true}'
        watcher.wait_for("web", "ok answered")
        watcher.until(lambda: 'reason="answered"' in metrics.read_text())
        assert len(web.connections) < len(web.requests)


def has_asked(server: WebServer, count: int) -> bool:
    return len(server.requests) >= count


@pytest.mark.parametrize("closes", [False, True], ids=["idle ones", "each one"])
def test_a_server_that_closes_connections_is_not_down(tmp_path: Path, closes: bool) -> None:
    with WebServer(closes=closes) as server, Watcher(tmp_path, check(server.url())) as watcher:
        watcher.wait_for("web", "ok answered")
        for _ in range(5):
            seen = len(server.requests)
            server.drop()
            watcher.until(partial(has_asked, server, seen + 2))
        assert watcher.transitions("web") == ["ok answered"]


def test_head_is_asked_again_and_again(tmp_path: Path, web: WebServer) -> None:
    with Watcher(tmp_path, check(web.url(), 'method = "HEAD"\n')) as watcher:
        watcher.wait_for("web", "ok answered")
        watcher.until(lambda: len(web.requests) >= 5)
        web.code = 500
        watcher.wait_for("web", "critical unexpected-status")
        assert {method for method, _, _ in web.requests} == {"HEAD"}
        watcher.until(lambda: len(watcher.transitions("web")) > 1)
        assert watcher.transitions("web") == ["ok answered", "critical unexpected-status"]


def test_changed_credentials_are_used_from_the_next_look_on(tmp_path: Path, web: WebServer) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text("bearer old")
    with Watcher(tmp_path, check(web.url(), f'auth_file = "{file}"\n')) as watcher:
        watcher.wait_for("web", "ok answered")
        assert web.requests[-1][2]["authorization"] == "Bearer old"
        file.write_text("bearer new")
        watcher.until(lambda: web.requests[-1][2]["authorization"] == "Bearer new")
        file.chmod(0o644)
        watcher.wait_for("web", "unknown bad-config")
        assert "Bearer" not in str(watcher.lines)


def test_a_killed_server_is_an_event(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = [sys.executable, str(ROOT / "tests/helpers/web.py"), str(port)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        toml = check(f"http://127.0.0.1:{port}/").replace("interval = 0.2", "interval = 30")
        try:
            with Watcher(tmp_path, toml) as watcher:
                watcher.wait_for("web", "ok answered")
                server.send_signal(signal.SIGKILL)
                watcher.wait_for("web", "critical refused", 15)  # before the next regular look
                assert watcher.track("web") == 0
        finally:
            server.kill()


def test_it_is_a_member_of_combinations(tmp_path: Path, web: WebServer) -> None:
    toml = check(web.url()) + '[check.gone]\nprobe = "http"\nurl = "http://127.0.0.1:1/"\n'
    members = 'probe = "combined"\ntimeout = 20\n'
    toml += f'[check.every]\n{members}all = ["web", "gone"]\n'
    toml += f'[check.either]\n{members}any = ["gone", "web"]\n'
    with Watcher(tmp_path, toml) as watcher:
        watcher.wait_for("every", "critical refused")
        watcher.wait_for("either", "ok answered")
