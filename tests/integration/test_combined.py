"""Looks under one deadline: the first failure is the answer, or, where any will do, the first ok."""

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Literal

import pytest

from helpers.reasons import REASON
from kacheck.check import Question
from kacheck.deadline import Deadline, in_new_thread, within
from kacheck.probes.combined import look as combined
from kacheck.probes.combined import repeated as repeated_module
from kacheck.probes.combined.look import Look
from kacheck.probes.combined.question import Combination
from kacheck.probes.combined.repeated import RepeatedCombination
from kacheck.probes.process.options import ProcessOptions
from kacheck.result import BadConfigError, Loss, Reason, Result, Status

ALIVE = Result(
    Status.OK, REASON["running"], "1 process named vault", {"count": 1, "warnings": ["w1"]}
)
GONE = Result(Status.CRITICAL, REASON["missing"], "no process named vault", {"count": 0})
ACTIVE = Result(
    Status.OK, REASON["active"], "it is active", {"http_status": 200, "warnings": ["w2"]}
)
SEALED = Result(Status.CRITICAL, REASON["sealed"], "it is sealed", {"http_status": 503})


def both(process: Look, vault: Look, deadline: Deadline) -> Result:
    members = [combined.Member("process", process), combined.Member("vault", vault)]
    return combined.probe("all", members, deadline)


def says(result: Result) -> Callable[[Deadline], Result]:
    return lambda _: result


def test_both_well_is_vaults_answer_with_both_messages() -> None:
    result = both(says(ALIVE), says(ACTIVE), Deadline(5))
    assert result[:3] == (Status.OK, REASON["active"], "1 process named vault; it is active")
    assert result.data == {
        "process": {"count": 1},
        "vault": {"http_status": 200},
        "warnings": ["w1", "w2"],
    }


def test_a_missing_process_is_the_answer_and_vault_is_not_asked() -> None:
    def unwanted(_: Deadline) -> Result:
        pytest.fail("Vault was asked")

    result = both(says(GONE), unwanted, Deadline(5))
    assert result[:3] == (Status.CRITICAL, REASON["missing"], "process: no process named vault")
    assert result.data == {"failed": "process", "process": {"count": 0}}


@pytest.mark.parametrize(
    ("vault", "reason", "failed"),
    [(ACTIVE, REASON["hidden"], "process"), (SEALED, REASON["sealed"], "vault")],
)
def test_a_hidden_process_does_not_hide_vaults_answer(
    vault: Result, reason: Reason, failed: str
) -> None:
    """`unknown` can be allowed to pass: a dead Vault behind it must not."""
    hidden = Result(Status.UNKNOWN, REASON["hidden"], "cannot tell", {"count": 0})
    result = both(says(hidden), says(vault), Deadline(5))
    assert (result.reason, result.data["failed"]) == (reason, failed)
    assert set(result.data) >= {"process", "vault"}


@pytest.mark.parametrize("blind", [REASON["bad-config"], REASON["bug"]])
def test_what_passes_as_unknown_does_not_hide_what_never_passes(blind: Reason) -> None:
    """One of several that would do gives these as an answer, and raises nothing."""
    hidden = Result(Status.UNKNOWN, REASON["hidden"], "it is hidden", {})
    result = both(says(hidden), says(Result(Status.UNKNOWN, blind, "no CA", {})), Deadline(5))
    assert result[:3] == (Status.UNKNOWN, blind, "vault: no CA")
    assert result.data == {"failed": "vault", "process": {}, "vault": {}}


@pytest.mark.parametrize(
    ("second", "status", "failed"),
    [
        (SEALED, Status.CRITICAL, "vault"),
        (Result(Status.UNKNOWN, REASON["hidden"], "cannot tell", {}), Status.UNKNOWN, "vault"),
        (ACTIVE, Status.WARNING, "process"),
    ],
)
def test_a_warning_does_not_hide_a_member_that_is_worse(
    second: Result, status: Status, failed: str
) -> None:
    """A guard may accept the warning: a dead service behind it must not pass with it."""
    warned = Result(Status.WARNING, REASON["standby"], "it is a standby", {})
    result = both(says(warned), says(second), Deadline(5))
    assert (result.status, result.data["failed"]) == (status, failed)


