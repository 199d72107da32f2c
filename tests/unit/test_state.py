"""Each rule of state.py, as a run of looks and what the check says after each.

A run reads `0 active>active, 1 sealed>active`: at second 0 a look says active and so does the
check; at second 1 a look says sealed, and the check still says active. `missing!` is a look that
was made because of an event, `active?` a regular one that found something gone.
"""

import re

import pytest

from helpers.reasons import REASON
from kacheck.result import Loss, Result, Status
from kacheck.state import Policy, State, Verdict, passes, recheck_at, step

STATUS = {
    **dict.fromkeys(("running", "active"), Status.OK),
    "standby": Status.WARNING,
    **dict.fromkeys(("hidden", "rate-limited", "bad-config", "bug"), Status.UNKNOWN),
}
"""All others are critical."""

LOSSES = {"": Loss.NOTHING, "?": Loss.SOME, "!": Loss.SOME, "!!": Loss.ALL}
TRIGGERED = ("!", "!!")

FALL_3 = Policy(fall=3, rise=3)
GRACE = Policy(terminate_delay=5)
SETTLING = Policy(fork_delay=5)
BOTH = Policy(fork_delay=3, terminate_delay=7, rise=1, fall=1)
HOLD = Policy(on_unknown="hold", hold_for=10)
SHORT_HOLD = Policy(on_unknown="hold", hold_for=1, terminate_delay=5)
OK = Policy(on_unknown="ok")


def look(reason: str) -> Result:
    return Result(STATUS.get(reason, Status.CRITICAL), REASON[reason], f"it is {reason}", {})


def after(policy: Policy, run: str) -> tuple[State, list[str], list[str]]:
    """Return the state after a run, with the actual and the expected verdict of each look."""
    state, said, wanted = State(), [], []
    for now, reason, event, want in re.findall(r"([\d.]+) ([\w-]+)([?!]*)>([\w-]+)", run):
        state = step(
            policy, state, look(reason), float(now), LOSSES[event], triggered=event in TRIGGERED
        )
        assert state.verdict is not None
        said.append(f"{now} {reason}{event}>{state.verdict.reason}")
        wanted.append(f"{now} {reason}{event}>{want}")
    assert ", ".join(wanted) == run, "the run cannot be read"
    return state, said, wanted


