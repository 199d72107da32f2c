"""Looks under one deadline: the first failure is the answer, or, where any will do, the first ok."""

import threading
from collections.abc import Callable

import pytest

from kacheck.deadline import Deadline, within
from kacheck.probes import combined
from kacheck.probes.combined import Look
from kacheck.result import Reason, Result, Status

ALIVE = Result(Status.OK, Reason.RUNNING, "1 process named vault", {"count": 1, "warnings": ["w1"]})
GONE = Result(Status.CRITICAL, Reason.MISSING, "no process named vault", {"count": 0})
ACTIVE = Result(Status.OK, Reason.ACTIVE, "it is active", {"http_status": 200, "warnings": ["w2"]})
SEALED = Result(Status.CRITICAL, Reason.SEALED, "it is sealed", {"http_status": 503})


def both(process: Look, vault: Look, deadline: Deadline) -> Result:
    members = [combined.Member("process", process), combined.Member("vault", vault)]
    return combined.probe("all", members, deadline)


def says(result: Result) -> Callable[[Deadline], Result]:
    return lambda _: result


def test_both_well_is_vaults_answer_with_both_messages() -> None:
    result = both(says(ALIVE), says(ACTIVE), Deadline(5))
    assert result[:3] == (Status.OK, Reason.ACTIVE, "1 process named vault; it is active")
    assert result.data == {
        "process": {"count": 1},
        "vault": {"http_status": 200},
        "warnings": ["w1", "w2"],
    }


def test_a_missing_process_is_the_answer_and_vault_is_not_asked() -> None:
    def unwanted(_: Deadline) -> Result:
        pytest.fail("Vault was asked")

    result = both(says(GONE), unwanted, Deadline(5))
    assert result[:3] == (Status.CRITICAL, Reason.MISSING, "process: no process named vault")
    assert result.data == {"failed": "process", "process": {"count": 0}}


@pytest.mark.parametrize(
    ("vault", "reason", "failed"),
    [(ACTIVE, Reason.HIDDEN, "process"), (SEALED, Reason.SEALED, "vault")],
)
def test_a_process_that_cannot_be_seen_does_not_hide_what_vault_says(
    vault: Result, reason: Reason, failed: str
) -> None:
    """`unknown` can be told to pass: a dead Vault behind it must not."""
    hidden = Result(Status.UNKNOWN, Reason.HIDDEN, "cannot tell", {"count": 0})
    result = both(says(hidden), says(vault), Deadline(5))
    assert (result.reason, result.data["failed"]) == (reason, failed)
    assert set(result.data) >= {"process", "vault"}


def test_a_failing_vault_is_named() -> None:
    result = both(says(ALIVE), says(SEALED), Deadline(5))
    assert result[:3] == (Status.CRITICAL, Reason.SEALED, "vault: it is sealed")
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
    assert result[:2] == (Status.CRITICAL, Reason.TIMEOUT)
    assert result.message.startswith(f"{blocked}: no answer within 0.05 s")
    assert result.data["failed"] == blocked
