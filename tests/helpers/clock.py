"""A file system whose clock ticks slowly, so that two changes have the same time stamps.

tmpfs before Linux 6.13 and ramfs tick with the kernel, every 4 ms or so; others once a second.
"""

import os
import time
from typing import Any

import pytest


class SlowClock:
    """Time as the program sees it, and the stamp that every file has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.stamp = 1_000_000_000.0
        self._stat = os.stat
        monkeypatch.setattr(time, "time", lambda: self.now)
        monkeypatch.setattr(os, "stat", self._stamped)

    def _stamped(self, *args: Any, **options: Any) -> os.stat_result:
        found = self._stat(*args, **options)
        ns = int(self.stamp * 1e9)
        times = {f"st_{kind}time": self.stamp for kind in "amc"}
        times |= {f"st_{kind}time_ns": ns for kind in "amc"}
        return os.stat_result(found[:7] + (int(self.stamp),) * 3, times)
