"""The numbers that keepalived takes, and how it reads them. Pure."""

import re

HEAVIEST = {"track_script": 253, "track_process": 254, "track_file": 254}
"""The largest weight of a definition, by the block that tracks it."""
ADDRESS_OWNER = 255
"""The priority of an address owner (RFC 5798), which never changes."""
MOST_PROCESSES = 65535
"""The largest quorum and quorum_max."""
SHORTEST_DELAY, LONGEST_DELAY = 0.000001, 3600
"""Seconds of a vrrp_track_process's delay, fork_delay and terminate_delay."""


def whole_number(text: str) -> int | None:
    """Return the number that strtol(3) reads to the end of a word; None where it stops before."""
    return int(text) if re.fullmatch(r"\s*[+-]?[0-9]{1,18}", text, re.ASCII) else None


def leading_number(text: str) -> int:
    """Return what strtol(3) makes of a word, whatever follows the number."""
    match = re.match(r"\s*[+-]?[0-9]{1,18}", text, re.ASCII)
    return int(match[0]) if match else 0
