"""Scripts run once as keepalived runs them, all at the same time.

Each runs as its user without other groups, in /, with umask 0177 and keepalived's environment,
without a shell, in a separate process group, for at most the timeout of the vrrp_script
(system_call_script() in lib/notify.c). What it prints is kept; keepalived discards it.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from kacheck.doctor.scripts.program import Program

KILL_AFTER = 2.0
"""Seconds from SIGTERM to SIGKILL."""
MOST_OUTPUT = 1 << 14


class ScriptRun(NamedTuple):
    """How a script ended."""

    exit_code: int | None
    """As subprocess has it; None: it could not be executed, which keepalived takes for success."""
    output: str = ""
    timed_out: bool = False

    @property
    def succeeds(self) -> bool:
        """Return whether it counts as success: exit 0 does after SIGTERM, too."""
        return not self.exit_code

    @property
    def how(self) -> str:
        """How it failed."""
        if self.timed_out:
            return "it has not ended within its timeout"
        code = self.exit_code or 0
        if code < 0:
            with suppress(ValueError):
                return f"it died of {signal.Signals(-code).name}"
        return f"exit code {code}"


class _RunningScript(NamedTuple):
    process: subprocess.Popen[bytes] | None
    end: float
    output: list[bytes]


def run(
    programs: Sequence[Program], environment: Mapping[str, str], *, real_name: bool
) -> dict[str, ScriptRun]:
    """Run scripts, and return how each ended, by name.

    `real_name` is whether argv[0] is the resolved path, as before keepalived 2.3.0.
    """
    running = {
        program.script.name: _start(program, environment, real_name=real_name)
        for program in programs
    }
    with selectors.DefaultSelector() as selector:
        for each in running.values():
            if each.process is not None and each.process.stdout is not None:
                selector.register(each.process.stdout, selectors.EVENT_READ, each)
        while selector.get_map():
            ends = [key.data.end for key in selector.get_map().values()]
            for key, _ in selector.select(max(0.0, min(ends) - time.monotonic())):
                data = os.read(key.fd, 4096)
                key.data.output.append(data)
                if not data:
                    selector.unregister(key.fileobj)
            for key in [*selector.get_map().values()]:
                if key.data.end <= time.monotonic():
                    selector.unregister(key.fileobj)
        return {name: _ended(each) for name, each in running.items()}


def _start(program: Program, environment: Mapping[str, str], *, real_name: bool) -> _RunningScript:
    script = program.script
    path = program.path or script.argv[0]
    argv = [program.real if real_name else script.argv[0], *script.argv[1:]]
    as_root = os.geteuid() == 0
    uid, gid = script.runner[:2]
    end = time.monotonic() + script.timeout
    try:
        process = subprocess.Popen(
            argv,
            executable=path,
            env=dict(environment),
            cwd="/",
            umask=0o177,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=uid if as_root else None,
            group=gid if as_root else None,
            extra_groups=[] if as_root else None,
            process_group=0,
        )
    except (OSError, subprocess.SubprocessError):
        return _RunningScript(None, end, [])
    return _RunningScript(process, end, [])


def _ended(running: _RunningScript) -> ScriptRun:
    process = running.process
    if process is None:
        return ScriptRun(None)
    timed_out = False
    try:
        code = process.wait(max(0.0, running.end - time.monotonic()))
    except subprocess.TimeoutExpired:
        timed_out = True
        code = _stop(process)
    if process.stdout is not None:
        process.stdout.close()
    text = b"".join(running.output)[:MOST_OUTPUT].decode("utf-8", "replace")
    return ScriptRun(code, text, timed_out)


def _stop(process: subprocess.Popen[bytes]) -> int:
    for signum, patience in ((signal.SIGTERM, KILL_AFTER), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(patience)
    return -signal.SIGKILL
