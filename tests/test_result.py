"""The exit codes are the table in the manual."""

import pytest

from kacheck.result import BadConfigError, Reason, Result, Status, exit_code


@pytest.mark.parametrize(
    ("status", "reason", "fails", "passes", "misc"),
    [
        (Status.OK, Reason.ACTIVE, 0, 0, 0),
        (Status.WARNING, Reason.STANDBY, 1, 1, 1),
        (Status.CRITICAL, Reason.SEALED, 2, 2, 1),
        (Status.UNKNOWN, Reason.RATE_LIMITED, 3, 0, 1),
        (Status.UNKNOWN, Reason.HIDDEN, 3, 0, 1),
        (Status.UNKNOWN, Reason.BAD_CONFIG, 3, 3, 1),
        (Status.UNKNOWN, Reason.BUG, 3, 3, 1),
    ],
)
def test_exit_codes(status: Status, reason: Reason, fails: int, passes: int, misc: int) -> None:
    result = Result(status, reason, "", {})
    assert exit_code(result) == fails
    assert exit_code(result, on_unknown="ok") == passes
    assert exit_code(result, misc=True) == misc
    assert exit_code(result, on_unknown="ok", misc=True) == min(passes, 1)


def test_every_reason_is_one_word_or_a_hyphenated_pair() -> None:
    for reason in Reason:
        assert all(part.isalpha() and part.islower() for part in reason.split("-"))
        assert reason.count("-") <= 1


def test_a_bad_configuration_is_unknown() -> None:
    result = BadConfigError("--quorum 0 is too small").result()
    assert (result.status, result.reason) == (Status.UNKNOWN, Reason.BAD_CONFIG)
    assert result.message == "--quorum 0 is too small"
