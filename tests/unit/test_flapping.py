"""A Vault that changes its role all the time moves the VIP at most six times a minute.

A simulation without a clock: looks every 0.25 s, state.step, vault-graded.conf's numbers, its guards
each second, and an election that takes no time, which is the worst case.
"""

from collections.abc import Callable

import pytest

from helpers.graded import ACTIVE, BASES, CHECK, Node, holder, passes_active, passes_serves
from helpers.reasons import REASON
from kacheck.result import Result, Status
from kacheck.state import State, step

STATUS = {"active": Status.OK, "standby": Status.WARNING}
TICK = 0.05
MINUTES = 2
Role = Callable[[float], str]


class Simulated:
    """A node: its Vault's role by time, its watcher and its guards."""

    def __init__(self, base: int, role: Role, phase: float) -> None:
        self.base, self.role = base, role
        self.state = State()
        self.guarded = "standby"
        """The verdict that the guards have read."""
        self.successes = 0
        """Of kacheck_vault_active, in a row."""
        self._look_at, self._guard_at = phase, phase

    def advance(self, now: float) -> Node:
        if now >= self._look_at:
            self._look_at += CHECK.interval
            word = self.role(now)
            result = Result(STATUS.get(word, Status.CRITICAL), REASON[word], "", {})
            self.state = step(CHECK.policy, self.state, result, now)
        verdict = self.state.verdict
        if verdict is None:
            return Node(self.base, -254, active=False, serves=False)
        if now >= self._guard_at:
            self._guard_at += 1
            self.guarded = verdict.reason
            self.successes = self.successes + 1 if passes_active(self.guarded) else 0
        file = CHECK.track.value(verdict.status, verdict.reason, CHECK.policy)
        is_active = self.successes >= int(ACTIVE["rise"])
        return Node(self.base, file, is_active, passes_serves(self.guarded))


def moves(roles: tuple[Role, ...], phase: float) -> list[float]:
    """Return the times when the VIP moved, appeared or disappeared."""
    nodes = [Simulated(base, role, phase) for base, role in zip(BASES, roles, strict=True)]
    times: list[float] = []
    before: int | None = None
    for number in range(int(MINUTES * 60 / TICK)):
        now = number * TICK
        place = holder(tuple(node.advance(now) for node in nodes))
        if place != before and now > 2:
            times.append(now)
        before = place
    return times


def most_a_minute(times: list[float]) -> int:
    return max((sum(start <= each < start + 60 for each in times) for start in times), default=0)


def constant(word: str) -> Role:
    return lambda _: word


def alternating(period: float, *words: str) -> Role:
    return lambda now: words[int(now / period) % len(words)]


PERIODS = (0.25, 0.3, 1, 2, 2.5, 5, 7, 12)
CLUSTERS: dict[str, Callable[[float], tuple[Role, ...]]] = {
    "the first one alone": lambda period: (
        alternating(period, "active", "standby"), constant("standby"), constant("standby")),
    "the last one alone": lambda period: (
        constant("standby"), constant("standby"), alternating(period, "active", "standby")),
    "two in turn": lambda period: (
        alternating(period, "active", "standby"), alternating(period, "standby", "active"), constant("standby")),
    "two in turn, the last ones": lambda period: (
        constant("standby"), alternating(period, "active", "standby"), alternating(period, "standby", "active")),
}  # fmt: skip


@pytest.mark.parametrize("phase", [0, 0.1])
@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
def test_the_vip_moves_at_most_six_times_a_minute(
    cluster: Callable[[float], tuple[Role, ...]], period: float, phase: float
) -> None:
    times = moves(cluster(period), phase)
    assert most_a_minute(times) <= 6, times


def test_where_the_role_stays_the_vip_follows_it_after_one_look() -> None:
    roles = (
        lambda now: "active" if now < 20 else "standby",
        constant("standby"),
        lambda now: "standby" if now < 21 else "active",
    )
    (time,) = moves(roles, 0)
    assert 21 <= time <= 21 + CHECK.interval
