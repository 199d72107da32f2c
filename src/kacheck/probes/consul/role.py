"""What an agent's answers say of its leadership and of a lock. Pure.

Source: hashicorp/consul agent/consul/server.go, Stats(); the session's node is the one whose agent
made it, or that it was made for.
"""

from __future__ import annotations

from kacheck.probes.consul.errors import bad_response, body_of, unusable
from kacheck.probes.consul.reasons import (
    CLIENT_AGENT,
    FOLLOWER,
    LEADER,
    LOCK_ELSEWHERE,
    LOCK_FREE,
    LOCK_HELD,
)
from kacheck.result import Result, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any

    from kacheck.exchange.answer import HttpAnswer

AGENT_POLICY = 'agent_prefix "" { policy = "read" }'


def judge_leader(answer: HttpAnswer, address: str) -> Result:
    """Return the result for an agent's description of itself."""
    if answer.code != 200:
        return unusable(answer, address, AGENT_POLICY)
    stats = field(body_of(answer), "Stats", "consul")
    if not isinstance(stats, dict):
        return bad_response(answer, address, "which does not describe an agent")
    data = {"http_status": 200, "leader_addr": stats.get("leader_addr")}
    if stats.get("server") != "true":
        message = f"the agent {address} is a client, which never leads; ask a server"
        return Result(Status.CRITICAL, CLIENT_AGENT, message, data)
    if stats.get("leader") == "true":
        return Result(Status.OK, LEADER, f"{address} leads", data)
    leader = stats.get("leader_addr") or "nobody that it knows of"
    return Result(Status.WARNING, FOLLOWER, f"{address} follows; the leader is {leader}", data)


def judge_lock(answer: HttpAnswer, address: str, key: str) -> Result:
    """Return that some session holds a key, and which in `session`; or why none does."""
    if answer.code == 404:
        return free(f"nobody holds the lock {key}: there is no such key")
    if answer.code != 200:
        return unusable(answer, address, f'key "{key}" {{ policy = "read" }}')
    rows = body_of(answer)
    if not (isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], dict)):
        return bad_response(answer, address, "which does not describe a key")
    session = rows[0].get("Session")
    if not session:
        return free(f"nobody holds the lock {key}")
    return Result(Status.OK, LOCK_HELD, f"a session holds the lock {key}", {"session": session})


def judge_session(answer: HttpAnswer, address: str, key: str) -> Result:
    """Return that a lock's session exists, and its node in `node`; or why it has none."""
    if answer.code != 200:
        return unusable(answer, address, 'session_prefix "" { policy = "read" }')
    rows = body_of(answer)
    if rows == [] or answer.body.strip() == b"null":
        return free(f"nobody holds the lock {key} any more: its session has ended")
    node = field(rows[0], "Node") if isinstance(rows, list) and len(rows) == 1 else None
    if not isinstance(node, str) or not node:
        return bad_response(answer, address, "which does not describe a session")
    return Result(Status.OK, LOCK_HELD, f"{node} holds the lock {key}", {"node": node})


def judge_node(answer: HttpAnswer, address: str) -> Result:
    """Return the name of the agent's node in `this_node`; or why it is not known."""
    if answer.code != 200:
        return unusable(answer, address, AGENT_POLICY)
    node = field(body_of(answer), "Config", "NodeName")
    if not isinstance(node, str) or not node:
        return bad_response(answer, address, "which does not describe an agent")
    return Result(Status.OK, LOCK_HELD, f"this node is {node}", {"this_node": node})


def compare_nodes(key: str, holder: str, this_node: str) -> Result:
    """Return whether the node that holds a lock is this one; Consul's names have no case."""
    data = {"node": holder, "this_node": this_node}
    if holder.lower() == this_node.lower():
        return Result(Status.OK, LOCK_HELD, f"this node, {this_node}, holds the lock {key}", data)
    message = f"{holder} holds the lock {key}, not this node, {this_node}"
    return Result(Status.WARNING, LOCK_ELSEWHERE, message, data)


def free(message: str) -> Result:
    """Return that nobody holds a lock."""
    return Result(Status.WARNING, LOCK_FREE, message, {})


def field(value: Any, *keys: str) -> Any:
    """Return the value at the end of a path; None where it leads nowhere."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
