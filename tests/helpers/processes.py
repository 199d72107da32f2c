"""When a process has become the program that a test looks for."""

from pathlib import Path


def has_started(pid: int, name: str) -> bool:
    """Does it run the program so named? exec sets the name first, and the arguments last."""
    proc = Path("/proc", str(pid))
    try:
        is_named = (proc / "comm").read_bytes() == name.encode()[:15] + b"\n"
        return is_named and (proc / "cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False