RUNS = {
    # the first look
    "the first look decides at once, ok": (FALL_3, "0 active>active"),
    "the first look decides at once, critical": (FALL_3, "0 sealed>sealed"),
    "the first look decides at once whatever the delays": (BOTH, "0 missing>missing"),
    "the first look decides at once, and nothing is there to be held": (HOLD, "0 hidden>hidden"),
    # fall and rise
    "fall looks in a row": (FALL_3, "0 active>active, 1 sealed>active, 2 sealed>active, 3 sealed>sealed"),
    "rise looks in a row": (FALL_3, "0 sealed>sealed, 1 active>sealed, 2 active>sealed, 3 active>active"),
    "one good look ends a run of bad ones": (
        FALL_3, "0 active>active, 1 sealed>active, 2 sealed>active, 3 active>active, 4 sealed>active, 5 sealed>active, 6 sealed>sealed"),
    "one bad look ends a run of good ones": (
        FALL_3, "0 sealed>sealed, 1 active>sealed, 2 active>sealed, 3 sealed>sealed, 4 active>sealed, 5 active>sealed, 6 active>active"),
    "fall 1 and rise 1 act at once": (Policy(1, 1), "0 running>running, 1 timeout>timeout, 2 running>running"),
    "a run of different bad looks counts, and the last one is the reason": (
        Policy(), "0 active>active, 1 sealed>active, 2 timeout>timeout"),
    # better and worse between the failures
    "from critical for one reason to critical for another at once": (
        FALL_3, "0 sealed>sealed, 1 timeout>timeout, 2 missing>missing"),
    "from critical to unknown at once, as both are failures": (FALL_3, "0 missing>missing, 1 hidden>hidden"),
    "from warning to critical after fall": (Policy(), "0 standby>standby, 1 sealed>standby, 2 sealed>sealed"),
    "from critical to warning after rise": (Policy(rise=2), "0 sealed>sealed, 1 standby>sealed, 2 standby>standby"),
    "a look that goes the other way begins its own run": (
        Policy(rise=2), "0 standby>standby, 1 sealed>standby, 2 active>standby, 3 sealed>standby, 4 sealed>sealed"),
    # roles
    "a role is gained by one look": (Policy(), "0 standby>standby, 1 active>active"),
    "a standby is gained by one look": (Policy(), "0 sealed>sealed, 1 standby>standby, 2 active>active"),
    "a role is gained by as many looks as were asked for": (
        Policy(rise=3), "0 standby>standby, 1 active>standby, 2 active>standby, 3 active>active"),
    "a role that was lost just before needs 2 s": (
        Policy(), "0 active>active, 1 standby>active, 2 standby>standby, 3 active>standby, 4.9 active>standby, 5 active>active"),
    "looks have to agree for those 2 s": (
        Policy(), "0 active>active, 1 standby>active, 2 standby>standby, 3 active>standby, 4 standby>standby, 5 active>standby, 6 active>standby, 7 active>active"),
    "a role that was lost 10 s before is gained by one look": (
        Policy(), "0 active>active, 1 standby>active, 2 standby>standby, 12 active>active"),
    "looks that began to agree within 10 s have to agree for 2 s": (
        Policy(), "0 active>active, 1 standby>active, 2 standby>standby, 11.9 active>standby, 13 active>standby, 13.9 active>active"),
    "a role that was regained so, and lost again within 20 s, needs 20 s": (
        Policy(fall=1), "0 active>active, 1 standby>standby, 2 active>standby, 4 active>active, 23 standby>standby, 24 active>standby, 43 active>standby, 44 active>active"),
    "a role that was kept for 20 s needs 2 s again": (
        Policy(fall=1), "0 active>active, 1 standby>standby, 2 active>standby, 4 active>active, 24 standby>standby, 25 active>standby, 27 active>active"),
    "a role that comes and goes is lost as long as it does": (
        Policy(fall=1), "0 active>active, 1 standby>standby, 9 active>standby, 10 standby>standby, 18 active>standby, 19 standby>standby, 27 active>standby, 29 active>active"),
    "a new leader whose health hangs while it wins has lost no leadership": (
        Policy(), "0 standby>standby, 1 timeout>standby, 2 timeout>timeout, 3 active>active"),
    "a leader that fails and comes back as one waits 2 s": (
        Policy(), "0 active>active, 1 refused!>refused, 2 active>refused, 4 active>active"),
    "a leader that comes back as a standby waits 2 s, too": (
        Policy(), "0 active>active, 1 refused!>refused, 2 standby>refused, 4 standby>standby"),
    "a process is not a role": (Policy(), "0 missing>missing, 1 running>missing, 2 running>running"),
    # events
    "an exit that a look confirms needs no second one": (FALL_3, "0 running>running, 1 missing!>missing"),
    "a lost connection that is refused then needs no second one": (FALL_3, "0 active>active, 1 refused!>refused"),
    "a lost connection and then a timeout is not yet a failure": (
        Policy(), "0 active>active, 1 timeout!>active, 2 active>active"),
    "a lost connection and then sealed waits for fall": (Policy(), "0 active>active, 1 sealed!>active, 2 sealed>sealed"),
    "a lost connection and then sealed is not confirmed by what comes without an event": (
        FALL_3, "0 active>active, 1 sealed!>active, 2 missing>active, 3 missing>missing"),
    **{
        f"a lost connection or an exit is confirmed by {reason}": (FALL_3, f"0 active>active, 1 {reason}!>{reason}")
        for reason in ("missing", "too-few", "refused", "reset", "unreachable")
    },
    "an exit that left enough of them changes nothing": (Policy(), "0 running>running, 1 running!>running"),
    "missing without an event waits for fall": (Policy(), "0 running>running, 1 missing>running, 2 missing>missing"),
    "an event in mid-run is decisive": (FALL_3, "0 active>active, 1 timeout>active, 2 refused!>refused"),
    "what a regular look finds gone, it confirms": (FALL_3, "0 active>active, 1 refused?>refused"),
    "what a regular look finds gone does not keep a check down": (
        FALL_3, "0 sealed>sealed, 1 active?>sealed, 2 active?>sealed, 3 active?>active"),
    "an event does not hurry the way up": (FALL_3, "0 missing>missing, 1 running!>missing"),
    "a confirmed exit is forgotten when a good look follows": (
        Policy(terminate_delay=5, fall=3), "0 running>running, 1 missing!>running, 2 running>running, 9 missing>running, 15 missing>running"),
    "after a confirmed exit another reason waits for fall": (
        Policy(terminate_delay=5, fall=3), "0 running>running, 1 missing!>running, 7 timeout>running, 8 timeout>timeout"),
    "a confirmed exit is remembered behind another reason": (
        Policy(terminate_delay=5, fall=9), "0 running>running, 1 missing!>running, 2 timeout>running, 6 missing>missing"),
    # terminate_delay
    "a process that returns in time was never gone": (
        GRACE, "0 running>running, 1 missing!>running, 5.9 running>running"),
    "one that returns at the very end of the delay was never gone": (
        GRACE, "0 running>running, 1 missing!>running, 6 running>running"),
    "one that is not back at the end of the delay is gone": (GRACE, "0 running>running, 1 missing!>running, 6 missing>missing"),
    "one that is not back just before the end of the delay may come": (
        GRACE, "0 running>running, 1 missing!>running, 5.99 missing>running"),
    "one that returns too late must pass rise looks": (
        GRACE, "0 running>running, 1 missing!>running, 6.1 missing>missing, 7 running>missing, 8 running>running"),
    "the delay begins again with each exit": (
        GRACE, "0 running>running, 1 missing!>running, 5 running>running, 6 missing!>running, 10 missing>running, 11 missing>missing"),
    "without an event the delay alone is not enough": (
        Policy(fall=3, terminate_delay=1), "0 running>running, 1 missing>running, 2 missing>running, 3 missing>missing"),
    "the delay is for exits, and what is sealed is not gone": (GRACE, "0 active>active, 1 sealed>active, 2 sealed>sealed"),
    "refused and too-few are exits, too": (
        GRACE, "0 active>active, 1 refused>active, 2 refused>active, 3 too-few>active, 6 refused>refused"),
    "gone first, but then seen to be sealed": (GRACE, "0 active>active, 1 refused!>active, 2 sealed>sealed"),
    # fork_delay
    "a new process must stay": (
        SETTLING, "0 missing>missing, 1 running>missing, 2 running>missing, 5.9 running>missing, 6 running>running"),
    "a new process that exits again has not come": (
        SETTLING, "0 missing>missing, 1 running>missing, 5 missing>missing, 6 running>missing, 7 running>missing, 11 running>running"),
    "fork_delay does not replace rise": (
        Policy(rise=3, fork_delay=1), "0 missing>missing, 1 running>missing, 2 running>missing, 3 running>running"),
    "exits do not hurry the way up": (
        FALL_3, "0 missing>missing, 1 running>missing, 1.1 running!>missing, 1.2 running!!>missing, 1.3 running!>missing, 2 running>missing, 3 running>running"),
    "one that replaces all processes must stay for fork_delay, too": (
        SETTLING, "0 missing>missing, 1 running>missing, 3 running!!>missing, 6 running>missing, 8 running>running"),
    "the exit of some of them does not restart fork_delay": (
        SETTLING, "0 missing>missing, 1 running>missing, 3 running!>missing, 6 running>running"),
    "fork_delay does not keep a failure back": (SETTLING, "0 running>running, 1 missing!>missing"),
    "one too many may go within fork_delay": (
        BOTH, "0 running>running, 1 too-many>running, 3 too-many>running, 3.9 running>running"),
    "one too many that stays is too many": (BOTH, "0 running>running, 1 too-many>running, 4 too-many>too-many"),
    "that one is gone for good after terminate_delay": (
        BOTH, "0 too-many>too-many, 1 running>too-many, 7 running>too-many, 8 running>running"),
    # unknown fails
    "an unknown result is a failure after fall": (Policy(), "0 active>active, 1 hidden>active, 2 hidden>hidden"),
    "an unknown result is worse than a standby": (Policy(), "0 standby>standby, 1 hidden>standby, 2 hidden>hidden"),
    # unknown is ok
    "an unknown result passes for ok at once": (OK, "0 active>active, 1 hidden>hidden"),
    "an unknown result ends a run of bad looks where it passes": (
        OK, "0 active>active, 1 sealed>active, 2 hidden>hidden, 3 sealed>hidden, 4 sealed>sealed"),
    "an unknown result is a recovery where it passes": (OK, "0 sealed>sealed, 1 hidden>sealed, 2 hidden>hidden"),
    "a bad configuration fails although unknown is ok": (
        OK, "0 active>active, 1 bad-config>active, 2 bad-config>bad-config"),
    "a bug fails although unknown is ok": (OK, "0 active>active, 1 bug>active, 2 bug>bug"),
    # unknown holds
    "held, then ok again": (HOLD, "0 active>active, 1 hidden>active, 9 hidden>active, 10 active>active"),
    "held, then down after fall": (HOLD, "0 active>active, 1 hidden>active, 2 sealed>active, 3 sealed>sealed"),
    "held for hold_for, and not a look longer": (
        HOLD, "0 active>active, 1 hidden>active, 10.9 hidden>active, 11 hidden>hidden"),
    "after hold_for only rise looks bring it back": (
        HOLD, "0 running>running, 1 hidden>running, 11 hidden>hidden, 12 running>hidden, 13 running>running"),
    "after hold_for nothing is held, and the newest reason is said": (
        HOLD, "0 active>active, 1 hidden>active, 11 hidden>hidden, 12 rate-limited>rate-limited"),
    "after hold_for one unknown look ends the way back": (
        HOLD, "0 running>running, 1 hidden>running, 11 hidden>hidden, 12 running>hidden, 13 hidden>hidden, 14 running>hidden, 15 running>running"),
    "a good look restarts hold_for": (
        HOLD, "0 active>active, 1 hidden>active, 9 active>active, 10 hidden>active, 19 hidden>active, 20 hidden>hidden"),
    "a good look restarts hold_for, also below a failure": (
        HOLD._replace(rise=9), "0 sealed>sealed, 1 hidden>sealed, 9 active>sealed, 11 hidden>sealed, 20 hidden>sealed, 21 hidden>hidden"),
    "a bad look does not restart hold_for": (
        HOLD, "0 active>active, 1 hidden>active, 9 timeout>active, 10 hidden>active, 11 hidden>hidden"),
    "what is held neither ends nor counts in a run of bad looks": (
        HOLD._replace(fall=3), "0 active>active, 1 sealed>active, 2 hidden>active, 3 sealed>active, 4 sealed>sealed"),
    "held inside a run of bad looks": (
        HOLD, "0 active>active, 1 sealed>active, 2 hidden>active, 3 hidden>active, 4 sealed>sealed"),
    "held inside a run of good looks": (HOLD, "0 sealed>sealed, 1 running>sealed, 2 hidden>sealed, 3 running>running"),
    "a failure is held, too": (HOLD, "0 missing>missing, 1 hidden>missing, 11 hidden>hidden"),
    "a bad configuration is not held": (HOLD, "0 active>active, 1 bad-config>active, 2 bad-config>bad-config"),
    "a bug is not held": (HOLD, "0 active>active, 1 bug>active, 2 bug>bug"),
    # draining and stopping
    "draining acts at once": (FALL_3, "0 active>active, 1 draining>draining"),
    "stopping acts at once": (FALL_3, "0 active>active, 1 stopped>stopped"),
    "after a drain the first look decides, ok": (BOTH, "0 active>active, 1 draining>draining, 2 draining>draining, 3 active>active"),
    "after a drain the first look decides, a standby": (FALL_3, "0 active>active, 1 draining>draining, 2 standby>standby"),
    "after a drain the first look decides, down": (FALL_3, "0 active>active, 1 draining>draining, 2 sealed>sealed"),
    "after a drain nothing is held": (HOLD, "0 active>active, 1 draining>draining, 2 hidden>hidden"),
    "a drain forgets the run before it": (
        Policy(), "0 active>active, 1 sealed>active, 2 draining>draining, 3 active>active, 4 sealed>active, 5 sealed>sealed"),
}  # fmt: skip


