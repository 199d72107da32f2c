"""vault-graded.conf as arithmetic: the number of each node, and which of them has the VIP.

The numbers are those of the shipped files. What keepalived makes of them is vrrp.c's: an instance in
FAULT has no VIP, else the highest priority has it.
"""

import re
from typing import NamedTuple

from helpers.pair import recipe, scripts
from helpers.reasons import REASON
from helpers.vault_node import CONFIGURATION
from kacheck import config
from kacheck.result import Status

STATES = ("active", "standby", "sealed", "dead")
STATUS = {"active": Status.OK, "standby": Status.WARNING}
FAULT = None

CHECK = next(each for each in config.parse(CONFIGURATION, "").checks if each.name == "vault-graded")
ACTIVE, SERVES = (scripts("vault-graded")[f"kacheck_vault_{name}"] for name in ("active", "serves"))
BASES = tuple(
    map(int, re.findall(r"\b2\d\d\b", re.findall("priority.*", recipe("keepalived"))[0]))
)[1:]
ACCEPTED = re.findall(r"--accept (\S+)", SERVES["script"])


def number(state: str) -> int:
    """Return the number that the watcher writes in that state."""
    reason = REASON["refused" if state == "dead" else state]
    return CHECK.track.value(STATUS.get(state, Status.CRITICAL), reason, CHECK.policy)


NUMBERS = {state: number(state) for state in STATES}
STALE = tuple({*NUMBERS.values(), 0})
"""What a file may say that nobody changes, or that keepalived does not read."""


class Node(NamedTuple):
    """A node as keepalived sees it: its three inputs, each of which may lag behind its Vault."""

    base: int
    file: int
    active: bool
    """Does the guard of that name pass?"""
    serves: bool

    @property
    def priority(self) -> int | None:
        """What it announces; None: it is in FAULT."""
        if self.file <= -254 or not self.serves:
            return FAULT
        return self.base + self.file + int(ACTIVE["weight"]) * self.active


def passes_active(state: str) -> bool:
    return state == "active"


def passes_serves(state: str) -> bool:
    return state == "active" or state in ACCEPTED


def settled(base: int, state: str, file: int) -> Node:
    """Return a node whose guards have seen its state."""
    return Node(base, file, passes_active(state), passes_serves(state))


def holder(nodes: tuple[Node, ...]) -> int | None:
    """Return which of them has the VIP."""
    priorities = {place: node.priority for place, node in enumerate(nodes)}
    able = {place: priority for place, priority in priorities.items() if priority is not FAULT}
    return max(able, key=lambda place: able[place]) if able else None
