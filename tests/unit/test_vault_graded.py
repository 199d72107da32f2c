"""vault-graded.conf as arithmetic: which node has the VIP, in every state of three nodes.

A node's Vault is active, a standby, sealed or dead. Its watcher is alive; or gone, so that the track
file says what it said last; or keepalived is blind to the file and goes on with the number that it
read last, or with 0. The numbers are those of the shipped files. What keepalived makes of them is
vrrp.c's: an instance in FAULT has no VIP, else the highest priority has it.
"""

import re
from collections.abc import Iterator
from itertools import product

import pytest

from helpers.graded import (
    ACTIVE,
    BASES,
    CHECK,
    FAULT,
    NUMBERS,
    SERVES,
    STALE,
    STATES,
    Node,
    holder,
    passes_active,
    passes_serves,
    settled,
)
from helpers.pair import recipe


def watched(state: str) -> Iterator[int]:
    """Yield the numbers that keepalived may have: the watcher's, or any stale one."""
    yield NUMBERS[state]
    yield from STALE


def test_the_numbers_fit_each_other() -> None:
    """Else the file could not move the VIP alone, or a stale one could keep it."""
    difference, script, file = max(BASES) - min(BASES), int(ACTIVE["weight"]), NUMBERS["active"]
    assert len(BASES) == 3
    assert script > difference > 0
    assert file > script + difference
    assert max(BASES) + file + script <= 254
    assert NUMBERS["standby"] == 0, "what keepalived reads in a missing file"
    assert NUMBERS["sealed"] == NUMBERS["dead"] == -254
    assert SERVES["weight"] == "0", "a failure is FAULT"


def test_the_vip_is_right_in_every_state_of_three_nodes() -> None:
    """4 states and 4 numbers (alive, or stale as one of three) for each node: 4096 combinations."""
    for states in product(STATES, repeat=3):
        for files in product(*map(watched, states)):
            nodes = tuple(map(settled, BASES, states, files))
            place = holder(nodes)
            case = f"{states} {files}: {place}"
            able = [each for each in range(3) if passes_serves(states[each]) and files[each] > -254]
            if not able:
                assert place is None, case
                continue
            assert place is not None, case
            assert passes_serves(states[place]), case
            actives = [each for each in able if states[each] == "active"]
            if actives and all(files[each] == NUMBERS[states[each]] for each in range(3)):
                assert place in actives, case


def test_one_dead_watcher_or_blind_keepalived_leaves_the_vip_in_place() -> None:
    """Whatever its file says, unless that is what keeps the active node itself in FAULT."""
    for states, broken, stale in product(product(STATES, repeat=3), range(3), STALE):
        files = [NUMBERS[state] for state in states]
        files[broken] = stale
        if states.count("active") == 1 and files[states.index("active")] > -254:
            place = holder(tuple(map(settled, BASES, states, files)))
            assert place == states.index("active"), f"{states} {files}"


def test_without_watchers_the_active_node_has_the_vip_unless_files_disagree() -> None:
    for states, files in product(product(STATES, repeat=3), product(STALE, repeat=3)):
        if states.count("active") != 1:
            continue
        active = states.index("active")
        another = any(each > files[active] for each in files)
        place = holder(tuple(map(settled, BASES, states, files)))
        assert files[active] == -254 or another or place == active, f"{states} {files}"


@pytest.mark.parametrize("before", list(product(STATES, repeat=3)), ids="-".join)
def test_between_any_two_states_the_files_alone_move_the_vip(
    before: tuple[str, ...],
) -> None:
    """The guards are a second behind: they still say what was. Then they catch up, one by one."""
    for after in product(STATES, repeat=3):
        files = [NUMBERS[state] for state in after]
        for behind in product((True, False), repeat=6):
            seen = [
                (before[place] if behind[place] else after[place],
                 before[place] if behind[3 + place] else after[place])
                for place in range(3)
            ]  # fmt: skip
            nodes = tuple(
                Node(base, file, passes_active(for_active), passes_serves(for_serves))
                for base, file, (for_active, for_serves) in zip(BASES, files, seen, strict=True)
            )
            place = holder(nodes)
            case = f"{before} -> {after}, {behind}: {place}"
            assert place is None or passes_serves(after[place]), case
            ready = [each for each in range(3) if nodes[each].priority is not FAULT]
            if actives := [each for each in ready if after[each] == "active"]:
                assert place in actives, case


@pytest.mark.parametrize("before", list(product(STATES, repeat=3)), ids="-".join)
def test_without_watchers_the_guards_take_the_vip_from_a_dead_node(
    before: tuple[str, ...],
) -> None:
    """The files say what was before; the guard is bounded by interval x fall + timeout."""
    files = [NUMBERS[state] for state in before]
    for after in product(STATES, repeat=3):
        place = holder(tuple(map(settled, BASES, after, files)))
        assert place is None or passes_serves(after[place]), f"{before} -> {after}: {place}"


def test_the_guards_bound() -> None:
    for guard in (ACTIVE, SERVES):
        assert guard["interval"] == "1"
        (own,) = map(float, re.findall(r"--timeout (\S+)", guard["script"]))
        assert CHECK.timeout < own < int(guard["timeout"]), (
            "a look in the watcher's place can start"
        )
        assert "." not in guard["interval"], "a fraction is an error before keepalived 2.3.2"
    assert (ACTIVE["fall"], SERVES["fall"]) == ("1", "2")


def test_the_active_guard_does_not_disturb_a_takeover() -> None:
    """A change during it starts the backup's timer again; see docs/recipes.md."""
    interval = float(re.findall(r"advert_int (\S+)", recipe("keepalived"))[0])
    assert (int(ACTIVE["rise"]) - 1) * int(ACTIVE["interval"]) >= 3 * interval
