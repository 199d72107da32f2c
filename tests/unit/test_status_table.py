"""The table that `kacheck status` shows."""

from typing import Any

import pytest

from helpers.status import NOW, change, look, shown
from kacheck import status_table
from kacheck.status_table import View


def answer_with(*checks: dict[str, Any], trouble: str | None = None) -> dict[str, Any]:
    return {
        "schema": 1, "pid": 7, "started_at": NOW - 11000, "config": "/etc/kacheck/kacheck.toml",
        "state_dir": "/run/kacheck", "trouble": trouble, "checks": [*checks],
    }  # fmt: skip


def table(*checks: dict[str, Any], view: View | None = None) -> list[str]:
    blocks = status_table.blocks_of(answer_with(*checks), view or View(), NOW)
    return [line for block in blocks for line in block.lines]


def test_a_row_has_the_time_in_words() -> None:
    _, row = table(shown())
    assert row == "vault  ok       running  08:58:00 (3 h 2 min)  0.3 ms, 0.4 s ago"


def test_the_columns_are_aligned() -> None:
    head, *rows = table(
        shown(transitions=[change(60, "ok", "running")]),
        shown("critical", "bad-response", check="a-long-name", last_look=None),
    )
    for title, words in (("VERDICT", ("ok", "critical")), ("REASON", ("running", "bad-response"))):
        place = head.index(title)
        assert rows[0][place:].startswith(words[0])
        assert rows[1][place:].startswith(words[1])
    assert rows[0][head.index("LAST TRANSITIONS") :] == "11:59:00 ok running"


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (10, "11:59:50"),
        (11 * 3600, "01:00:00"),
        (13 * 3600, "2026-11-22 23:00"),
        (90 * 86400, "2026-08-25 1"),
    ],
)
def test_todays_times_are_shown_as_times_and_older_ones_as_dates(ago: float, words: str) -> None:
    assert status_table.clock(NOW - ago, NOW).startswith(words)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.3, "0 s"), (-1, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (10920, "3 h 2 min"),
     (90000, "1 d 1 h")],
)  # fmt: skip
def test_ages_in_words(seconds: float, words: str) -> None:
    assert status_table.age(seconds) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"), [(0.31, "0.3 ms"), (12.4, "12 ms"), (800, "800 ms"), (2500, "2.5 s")]
)
def test_how_long_a_look_took(milliseconds: float, words: str) -> None:
    assert status_table.milliseconds(milliseconds) == words


@pytest.mark.parametrize(
    ("check", "lines"),
    [
        (shown(), []),
        (shown("critical", "missing", message="no process"), ["no process"]),
        (
            shown(
                last_look=look("critical", "timeout", message="too late"),
                run={"looks": 1, "needed": 2, "wait_s": 0.0},
            ),
            ["last look: critical timeout (1 of 2): too late"],
        ),
        (
            shown(
                last_look=look("critical", "missing", message="none"),
                run={"looks": 3, "needed": 1, "wait_s": 3.21},
            ),
            ["last look: critical missing (3.2 s more to wait): none"],
        ),
        (
            shown(
                last_look=look("critical", "too-few", message="one"),
                run={"looks": 1, "needed": 3, "wait_s": 60.5},
            ),
            ["last look: critical too-few (1 of 3, 1 min 0 s more to wait): one"],
        ),
        (
            shown(
                last_look=look("unknown", "rate-limited", message="429"),
                held={"held_s": 12.3, "hold_for_s": 60.0},
            ),
            ["last look: unknown rate-limited (held for 12 s, at most 1 min 0 s): 429"],
        ),
        (
            shown("critical", "draining", message="drained", last_look=look()),
            ["drained", "last look: ok running: seen"],
        ),
        (shown(last_look=look(warnings=["odd", "od\nd"])), ["warning: odd", r"warning: od\nd"]),
        (shown("critical", "missing", message="\033[31mred"), [r"\x1b[31mred"]),
    ],
)
def test_below_a_row_is_why(check: dict[str, Any], lines: list[str]) -> None:
    assert table(check)[2:] == [f"    {line}" for line in lines]


def test_a_check_that_has_not_looked_yet() -> None:
    nothing = dict.fromkeys(("status", "reason", "message", "exit_code", "since", "since_s"))
    _, row = table({**shown(last_look=None), **nothing})
    assert row.split("  ")[0] == "vault"
    assert "not looked yet" in row


def test_the_last_three_transitions_newest_first() -> None:
    many = [change(n, "critical", f"reason-{n}") for n in range(1, 6)]
    row = table(shown(transitions=many))[1]
    assert row.endswith(
        "11:59:59 critical reason-1, 11:59:58 critical reason-2, 11:59:57 critical reason-3"
    )


@pytest.mark.parametrize("width", [120, 100, 80, 60, 40, 20, 1])
def test_a_narrow_terminal_takes_transitions_and_never_a_reason(width: int) -> None:
    many = [change(n, "critical", "missing") for n in range(1, 6)]
    check = shown("warning", "performance-standby", transitions=many, message="word " * 30)
    head, row, *why = table(check, view=View(width, 24))
    assert "performance-standby" in row
    if width >= 60:
        assert len(row) <= max(width, 59)
        assert all(len(line) <= width for line in [head, *why])
    assert " ".join(line.strip() for line in why) == ("word " * 30).strip()


def test_colours_are_of_the_verdict_alone_and_move_nothing() -> None:
    check = shown("critical", "missing", check="critical-thing")
    plain, coloured = table(check), table(check, view=View(colours=True))
    assert coloured[1].replace("\033[31m", "").replace("\033[0m", "") == plain[1]
    assert "\033[31mcritical\033[0m  missing" in coloured[1]


def test_the_watchers_line_has_its_trouble() -> None:
    line = status_table.watcher_line(answer_with(trouble="track: disk full"), NOW)
    assert line == (
        "watcher, pid 7, since 08:56:40 (3 h 3 min), /etc/kacheck/kacheck.toml; "
        "TROUBLE: track: disk full"
    )


def test_on_a_small_screen_what_is_not_ok_comes_first() -> None:
    checks = [shown(check=f"fine-{n}") for n in range(10)]
    checks += [shown("critical", "missing", check=f"down-{n}") for n in range(3)]
    blocks = status_table.blocks_of(answer_with(*checks), View(80, 10), NOW)
    lines = status_table.shortened(blocks, View(80, 10))
    assert len(lines) <= 9, "one line is the head's"
    assert [line.split()[0] for line in lines[1::2]][:3] == ["down-0", "down-1", "down-2"]
    assert lines[-1] == "... 9 checks more, 0 of them not ok"
    assert status_table.shortened(blocks, View(80, 40)) == [
        line for block in blocks for line in block.lines
    ]
