"""What a check says now, from a run of looks: rise, fall, the delays, unknown. Pure, no clock.

- The first look decides at once, and so does the first one after a drain.
- A look that is worse than the verdict begins a run; `fall` such looks in a row change the verdict.
  So do `rise` looks in a row that are better. Looks as good as the verdict end the run, and the
  verdict takes over what they say.
- What an event announced and a look confirmed, a process or connection that is gone, needs no
  second look. A look that an event called for and that is better is no second one either: else
  exits would speed up `rise`.
- Who is gone may come back within `terminate_delay`; who has come must stay for `fork_delay`, which
  begins anew when all have gone and others have come, and one too many may go within it
  (keepalived's track_process words, for what it does with the exits and forks that it sees).
- A look that could not tell is worse than `ok`, or passes for it, or is held: the verdict stays
  until `hold_for` is over without a look as good as it. A bad configuration or a bug is always a
  failure.
- Draining and stopping act at once.
"""

from __future__ import annotations

from kacheck.result import Loss, Status

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Literal, NamedTuple

    from kacheck.result import Reason, Result

    OnUnknown = Literal["fail", "ok", "hold"]
else:
    from kacheck.light import NamedTuple

    OnUnknown = str


class Policy(NamedTuple):
    """How looks become a verdict; the delays and `hold_for` are seconds."""

    rise: int = 2
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


def step(  # noqa: PLR0913 - what there is to know of a look
    policy: Policy,
    state: State,
    result: Result,
    now: float,
    loss: Loss = Loss.NOTHING,
    *,
    triggered: bool = False,
) -> State:
    """The state after one more look.

    `now` is in seconds of any clock that only goes forward; `loss` is what was lost since the look
    before; `triggered` says that an event, which is a loss, called for this look.
    """
    before = state.verdict
    if before is None or before.reason.is_intended or result.reason.is_intended:
        return State(verdict_of(result, before, now))
    if is_held(policy, before, result):
        unknown_since = now if state.unknown_since is None else state.unknown_since
        if now - unknown_since < policy.hold_for:
            return state._replace(unknown_since=unknown_since)
        return State(verdict_of(result, before, now))
    change = rank(policy, result.status, result.reason) - rank(policy, before.status, before.reason)
    if change:
        state = with_look(state, result, now, loss, triggered=triggered, worse=change > 0)
        if not (is_enough(policy, state) and now >= ripe_at(policy, state)):
            return state
    return State(verdict_of(result, before, now))


def with_look(  # noqa: PLR0913 - what there is to know of a look
    state: State, result: Result, now: float, loss: Loss, *, triggered: bool, worse: bool
) -> State:
    """The run with one more look, or a new one where the look goes the other way."""
    if not state.run or worse is not state.worse:
        held = state.unknown_since
        state = State(state.verdict, worse=worse, run_since=now, unknown_since=held)
    counts = worse or not (triggered or loss is Loss.ALL)
    is_loss = triggered or loss is not Loss.NOTHING
    return state._replace(
        run=max(state.run + counts, 1),
        run_since=now if loss is Loss.ALL and not worse else state.run_since,
        gone=state.gone or (is_loss and result.reason.confirms_loss),
        unknown_since=state.unknown_since if worse else None,
        reason=result.reason,
    )


def is_held(policy: Policy, verdict: Verdict, result: Result) -> bool:
    """Does the look leave the verdict, which knows more, as it is for a while?"""
    holds = policy.on_unknown == "hold" and verdict.status is not Status.UNKNOWN
    return holds and result.status is Status.UNKNOWN and not result.is_blind


def rank(policy: Policy, status: Status, reason: Reason) -> int:
    """How bad: 0 up, 1 alive in another role, 2 down or not to be told."""
    if passes(policy, status, reason):
        return 0
    return min(status, 2)


def passes(policy: Policy, status: Status, reason: Reason) -> bool:
    """Does it count as up?"""
    unknown_passes = policy.on_unknown == "ok" and status is Status.UNKNOWN
    unknown_passes = unknown_passes and not reason.describes_kacheck
    return status is Status.OK or unknown_passes


def is_enough(policy: Policy, state: State) -> bool:
    """Have there been looks enough to change the verdict?"""
    if state.worse:
        return state.run >= policy.fall or confirms_event(state)
    return state.run >= policy.rise


def confirms_event(state: State) -> bool:
    """Return whether an event was confirmed in this run, and its last look confirms it too."""
    return state.gone and state.reason is not None and state.reason.confirms_loss


def ripe_at(policy: Policy, state: State) -> float:
    """When the run may change the verdict."""
    if not state.worse:
        is_exit = state.verdict is not None and state.verdict.reason.confirms_arrival
        return state.run_since + (policy.terminate_delay if is_exit else policy.fork_delay)
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
    """The look as the verdict; `since` stays while status and reason do."""
    same = before is not None and before[:2] == (result.status, result.reason)
    since = before.since if same and before is not None else now
    return Verdict(result.status, result.reason, result.message, since)
