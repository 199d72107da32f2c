"""What `keepalived -t` says of a configuration, whose exit code alone does not tell."""

import os
import pwd
import re
import signal
import subprocess
from collections import Counter
from typing import NamedTuple

from kacheck.keepalived import Configuration
from kacheck.keepalived.program import find_path, version_at
from kacheck.keepalived.releases import TEST_EXITS_ONE_LOWER
from kacheck.migrate.files import naming

TIMEOUT = 20
VIOLATION = "SECURITY VIOLATION"
PLACE = re.compile(r"^\((?:.*?: )?Line \d+\) ")
"""Its main process names a line without its file, where there is but one file."""
DEFAULT_USER = "keepalived_script"
"""Whom scripts run as where none is given, if there is such a user."""
NOTHING_LEFT = " and no longer complains"
GOOD, CANNOT = 0, 4
"""Exit codes; between and above are errors that it would run with. 0 may have complaints, too."""


class Said(NamedTuple):
    """An answer: its exit code, None after `TIMEOUT`, and its complaints without their places."""

    code: int | None
    complaints: tuple[str, ...]
    cannot_run: bool = False

    @property
    def has_crashed(self) -> bool:
        """Return whether it ended before the end of the configuration."""
        return self.code is None or self.code < 0 or self.code >= 128

    @property
    def is_terminated(self) -> bool:
        """Return whether SIGTERM ended it."""
        return self.code in (-signal.SIGTERM, 128 + signal.SIGTERM)


def program() -> str | None:
    """Where keepalived is; it is not in every user's PATH."""
    return find_path("", os.environ.get("PATH", ""))


def ask(keepalived: str, path: str) -> Said:
    """Let keepalived test a configuration."""
    try:
        # 2.2.7 kills its process group where the scripts' user is not root: use a new session.
        with naming(keepalived):
            done = subprocess.run(
                [keepalived, "-t", "-f", os.path.abspath(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LC_ALL": "C"},
                timeout=TIMEOUT,
                check=False,
                start_new_session=True,
            )
    except subprocess.TimeoutExpired:
        return Said(None, ())
    lines = done.stdout.decode(errors="backslashreplace").splitlines()
    complaints = tuple(PLACE.sub("", line) for line in lines if line.strip())
    release = version_at(keepalived)
    is_lower = release is not None and TEST_EXITS_ONE_LOWER.include(release)
    return Said(done.returncode, complaints, done.returncode == CANNOT - is_lower)


def other_user(configuration: Configuration) -> str | None:
    """Return what has scripts run as somebody else than root, over which 2.2.7's -t ends itself."""
    default: str | None = f"its default user {DEFAULT_USER}"
    for node in configuration.root.walk():
        if node.keyword in ("user", "script_user") and node.arguments:
            if node.arguments[0] != "root":
                statement = " ".join((node.keyword, *node.arguments))
                return f"{statement} at {node.position.file}:{node.position.line}"
            if node.keyword == "script_user":
                default = None
    try:
        pwd.getpwnam(DEFAULT_USER)
    except KeyError:
        return None
    return default


def new_complaints(before: Said, after: Said, *, may_end: bool = False) -> list[str]:
    """Return what is said now and was not before; `may_end`: that it is ended means nothing."""
    new = list((Counter(after.complaints) - Counter(before.complaints)).elements())
    if any(VIOLATION in each for each in before.complaints):
        new = [each for each in new if VIOLATION not in each]  # each of its processes reports it
    if may_end:
        return new
    if after.has_crashed and not before.has_crashed:
        new.append(how_it_ended(after.code))
    elif not new and after.code not in (before.code, GOOD):
        new.append(f"it exits with {after.code}, and before with {before.code}")
    return new


def how_it_ended(code: int | None) -> str:
    """Return the words for a keepalived that did not get to the end."""
    if code is None:
        return f"it does not end within {TIMEOUT} s"
    number = -code if code < 0 else code - 128
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    return f"it is ended by signal {name}"


def in_words(before: Said, after: Said) -> str:
    """For a result that is not worse than before."""
    if after.has_crashed:
        return f"keepalived -t says nothing: {how_it_ended(after.code)}, as before"
    if after.cannot_run:
        return "keepalived -t cannot read it, nor could it before"
    if after.complaints:
        number = len(after.complaints)
        return (
            f"keepalived -t has {number} complaint{'s' * (number > 1)} that it had before,"
            f" and no new one; the first: {after.complaints[0]}"
        )
    gone = NOTHING_LEFT if before.complaints else ""
    return f"keepalived -t accepts it{gone}"
