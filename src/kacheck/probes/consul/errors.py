"""Answers of an agent that do not say what was asked. Pure."""

from __future__ import annotations

from kacheck.exchange.body import quote, read_json
from kacheck.exchange.reasons import BAD_RESPONSE, REDIRECT, UNAUTHORIZED
from kacheck.probes.consul.reasons import AGENT_ERROR, NO_LEADER
from kacheck.result import Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any

    from kacheck.exchange.answer import HttpAnswer

SHOWN = 200
"""Characters of an error that a message quotes."""
LEADERLESS = (b"No cluster leader", b"No known Consul servers", b"leader not found",
              b"Not ready to serve consistent reads", b"failed to get conn",
              b"rpc error getting client")  # fmt: skip
"""What agent/structs/errors.go and agent/pool say while there is no leader, or no way to it."""


def unusable(answer: HttpAnswer, address: str, policy: str) -> Result:
    """Return the result for a code that says nothing of what was asked.

    `policy` is what a token needs, as ACL rules write it.
    """
    code, data = answer.code, {"http_status": answer.code}
    said = f"{address} answered {code}" + (f", {quote(answer.body, SHOWN)}" if answer.body else "")
    if code in (401, 403):
        message = f"{said}; the token needs the rule {policy}"
        return Result(Status.UNKNOWN, UNAUTHORIZED, message, data)
    if code == 500 and any(words in answer.body for words in LEADERLESS):
        return Result(Status.UNKNOWN, NO_LEADER, said, data)
    if 300 <= code <= 399:
        return Result(Status.CRITICAL, REDIRECT, f"{said}: give the address of the agent", data)
    if b"HTTPS server" in answer.body:
        said += ": give an address that begins with https://"
    return Result(Status.UNKNOWN, AGENT_ERROR, said, data)


def bad_response(answer: HttpAnswer, address: str, what: str) -> Result:
    """Return the result for a body that is not what the code promises."""
    message = f"{address} answered {answer.code}, {what}: {quote(answer.body)}"
    data = {"http_status": answer.code}
    return Result(Status.CRITICAL, BAD_RESPONSE, message, data)


def body_of(answer: HttpAnswer) -> Any:
    """Return the value of a JSON body; None if it is not JSON, or `null`."""
    try:
        return read_json(answer.body)
    except (ValueError, RecursionError):
        return None
