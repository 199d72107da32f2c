"""A program that takes all the memory of the watcher's control group ends alone."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.keepalived import wait_until
from helpers.watcher import Watcher

MOST = 128 * 1024 * 1024
KINDS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)
"""Where control groups of version 1 and 2 limit memory, and by which file."""
JOIN = 'echo $$ >"$0/cgroup.procs"; echo -900 >/proc/self/oom_score_adj; exec "$@"'
"""Start as the unit does: within a limit, and the last to go."""
HUNGRY = "import time; taken = b'x' * {most}; time.sleep(60)"


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with as little memory as the unit has for everything."""
    made = next(filter(None, (make(*kind) for kind in KINDS)), None)
    if made is None:
        pytest.skip("may not limit memory: no control group can be made here")
    try:
        yield made
    finally:
        wait_until(lambda: not (made / "cgroup.procs").read_text(), "the group is in use")
        made.rmdir()


def make(parent: Path, limit: str) -> Path | None:
    """Return a new control group with that limit; None if it cannot be made."""
    path = parent / f"kacheck-{os.getpid()}-memory"
    with contextlib.suppress(OSError):
        path.mkdir()
        with contextlib.suppress(OSError):
            (path / limit).write_text(str(MOST))
            return path
        path.rmdir()
    return None


def test_the_program_is_killed_and_the_watcher_goes_on(tmp_path: Path, group: Path) -> None:
    hungry = [sys.executable, "-c", HUNGRY.format(most=4 * MOST)]
    argv = ", ".join(f'"{word}"' for word in hungry)
    toml = f'[check.plugin]\nprobe = "command"\nargv = [{argv}]\ntimeout = 30\n'
    with Watcher(tmp_path, toml, wrapper=["sh", "-c", JOIN, str(group)]) as watcher:
        pid = watcher.pid
        assert str(pid) in (group / "cgroup.procs").read_text().split()
        watcher.wait_for("plugin", "critical killed")
        verdict = watcher.verdict("plugin")
        assert verdict is not None
        assert "died of SIGKILL" in verdict.message
        watcher.reload('[check.plugin]\nprobe = "command"\nargv = ["/bin/true"]\nrise = 1\n')
        watcher.wait_for("plugin", "ok succeeded")
        assert watcher.pid == pid
        assert watcher.returncode is None
