"""`kacheck watch` as a process, as a service manager would run it.

In a test::

    with Watcher(tmp_path, '[check.vault]\nprobe = "process"\nname = "vault"\n') as watcher:
        assert watcher.track("vault") == 1          # it is READY by now
        watcher.until(lambda: watcher.track("vault") == 0)
        watcher.reload('[check.vault]\n...')
    assert watcher.returncode == 0

Its log is JSON: `lines` has all of it, `transitions()` what checks said. `notified` has what it
sent to systemd. It runs the package that the test has imported.
"""

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from helpers.child import Fault, environment, kacheck_command
from helpers.waiting import PATIENCE
from kacheck.statedir import Published, parse


class Watcher:
    """A watcher with a configuration; READY on entering, stopped by SIGTERM on leaving.

    `wait` is false for one that cannot become READY. `settings`, `faults` and `wrapper` are those of
    child.py. `directory` is where everything is put: kacheck.toml, and the state directory `state`
    unless another is given.
    """

    def __init__(  # noqa: PLR0913 - each has its use
        self,
        directory: Path,
        toml: str,
        *,
        state_dir: Path | None = None,
        environ: Mapping[str, str] | None = None,
        settings: Mapping[str, object] | None = None,
        faults: Sequence[Fault] = (),
        wrapper: Sequence[str] = (),
        options: Sequence[str] = (),
        wait: bool = True,
    ) -> None:
        self.config = directory / "kacheck.toml"
        self.state_dir = state_dir or directory / "state"
        self.lines: list[dict[str, Any]] = []
        """What it has logged; `{"text": ...}` is a line that is not JSON."""
        self.notified: list[str] = []
        """What it has sent to systemd: assignments such as `READY=1`."""
        self._directory = directory
        self._environ = environ or {}
        self._argv = [
            *wrapper,
            *kacheck_command(*self.arguments(), *options, settings=settings, faults=faults),
        ]
        self._wait = wait
        self._process: subprocess.Popen[str] | None = None
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self.configure(toml)

    def arguments(self) -> list[str]:
        """Return the words after `kacheck`."""
        files = ["--config", str(self.config), "--state-dir", str(self.state_dir)]
        return ["watch", *files, "--log-format", "json"]

    # --- life ---------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        address = f"\0kacheck-test-{os.getpid()}-{id(self)}"
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(address)
        environ = environment(NOTIFY_SOCKET=f"@{address[1:]}")
        self._process = subprocess.Popen(
            self._argv,
            env={**environ, **self._environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for work in (self._read_log, self._read_notifications):
            self._threads.append(threading.Thread(target=work, daemon=True))
            self._threads[-1].start()
        if self._wait:
            try:
                self.until(lambda: "READY=1" in self.notified or self.returncode is not None)
                assert self.returncode is None, f"it has ended: {self.lines}"
            except BaseException:
                self._end()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.stop()
        finally:
            self._end()

    def stop(self) -> None:
        """Send SIGTERM, and wait for the end."""
        if self.returncode is None:
            self.signal(signal.SIGTERM)
            self.process.wait(PATIENCE)
        self._threads[0].join(PATIENCE)  # until all of the log is read

    def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self._threads[0].join(PATIENCE)

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            self._notify.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._notify.close()

    @property
    def process(self) -> subprocess.Popen[str]:
        """Its process; a wrapper that forks would be another one."""
        assert self._process is not None, "it has not been started"
        return self._process

    @property
    def pid(self) -> int:
        """Its pid."""
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, when all of its log has been read; None while it runs."""
        code = self.process.poll()
        if code is not None:
            self._threads[0].join(PATIENCE)
        return code

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    # --- configuration ------------------------------------------------------------------------

    def configure(self, toml: str) -> None:
        """Write the configuration, for the start or the next reload."""
        new = self._directory / "kacheck.toml.new"
        new.write_text(toml)
        new.rename(self.config)

    def reload(self, toml: str) -> dict[str, Any]:
        """Write the configuration, SIGHUP, and wait for what it says of that."""
        self.configure(toml)
        known = len(self.lines)
        self.signal(signal.SIGHUP)
        answer: dict[str, Any] = self.until(lambda: self.find("reloaded", known))
        return answer

    # --- what it says -------------------------------------------------------------------------

    def until(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Wait until the condition is true, and return what it said."""
        end = time.monotonic() + seconds
        while not (said := condition()):
            assert time.monotonic() < end, f"not within {seconds:g} s: {self.lines[-20:]}"
            with self._changed:
                self._changed.wait(0.005)
        return said

    def find(self, words: str, start: int = 0) -> dict[str, Any] | None:
        """Return the first line of the log, from number `start` on, that has these words."""
        said = [line for line in self.lines[start:] if words in str(line.get("message"))]
        return said[0] if said else None

    def transitions(self, check: str) -> list[str]:
        """Return what a check has said, such as `["ok running", "critical missing"]`."""
        return [
            f"{line['status']} {line['reason']}"
            for line in self.lines
            if line.get("event") == "transition" and line["check"] == check
        ]

    def track(self, check: str) -> int | None:
        """Return the number in a track file; None without one."""
        with contextlib.suppress(FileNotFoundError):
            return int((self.state_dir / "track" / check).read_text())
        return None

    def verdict(self, check: str) -> Published | None:
        """Return a verdict file's content; None without one, or if it is malformed."""
        with contextlib.suppress(FileNotFoundError):
            return parse((self.state_dir / "verdict" / check).read_text())
        return None

    def says(self, check: str, words: str) -> bool:
        """Return whether the verdict file says this, such as `critical missing`."""
        verdict = self.verdict(check)
        return verdict is not None and f"{verdict.status.word} {verdict.reason}" == words

    def wait_for(self, check: str, words: str, seconds: float = PATIENCE) -> None:
        """Wait until the verdict file says this."""
        self.until(functools.partial(self.says, check, words), seconds)

    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    # --- threads ------------------------------------------------------------------------------

    def _read_log(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                fields = json.loads(line)
            except ValueError:
                fields = {"text": line.rstrip("\n")}
            with self._changed:
                self.lines.append(fields if isinstance(fields, dict) else {"text": line})
                self._changed.notify_all()

    def _read_notifications(self) -> None:
        while datagram := self._notify.recv(65536):
            with self._changed:
                self.notified += datagram.decode().splitlines()
                self._changed.notify_all()
