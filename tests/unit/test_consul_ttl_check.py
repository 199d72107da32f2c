"""A verdict as the update of a TTL check: what is sent, and what to paste where it is refused."""

import json
import shlex

import pytest

from kacheck.consul.agent import Agent, agent_of
from kacheck.consul.ttl_check import (
    Reporting,
    TtlUpdate,
    judge_update,
    registration,
    request,
    service_of,
)
from kacheck.exchange.answer import HttpAnswer
from kacheck.exchange.request import plain_request
from kacheck.result import Status


def update(code: int = 0, check_id: str = "service:web") -> TtlUpdate:
    return TtlUpdate("web", check_id, code, "answered", 'it said "fine"')


@pytest.mark.parametrize(
    ("code", "status"), [(0, "passing"), (1, "warning"), (2, "critical"), (3, "critical")]
)
def test_an_exit_code_is_a_status_of_consuls(code: int, status: str) -> None:
    parts = plain_request(*request(Agent(), update(code)))
    assert parts is not None
    host, port, sent = parts
    head, _, body = sent.partition(b"\r\n\r\n")
    assert (host, port) == ("127.0.0.1", 8500)
    assert head.startswith(b"PUT /v1/agent/check/update/service:web HTTP/1.1\r\n")
    assert f"\r\nContent-Length: {len(body)}".encode() in head
    assert json.loads(body) == {"Status": status, "Output": 'answered: it said "fine"'}


@pytest.mark.parametrize(
    ("code", "body", "words"),
    [
        (403, b"Permission denied", 'the token needs the rule service "web" { policy = "write" }'),
        (401, b"", 'the rule service "web"'),
        (404, b'Unknown check ID "service:web"', "register the check: curl -X PUT -d"),
        (500, b'CheckID "service:web" does not have associated TTL', "register the check"),
        (500, b"Unknown check service:web", "register the check"),
        (500, b"disk full", 'answered 500, "disk full"'),
        (400, b"Invalid check status", "answered 400"),
    ],
)
def test_a_refusal_says_what_to_paste(code: int, body: bytes, words: str) -> None:
    result = judge_update(HttpAnswer(code, body), Reporting(), update())
    assert result.status is not Status.OK
    assert words in result.message


@pytest.mark.parametrize("body", ["bad token: {}", "x" * 170 + " {}", "x {}" + " " * 800 + "y"])
def test_a_refusal_never_shows_the_token(body: str) -> None:
    token = "8f14e45f-ceea-467f-9575-2d1b8f6a3c01"
    reporting = Reporting(Agent(token=token))
    answer = HttpAnswer(403, body.format(token).encode())
    message = judge_update(answer, reporting, update()).message
    assert token[:4] not in message
    assert "***" in message
    assert "the token needs the rule" in message


def test_only_200_is_taken_for_granted() -> None:
    taken = [
        code
        for code in range(200, 600)
        if judge_update(HttpAnswer(code, b""), Reporting(), update()).status is Status.OK
    ]
    assert taken == [200]


@pytest.mark.parametrize(
    ("check_id", "service"),
    [
        ("service:web", "web"),
        ("service:web:2", "web"),
        ("service:vault:host:8200", "vault:host"),
        ("web-ttl", ""),
        ("service", ""),
    ],
)
def test_the_service_that_an_id_names(check_id: str, service: str) -> None:
    assert service_of(check_id) == service


def test_the_registration_can_be_pasted() -> None:
    values = {"address": "https://a:8501", "ca_cert": "/ca.pem", "token_file": "/t"}
    words = shlex.split(registration(Reporting(agent_of(values), 30.0), update()))
    assert words[:3] == ["curl", "-X", "PUT"]
    assert words[-1] == "https://a:8501/v1/agent/check/register"
    assert words[words.index("--cacert") + 1] == "/ca.pem"
    assert words[words.index("-H") + 1] == "X-Consul-Token: $(cat /t)"
    assert json.loads(words[words.index("-d") + 1]) == {
        "ID": "service:web", "Name": "kacheck web", "ServiceID": "web", "TTL": "30s",
    }  # fmt: skip
    over_socket = registration(Reporting(agent_of({"address": "unix:///s"})), update(0, "x"))
    assert "--unix-socket /s" in over_socket
    assert "SERVICE-ID" in over_socket
