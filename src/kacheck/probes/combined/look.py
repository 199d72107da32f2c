"""Several looks under one deadline: all of them must be ok, or any of them.

With `all` the cheapest comes first, because the first failure is the answer.
"""

from __future__ import annotations

import _thread  # threading takes 2 ms to import
from functools import partial

from kacheck.deadline import Deadline, NoThreadError, in_new_thread, within
from kacheck.probes.combined.reasons import NOT_OK
from kacheck.result import MILDEST_FIRST, KacheckError, Result, Status, bug, reasons_of

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Literal

    from kacheck.deadline import Run

    Look = Callable[[Deadline], Result]
else:
    Look = object

SHARED = 0.9
"""Of the time that is left: the answer of the last one must still be in time."""
ALSO = "; also "
"""Before each warning with another reason than the first one; kacheck-verdict looks for it."""


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
        deadline.waiting_for = "the previous look to end"
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
        name = least_passable(unknown, seen)
        result = failed(seen, name, seen[name])
        return not_ok(result, also(warned, seen)) if warned else result
    if warned:
        return warnings_of(warned, seen)
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
    mildest = mildest_failure(seen)
    message = "; ".join(f"{name}: {result.message}" for name, result in seen.items())
    data = {"failed": ", ".join(seen), **merged(seen)}
    if len(reasons := reasons_of(mildest)) > 1:
        data["reasons"] = reasons
    return mildest._replace(message=message, data=data)


def mildest_failure(seen: dict[str, Result]) -> Result:
    """Return the mildest of these failures.

    An unknown may be told to pass. Then it must not speak for one that is known to be down.
    """
    mildest = min(seen.values(), key=lambda result: MILDEST_FIRST.index(result.status))
    if mildest.status is not Status.UNKNOWN:
        return mildest
    unknown = [name for name, result in seen.items() if result.status is Status.UNKNOWN]
    mildest = seen[least_passable(unknown, seen)]
    return mildest if len(unknown) == len(seen) else not_ok(mildest)


def not_ok(result: Result, others: str = "") -> Result:
    """Return an unknown that does not pass, with what others say."""
    reason = result.reason if result.reason.always_fails else NOT_OK
    return result._replace(reason=reason, message=result.message + others)


def also(names: Iterable[str], seen: dict[str, Result]) -> str:
    """Return what these say, to go on from the message of another."""
    return "".join(f"{ALSO}{name}: {seen[name].message}" for name in names)


def least_passable(names: Sequence[str], seen: dict[str, Result]) -> str:
    """Return the first of the unknowns that never pass; a bad configuration or a bug before all."""
    return max(names, key=lambda name: (seen[name].is_blind, seen[name].reason.always_fails))


def warnings_of(names: Sequence[str], seen: dict[str, Result]) -> Result:
    """Return the first of the warnings, with the reasons of all: a guard has to accept each."""
    first = names[0]
    result = failed(seen, first, seen[first])
    reasons = [*dict.fromkeys(reason for name in names for reason in reasons_of(seen[name]))]
    if len(reasons) == 1:
        return result
    others = [name for name in names[1:] if {*reasons_of(seen[name])} != {result.reason}]
    data = {**result.data, "reasons": reasons}
    return result._replace(message=result.message + also(others, seen), data=data)


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
