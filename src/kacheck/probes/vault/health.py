"""What an answer of GET /v1/sys/health means. Pure: code and body in, Result out.

Source: hashicorp/vault http/sys_health.go, getSysHealth(). A code alone proves nothing, since
proxies answer too: it counts only when the body's `initialized`, `sealed` and `standby` agree.
No other field is keyed on; they come and go with versions and editions.
"""

from __future__ import annotations

import math

from kacheck.exchange.answer import MAX_BODY, HttpAnswer
from kacheck.exchange.body import quote, read_json
from kacheck.exchange.flat_json import flat_object
from kacheck.exchange.reasons import BAD_RESPONSE, REDIRECT
from kacheck.probes.vault.reasons import (
    ACTIVE,
    DR_SECONDARY,
    HA_UNHEALTHY,
    PERFORMANCE_STANDBY,
    RATE_LIMITED,
    REMOVED,
    SEALED,
    STANDBY,
    UNINITIALIZED,
)
from kacheck.result import Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NamedTuple

    from kacheck.result import Reason
else:
    from kacheck.light import NamedTuple


class NodeState(NamedTuple):
    """One state of a Vault node."""

    reason: Reason
    words: str
    agrees: Mapping[str, bool]
    """What the body must say for the code to be believed."""
    is_role: bool = True
    """Alive in a role that --accept can name; otherwise the node is down."""


UP = {"initialized": True, "sealed": False}
STATES = {
    200: NodeState(ACTIVE, "is the active node", {**UP, "standby": False}),
    429: NodeState(STANDBY, "is a standby", {**UP, "standby": True}),
    472: NodeState(DR_SECONDARY, "is a disaster recovery secondary", UP),
    473: NodeState(PERFORMANCE_STANDBY, "is a performance standby", UP),
    474: NodeState(
        HA_UNHEALTHY,
        "is a standby that has lost touch with the active node",
        UP,
        is_role=False,
    ),
    501: NodeState(
        UNINITIALIZED,
        "is not initialized: vault operator init",
        {"initialized": False},
        is_role=False,
    ),
    503: NodeState(SEALED, "is sealed: vault operator unseal", {"sealed": True}, is_role=False),
    530: NodeState(REMOVED, "was removed from the cluster", {}, is_role=False),
}


def judge(answer: HttpAnswer, accept: tuple[str, ...], address: str) -> Result:
    """Return the result for an answer; `data` has the code and the body's fields."""
    fields = parse(answer.body)
    data: dict[str, Any] = {"http_status": answer.code}
    if fields is not None:
        data["fields"] = fields
    state = STATES.get(answer.code)
    if state is None or fields is None or not agree(state, fields):
        return strange(answer, fields or {}, address)._replace(data=data)
    roles = " or ".join(accept)
    if state.reason in accept:
        return Result(Status.OK, state.reason, f"{address} {state.words}", data)
    message = f"{address} {state.words} (wanted: {roles})"
    status = Status.WARNING if state.is_role else Status.CRITICAL
    return Result(status, state.reason, message, data)


def parse(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a body; None if it is not one."""
    if len(body) > MAX_BODY:
        return None
    fields: dict[str, Any] | None = flat_object(body)
    return parse_any(body) if fields is None else fields


def parse_any(body: bytes) -> dict[str, Any] | None:
    """Return the same of any JSON; to import json takes 5 ms."""
    try:
        return {key: flat(value) for key, value in read_json(body).items()}
    except (ValueError, RecursionError, AttributeError):
        return None


def flat(value: object) -> object:
    """Return a field's value, ready for JSON.

    What is nested, as licenses are, or infinite as text.
    """
    if isinstance(value, (dict, list)):
        import json

        return json.dumps(value)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def agree(state: NodeState, fields: dict[str, Any]) -> bool:
    """Return whether the body agrees with the code; `1` or `"true"` is not `true`."""
    return all(fields.get(key) is value for key, value in state.agrees.items())


def strange(answer: HttpAnswer, fields: dict[str, Any], address: str) -> Result:
    """Return the result for an answer that is not a Vault node's state, and what it may be."""
    code = answer.code
    if code == 429 and "standby" not in fields and answer.body.strip():
        message = (
            f"{address} limits the rate of requests (429): exempt sys/health or ask less often"
        )
        return Result(Status.UNKNOWN, RATE_LIMITED, message, {})
    if code in (301, 302, 303, 307, 308):
        from kacheck.redact import redact_address

        where = redact_address(answer.location) if answer.location else "nowhere"
        message = (
            f"{address} redirects ({code}) to {where}, "
            "which is not followed: "
            "give the address of the node itself"
        )
        return Result(Status.CRITICAL, REDIRECT, message, {})
    message = f"{address} answered {code}, {explain(answer, fields)}"
    return Result(Status.CRITICAL, BAD_RESPONSE, message, {})


def explain(answer: HttpAnswer, fields: dict[str, Any]) -> str:
    """Why an answer is not believed; completes `answered 200, ...`."""
    code = answer.code
    if len(answer.body) > MAX_BODY:
        return f"with more than {MAX_BODY // 1024} KiB: this is not Vault's health endpoint"
    if code == 400 and b"HTTPS server" in answer.body:
        return "because it speaks TLS: give an address that begins with https://"
    if code == 400:
        return (
            f"{quote(answer.body)}: most likely its listener has x_forwarded_for_authorized_addrs "
            "and refuses a direct client; set x_forwarded_for_reject_not_present = false"
        )
    state = STATES.get(code)
    if state is None:
        return f"{quote(answer.body)}: not one of Vault's health codes"
    if not set(state.agrees) & set(fields):
        return without_state(answer, fields, state)
    import json

    said = ", ".join(f"{key}={json.dumps(fields.get(key))}" for key in state.agrees)
    return f"which is {state.reason}, but its body says {said}"


def without_state(answer: HttpAnswer, fields: dict[str, Any], state: NodeState) -> str:
    """Return why an answer is not believed whose body says nothing of the node's state."""
    cure = "give the address of the node itself"
    if not answer.body.strip():
        return f"which is {state.reason}, without a body: is a proxy in between? If so, {cure}"
    if "errors" in fields:
        errors = str(fields["errors"]).strip('[]"') or "an empty list"
        return (
            f"with errors ({quote(errors.encode())}) instead of its state; read Vault's log,"
            f" or {cure}"
        )
    if not fields:
        return f"{quote(answer.body)}: not Vault's JSON, is a proxy in between?"
    return f"which is {state.reason}, but its body does not say so; {cure}"
