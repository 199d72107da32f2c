"""Every reason by its word, for tests that make results."""

from kacheck.probes import reasons

REASON = reasons()
