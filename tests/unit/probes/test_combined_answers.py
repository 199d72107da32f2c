"""What a combination says where its members disagree: no member's answer hides a worse one."""

from argparse import Namespace
from typing import Literal

import pytest

from helpers.reasons import REASON
from kacheck.commands.run import with_accepted
from kacheck.deadline import Deadline
from kacheck.probes.combined.look import Look, Member, probe
from kacheck.result import Result, Status, exit_code
from kacheck.state import Policy, State, is_held, passes, step

OK = Result(Status.OK, REASON["running"], "it runs", {})
DOWN = Result(Status.CRITICAL, REASON["refused"], "it refuses", {})
HIDDEN = Result(Status.UNKNOWN, REASON["hidden"], "it is hidden", {})
LIMITED = Result(Status.UNKNOWN, REASON["rate-limited"], "it is limited", {})
BUG = Result(Status.UNKNOWN, REASON["bug"], "KeyError", {})
STANDBY = Result(Status.WARNING, REASON["standby"], "it is a standby", {})
OTHER_STANDBY = Result(Status.WARNING, REASON["standby"], "it is another", {})
EXPIRING = Result(Status.WARNING, REASON["certificate-expiring"], "it ends soon", {})
WARNED = Result(Status.WARNING, REASON["warned"], "the disk is nearly full", {})


def says(result: Result) -> Look:
    return lambda _: result


def whole(mode: Literal["all", "any"], **results: Result) -> Result:
    members = [Member(name, says(result)) for name, result in results.items()]
    return probe(mode, members, Deadline(5))


# --- any ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_an_unknown_beside_one_that_is_down_does_not_pass(names: tuple[str, str]) -> None:
    results = dict(zip(names, (HIDDEN, DOWN), strict=True))
    result = whole("any", **results)
    assert (result.status, result.reason) == (Status.UNKNOWN, REASON["not-ok"])
    assert "it refuses" in result.message
    assert "it is hidden" in result.message
    assert exit_code(result, on_unknown="ok") == 3
    assert not passes(Policy(on_unknown="ok"), result.status, result.reason)


def test_it_is_not_held_either() -> None:
    """What was ok before may have been the member that is down now."""
    policy = Policy(on_unknown="hold", fall=1)
    state = step(policy, State(), OK, 0)
    assert state.verdict is not None
    assert not is_held(policy, state.verdict, whole("any", a=HIDDEN, b=DOWN))
    assert is_held(policy, state.verdict, whole("any", a=HIDDEN, b=LIMITED))


def test_unknowns_alone_are_unknown() -> None:
    result = whole("any", a=HIDDEN, b=LIMITED)
    assert result[:2] == (Status.UNKNOWN, REASON["hidden"])
    assert exit_code(result, on_unknown="ok") == 0


@pytest.mark.parametrize("first", [True, False])
def test_an_unknown_does_not_let_a_bug_pass(*, first: bool) -> None:
    results = {"a": BUG, "b": HIDDEN} if first else {"a": HIDDEN, "b": BUG}
    assert whole("any", **results).reason == REASON["bug"]


def test_an_earlier_unknown_does_not_hide_an_undecided_member() -> None:
    inner = whole("any", a=HIDDEN, b=DOWN)
    result = whole("all", first=LIMITED, inner=inner)
    assert exit_code(result, on_unknown="ok") == 3


# --- all ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_an_unknown_that_passes_does_not_hide_a_warning(names: tuple[str, str]) -> None:
    """Else a standby whose process is hidden has the number of the active node."""
    result = whole("all", **dict(zip(names, (HIDDEN, STANDBY), strict=True)))
    assert (result.status, result.reason) == (Status.UNKNOWN, REASON["not-ok"])
    assert "it is hidden" in result.message
    assert "it is a standby" in result.message
    assert exit_code(result, on_unknown="ok") == 3
    assert not accepted(result, "standby")


# --- warnings of all ----------------------------------------------------------------------------


def accepted(result: Result, *words: str) -> bool:
    """Return whether `kacheck run` with these --accept passes it."""
    return with_accepted(result, Namespace(accept=[*words])).status is Status.OK


@pytest.mark.parametrize(("one", "other"), [(STANDBY, EXPIRING), (EXPIRING, WARNED)])
def test_accepting_one_of_two_warnings_does_not_accept_the_other(
    one: Result, other: Result
) -> None:
    for results in ({"a": one, "b": other}, {"b": other, "a": one}):
        result = whole("all", **results)
        assert result.status is Status.WARNING
        assert one.message in result.message
        assert other.message in result.message
        assert not accepted(result, str(one.reason))
        assert not accepted(result, str(other.reason))
        assert accepted(result, str(one.reason), str(other.reason))


def test_of_warnings_within_a_combination_all_have_to_be_accepted() -> None:
    inner = whole("all", a=STANDBY, b=WARNED)
    for result in (whole("all", x=OK, inner=inner), whole("any", x=DOWN, inner=inner)):
        assert not accepted(result, "standby")
        assert accepted(result, "standby", "warned")


def test_an_inner_combinations_reasons_need_acceptance_too() -> None:
    inner = whole("all", a=STANDBY, b=WARNED)
    result = whole("all", x=OTHER_STANDBY, inner=inner)
    assert not accepted(result, "standby")
    assert "; also inner: " in result.message, "for kacheck-verdict, which has no list"


def test_the_same_warning_twice_needs_one_word() -> None:
    result = whole("all", a=STANDBY, b=OTHER_STANDBY)
    assert result.message == "a: it is a standby"
    assert accepted(result, "standby")


def test_a_member_may_be_named_like_the_list_of_reasons() -> None:
    assert accepted(whole("all", reasons=STANDBY), "standby")
