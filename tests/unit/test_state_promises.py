"""What `state.py` promises, whatever was seen before: a failure is never delayed, nor a recovery lost."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.reasons import REASON
from kacheck.result import Loss, Result, Status
from kacheck.state import LONG_PATIENCE, Policy, State, recheck_at, step


class Seen(NamedTuple):
    """One look of a history."""

    after: float
    reason: str
    loss: Loss
    triggered: bool


RESULTS = {
    "active": Status.OK,
    "running": Status.OK,
    "standby": Status.WARNING,
    "performance-standby": Status.OK,
    "sealed": Status.CRITICAL,
    "missing": Status.CRITICAL,
    "timeout": Status.CRITICAL,
    "refused": Status.CRITICAL,
    "hidden": Status.UNKNOWN,
    "not-ok": Status.UNKNOWN,
    "bug": Status.UNKNOWN,
    "draining": Status.CRITICAL,
}
LOOKS = st.builds(
    Seen,
    st.floats(0.01, 25),
    st.sampled_from(sorted(RESULTS)),
    st.sampled_from([*Loss]),
    st.booleans(),
)
POLICIES = st.builds(
    Policy,
    st.sampled_from([None, 1, 2, 5]),
    st.integers(1, 4),
    st.sampled_from([0.0, 3.0]),
    st.sampled_from([0.0, 3.0]),
    st.sampled_from(["fail", "ok", "hold"]),
    st.sampled_from([1.0, 10.0]),
)


def result(reason: str) -> Result:
    return Result(RESULTS[reason], REASON[reason], "", {})


def after(policy: Policy, history: list[Seen]) -> tuple[State, float]:
    state, now = State(), 0.0
    for seen in history:
        now += seen.after
        state = step(policy, state, result(seen.reason), now, seen.loss, triggered=seen.triggered)
    return state, now


def status(state: State) -> Status:
    assert state.verdict is not None
    return state.verdict.status


@settings(max_examples=1500, deadline=None)
@given(
    POLICIES,
    st.lists(LOOKS, max_size=12),
    st.sampled_from(["sealed", "timeout", "bug", "not-ok"]),
)
def test_fall_looks_that_fail_are_a_failure_whatever_was_before(
    policy: Policy, history: list[Seen], reason: str
) -> None:
    """Patience and delays are for what gets better, and for processes that come back."""
    state, now = after(policy, history)
    for _ in range(policy.fall):
        now += 0.1
        state = step(policy, state, result(reason), now)
    assert status(state) is RESULTS[reason]


@settings(max_examples=1500, deadline=None)
@given(POLICIES, st.lists(LOOKS, max_size=12), st.sampled_from(["missing", "refused"]))
def test_a_loss_that_is_confirmed_waits_for_terminate_delay_alone(
    policy: Policy, history: list[Seen], reason: str
) -> None:
    state, now = after(policy, history)
    state = step(policy, state, result(reason), now + 0.1, Loss.ALL, triggered=True)
    again = now + 0.1 + policy.terminate_delay
    state = step(policy, state, result(reason), again)
    assert status(state) is Status.CRITICAL


@settings(max_examples=1500, deadline=None)
@given(POLICIES, st.lists(LOOKS, max_size=12), st.sampled_from(["active", "running"]))
def test_what_stays_well_is_well_after_the_longest_patience(
    policy: Policy, history: list[Seen], reason: str
) -> None:
    state, now = after(policy, history)
    end = now + LONG_PATIENCE + 10
    while now < end:
        now += 1
        state = step(policy, state, result(reason), now)
    assert status(state) is Status.OK
    assert recheck_at(policy, state, now) is None


@settings(max_examples=1500, deadline=None)
@given(POLICIES, st.lists(LOOKS, min_size=1, max_size=12))
def test_an_unknown_is_held_no_longer_than_that(policy: Policy, history: list[Seen]) -> None:
    policy = policy._replace(on_unknown="hold")
    state, now = after(policy, history)
    for _ in range(int(policy.hold_for) + policy.fall + 1):
        now += 1
        state = step(policy, state, result("hidden"), now)
    assert status(state) is Status.UNKNOWN