@pytest.mark.parametrize(("policy", "run"), RUNS.values(), ids=RUNS)
def test_a_run_of_looks_becomes_a_verdict(policy: Policy, run: str) -> None:
    _, said, wanted = after(policy, run)
    assert said == wanted


def test_the_verdict_says_what_the_look_that_brought_it_said() -> None:
    state, _, _ = after(Policy(), "0 active>active, 1 sealed>active")
    assert state.verdict == Verdict(Status.OK, REASON["active"], "it is active", 0)
    state = step(Policy(), state, look("sealed"), 2)
    assert state.verdict == Verdict(Status.CRITICAL, REASON["sealed"], "it is sealed", 2)


def test_since_changes_only_with_status_or_reason() -> None:
    state, _, _ = after(Policy(), "5 active>active, 6 active>active")
    newer = look("active")._replace(message="it still is")
    state = step(Policy(), state, newer, 7)
    assert state.verdict == Verdict(Status.OK, REASON["active"], "it still is", 5)
    assert state.run == 0


def test_a_reason_that_changes_within_a_failure_is_a_new_since() -> None:
    state, _, _ = after(Policy(), "0 sealed>sealed, 4 timeout>timeout, 5 timeout>timeout")
    assert state.verdict is not None
    assert state.verdict.since == 4


