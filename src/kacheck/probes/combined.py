"""Several looks under one deadline: all of them must be ok, or any of them.

With `all` the cheapest comes first, because the first failure is the answer.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from kacheck.deadline import Deadline, within
from kacheck.result import Result, Status

Look = Callable[[Deadline], Result]

MILDEST_FIRST = (Status.OK, Status.WARNING, Status.UNKNOWN, Status.CRITICAL)


class Member:
    """One of the looks, and its name."""

    def __init__(self, name: str, look: Look) -> None:
        self.name = name
        self.look = look
        self._alone = threading.Lock()

    def alone(self, deadline: Deadline) -> Result:
        """The look, when the one before it, which may have been left behind, has ended."""
        deadline.waiting_for = "the look before it to end"
        if not self._alone.acquire(timeout=deadline.remaining()):
            return deadline.timed_out()
        try:
            return self.look(deadline)
        finally:
            self._alone.release()


def probe(mode: Literal["all", "any"], members: Sequence[Member], deadline: Deadline) -> Result:
    """The result of all the members together.

    `data` has what each of them saw under its name, and `failed` names the one that failed, or,
    where any would do, all of them.

    Raises:
        BadConfigError: as the looks do.

    """
    outer = deadline.frame
    try:
        return (probe_all if mode == "all" else probe_any)(members, deadline)
    finally:
        deadline.frame = outer


def probe_all(members: Sequence[Member], deadline: Deadline) -> Result:
    """The first failure.

    What could not be told is no failure yet: the next one's may be worse than `unknown`, which can
    be told to pass.
    """
    outer = deadline.frame
    seen: dict[str, Result] = {}
    unknown: list[str] = []
    for member in members:
        before, name = dict(seen), member.name

        deadline.frame = partial(framed, outer, before, name)
        result = seen[name] = member.look(deadline)
        if result.status is Status.UNKNOWN:
            unknown.append(name)
        elif result.status is not Status.OK:
            return failed(before, name, result)
    if unknown:
        first = seen.pop(unknown[0])
        return failed(seen, unknown[0], first)
    message = "; ".join(result.message for result in seen.values())
    return result._replace(message=message, data=merged(seen))


def probe_any(members: Sequence[Member], deadline: Deadline) -> Result:
    """The first that is ok; otherwise the mildest failure, with what each of them says.

    Each has an equal share of the time that is left: one that hangs must not speak for all.
    """
    seen: dict[str, Result] = {}
    for index, member in enumerate(members):
        share = Deadline(deadline.remaining() / (len(members) - index))
        deadline.enter(member.name, member.name)
        result = seen[member.name] = within(share, member.alone)
        if result.status is Status.OK:
            return result._replace(message=f"{member.name}: {result.message}", data=merged(seen))
    mildest = min(seen.values(), key=lambda result: MILDEST_FIRST.index(result.status))
    message = "; ".join(f"{name}: {result.message}" for name, result in seen.items())
    return mildest._replace(message=message, data={"failed": ", ".join(seen), **merged(seen)})


def framed(
    outer: Callable[[Result], Result], before: dict[str, Result], name: str, result: Result
) -> Result:
    """The timeout of the look `name` as that of the whole, in whatever the whole is part of."""
    return outer(failed(before, name, result))


def failed(before: dict[str, Result], name: str, result: Result) -> Result:
    """The result of the look `name` as that of the whole."""
    data = {"failed": name, **merged({**before, name: result})}
    return result._replace(message=f"{name}: {result.message}", data=data)


def merged(results: dict[str, Result]) -> dict[str, Any]:
    """Each look's data under its name; the warnings together, where every check has them."""
    data: dict[str, Any] = {name: {**result.data} for name, result in results.items()}
    warnings = [warning for each in data.values() for warning in each.pop("warnings", [])]
    return {**data, "warnings": warnings} if warnings else data