def test_a_failing_vault_is_named() -> None:
    result = both(says(ALIVE), says(SEALED), Deadline(5))
    assert result[:3] == (Status.CRITICAL, REASON["sealed"], "vault: it is sealed")
    assert result.data["failed"] == "vault"
    assert result.data["warnings"] == ["w1"]


@pytest.mark.parametrize("blocked", ["process", "vault"])
def test_a_timeout_names_the_look_that_it_was_in(blocked: str) -> None:
    release = threading.Event()

    def hangs(deadline: Deadline) -> Result:
        deadline.enter("phase", "something")
        deadline.on_expiry(release.set)
        release.wait(10)
        return ACTIVE

    looks = {"process": says(ALIVE), "vault": says(ACTIVE), blocked: hangs}
    result = within(Deadline(0.05), lambda deadline: both(**looks, deadline=deadline))
    assert result[:2] == (Status.CRITICAL, REASON["timeout"])
    assert result.message.startswith(f"{blocked}: no answer within 0.05 s")
    assert result.data["failed"] == blocked


# --- any ----------------------------------------------------------------------------------------

STANDBY = Result(Status.WARNING, REASON["standby"], "it is a standby", {"http_status": 429})
HIDDEN = Result(Status.UNKNOWN, REASON["hidden"], "cannot tell", {})
OTHER = Result(Status.CRITICAL, REASON["refused"], "it refuses", {})


def any_of(deadline: Deadline, **looks: Look) -> Result:
    members = [combined.Member(name, look) for name, look in looks.items()]
    return combined.probe("any", members, deadline)


