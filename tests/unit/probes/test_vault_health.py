"""What each answer of sys/health means: the table of codes, and answers that contradict them."""

import json
from typing import Any

import pytest

from kacheck.exchange.answer import MAX_BODY, HttpAnswer
from kacheck.probes.vault.health import judge
from kacheck.result import Result, Status

NODE = "https://127.0.0.1:8200"
UP = {"initialized": True, "sealed": False}
ACTIVE = {**UP, "standby": False}
STANDBY = {**UP, "standby": True}
ROLES = ("active", "standby", "performance-standby", "dr-secondary")


def ask(code: int, body: Any, accept: tuple[str, ...] = ("active",)) -> Result:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return judge(HttpAnswer(code, raw), accept, NODE)


@pytest.mark.parametrize(
    ("code", "body", "wants_active", "accepts_all"),
    [
        (200, ACTIVE, "ok active", "ok active"),
        (429, STANDBY, "warning standby", "ok standby"),
        (472, {**UP, "standby": False}, "warning dr-secondary", "ok dr-secondary"),
        (472, {**UP, "standby": True}, "warning dr-secondary", "ok dr-secondary"),
        (473, STANDBY, "warning performance-standby", "ok performance-standby"),
        (474, STANDBY, "critical ha-unhealthy", "critical ha-unhealthy"),
        (501, {"initialized": False, "sealed": True}, "critical uninitialized", None),
        (503, {"initialized": True, "sealed": True}, "critical sealed", None),
        (530, {**UP, "removed_from_cluster": True}, "critical removed", None),
        (429, {"errors": ["rate limit quota exceeded"]}, "unknown rate-limited", None),
        (429, b"slow down", "unknown rate-limited", None),
        (307, b"", "critical redirect", None),
        (400, {"errors": []}, "critical bad-response", None),
        (405, {"errors": []}, "critical bad-response", None),
        (500, {"errors": ["context deadline"]}, "critical bad-response", None),
        (204, b"", "critical bad-response", None),
        (299, ACTIVE, "critical bad-response", None),
    ],
)
def test_codes(code: int, body: Any, wants_active: str, accepts_all: str | None) -> None:
    assert verdict(ask(code, body)) == wants_active
    assert verdict(ask(code, body, ROLES)) == (accepts_all or wants_active)


def verdict(result: Result) -> str:
    return f"{result.status.word} {result.reason}"


@pytest.mark.parametrize(
    ("code", "body"),
    [
        pytest.param(200, {**ACTIVE, "sealed": True}, id="sealed"),
        pytest.param(200, STANDBY, id="standby"),
        pytest.param(200, {**ACTIVE, "initialized": False}, id="not initialized"),
        pytest.param(200, UP, id="no standby"),
        pytest.param(200, {}, id="no fields"),
        pytest.param(200, {k: str(v).lower() for k, v in ACTIVE.items()}, id="words, not booleans"),
        pytest.param(200, {"initialized": 1, "sealed": 0, "standby": 0}, id="numbers"),
        pytest.param(200, [ACTIVE], id="a list"),
        pytest.param(200, b"null", id="null"),
        pytest.param(200, b"", id="nothing"),
        pytest.param(200, b"OK", id="text"),
        pytest.param(200, b"[" * 60_000, id="deeply nested"),
        pytest.param(200, b'{"n":' + b"9" * 5000 + b"}", id="a number too long to read"),
        pytest.param(200, b"\xff\xfe\x00", id="not UTF-8"),
        pytest.param(
            200, json.dumps(ACTIVE).encode()[:-1] + b', "sealed": false}', id="a repeated key"
        ),
        pytest.param(200, json.dumps(ACTIVE).encode() + b" " * MAX_BODY, id="too long"),
        pytest.param(429, {**STANDBY, "standby": False}, id="a standby that denies it"),
        pytest.param(472, {**UP, "sealed": True}, id="a sealed secondary"),
        pytest.param(473, {"standby": True}, id="a performance standby without fields"),
        pytest.param(501, {"initialized": True}, id="not initialized and initialized"),
        pytest.param(503, b"<html>503 Service Unavailable", id="a proxy's 503"),
        pytest.param(503, {**UP}, id="sealed and not sealed"),
    ],
)
def test_an_answer_whose_body_does_not_agree_is_not_believed(code: int, body: Any) -> None:
    assert verdict(ask(code, body, ROLES)) == "critical bad-response"


@pytest.mark.parametrize(
    ("code", "body", "words"),
    [
        (200, {**ACTIVE, "sealed": True}, "sealed=true"),
        (200, b"<html>hello", '"<html>hello": not Vault\'s JSON'),
        (200, b" " * (MAX_BODY + 1), "more than 64 KiB"),
        (200, b"\x1f\x8b\x08\x00", "4 bytes that are not text"),
        (400, {"errors": []}, "x_forwarded_for_authorized_addrs"),
        (400, b"Client sent an HTTP request to an HTTPS server.\n", "https://"),
        (429, STANDBY, "wanted: active"),
        (503, {"initialized": True, "sealed": True}, "vault operator unseal"),
    ],
)
def test_the_message_says_what_is_wrong(code: int, body: Any, words: str) -> None:
    assert words in ask(code, body).message


def test_fields_of_later_versions_change_nothing() -> None:
    later = {**ACTIVE, "performance_standby": True, "removed_from_cluster": True, "new": [1, {}]}
    result = ask(200, later)
    assert verdict(result) == "ok active"
    assert result.data["fields"]["new"] == "[1, {}]"


def test_a_number_that_is_infinite_is_still_json() -> None:
    result = ask(200, json.dumps(ACTIVE).encode()[:-1] + b', "x": 1e999}')
    assert result.data["fields"]["x"] == "inf"


def test_a_redirect_without_a_location_is_reported() -> None:
    assert "to nowhere" in ask(301, b"").message


def test_a_redirect_names_where_it_leads() -> None:
    answer = HttpAnswer(307, b"", "https://other:8200/v1/sys/health")
    assert "https://other:8200/v1/sys/health" in judge(answer, ("active",), NODE).message


@pytest.mark.parametrize(
    ("code", "body", "says"),
    [
        (503, b'{"errors": ["storage is gone"]}', 'with errors ("storage is gone") instead of its'),
        (429, b"", "which is standby, without a body: is a proxy in between?"),
        (503, b"", "which is sealed, without a body"),
    ],
)
def test_an_answer_without_a_state_says_what_it_lacks(code: int, body: bytes, says: str) -> None:
    result = judge(HttpAnswer(code, body, None), ("active",), "http://127.0.0.1:8200")
    assert result.status is Status.CRITICAL
    assert says in result.message
    assert "null" not in result.message
