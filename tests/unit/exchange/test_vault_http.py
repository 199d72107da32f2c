"""The branches of the HTTP exchange, with the network mocked (respx)."""

import socket
import ssl
import sys
from collections.abc import Callable
from typing import NoReturn

import httpcore
import pytest
import respx

from helpers.answer import Answer

Look = Callable[..., Answer]

URL = "http://127.0.0.1:8200/v1/sys/health"
VAULT = ("vault", "--address", "http://127.0.0.1:8200")
ACTIVE = {"initialized": True, "sealed": False, "standby": False}


def test_the_request_is_one_plain_get(look: Look, respx_mock: respx.MockRouter) -> None:
    route = respx_mock.get(URL).respond(json=ACTIVE)
    assert look(*VAULT).verdict == "ok active"
    (call,) = route.calls
    assert call.request.url == URL
    assert set(call.request.headers) == {
        "host", "accept", "accept-encoding", "connection", "user-agent",
    }  # fmt: skip
    assert call.request.headers["accept-encoding"] == "identity"
    assert call.request.content == b""


def test_a_redirect_is_not_followed(look: Look, respx_mock: respx.MockRouter) -> None:
    other = respx_mock.get("http://other/").respond(json=ACTIVE)
    respx_mock.get(URL).respond(307, headers={"location": "http://other/"})
    respx_mock._assert_all_called = False
    answer = look(*VAULT)
    assert answer.verdict == "critical redirect"
    assert "http://other/" in answer.message
    assert not other.called


def failing(outer: type[Exception], cause: Exception | None) -> Exception:
    """Return what httpcore raises when `cause` happened below it."""
    error = outer("as httpcore says it")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "verdict", "words"),
    [
        (failing(httpcore.ConnectError, ConnectionRefusedError(111, "Connection refused")),
         "critical refused", "nothing listens there"),
        (failing(httpcore.ConnectError, FileNotFoundError(2, "No such file or directory")),
         "critical refused", "No such file"),
        (failing(httpcore.ConnectError, PermissionError(13, "Permission denied")),
         "unknown hidden", "Permission denied"),
        (failing(httpcore.ConnectError, OSError(113, "No route to host")),
         "critical unreachable", "No route to host"),
        (failing(httpcore.ConnectError, socket.gaierror(-2, "Name or service not known")),
         "critical dns", "Name or service not known"),
        (failing(httpcore.ReadError, ConnectionResetError(104, "Connection reset by peer")),
         "critical reset", "Connection reset"),
        (failing(httpcore.ReadError, OSError(107, "Transport endpoint is not connected")),
         "critical reset", "closed the connection"),
        (failing(httpcore.WriteError, BrokenPipeError(32, "Broken pipe")),
         "critical reset", "Broken pipe"),
        (failing(httpcore.RemoteProtocolError, None), "critical bad-response", "does not speak HTTP"),
        (httpcore.RemoteProtocolError("Server disconnected without sending a response."),
         "critical reset", "closed the connection"),
        (failing(httpcore.ReadTimeout, TimeoutError("timed out")), "critical timeout", "no answer within"),
        (httpcore.ConnectTimeout("timed out"), "critical timeout", "no answer within"),
        (failing(httpcore.ReadError, ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] alert")),
         "critical tls", "client certificate"),
        (failing(httpcore.ConnectError, ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version")),
         "critical tls", "http://"),
        (failing(httpcore.ConnectError, ssl.SSLError(1, "something else")),
         "critical tls", "handshake failed"),
    ],
)  # fmt: skip
def test_each_failure_has_its_own_reason(
    look: Look, monkeypatch: pytest.MonkeyPatch, error: Exception, verdict: str, words: str
) -> None:
    """respx would replace the real cause with another one."""

    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(httpcore.ConnectionPool, "handle_request", fail)
    answer = look(*VAULT)
    assert answer.verdict == verdict
    assert words in answer.message
    assert "127.0.0.1:8200" in answer.message


def test_a_proxy_in_the_environment_is_not_used(
    look: Look, respx_mock: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    respx_mock.get(URL).respond(json=ACTIVE)
    assert look(*VAULT).verdict == "ok active"


def test_without_httpx_the_answer_says_what_to_install(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    answer = look(*VAULT)
    assert (answer.code, answer.verdict) == (3, "unknown bad-config")
    assert "apt install python3-httpx" in answer.message