@pytest.mark.parametrize(
    ("policy", "run", "when"),
    [
        (GRACE, "0 running>running", None),
        (GRACE, "0 running>running, 1 missing!>running", 6),
        (GRACE, "0 running>running, 1 missing!>running, 3 missing>running", 6),
        (GRACE, "0 running>running, 1 missing!>running, 6 missing>missing", None),
        (GRACE, "0 active>active, 1 sealed>active", None),
        (SETTLING, "0 missing>missing, 1 running>missing", 6),
        (SETTLING, "0 running>running, 1 missing>running", None),
        (SETTLING, "0 running>running", None),
        (BOTH, "0 running>running, 1 missing>running", 8),
        (BOTH, "0 running>running, 1 too-many>running", 4),
        (BOTH, "0 too-many>too-many, 1 running>too-many", 8),
        (Policy(), "0 running>running, 1 missing>running", None),
        (HOLD, "0 running>running, 1 hidden>running", 11),
        (HOLD, "0 running>running, 1 hidden>running, 4 hidden>running", 11),
        (HOLD, "0 running>running, 1 hidden>running, 4 running>running", None),
        (HOLD, "0 running>running, 1 hidden>running, 11 hidden>hidden", None),
        (SHORT_HOLD, "0 running>running, 1 missing>running, 2 hidden>running", 3),
        (SHORT_HOLD, "0 running>running, 1 missing>running, 2 hidden>running, 3.5 active>active", None),
    ],
)  # fmt: skip
def test_a_look_is_due_when_a_delay_ends(policy: Policy, run: str, when: float | None) -> None:
    state, said, wanted = after(policy, run)
    assert said == wanted
    last = float(run.rpartition(", ")[2].split()[0])
    assert recheck_at(policy, state, last) == when


