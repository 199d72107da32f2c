"""The registry of probes: every kind of check, by its name.

To add one, write its declaration (see kacheck.probe) and one line here.
"""

from __future__ import annotations

from kacheck.probe import Probe, load
from kacheck.result import COMMON_REASONS, Reason

MODULES = {
    "process": "kacheck.probes.process",
    "vault": "kacheck.probes.vault",
    "http": "kacheck.probes.http",
    "tcp": "kacheck.probes.tcp",
    "command": "kacheck.probes.command",
    "consul": "kacheck.probes.consul",
    "combined": "kacheck.probes.combined",
}
"""Where each probe's declaration PROBE is."""


def probe(name: str) -> Probe:
    """Return the declaration of a probe.

    Raises:
        KeyError: the probe does not exist.

    """
    declared: Probe = load(f"{MODULES[name]}:PROBE")
    return declared


def reasons() -> dict[str, Reason]:
    """Return every reason there is, by its word."""
    rows = (reason for name in MODULES for reason in probe(name).reasons)
    return {str(row): row for row in (*rows, *COMMON_REASONS)}
