"""What a check says now, from a run of looks: rise, fall, the delays, unknown. Pure, no clock.

- The first look decides at once, and so does the first one after a drain.
- A look that is worse than the verdict begins a run; `fall` such looks in a row change the verdict.
  So do `rise` looks in a row that are better. Looks as good as the verdict end the run, and the
  verdict takes over what they say.
- A role that Vault's answer confirms, code and body, needs one look where `rise` is not given. If
  it was lost less than RECENT before, looks have to agree for PATIENCE first; for LONG_PATIENCE if
  it had just been regained so. A Vault that changes its role all the time moves the VIP at most
  six times a minute.
- A look that times out counts once for every interval that it took.
- What an event announced and a look confirmed, a process or connection that is gone, needs no
  second look. A better look that an event caused does not count towards `rise`: otherwise exits
  would speed it up.
- A process that has ended may come back within `terminate_delay`. A new process must stay for
  `fork_delay`, which begins again when all have ended and others have started; one too many may end
  within it. (These are the words of keepalived's track_process, for the exits and forks it sees.)
- A look that could not determine the state is worse than `ok`, or counts as `ok`, or is held: the
  verdict stays until `hold_for` has passed without a look as good as it. A bad configuration, a
  bug, and `not-ok` of a combination always fail.
- Draining and stopping act at once.
"""

from __future__ import annotations

from math import inf

from kacheck.result import Loss, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal, NamedTuple

    from kacheck.result import Reason, Result

    OnUnknown = Literal["fail", "ok", "hold"]
else:
    from kacheck.light import NamedTuple

    OnUnknown = str

RECENT = 10.0
"""Seconds after a loss within which a role is not gained by one look."""
PATIENCE = 2.0
"""Seconds for which looks have to agree on a role that was lost just before."""
LONG_PATIENCE = 20.0
"""The same, where the loss came within this time after it had been regained with patience."""


class Policy(NamedTuple):
    """How looks become a verdict; the delays and `hold_for` are seconds."""

    rise: int | None = None
    """None: 1 for a role that Vault's answer confirms, else 2."""
    fall: int = 2
    fork_delay: float = 0.0
    terminate_delay: float = 0.0
    on_unknown: OnUnknown = "fail"
    hold_for: float = 60.0


class Verdict(NamedTuple):
    """What a check says; `since` is the time of the look that brought this status and reason."""

    status: Status
    reason: Reason
    message: str
    since: float


class Tenure(NamedTuple):
    """When a role of some rank was gained and lost, as far as the next gain depends on it."""

    lost: float = -inf
    """When an answer denied it, after it was the verdict or on the way to be."""
    patience: float = 0.0
    """For how long looks have to agree soon after that."""
    regained: float = -inf
    """When it was gained with patience."""


Tenures = tuple[Tenure, Tenure]
"""Of the ranks 0 and 1."""


class State(NamedTuple):
    """A verdict and the run of looks that speaks against it."""

    verdict: Verdict | None = None
    """None: nothing has been looked at yet."""
    worse: bool = False
    """Is the run one of worse looks?"""
    run: int = 0
    """Looks in the run."""
    run_since: float = 0.0
    gone: bool = False
    """Has an event been confirmed in this run?"""
    unknown_since: float | None = None
    """The first look that could not tell, and was held, after the last one that spoke for it."""
    reason: Reason | None = None
    """What the run's last look said."""
    rank: int = 0
    """How bad that is."""
    tenures: Tenures = (Tenure(), Tenure())


def step(  # noqa: PLR0913 - what there is to know of a look
    policy: Policy,
    state: State,
    result: Result,
    now: float,
    loss: Loss = Loss.NOTHING,
    *,
    triggered: bool = False,
    intervals: int = 1,
) -> State:
    """Return the state after one more look.

    `now` is in seconds of any clock that only goes forward; `loss` is what was lost since the look
    before; `triggered` says that an event, which is a loss, called for this look. `intervals` is
    how many a look has taken that timed out.
    """
    before = state.verdict
    if before is None or before.reason.is_intended or result.reason.is_intended:
        return State(verdict_of(result, before, now))
    if is_held(policy, before, result):
        unknown_since = now if state.unknown_since is None else state.unknown_since
        if now - unknown_since < policy.hold_for:
            return state._replace(unknown_since=unknown_since)
        return decided(policy, state, result, now)
    old, new = (rank(policy, each.status, each.reason) for each in (before, result))
    if new != old:
        if not state.run or (new > old) is not state.worse:
            held, tenures = state.unknown_since, after_denial(state, new, now)
            state = State(before, new > old, 0, now, unknown_since=held, tenures=tenures)
        counts = intervals if state.worse else int(not (triggered or loss is Loss.ALL))
        is_loss = triggered or loss is not Loss.NOTHING
        state = state._replace(
            run=max(state.run + counts, 1),
            run_since=now if loss is Loss.ALL and not state.worse else state.run_since,
            gone=state.gone or (is_loss and result.reason.confirms_loss),
            unknown_since=state.unknown_since if state.worse else None,
            reason=result.reason,
            rank=new,
        )
        if not (is_enough(policy, state) and now >= ripe_at(policy, state)):
            return state
    return decided(policy, state, result, now)


