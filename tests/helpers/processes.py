"""When a process has become the program that a test looks for."""

from pathlib import Path


def has_started(pid: int, name: str) -> bool:
    """Return whether it runs that program: exec sets the name first, the arguments last."""
    proc = Path("/proc", str(pid))
    try:
        is_named = (proc / "comm").read_bytes() == name.encode()[:15] + b"\n"
        return is_named and (proc / "cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False
