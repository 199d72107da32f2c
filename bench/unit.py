"""The watcher as its unit runs it, in a node without systemd."""

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence

from bench import stage
from bench.measure import UnexpectedError

from helpers.vault_node import AS_USER, VaultNode, Watcher

SERVICE = f"{stage.REPO}/systemd/kacheck.service"


def settings(key: str) -> list[str]:
    """Return the values that the shipped unit has for a key."""
    with open(SERVICE) as file:
        text = file.read().replace("\\\n", " ")
    return re.findall(rf"(?m)^{key}=(.*)$", text)


class Unit:
    """`kacheck watch` of one node."""

    def __init__(self, node: VaultNode, kacheck: Sequence[str]) -> None:
        self._node = node
        program, *words = shlex.split(" ".join(settings("ExecStart")))
        if program != "kacheck":
            raise UnexpectedError(f"{SERVICE} starts {program}")
        self._argv = ["nice", "-n", *settings("Nice"), *AS_USER, *kacheck, *words]
        self._starts = 0
        self._watcher: Watcher | None = None

    def start(self) -> None:
        """Start it; returns when it is ready, as systemd does."""
        self._node.make_run_dir()  # ExecStartPre=
        self._starts += 1
        log = self._node.node.dir / f"watcher-{self._starts}"
        with log.open("w") as stderr:
            process = self._node.node.popen(self._argv, stderr=stderr, env=environ())
        self._watcher = Watcher(process, log)
        try:
            self._watcher.wait_said("ready: watching")
        except AssertionError as error:
            raise UnexpectedError(str(error)) from None

    def signal(self, number: int) -> float:
        """Send it a signal, and return the time of just before."""
        assert self._watcher is not None
        at = time.monotonic()
        self._watcher.process.kill(number)
        return at

    def end(self, number: int, job: str = "") -> float:
        """End it with a signal, and run what the unit runs then; the time of just before.

        `job` is what systemctl shows as being done with the unit.
        """
        at = self.signal(number)
        assert self._watcher is not None
        self._watcher.process.wait()
        killed = number == signal.SIGKILL
        result = {
            "SERVICE_RESULT": "signal" if killed else "success",
            "EXIT_CODE": "killed" if killed else "exited",
            "EXIT_STATUS": "KILL" if killed else "0",
        }
        shown = f"echo 1 kacheck.service {job} running\n" if job else ""
        systemctl = self._node.node.write("bin/systemctl", f"#!/bin/sh\n{shown}", 0o755)
        env = environ() | result | {"PATH": f"{systemctl.parent}:{os.environ['PATH']}"}
        for command in settings("ExecStopPost"):
            words = command.lstrip("-+@:!")
            user = () if "+" in command.removesuffix(words) else AS_USER
            argv = [*user, *shlex.split(words.replace("$$", "$").replace("%n", "kacheck.service"))]
            self._node.node.popen(argv, env=env, stdin=subprocess.DEVNULL).wait()
        return at

    def restart(self) -> float:
        """Do what `systemctl restart` does; the time of just before."""
        at = self.end(signal.SIGTERM, "restart")
        self.start()
        return at

    def crash(self) -> float:
        """Let it be killed, and start it when the unit does; the time of just before."""
        at = self.end(signal.SIGKILL)
        time.sleep(float(settings("RestartSec")[0]))
        self.start()
        return at


def environ() -> dict[str, str]:
    """Return what a service has, without PYTHON*, VAULT_* and proxies of whoever runs this."""
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
