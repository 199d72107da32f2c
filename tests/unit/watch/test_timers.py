"""What is due is done, once and in order, and what is cancelled is not."""

from kacheck.watch.timers import Timers


def test_due_timers_run_by_time_and_then_by_creation() -> None:
    timers, done = Timers(), list[str]()
    for when, name in ((3.0, "c"), (1.0, "a"), (2.0, "b1"), (2.0, "b2"), (4.0, "late")):
        timers.at(when, lambda name=name: done.append(name))  # type: ignore[misc]
    timers.run(3.0)
    assert done == ["a", "b1", "b2", "c"]
    timers.run(3.0)
    assert len(done) == 4
    assert timers.next() == 4.0


def test_nothing_is_next_where_there_is_nothing() -> None:
    assert Timers().next() is None


def test_what_was_cancelled_is_neither_done_nor_next() -> None:
    timers, done = Timers(), list[str]()
    first = timers.at(1.0, lambda: done.append("first"))
    timers.at(2.0, lambda: done.append("second"))
    first.cancel()
    assert timers.next() == 2.0
    timers.run(5.0)
    assert done == ["second"]
    assert timers.next() is None


def test_one_that_is_due_may_cancel_another_one_that_is() -> None:
    timers, done = Timers(), list[str]()
    timers.at(1.0, lambda: second.cancel())  # noqa: PLW0108 - it is made later
    second = timers.at(2.0, lambda: done.append("second"))
    timers.run(5.0)
    assert done == []


def test_a_timer_that_sets_itself_again_runs_when_due() -> None:
    timers, done = Timers(), list[float]()

    def tick(now: float) -> None:
        done.append(now)
        timers.at(now + 1, lambda: tick(now + 1))

    tick(0.0)
    timers.run(2.5)
    assert done == [0.0, 1.0, 2.0]
    assert timers.next() == 3.0


def test_an_error_of_one_leaves_the_others_to_be_done() -> None:
    timers, done = Timers(), list[str]()
    timers.at(1.0, lambda: 1 / 0)
    timers.at(2.0, lambda: done.append("second"))
    try:
        timers.run(5.0)
    except ZeroDivisionError:
        done.append("error")
    timers.run(5.0)
    assert done == ["error", "second"]


def test_endless_setting_and_cancelling_takes_no_more_room() -> None:
    """As the timeout of each look, and a recheck that is an hour away, are."""
    timers, done = Timers(), list[int]()
    kept = [timers.at(3600.0 + number, lambda n=number: done.append(n)) for number in range(50)]  # type: ignore[misc]
    for _ in range(100_000):
        timers.at(3600.0, lambda: done.append(-1)).cancel()
    assert len(timers._heap) < 500
    timers.run(4000.0)
    assert done == [*range(50)]
    assert not any(timer.is_cancelled for timer in kept)
