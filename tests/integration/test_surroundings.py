"""The tests themselves: what they inherit from their caller changes nothing."""

import os
import signal
import subprocess
import sys

import pytest

from helpers.needs import needs
from helpers.paths import TESTS

IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR2)
HOSTILE = {"LANG": "de_DE.UTF-8", "TZ": "XYZ-5", "VAULT_ADDR": "https://192.0.2.1"}
SHOWN = """
import os, signal, subprocess, sys, time
from helpers import surroundings
surroundings.set_up()
os.kill(os.getpid(), signal.SIGHUP)  # as at the end of a session: nohup keeps the run
code = "grep -E '^Sig(Blk|Ign)|^Umask' /proc/self/status; env"
print(subprocess.run(["sh", "-c", code], capture_output=True, text=True, check=True).stdout)
print(*time.tzname)
"""


def ignore_and_block() -> None:
    """Do what nohup(1), a shell's background job and a careful administrator do."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED)
    os.umask(0o077)


def test_tests_and_their_children_have_default_signals_umask_and_environment() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SHOWN],
        env={**os.environ, **HOSTILE, "PYTHONPATH": str(TESTS)},
        preexec_fn=ignore_and_block,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    fields = dict(line.split(":\t") for line in shown.splitlines() if ":\t" in line)
    assert fields.keys() == {"Umask", "SigBlk", "SigIgn"}
    assert fields["Umask"] == "0022"
    for name in ("SigBlk", "SigIgn"):  # glibc keeps two for itself, which a caller may ignore
        assert not {n for n in signal.valid_signals() if int(fields[name], 16) >> (n - 1) & 1}
    assert not set(HOSTILE) & {line.partition("=")[0] for line in shown.splitlines()}
    assert "XYZ" not in shown.splitlines()[-1], "the time zone of the machine"


@pytest.mark.slow
def test_the_tests_of_signals_pass_under_nohup() -> None:
    needs("nohup")
    tests = [
        str(TESTS / "integration/migrate/test_migrate_signals.py"),
        "-k",
        "judges_takes_everything_back",
    ]
    done = subprocess.run(
        ["nohup", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=TESTS.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