class Blocked:
    """A look that blocks until it is released, whatever the deadline; counts those at once."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.entered = threading.Event()
        self.calls = 0
        self.together = 0
        self.most_together = 0

    def __call__(self, deadline: Deadline) -> Result:
        self.calls += 1
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        deadline.enter("phase", "something")
        self.entered.set()
        assert self.release.wait(10)
        self.together -= 1
        return ACTIVE


def test_any_is_the_first_that_is_ok_and_says_which() -> None:
    def unwanted(_: Deadline) -> Result:
        pytest.fail("it was asked")

    result = any_of(Deadline(5), a=says(SEALED), b=says(ACTIVE), c=unwanted)
    assert result[:3] == (Status.OK, REASON["active"], "b: it is active")
    assert result.data == {
        "a": {"http_status": 503},
        "b": {"http_status": 200},
        "warnings": ["w2"],
    }


@pytest.mark.parametrize(
    ("looks", "reason"),
    [
        ((SEALED, STANDBY), REASON["standby"]),
        ((SEALED, HIDDEN), REASON["not-ok"]),
        ((HIDDEN, STANDBY, SEALED), REASON["standby"]),
        ((SEALED, OTHER), REASON["sealed"]),
        ((OTHER, SEALED), REASON["refused"]),
    ],
)
def test_if_no_member_is_ok_the_mildest_failure_is_reported(
    looks: tuple[Result, ...], reason: Reason
) -> None:
    result = any_of(Deadline(5), **{f"m{n}": says(look) for n, look in enumerate(looks)})
    assert result.reason == reason
    for number, look in enumerate(looks):
        assert f"m{number}: {look.message}" in result.message
    assert result.data["failed"] == ", ".join(f"m{number}" for number in range(len(looks)))


@pytest.mark.parametrize("error", [BadConfigError("no such file"), KeyError("a bug")], ids=repr)
@pytest.mark.parametrize("first", [True, False])
def test_an_unaskable_member_does_not_hide_a_healthy_one(error: Exception, *, first: bool) -> None:
    """In whichever order they stand."""

    def broken(_: Deadline) -> Result:
        raise error

    looks = {"broken": broken, "well": says(ACTIVE)}
    ordered = looks if first else dict(reversed(looks.items()))
    assert any_of(Deadline(5), **ordered)[:2] == (Status.OK, REASON["active"])
    alone = any_of(Deadline(5), broken=broken, down=says(SEALED))
    assert alone.is_blind, "which no policy lets pass"
    assert (alone.reason == REASON["bad-config"]) is isinstance(error, BadConfigError)
    assert str(error) in alone.message


def test_a_hanging_member_leaves_time_for_the_next_one() -> None:
    hangs = Blocked()
    begun = time.monotonic()
    result = within(Deadline(2), lambda whole: any_of(whole, hangs=hangs, well=says(ACTIVE)))
    assert result[:2] == (Status.OK, REASON["active"])
    assert 0.5 < time.monotonic() - begun < 2
    hangs.release.set()


@pytest.mark.parametrize("order", [("hangs", "down"), ("down", "hangs")])
def test_the_answer_is_the_same_each_time_wherever_one_hangs(order: tuple[str, str]) -> None:
    """Whoever waits must not say `timeout` in place of them all, now and then."""
    for _ in range(3):
        hangs = Blocked()
        looks: dict[str, Look] = {"hangs": hangs, "down": says(STANDBY)}
        ordered = {name: looks[name] for name in order}
        deadline = Deadline(0.3)
        result = within(deadline, lambda whole: any_of(whole, **ordered))
        assert deadline.remaining() > 0, "whoever waits has no cause to answer"
        assert result[:2] == (Status.WARNING, REASON["standby"])
        assert "hangs: no answer within" in result.message
        assert result.data["failed"] == ", ".join(order)
        hangs.release.set()


def test_an_abandoned_look_is_not_repeated_while_it_runs() -> None:
    hangs = Blocked()
    members = [combined.Member("hangs", hangs), combined.Member("well", says(ACTIVE))]
    for _ in range(3):
        result = combined.probe("any", members, Deadline(0.1))
        assert result.reason == REASON["active"]
    assert hangs.most_together == hangs.calls == 1
    down = [members[0], combined.Member("down", says(SEALED))]
    assert "still waiting for the previous look to end" in (
        combined.probe("any", down, Deadline(0.1)).message
    )
    hangs.release.set()
    with members[0].lock:
        pass  # until the one that was left behind has ended
    assert combined.probe("any", members, Deadline(5)).message == "hangs: it is active"
    assert hangs.most_together == 1


# --- combinations of combinations ---------------------------------------------------------------


def whole(mode: Literal["all", "any"], **looks: Look) -> Look:
    members = [combined.Member(name, look) for name, look in looks.items()]
    return partial(combined.probe, mode, members)


def test_a_timeout_names_the_whole_way_to_the_member_that_hangs() -> None:
    hangs = Blocked()
    inner = whole("all", process=says(ALIVE), vault=hangs)
    outer = whole("all", first=says(ALIVE), node=inner)
    result = within(Deadline(0.1), outer)
    assert result[:2] == (Status.CRITICAL, REASON["timeout"])
    assert result.message.startswith("node: vault: no answer within 0.1 s")
    assert "still waiting for something" in result.message
    assert result.data["failed"] == "node"
    assert result.data["node"]["failed"] == "vault"
    assert result.data["first"] == {"count": 1}
    hangs.release.set()


def test_after_an_inner_combination_the_outer_one_names_its_own_members() -> None:
    hangs = Blocked()
    inner = whole("all", process=says(ALIVE), vault=says(ACTIVE))
    result = within(Deadline(0.1), whole("all", node=inner, other=hangs))
    assert result.message.startswith("other: no answer within")
    assert result.data["failed"] == "other"
    hangs.release.set()


def test_all_of_any_and_any_of_all() -> None:
    vaults = whole("any", one=says(SEALED), two=says(ACTIVE))
    result = whole("all", process=says(ALIVE), vaults=vaults)(Deadline(5))
    assert result.message == "1 process named vault; two: it is active"
    nodes = whole("any", here=whole("all", process=says(GONE), vault=says(ACTIVE)), there=vaults)
    result = nodes(Deadline(5))
    assert (result.reason, result.message) == (REASON["active"], "there: two: it is active")
    assert result.data["here"]["failed"] == "process"


def test_members_do_not_share_their_data() -> None:
    def vault(address: str, **shown: object) -> Look:
        def look(deadline: Deadline) -> Result:
            deadline.enter("connect", address)
            deadline.seen |= {"address": address, **shown}
            return ACTIVE._replace(data={**deadline.seen, "phases_ms": deadline.phases_ms()})

        return look

    first = vault("https://one", certificate="c", warnings=["w"])
    result = whole("all", one=first, two=vault("http://two"))(Deadline(5))
    assert set(result.data["two"]) == {"address", "phases_ms"}
    assert result.data["warnings"] == ["w"], "once"
    hangs = Blocked()
    result = within(Deadline(0.1), whole("all", one=first, two=hangs))
    assert set(result.data["two"]) == {"phases_ms"}
    assert set(result.data["two"]["phases_ms"]) == {"phase"}
    hangs.release.set()


# --- the watcher's -----------------------------------------------------------------------------


class Repeated:
    """A member of a repeated combination, whose look may be left behind."""

    def __init__(self, look: Look, files: list[int]) -> None:
        self.look = look
        self.files = files
        self.lost = Loss.NOTHING
        self.is_closed = False

    def __call__(self, deadline: Deadline) -> Result:
        return self.look(deadline)

    def quick_result(self) -> Result | None:
        return None

    def loss(self) -> Loss:
        loss, self.lost = self.lost, Loss.NOTHING
        return loss

    def watched(self) -> list[int]:
        return self.files

    def close(self) -> None:
        self.is_closed = True


def repeated(
    monkeypatch: pytest.MonkeyPatch, mode: Literal["all", "any"], *looks: Repeated
) -> RepeatedCombination:
    made = iter(looks)
    monkeypatch.setattr(repeated_module, "repeated_look_of", lambda *_: next(made))
    question = Question("process", ProcessOptions("vault"))
    members = tuple((f"m{number}", question) for number in range(len(looks)))
    return RepeatedCombination(Combination(mode, members), repeat(in_new_thread))


def test_the_descriptors_of_all_members_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    look = repeated(monkeypatch, "all", Repeated(says(ALIVE), [3]), Repeated(says(ACTIVE), [4, 5]))
    assert look(Deadline(5)).reason == REASON["active"]
    assert look.watched() == [3, 4, 5]
    assert look.quick_result() is None


@pytest.mark.parametrize(("mode", "first"), [("all", GONE), ("any", ALIVE)])
def test_an_unasked_members_descriptor_is_not_watched_again(
    monkeypatch: pytest.MonkeyPatch, mode: Literal["all", "any"], first: Result
) -> None:
    """No look takes it: it would call for one after the other."""
    read, write = os.pipe()
    try:
        data = [b"", b"x", b""]

        def tell(_: Deadline) -> Result:
            os.write(write, data.pop(0))
            return first

        look = repeated(monkeypatch, mode, Repeated(tell, [read]), Repeated(says(ACTIVE), [read]))
        for watched in ([read, read], [read, read], [read]):
            look(Deadline(5))
            assert look.watched() == watched, "an event during a look calls for another one"
    finally:
        os.close(read)
        os.close(write)


def test_the_worst_loss_of_its_members_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Repeated(says(ALIVE), [3]), Repeated(says(ACTIVE), [4])
    look = repeated(monkeypatch, "all", one, other)
    one.lost, other.lost = Loss.SOME, Loss.ALL
    assert [look.loss(), look.loss()] == [Loss.ALL, Loss.NOTHING]


def test_an_abandoned_member_keeps_its_descriptors_until_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may close them at any time, and another check may get their numbers."""
    hangs = Blocked()
    left, well = Repeated(hangs, [3]), Repeated(says(ACTIVE), [4])
    look = repeated(monkeypatch, "any", left, well)
    assert look(Deadline(0.1)).reason == REASON["active"]
    assert look.watched() == [4]
    closer = threading.Thread(target=look.close)
    closer.start()
    assert not left.is_closed, "under the thread that uses it"
    hangs.release.set()
    closer.join(30)
    assert left.is_closed
    assert well.is_closed
    assert look.watched() == [3, 4]
