"""The reasons of command checks: how the program ended."""

from kacheck.result import CRITICAL, UNKNOWN, Reason, Status

SUCCEEDED = Reason("succeeded", (Status.OK,), "The program exited with 0")
WARNED = Reason("warned", (Status.WARNING,), "The program exited with 1, Nagios's WARNING")
FAILED = Reason("failed", CRITICAL, "The program exited with 2, Nagios's CRITICAL")
UNDETERMINED = Reason("undetermined", UNKNOWN, "The program exited with 3, Nagios's UNKNOWN")
UNEXPECTED_EXIT = Reason(
    "unexpected-exit",
    CRITICAL,
    "The program exited with a code other than 0 to 3, 126 and 127, or the code is not known",
)
NOT_EXECUTABLE = Reason(
    "not-executable", CRITICAL, "The program cannot be executed, or exited with 126"
)
NOT_FOUND = Reason("not-found", CRITICAL, "The program does not exist, or exited with 127")
KILLED = Reason("killed", CRITICAL, "The program died of a signal; the message names it")
NOT_STARTED = Reason(
    "not-started", CRITICAL, "The system refused to start the program; the message says why"
)
CODES = {
    0: SUCCEEDED,
    1: WARNED,
    2: FAILED,
    3: UNDETERMINED,
    126: NOT_EXECUTABLE,
    127: NOT_FOUND,
}
"""The reasons of exit codes; every other code is UNEXPECTED_EXIT."""
REASONS = (*CODES.values(), UNEXPECTED_EXIT, KILLED, NOT_STARTED)
