"""What cannot be determined, and what is down, never has a healthy node's number by accident."""

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from helpers.reasons import REASON
from kacheck import config
from kacheck.check import Check
from kacheck.result import BadConfigError, Status
from kacheck.state import passes

VAULT = '[check.a]\nprobe = "vault"\n'


def only(lines: str) -> Check:
    [check] = config.parse(VAULT + lines, "k.toml").checks
    return check


def number(check: Check, status: Status, reason: str) -> int:
    return check.track.value(status, REASON[reason], check.policy)


def error(lines: str) -> str:
    with pytest.raises(BadConfigError) as raised:
        config.parse(VAULT + lines, "k.toml")
    return str(raised.value)


@pytest.mark.parametrize("reason", ["unauthorized", "hidden", "undetermined", "rate-limited"])
@pytest.mark.parametrize("policy", ["", 'on_unknown = "fail"\n', 'on_unknown = "hold"\n'])
def test_an_unknown_with_a_healthy_nodes_number_is_refused(reason: str, policy: str) -> None:
    line = 3 + policy.count("\n")
    assert error(f"{policy}track = {{ ok = 20, {reason} = 20 }}").startswith(
        f"k.toml:{line}: {reason} in track is 20, not below ok (20), so a node whose state cannot "
        'be determined would keep the VIP; give it less, or on_unknown = "ok"'
    )


def test_unknown_may_count_as_ok_where_on_unknown_says_so() -> None:
    check = only('track = { ok = 20, hidden = 20 }\non_unknown = "ok"\n')
    assert number(check, Status.UNKNOWN, "hidden") == 20


def test_an_unknown_may_be_less_than_a_healthy_node() -> None:
    assert number(only("track = { ok = 20, hidden = 19 }"), Status.UNKNOWN, "hidden") == 19


def test_a_reason_of_a_dead_node_never_counts_as_ok() -> None:
    """`missing` is ok with `quorum_max = 0`, and critical with every other quorum."""
    assert "missing in track is 1, not below ok (1)" in error("track = { missing = 1 }")


def test_a_number_for_unknown_holds_whatever_on_unknown_says() -> None:
    check = only('on_unknown = "ok"\ntrack = { ok = 20, critical = -254, unknown = 5 }\n')
    assert number(check, Status.UNKNOWN, "hidden") == 5
    assert number(check, Status.UNKNOWN, "bug") == 5


def test_without_a_number_only_a_passing_unknown_is_ok() -> None:
    track = "track = { ok = 20, critical = -254 }\n"
    check = only(f'on_unknown = "ok"\n{track}')
    assert number(check, Status.UNKNOWN, "hidden") == 20
    assert number(check, Status.UNKNOWN, "bug") == -254
    assert number(only(track), Status.UNKNOWN, "hidden") == -254


@pytest.mark.parametrize(
    ("probe", "key"), [("http", "json"), ("http", "header"), ("process", "args")]
)
def test_an_empty_array_is_refused_since_nothing_would_be_checked(probe: str, key: str) -> None:
    required = {"http": 'url = "http://127.0.0.1:1"', "process": 'name = "x"'}[probe]
    text = f'[check.a]\nprobe = "{probe}"\n{required}\n{key} = []\n'
    with pytest.raises(BadConfigError, match=f"k.toml:4: {key} is empty; give at least one"):
        config.parse(text, "k.toml")


WORDS = [status.word for status in Status] + sorted(REASON)


@settings(max_examples=1500, deadline=None)
@given(
    st.dictionaries(st.sampled_from(WORDS), st.integers(-2, 4), max_size=6),
    st.sampled_from(["fail", "ok", "hold"]),
)
def test_whatever_the_numbers_are_nothing_that_fails_has_a_healthy_nodes(
    numbers: dict[str, int], on_unknown: str
) -> None:
    """But a warning, which is alive: a standby may hold the VIP."""
    table = ", ".join(f"{word} = {number}" for word, number in numbers.items())
    try:
        check = only(f'on_unknown = "{on_unknown}"\ntrack = {{ {table} }}\n')
    except BadConfigError:
        reject()
    for reason in REASON.values():
        for status in reason.statuses:
            if status is not Status.WARNING and not passes(check.policy, status, reason):
                assert check.track.value(status, reason, check.policy) < check.track.ok