def test_nothing_is_due_before_the_first_look() -> None:
    assert recheck_at(BOTH, State(), 0) is None


@pytest.mark.parametrize("on_unknown", ["fail", "ok", "hold"])
@pytest.mark.parametrize(("reason", "up"), [
    ("active", {"fail", "ok", "hold"}), ("standby", set()), ("sealed", set()), ("draining", set()),
    ("hidden", {"ok"}), ("bad-config", set()), ("bug", set()),
])  # fmt: skip
def test_what_counts_as_up(reason: str, up: set[str], on_unknown: str) -> None:
    result = look(reason)
    policy = Policy(on_unknown=on_unknown)  # type: ignore[arg-type]
    assert passes(policy, result.status, result.reason) is (on_unknown in up)


@pytest.mark.parametrize(("intervals", "reason"), [(1, "active"), (2, "timeout"), (3, "timeout")])
def test_a_look_that_times_out_counts_once_for_every_interval(intervals: int, reason: str) -> None:
    state, _, _ = after(Policy(), "0 active>active")
    state = step(Policy(), state, look("timeout"), 1, intervals=intervals)
    assert state.verdict is not None
    assert state.verdict.reason == reason


def test_a_step_changes_no_state_that_it_was_given() -> None:
    state, _, _ = after(FALL_3, "0 active>active, 1 sealed>active")
    before = State(*state)
    step(FALL_3, state, look("sealed"), 2)
    assert state == before
