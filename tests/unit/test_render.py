"""One line for people, a contract for programs, the plugin API's line for Nagios."""

import json

import pytest

from helpers.reasons import REASON
from kacheck.render import Report, printable, render
from kacheck.result import Result, Status

REPORT = Report(
    check="vault",
    result=Result(
        Status.CRITICAL,
        REASON["sealed"],
        "https://127.0.0.1:8200 is sealed",
        {
            "address": "https://127.0.0.1:8200",
            "fields": {"sealed": True, "x": None},
            "names": ["a"],
        },
    ),
    exit_code=2,
    duration_ms=12.5,
)


def test_text_is_one_line() -> None:
    assert render(REPORT, "text") == "critical sealed: https://127.0.0.1:8200 is sealed"


def test_verbose_adds_everything_that_was_seen() -> None:
    assert render(REPORT, "text", verbose=True).splitlines()[1:] == [
        "  address: https://127.0.0.1:8200",
        "  fields:",
        "    sealed: true",
        "    x: null",
        "  names: a",
        "  exit code: 2, after 12.5 ms",
    ]


def test_the_keys_of_json_are_a_contract() -> None:
    shown = json.loads(render(REPORT, "json"))
    assert shown == {
        "schema": 1,
        "check": "vault",
        "status": "critical",
        "reason": "sealed",
        "message": "https://127.0.0.1:8200 is sealed",
        "exit_code": 2,
        "duration_ms": 12.5,
        "data": REPORT.result.data,
    }


def test_nagios_has_status_and_performance_data() -> None:
    expected = "VAULT CRITICAL - sealed: https://127.0.0.1:8200 is sealed | time=0.013s"
    assert render(REPORT._replace(duration_ms=13), "nagios") == expected
    piped = REPORT._replace(result=REPORT.result._replace(message="a|b", data={"count": 3}))
    assert render(piped, "nagios").endswith("a/b | time=0.013s processes=3")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ä and 漢", "plain, ä and 漢"),
        ("two\nlines", "two\\nlines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\udcff", "\\udcff"),
        ("\u202e", "\\u202e"),
    ],
)
def test_nothing_that_a_terminal_would_obey_is_printed(text: str, shown: str) -> None:
    assert printable(text) == shown
