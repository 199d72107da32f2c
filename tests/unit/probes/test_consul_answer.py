"""What an agent's answers mean: a table of codes and bodies."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from kacheck.exchange.answer import HttpAnswer
from kacheck.probes.consul import role
from kacheck.probes.consul.look import answer_to
from kacheck.probes.consul.question import prepare
from kacheck.probes.consul.service import judge_service
from kacheck.result import Result

ADDRESS = "http://127.0.0.1:8500"


def check(status: str, name: str = "alive", output: str = "", **more: Any) -> dict[str, Any]:
    fields = {"CheckID": f"service:{name}", "Name": name, "ServiceID": "web", "Notes": ""}
    return {**fields, "Status": status, "Output": output, **more}


def node_check(status: str) -> dict[str, Any]:
    return check(status, "disk", CheckID="disk", ServiceID="")


def instance(state: str, *checks: dict[str, Any], tags: Any = (), name: str = "web") -> Any:
    service = {"ID": name, "Service": "web", "Tags": list(tags)}
    return {"AggregatedStatus": state, "Checks": list(checks), "Service": service}


def answer(code: int, body: Any) -> HttpAnswer:
    return HttpAnswer(code, body if isinstance(body, bytes) else json.dumps(body).encode())


def of_service(code: int, body: Any, **options: Any) -> Result:
    values = options if "service_id" in options else {"service": "web", **options}
    return judge_service(answer(code, body), prepare(values))


def verdict(result: Result) -> str:
    return f"{result.status.word} {result.reason}"


GOOD = instance("passing", check("passing"), node_check("passing"))
WARNED = instance("warning", check("passing"), check("warning", "load", "load is 9"))
DEAD = instance("critical", check("critical", "alive", "connection refused"))
RESTING = instance(
    "maintenance",
    check("critical", CheckID="_service_maintenance:web", Notes="new disk"),
    check("passing"),
)
REBOOTING = instance(
    "maintenance", check("critical", CheckID="_node_maintenance", ServiceID="", Notes="kernel")
)
UNCHECKED = instance("passing")
NODE_ONLY = instance("passing", node_check("passing"))
ACTIVE = instance("passing", check("passing"), tags=["active", "eu"])
DEAD_ACTIVE = instance("critical", check("critical", output="gone"), tags=["active"])


@pytest.mark.parametrize(
    ("code", "body", "options", "expected"),
    [
        (200, [GOOD], {}, "ok passing"),
        (200, GOOD, {"service_id": "web"}, "ok passing"),
        (429, [WARNED], {}, "warning service-warning"),
        (503, [DEAD], {}, "critical service-critical"),
        (503, DEAD, {"service_id": "web"}, "critical service-critical"),
        (503, [GOOD, DEAD], {}, "critical service-critical"),
        (429, [GOOD, WARNED], {}, "warning service-warning"),
        (503, [RESTING], {}, "critical maintenance"),
        (503, [REBOOTING], {}, "critical maintenance"),
        (503, [DEAD, RESTING], {}, "critical service-critical"),
        (404, [], {}, "critical not-registered"),
        (404, b"ServiceId web not found", {"service_id": "web"}, "critical not-registered"),
        (200, [UNCHECKED], {}, "critical no-checks"),
        (200, [NODE_ONLY], {}, "critical no-checks"),
        (200, [GOOD, UNCHECKED], {}, "critical no-checks"),
        (200, [UNCHECKED], {"allow_no_checks": True}, "ok passing"),
        (200, [NODE_ONLY], {"allow_no_checks": True}, "ok passing"),
        (503, [DEAD], {"allow_no_checks": True}, "critical service-critical"),
        # --- with a tag
        (200, [ACTIVE], {"tag": "active"}, "ok passing"),
        (200, [GOOD], {"tag": "active"}, "warning untagged"),
        (200, [ACTIVE], {"tag": "act"}, "warning untagged"),
        (503, [DEAD_ACTIVE], {"tag": "active"}, "critical service-critical"),
        (503, [DEAD], {"tag": "active"}, "critical service-critical"),
        (429, [WARNED], {"tag": "active"}, "warning service-warning"),
        (503, [ACTIVE, DEAD], {"tag": "active"}, "ok passing"),
        (503, [GOOD, DEAD_ACTIVE], {"tag": "active"}, "critical service-critical"),
        (200, [UNCHECKED], {"tag": "active"}, "critical no-checks"),
        (200, [ACTIVE, UNCHECKED], {"tag": "active"}, "ok passing"),
        # --- the code and the body contradict each other
        (200, [DEAD], {}, "critical bad-response"),
        (200, [WARNED], {}, "critical bad-response"),
        (429, [GOOD], {}, "critical bad-response"),
        (503, [GOOD], {}, "critical bad-response"),
        (503, [WARNED], {}, "critical bad-response"),
        (200, [instance("passing", check("critical"))], {}, "critical bad-response"),
        (200, [GOOD, instance("passing", check("warning"))], {}, "critical bad-response"),
        (200, [instance("passing", node_check("critical"))], {}, "critical bad-response"),
        (200, [instance("passing", check("fine"))], {}, "critical bad-response"),
        (200, [{**RESTING, "AggregatedStatus": "passing"}], {}, "critical bad-response"),
        (429, [instance("warning", check("critical"))], {}, "critical bad-response"),
        # --- another service
        (200, [GOOD], {"service": "db"}, "critical bad-response"),
        (200, GOOD, {"service_id": "web-2"}, "critical bad-response"),
        (200, [{**GOOD, "Service": {"ID": "web"}}], {}, "critical bad-response"),
        # --- not a service's description
        (200, [], {}, "critical bad-response"),
        (200, b"", {}, "critical bad-response"),
        (200, b"<html>welcome</html>", {}, "critical bad-response"),
        (200, b'{"AggregatedStatus": "passing"}', {}, "critical bad-response"),
        (200, [{**GOOD, "AggregatedStatus": "fine"}], {}, "critical bad-response"),
        (200, [{**GOOD, "AggregatedStatus": ["passing"]}], {}, "critical bad-response"),
        (200, [{**GOOD, "Checks": {"a": 1}}], {}, "critical bad-response"),
        (200, [{**GOOD, "Checks": ["a"]}], {}, "critical bad-response"),
        (200, [{**GOOD, "Service": None}], {}, "critical bad-response"),
        (200, [{**GOOD, "Service": {"ID": "web", "Tags": "active"}}], {}, "critical bad-response"),
        (200, [GOOD, None], {}, "critical bad-response"),
        (200, b"[" * 60_000, {}, "critical bad-response"),
        (429, b"rate limit exceeded", {}, "unknown agent-error"),
        (503, b"<html>no backend</html>", {}, "unknown agent-error"),
        # --- the agent cannot tell
        (401, b"", {}, "unknown unauthorized"),
        (403, b"Permission denied", {}, "unknown unauthorized"),
        (500, b"No cluster leader", {}, "unknown no-leader"),
        (500, b"rpc error making call: No cluster leader", {}, "unknown no-leader"),
        (500, b"No known Consul servers", {}, "unknown no-leader"),
        (500, b"panic", {}, "unknown agent-error"),
        (400, b"Client sent an HTTP request to an HTTPS server.", {}, "unknown agent-error"),
        (302, b"", {}, "critical redirect"),
        (502, b"", {}, "unknown agent-error"),
    ],
)
def test_what_is_said_of_a_service(
    code: int, body: Any, options: dict[str, Any], expected: str
) -> None:
    result = of_service(code, body, **options)
    assert verdict(result) == expected
    assert result.data["http_status"] == code


def test_code_and_body_must_both_pass() -> None:
    bodies: list[Any] = [
        [GOOD],
        [WARNED],
        [DEAD],
        [RESTING],
        [UNCHECKED],
        [],
        b"",
        b"null",
        b"passing",
    ]
    passing = [
        (code, body)
        for code in range(200, 600)
        for body in bodies
        if of_service(code, body).reason == "passing"
    ]
    assert passing == [(200, [GOOD])]


@pytest.mark.parametrize(
    ("code", "body", "options", "words"),
    [
        (503, [DEAD], {}, 'service web is critical, check "alive": "connection refused"'),
        (429, [WARNED], {}, 'check "load": "load is 9"'),
        (503, [RESTING], {}, 'in maintenance, "new disk"; end it with consul maint -disable'),
        (503, [REBOOTING], {}, '"kernel"'),
        (200, [ACTIVE], {"tag": "active"}, "is passing, with 1 check and the tag active"),
        (200, [ACTIVE], {"tag": "x"}, "without the tag x; it has active, eu"),
        (200, [GOOD], {"tag": "x"}, "it has none"),
        (404, [], {}, "service web is not registered with the agent of this node, http://127"),
        (403, b"denied", {}, 'the token needs the rule service "web" { policy = "read" }'),
        (403, b"", {"service_id": "w"}, 'needs the rule service_prefix "" { policy = "read" }'),
        (400, b"to an HTTPS server", {}, "give an address that begins with https://"),
        (200, [DEAD], {}, "answered 200, but its body says critical"),
    ],
)
def test_it_says_why(code: int, body: Any, options: dict[str, Any], words: str) -> None:
    assert words in of_service(code, body, **options).message


def test_a_long_output_is_cut_and_has_no_line_breaks() -> None:
    dead = instance("critical", check("critical", output="line\n" * 5000))
    message = of_service(503, [dead]).message
    assert len(message) < 300
    assert "\n" not in message


@pytest.mark.parametrize("before", ["", "x" * 170, "x" * 185, " " * 790])
def test_a_token_is_not_shown_even_where_a_quotation_ends(before: str) -> None:
    token = "8f14e45f-ceea-467f-9575-2d1b8f6a3c01"
    denied = HttpAnswer(403, f"{before} {token} {'y' * 200}".encode())

    def ask(_: str, judge: Callable[[HttpAnswer], Result]) -> Result:
        return judge(denied)

    message = answer_to(prepare({"service": "web", "token": token}), ask).message
    assert token[:4] not in message
    assert "***" in message


def test_a_token_that_is_a_usual_word_changes_no_verdict() -> None:
    def ask(_: str, judge: Callable[[HttpAnswer], Result]) -> Result:
        return judge(answer(200, [GOOD]))

    result = answer_to(prepare({"service": "web", "token": "passing"}), ask)
    assert verdict(result) == "ok passing"


# --- leadership -----------------------------------------------------------------------------


def described(**stats: str) -> dict[str, Any]:
    return {"Config": {"NodeName": "node-1"}, "Stats": {"consul": stats}}


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (200, described(server="true", leader="true"), "ok leader"),
        (200, described(server="true", leader="false"), "warning follower"),
        (200, described(server="true", leader="TRUE"), "warning follower"),
        (200, described(server="true"), "warning follower"),
        (200, described(server="false"), "critical client-agent"),
        (200, described(leader="true"), "critical client-agent"),
        (200, {"Stats": {}}, "critical bad-response"),
        (200, {"Stats": {"consul": "x"}}, "critical bad-response"),
        (200, b"", "critical bad-response"),
        (200, [], "critical bad-response"),
        (403, b"Permission denied", "unknown unauthorized"),
        (404, b"", "unknown agent-error"),
        (500, b"", "unknown agent-error"),
    ],
)
def test_what_is_said_of_leadership(code: int, body: Any, expected: str) -> None:
    assert verdict(role.judge_leader(answer(code, body), ADDRESS)) == expected


# --- a lock ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (200, [{"Key": "k", "Session": "s-1"}], "ok lock-held"),
        (200, [{"Key": "k"}], "warning lock-free"),
        (200, [{"Key": "k", "Session": ""}], "warning lock-free"),
        (404, b"", "warning lock-free"),
        (200, [], "critical bad-response"),
        (200, b"no", "critical bad-response"),
        (403, b"Permission denied", "unknown unauthorized"),
        (500, b"No cluster leader", "unknown no-leader"),
        (500, b"Raft leader not found in server lookup mapping", "unknown no-leader"),
    ],
)
def test_what_is_said_of_a_key(code: int, body: Any, expected: str) -> None:
    assert verdict(role.judge_lock(answer(code, body), ADDRESS, "k")) == expected


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (200, [{"ID": "s-1", "Node": "node-1"}], "ok lock-held"),
        (200, [], "warning lock-free"),
        (200, b"null", "warning lock-free"),
        (200, [{"ID": "s-1"}], "critical bad-response"),
        (200, [{"ID": "s-1", "Node": ""}], "critical bad-response"),
        (200, [None], "critical bad-response"),
        (200, b"", "critical bad-response"),
        (403, b"Permission denied", "unknown unauthorized"),
        (500, b"No cluster leader", "unknown no-leader"),
    ],
)
def test_what_is_said_of_a_session(code: int, body: Any, expected: str) -> None:
    assert verdict(role.judge_session(answer(code, body), ADDRESS, "k")) == expected


@pytest.mark.parametrize(
    ("holder", "this_node", "expected"),
    [
        ("node-1", "node-1", "ok lock-held"),
        ("Node-1", "node-1", "ok lock-held"),
        ("node-1", "node-10", "warning lock-elsewhere"),
        ("node-2", "node-1", "warning lock-elsewhere"),
    ],
)
def test_whose_lock_it_is(holder: str, this_node: str, expected: str) -> None:
    assert verdict(role.compare_nodes("k", holder, this_node)) == expected


@pytest.mark.parametrize("config", [{}, {"NodeName": ""}])
def test_a_node_without_a_name_holds_no_lock(config: dict[str, str]) -> None:
    result = role.judge_node(answer(200, {"Config": config}), ADDRESS)
    assert verdict(result) == "critical bad-response"
