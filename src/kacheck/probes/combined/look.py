"""Several looks under one deadline: all of them must be ok, or any of them.

With `all` the cheapest comes first, because the first failure is the answer.
"""

from __future__ import annotations

import _thread  # threading takes 2 ms to import
from functools import partial

from kacheck.deadline import Deadline, NoThreadError, in_new_thread, within
from kacheck.result import MILDEST_FIRST, KacheckError, Result, Status, bug

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal

    from kacheck.deadline import Run

    Look = Callable[[Deadline], Result]
else:
    Look = object

SHARED = 0.9
"""Of the time that is left: the answer of the last one must still be in time."""


class Member:
    """One of the looks, its name, and where `any` runs it."""

    def __init__(self, name: str, look: Look, run: Run = in_new_thread) -> None:
        self.name = name
        self.look = look
        self.lock = _thread.allocate_lock()
        """Held while it looks alone."""
        self._run = run

    def alone(self, deadline: Deadline) -> Result:
        """Look, when the look before it, which may have been left behind, has ended.

        Raises:
            NoThreadError: no thread can be started for it.

        """
        deadline.waiting_for = "the look before it to end"
        if not self.lock.acquire(timeout=deadline.remaining()):
            return deadline.timed_out()
        return within(deadline, self._look_and_release, self._run_or_release)

    def _look_and_release(self, deadline: Deadline) -> Result:
        try:
            return self.look(deadline)
        finally:
            self.lock.release()

    def _run_or_release(self, work: Callable[[], None]) -> None:
        try:
            self._run(work)
        except NoThreadError:
            self.lock.release()
            raise


def probe(mode: Literal["all", "any"], members: Sequence[Member], deadline: Deadline) -> Result:
    """Return the result of all the members together.

    `data` has what each of them saw under its name, and `failed` names the one that failed, or,
    where any would do, all of them.

    Raises:
        KacheckError: as the looks do.

    """
    outer = deadline.frame
    try:
        return (probe_all if mode == "all" else probe_any)(members, deadline)
    finally:
        deadline.frame = outer


def probe_all(members: Sequence[Member], deadline: Deadline) -> Result:
    """Return the worst result, the first one of its status: critical, then unknown, then warning.

    Only critical ends it. An unknown may be told to pass and a warning may be accepted, so neither
    may hide a member behind it that is down.
    """
    outer = deadline.frame
    seen: dict[str, Result] = {}
    unknown: list[str] = []
    warned: list[str] = []
    for member in members:
        before, name = dict(seen), member.name
        deadline.seen, deadline.phases = {}, []  # those of the one before are not its own
        deadline.frame = partial(framed, outer, before, name)
        result = seen[name] = member.look(deadline)
        if result.status is Status.UNKNOWN:
            unknown.append(name)
        elif result.status is Status.WARNING:
            warned.append(name)
        elif result.status is not Status.OK:
            return failed(before, name, result)
    if unknown:
        # A bad configuration or a bug never passes.
        name = next((each for each in unknown if seen[each].is_blind), unknown[0])
        return failed(seen, name, seen.pop(name))
    if warned:
        return failed(seen, warned[0], seen.pop(warned[0]))
    message = "; ".join(result.message for result in seen.values())
    return result._replace(message=message, data=merged(seen))


def probe_any(members: Sequence[Member], deadline: Deadline) -> Result:
    """Return the first that is ok; otherwise the mildest failure, with what each of them says.

    Each has an equal share of the time that is left: one that hangs must not speak for all. Nor
    must one that cannot even be asked.
    """
    seen: dict[str, Result] = {}
    for index, member in enumerate(members):
        share = Deadline(SHARED * deadline.remaining() / (len(members) - index))
        deadline.enter(member.name, member.name)
        result = seen[member.name] = answer(share, member)
        if result.status is Status.OK:
            return result._replace(message=f"{member.name}: {result.message}", data=merged(seen))
    mildest = min(seen.values(), key=lambda result: MILDEST_FIRST.index(result.status))
    message = "; ".join(f"{name}: {result.message}" for name, result in seen.items())
    return mildest._replace(message=message, data={"failed": ", ".join(seen), **merged(seen)})


def answer(deadline: Deadline, member: Member) -> Result:
    """Return a member's result; what it raises is one, too."""
    try:
        return member.alone(deadline)
    except KacheckError as error:
        return error.result()
    except Exception as error:  # noqa: BLE001 - a bug must be `unknown`, with its name
        return bug(error)


def framed(
    outer: Callable[[Result], Result], before: dict[str, Result], name: str, result: Result
) -> Result:
    """Return the timeout of the look `name` as that of the whole."""
    return outer(failed(before, name, result))


def failed(before: dict[str, Result], name: str, result: Result) -> Result:
    """Return the result of the look `name` as that of the whole."""
    data = {"failed": name, **merged({**before, name: result})}
    return result._replace(message=f"{name}: {result.message}", data=data)


def merged(results: dict[str, Result]) -> dict[str, Any]:
    """Each look's data under its name; the warnings together, where every check has them."""
    data: dict[str, Any] = {name: {**result.data} for name, result in results.items()}
    warnings = [warning for each in data.values() for warning in each.pop("warnings", [])]
    return {**data, "warnings": warnings} if warnings else data
