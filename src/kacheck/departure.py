"""Watching the VIPs of drained checks: when each left this node, and when it came back."""

import os
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from kacheck.keepalived import DEFAULT, load
from kacheck.keepalived.program import find_path, version_at
from kacheck.keepalived.running import DEFAULT_FILE, running
from kacheck.keepalived.vips import Vip, vips_of
from kacheck.network import own_addresses
from kacheck.result import BadConfigError, KacheckError

PAUSE = 0.02
"""Seconds between two looks at the interfaces."""
Say = Callable[[str], None]


def followed_vips(names: AbstractSet[str] | None, state_dir: str) -> tuple[Vip, ...]:
    """Return the VIPs of the instances that track these checks; None: any of kacheck's.

    Raises:
        BadConfigError: keepalived's configuration cannot be read, or no instance in it tracks them.
        KacheckError: keepalived has another network.

    """
    keepalived = running()
    path = keepalived.file if keepalived else DEFAULT_FILE
    if keepalived is not None and not keepalived.shares_network():
        raise KacheckError(
            f"keepalived, pid {keepalived.pid}, runs in another network namespace; "
            f"put nsenter --target {keepalived.pid} --net before this command"
        )
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        cure = "run it as root" if isinstance(error, PermissionError) else "run kacheck doctor"
        raise BadConfigError(f"{path} cannot be read: {error.strerror}; {cure}") from None
    program = find_path("", os.environ.get("PATH", ""))
    release = version_at(program) if program else None
    config_id = keepalived.config_id if keepalived else None
    configuration = load(path, config_id=config_id, release=release or DEFAULT)
    vips = vips_of(configuration, names, state_dir)
    if not vips:
        what = "a check of kacheck" if names is None else " or ".join(sorted(names))
        what = f"no vrrp_instance with a VIP in {path} tracks {what}"
        raise BadConfigError(f"{what}; run kacheck doctor")
    return vips


class Departure:
    """The VIPs that are here when a drain begins."""

    def __init__(self, vips: Sequence[Vip]) -> None:
        here = own_addresses()
        self.began = time.monotonic()
        self._vips = vips
        self._here = [vip for vip in vips if vip.address in here]
        self._left: dict[Vip, float] = {}
        self._back: dict[Vip, float] = {}

    def wait(self, limit: float, span: float | None, say: Say) -> str | None:
        """Say when each VIP leaves and, with the `span` of a drain, when it is back.

        Return what has not happened within the limit, in words.

        Raises:
            OSError: the kernel does not list addresses.

        """
        for vip in self._vips:
            if vip not in self._here:
                say(f"{vip}: not on this node")
        if not self._wait(self._left, "left", limit, say, is_here=False):
            still = ", ".join(str(vip) for vip in self._here if vip not in self._left)
            return f"{still}: still here after {limit:g} s; kacheck doctor says why"
        if span is None or self._wait(self._back, "back", span + limit, say, is_here=True):
            return None
        away = ", ".join(str(vip) for vip in self._here if vip not in self._back)
        return f"{away}: not back {limit:g} s after the drain ended; kacheck status says why"

    def _wait(
        self, times: dict[Vip, float], word: str, limit: float, say: Say, *, is_here: bool
    ) -> bool:
        """Wait until all VIPs are here, or none; return whether that was so within the limit."""
        while len(times) < len(self._here):
            addresses, now = own_addresses(), time.monotonic() - self.began
            for vip in self._here:
                if vip not in times and (vip.address in addresses) is is_here:
                    times[vip] = now
                    say(f"{vip}: {word} after {now:.1f} s")
            if len(times) < len(self._here):
                if now >= limit:
                    return False
                time.sleep(PAUSE)
        return True

    def as_data(self) -> list[dict[str, Any]]:
        """For JSON."""
        return [
            {
                "address": vip.address,
                "instance": vip.instance,
                "was_here": vip in self._here,
                "left_after_s": rounded(self._left.get(vip)),
                "back_after_s": rounded(self._back.get(vip)),
            }
            for vip in self._vips
        ]


def rounded(seconds: float | None) -> float | None:
    """Return a time for JSON."""
    return None if seconds is None else round(seconds, 3)
