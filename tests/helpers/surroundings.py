"""What a test inherits from the program that runs the tests: signals, umask, environment.

Under nohup(1) SIGHUP is ignored, in a shell's background job SIGINT is, a service manager may block
signals, and an administrator's umask is 077. What a test starts would inherit all of that.
"""

import os
import signal
import time

PREFIXES = ("VAULT_", "BAO_", "LC_")
"""Beginnings of variables that change what a program under test says."""
NAMES = ("LANG", "LANGUAGE", "TZ", "NO_COLOR", "COLUMNS", "LINES", "NOTIFY_SOCKET")
"""Variables that do."""


def set_up() -> None:
    """Give this process, and what it starts, the usual signals, umask and environment.

    A signal that the caller ignores stays without effect here, so that nohup(1) keeps the run: a
    handler does nothing, and execve(2) resets a handler to the default, but not an ignored signal.
    """
    for number in signal.valid_signals():
        if number in (signal.SIGPIPE, signal.SIGXFSZ):
            continue  # Python ignores these two itself, and subprocess resets them
        if signal.getsignal(number) is signal.SIG_IGN:
            # The end of a child cannot be waited for where SIGCHLD is ignored.
            nothing = signal.SIG_DFL if number == signal.SIGCHLD else lambda *_: None
            signal.signal(number, nothing)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(0o022)
    for name in list(os.environ):
        if name.startswith(PREFIXES) or name in NAMES:
            del os.environ[name]
    time.tzset()
