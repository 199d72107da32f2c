"""What the end of a program means: its code, the signal, and what it wrote."""

import errno
import os

import pytest

from kacheck.probe import OptionError
from kacheck.probes.command.look import judge, not_started, parts, prepare
from kacheck.probes.command.program import Ended
from kacheck.probes.command.reasons import REASONS


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0, "ok succeeded"),
        (1, "warning warned"),
        (2, "critical failed"),
        (3, "unknown undetermined"),
        (4, "critical unexpected-exit"),
        (126, "critical not-executable"),
        (127, "critical not-found"),
        (128, "critical unexpected-exit"),
        (255, "critical unexpected-exit"),
        (-9, "critical killed"),
        (-11, "critical killed"),
        (None, "critical unexpected-exit"),
    ],
)
def test_each_end_has_its_status_and_reason(code: int | None, verdict: str) -> None:
    result = judge("/x/check", Ended(code, b"", b""))
    assert f"{result.status.word} {result.reason}" == verdict
    assert "/x/check" in result.message


def test_only_code_0_is_ok() -> None:
    codes = (*range(-64, 256), None)
    ok = [code for code in codes if judge("x", Ended(code, b"OK", b"")).status == 0]
    assert ok == [0]


def test_no_end_but_code_3_could_pass_as_unknown() -> None:
    unknown = [reason for reason in REASONS if reason.statuses[0] == 3]
    assert unknown == ["undetermined"]


@pytest.mark.parametrize(
    ("output", "message", "performance"),
    [
        (b"", "", ""),
        (b"OK - fine\n", "OK - fine", ""),
        (b"\n\nOK\n", "OK", ""),
        (b"OK | a=1;2;3\n", "OK", "a=1;2;3"),
        (b"OK | a=1\nlong text\nmore | b=2\nc=3\n", "OK", "a=1 b=2 c=3"),
        (b"OK\nlong | text=1\n", "OK", "text=1"),
        (b"\x1b[31mred\x07 \xff", "\\x1b[31mred\\x07 \ufffd", ""),
        (b"http://u:secret@h/?token=x down", "http://***@h/?*** down", ""),
    ],
)
def test_the_first_line_is_the_message_and_the_rest_performance_data(
    output: bytes, message: str, performance: str
) -> None:
    assert parts(output) == (message, performance)


def test_a_message_and_performance_data_are_bounded() -> None:
    text, performance = parts(b"x" * 65536 + b"|" + b"label=1 " * 5000)
    assert text == "x" * 300 + "..."
    assert len(performance) <= 4096
    assert performance.endswith("label=1")


def test_without_output_the_errors_are_shown() -> None:
    assert judge("x", Ended(2, b"", b"no such host\n")).message == "no such host"
    assert judge("x", Ended(7, b"", b"boom\n")).message == "x exited with 7: boom"


def test_a_signal_has_its_name() -> None:
    result = judge("x", Ended(-11, b"OK", b""))
    assert result.message == "x died of SIGSEGV: OK"
    assert (result.data["signal"], result.data["exit_code"]) == ("SIGSEGV", None)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOENT, "not-found"),
        (errno.ENOTDIR, "not-found"),
        (errno.EACCES, "not-executable"),
        (errno.ENOEXEC, "not-executable"),
        (errno.EAGAIN, "not-started"),
        (errno.ENOMEM, "not-started"),
        (errno.E2BIG, "not-started"),
        (errno.EMFILE, "not-started"),
    ],
)
def test_each_refusal_of_the_system_fails_with_its_reason(number: int, reason: str) -> None:
    result = not_started("x", OSError(number, os.strerror(number)))
    assert (result.status, result.reason) == (2, reason)
    assert os.strerror(number) in result.message


@pytest.mark.parametrize("argv", [(), ("",), ("./check",), ("plugins/check", "-w")])
def test_a_program_that_depends_on_the_directory_is_refused(argv: tuple[str, ...]) -> None:
    with pytest.raises(OptionError):
        prepare({"argv": argv})
