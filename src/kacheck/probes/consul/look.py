"""What does the agent say? One request, or for a lock three, judged."""

from __future__ import annotations

from functools import partial

from kacheck.consul.agent import MAX_BODY, segment
from kacheck.exchange.answer import CODES_WITH_BODY
from kacheck.exchange.once import ask_once
from kacheck.probes.consul import role
from kacheck.probes.consul.service import judge_service
from kacheck.result import Loss, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable

    from kacheck.deadline import Deadline
    from kacheck.exchange.answer import HttpAnswer
    from kacheck.exchange.client import HttpClient
    from kacheck.probes.consul.question import ConsulQuestion
    from kacheck.result import Result

    Judge = Callable[[HttpAnswer], Result]
    Ask = Callable[[str, Judge], Result]
    """Asks for a path, and judges the answer."""

SELF = "/v1/agent/self"


def look(question: ConsulQuestion, deadline: Deadline) -> Result:
    """Ask once.

    Raises:
        BadConfigError: a file cannot be used, or httpx is needed and not installed.

    """

    def ask(path: str, judge: Judge) -> Result:
        target = question.agent.get(path)
        in_detail = question.in_detail
        return ask_once(
            target, judge, CODES_WITH_BODY, deadline, in_detail=in_detail, max_body=MAX_BODY
        )

    return answer_to(question, ask)


def answer_to(question: ConsulQuestion, ask: Ask) -> Result:
    """Return the answer to a question, which never shows the token, whatever an agent says."""
    address = question.agent.address
    if question.leader:
        result = ask(SELF, partial(role.judge_leader, address=address))
    elif question.lock:
        result = answer_to_lock(question.lock, address, ask)
    else:
        form = "id" if question.service_id else "name"
        name = segment(question.consul_service or "")
        result = ask(f"/v1/agent/health/service/{form}/{name}",
                     partial(judge_service, question=question))  # fmt: skip
    return result._replace(message=question.agent.hide(result.message))


def answer_to_lock(key: str, address: str, ask: Ask) -> Result:
    """Return whether this node holds a lock: its session's node, and this one's name."""
    path = f"/v1/kv/{segment(key, '/')}?consistent"
    held = ask(path, partial(role.judge_lock, address=address, key=key))
    if held.status is not Status.OK:
        return held
    path = f"/v1/session/info/{segment(str(held.data['session']))}?consistent"
    holder = ask(path, partial(role.judge_session, address=address, key=key))
    if holder.status is not Status.OK:
        return holder
    own = ask(SELF, partial(role.judge_node, address=address))
    if own.status is not Status.OK:
        return own
    result = role.compare_nodes(key, str(holder.data["node"]), str(own.data["this_node"]))
    return result._replace(data={**own.data, **result.data})


class RepeatedQuestion:
    """A question that is asked again and again, on a connection for each path, which is kept."""

    def __init__(self, question: ConsulQuestion) -> None:
        self._question = question
        self._clients: dict[str, HttpClient] = {}
        """By the path that each asks for."""

    def __call__(self, deadline: Deadline) -> Result:
        """Look once.

        Raises:
            BadConfigError: a file cannot be used, or httpx is not installed.

        """
        asked: set[str] = set()

        def ask(path: str, judge: Judge) -> Result:
            asked.add(path)
            if path not in self._clients:
                self._clients[path] = self._client(path, judge)
            return self._clients[path](deadline)

        try:
            return answer_to(self._question, ask)
        finally:
            for path in self._clients.keys() - asked:
                self._clients.pop(path).close()

    def _client(self, path: str, judge: Judge) -> HttpClient:
        from kacheck.exchange.client import HttpClient

        target = self._question.agent.get(path)
        return HttpClient(target, judge, CODES_WITH_BODY, keep=True, max_body=MAX_BODY)

    def quick_result(self) -> Result | None:
        """Return nothing: only a look can tell."""
        return None

    def loss(self) -> Loss:
        """Return whether a kept connection has been lost since the look before."""
        return max([client.loss() for client in self._clients.values()], default=Loss.NOTHING)

    def watched(self) -> list[int]:
        """Return the descriptors of the idle connections."""
        return [file for client in self._clients.values() for file in client.watched()]

    def close(self) -> None:
        """End the connections."""
        for client in self._clients.values():
            client.close()


def preload(_: ConsulQuestion) -> None:
    """Import all that a look needs, whatever it asks.

    Raises:
        BadConfigError: httpx is not installed.

    """
    from kacheck.exchange import client

    client.load()
