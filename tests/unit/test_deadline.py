"""The deadline holds whatever the look does."""

import threading
import time

import pytest

from helpers.reasons import REASON
from kacheck.deadline import Deadline, within
from kacheck.result import Result, Status

FINE = Result(Status.OK, REASON["running"], "fine", {})


def test_a_look_that_answers_in_time_is_the_answer() -> None:
    assert within(Deadline(5), lambda _: FINE) is FINE


def test_a_blocked_look_times_out_and_says_what_it_waited_for() -> None:
    release = threading.Event()

    def look(deadline: Deadline) -> Result:
        deadline.enter("dns", "a name server")
        deadline.on_expiry(release.set)
        assert release.wait(10), "the deadline must unblock the worker"
        return FINE

    result = within(Deadline(0.05), look)
    assert (result.status, result.reason) == (Status.CRITICAL, REASON["timeout"])
    assert result.message == "no answer within 0.05 s: still waiting for a name server"
    assert list(result.data["phases_ms"]) == ["dns"]
    assert release.is_set()


def test_what_was_spent_before_the_look_counts() -> None:
    spent = Deadline(0.8, started=time.monotonic() - 1)
    assert spent.remaining() == 0
    assert within(spent, lambda _: time.sleep(0.2) or FINE).reason == REASON["timeout"]  # type: ignore[func-returns-value]


def test_an_error_of_the_look_reaches_the_caller() -> None:
    def look(_: Deadline) -> Result:
        raise LookupError("as it was")

    with pytest.raises(LookupError, match="as it was"):
        within(Deadline(5), look)


def test_phases_end_where_the_next_begins() -> None:
    deadline = Deadline(5)
    deadline.phases = [("connect", 10.0), ("tls", 10.25), ("connect", 10.5), ("body", 11.0)]
    spent = deadline.phases_ms()
    assert list(spent) == ["connect", "tls", "body"]
    assert (spent["connect"], spent["tls"]) == (750.0, 250.0)