def decided(policy: Policy, state: State, result: Result, now: float) -> State:
    """Return the state whose verdict is what the look says."""
    verdict = verdict_of(result, state.verdict, now)
    if state.verdict is None:
        return State(verdict)
    old, new = (rank(policy, each.status, each.reason) for each in (state.verdict, verdict))
    tenures = after_denial(state, new, now)
    if new < old and patience_of(state):
        return State(verdict, tenures=changed(tenures, [new], regained=now))
    for lost in range(old, min(new, len(tenures))):
        again = now - tenures[lost].regained < LONG_PATIENCE
        patience = LONG_PATIENCE if again else PATIENCE
        tenures = changed(tenures, [lost], lost=now, patience=patience)
    return State(verdict, tenures=tenures)


def after_denial(state: State, new: int, now: float) -> Tenures:
    """Return the tenures after a look of that rank, which may end a run towards a role."""
    is_denied = state.run and not state.worse and new > state.rank
    return changed(state.tenures, [state.rank] if is_denied else [], lost=now)


def changed(tenures: Tenures, ranks: Iterable[int], **fields: float) -> Tenures:
    """Return the tenures, with other fields of those ranks."""
    up, alive = (
        tenure._replace(**fields) if own in ranks else tenure for own, tenure in enumerate(tenures)
    )
    return up, alive


def is_held(policy: Policy, verdict: Verdict, result: Result) -> bool:
    """Return whether the verdict, which knows more, is kept for a while in spite of a look."""
    holds = policy.on_unknown == "hold" and verdict.status is not Status.UNKNOWN
    return holds and result.status is Status.UNKNOWN and not result.reason.always_fails


def rank(policy: Policy, status: Status, reason: Reason) -> int:
    """How bad: 0 up, 1 alive in another role, 2 down or not to be told."""
    if passes(policy, status, reason):
        return 0
    return min(status, 2)


def passes(policy: Policy, status: Status, reason: Reason) -> bool:
    """Return whether a result counts as up."""
    unknown_passes = policy.on_unknown == "ok" and status is Status.UNKNOWN
    unknown_passes = unknown_passes and not reason.always_fails
    return status is Status.OK or unknown_passes


def is_enough(policy: Policy, state: State) -> bool:
    """Return whether there have been enough looks to change the verdict."""
    if state.worse:
        return state.run >= policy.fall or confirms_event(state)
    return state.run >= rise_of(policy, state.reason)


def rise_of(policy: Policy, reason: Reason | None) -> int:
    """Return how many looks in a row make it better."""
    if policy.rise is not None:
        return policy.rise
    return 1 if reason is not None and reason.is_role else 2


def patience_of(state: State) -> float:
    """Return for how long looks have to agree on a role that was lost just before."""
    if state.reason is None or not state.reason.is_role:
        return 0.0
    tenure = state.tenures[state.rank]
    return tenure.patience if state.run_since - tenure.lost < RECENT else 0.0


def confirms_event(state: State) -> bool:
    """Return whether an event was confirmed in this run, and its last look confirms it too."""
    return state.gone and state.reason is not None and state.reason.confirms_loss


def ripe_at(policy: Policy, state: State) -> float:
    """When the run may change the verdict."""
    if not state.worse:
        is_exit = state.verdict is not None and state.verdict.reason.confirms_arrival
        delay = policy.terminate_delay if is_exit else policy.fork_delay
        return state.run_since + max(delay, patience_of(state))
    if state.reason is not None and state.reason.confirms_loss:
        return state.run_since + policy.terminate_delay
    if state.reason is not None and state.reason.confirms_arrival:
        return state.run_since + policy.fork_delay
    return state.run_since


def recheck_at(policy: Policy, state: State, now: float) -> float | None:
    """When the next delay ends, or what is held has been held enough, that a look is to decide."""
    ends = [ripe_at(policy, state)] if state.run else []
    if state.unknown_since is not None:
        ends.append(state.unknown_since + policy.hold_for)
    return min((end for end in ends if end > now), default=None)


def verdict_of(result: Result, before: Verdict | None, now: float) -> Verdict:
    """Return the look as the verdict; `since` stays while status and reason do."""
    same = before is not None and before[:2] == (result.status, result.reason)
    since = before.since if same and before is not None else now
    return Verdict(result.status, result.reason, result.message, since)
