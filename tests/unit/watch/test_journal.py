"""What the watcher writes: a line for each transition and trouble, whatever is in it."""

import json
import threading
import time
from typing import Any

import pytest

from helpers.reasons import REASON
from kacheck.result import Status
from kacheck.state import Verdict
from kacheck.watch.journal import ERROR, INFO, NOTICE, WARNING, Journal, LineWriter, duration

UP = Verdict(Status.OK, REASON["active"], "https://127.0.0.1:8200 is the active node", 100.0)
DOWN = Verdict(Status.CRITICAL, REASON["sealed"], "https://127.0.0.1:8200 is sealed", 4000.25)


def as_json(journal_call: Any) -> dict[str, Any]:
    lines: list[str] = []
    journal_call(Journal(lines.append, "json"))
    (line,) = lines
    assert "\n" not in line
    fields: dict[str, Any] = json.loads(line)
    return fields


def test_a_transition_says_check_old_new_duration_and_why() -> None:
    lines: list[str] = []
    Journal(lines.append).transition("vault", UP, DOWN)
    (line,) = lines
    assert line == (
        "vault: ok active -> critical sealed after 1 h 5 min: https://127.0.0.1:8200 is sealed"
    )


def test_the_first_verdict_has_no_old_one() -> None:
    lines: list[str] = []
    Journal(lines.append).transition("vault", None, UP)
    assert lines == ["vault: ok active: https://127.0.0.1:8200 is the active node"]


def test_a_transition_as_json_has_these_keys() -> None:
    fields = as_json(lambda journal: journal.transition("vault", UP, DOWN))
    assert abs(fields.pop("time") - time.time()) < 10
    assert fields == {
        "level": ERROR,
        "event": "transition",
        "check": "vault",
        "old_status": "ok",
        "old_reason": "active",
        "status": "critical",
        "reason": "sealed",
        "duration_s": 3900.25,
        "message": "https://127.0.0.1:8200 is sealed",
    }
    fields = as_json(lambda journal: journal.transition("vault", None, UP))
    assert (fields["old_status"], fields["old_reason"], fields["duration_s"]) == (None, None, None)


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (Status.OK, NOTICE),
        (Status.WARNING, WARNING),
        (Status.CRITICAL, ERROR),
        (Status.UNKNOWN, ERROR),
    ],
)
def test_under_systemd_a_line_begins_with_its_level(status: Status, level: int) -> None:
    lines: list[str] = []
    journal = Journal(lines.append, levels=True)
    journal.transition("vault", UP, DOWN._replace(status=status))
    journal.say(INFO, "ready")
    assert lines[0].startswith(f"<{level}>vault: ")
    assert lines[1] == "<6>ready"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nothing_that_a_server_says_begins_another_line(log_format: Any) -> None:
    lines: list[str] = []
    message = "it said \n<0>all is lost\r\x1b[2J\x00\ud800\u2028"
    journal = Journal(lines.append, log_format, levels=True)
    journal.transition("vault", UP, DOWN._replace(message=message))
    journal.say(WARNING, message, "vault")
    for line in lines:
        assert line.isprintable()
        line.encode("ascii" if log_format == "json" else "utf-8")
    assert len(lines) == 2
    if log_format == "json":
        assert json.loads(lines[0])["message"] == message


def test_a_message_about_a_check_names_it() -> None:
    lines: list[str] = []
    Journal(lines.append).say(WARNING, "something", "vault")
    assert lines == ["vault: something"]
    fields = as_json(lambda journal: journal.say(WARNING, "something", "vault"))
    assert (fields["event"], fields["check"]) == ("message", "vault")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.000 s"),
        (0.0021, "0.002 s"),
        (9.5, "9.500 s"),
        (12, "12 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86399, "23 h 59 min"),
        (86400, "1 d 0 h"),
        (90 * 86400 + 7300, "90 d 2 h"),
    ],
)
def test_a_duration_is_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# --- a thread for it ----------------------------------------------------------------------------


def test_a_logger_that_is_stuck_keeps_nobody_waiting() -> None:
    free, is_stuck, written = threading.Event(), threading.Event(), list[str]()

    def write(line: str) -> None:
        is_stuck.set()
        assert free.wait(10)
        written.append(line)

    writer = LineWriter(write)
    writer("line 0")
    assert is_stuck.wait(10)
    begun = time.monotonic()
    for number in range(1, LineWriter.MOST + 500):
        writer(f"line {number}")
    assert time.monotonic() - begun < 5
    threading.Timer(0.1, free.set).start()
    writer.close(10)
    assert time.monotonic() - begun < 5, "no longer than it takes to write"
    assert written[:3] == ["line 0", "line 1", "line 2"]
    assert len(written) == LineWriter.MOST + 1


def test_what_waits_is_written_before_the_end() -> None:
    written: list[str] = []
    writer = LineWriter(written.append)
    for number in range(100):
        writer(str(number))
    writer.close()
    assert written == [str(number) for number in range(100)]


def test_a_stuck_logger_delays_the_end_only_a_moment() -> None:
    stuck = threading.Event()
    writer = LineWriter(lambda _: assert_set(stuck))
    writer("never")
    begun = time.monotonic()
    writer.close(0.05)
    assert time.monotonic() - begun < 5
    stuck.set()
    writer.close()


def assert_set(event: threading.Event) -> None:
    assert event.wait(10)
