"""The exit codes are the table in the manual."""

import pytest

from helpers.reasons import REASON
from kacheck.result import BadConfigError, Reason, Result, Status, exit_code


@pytest.mark.parametrize(
    ("status", "reason", "fails", "passes", "misc"),
    [
        (Status.OK, REASON["active"], 0, 0, 0),
        (Status.WARNING, REASON["standby"], 1, 1, 1),
        (Status.CRITICAL, REASON["sealed"], 2, 2, 1),
        (Status.UNKNOWN, REASON["rate-limited"], 3, 0, 1),
        (Status.UNKNOWN, REASON["hidden"], 3, 0, 1),
        (Status.UNKNOWN, REASON["bad-config"], 3, 3, 1),
        (Status.UNKNOWN, REASON["bug"], 3, 3, 1),
    ],
)
def test_exit_codes(status: Status, reason: Reason, fails: int, passes: int, misc: int) -> None:
    result = Result(status, reason, "", {})
    assert exit_code(result) == fails
    assert exit_code(result, on_unknown="ok") == passes
    assert exit_code(result, misc=True) == misc
    assert exit_code(result, on_unknown="ok", misc=True) == min(passes, 1)


def test_every_reason_is_one_word_or_a_hyphenated_pair() -> None:
    for reason in REASON.values():
        assert all(part.isalpha() and part.islower() for part in reason.split("-"))
        assert reason.count("-") <= 1


def test_a_bad_configuration_is_unknown() -> None:
    result = BadConfigError("--quorum 0 is too small").result()
    assert (result.status, result.reason) == (Status.UNKNOWN, REASON["bad-config"])
    assert result.message == "--quorum 0 is too small"
