"""Configurations to migrate, and what `kacheck migrate` answered."""

from pathlib import Path
from typing import NamedTuple

BLOCK = "vrrp_track_process app {\n    process app\n}\n"
INSTANCE = "vrrp_instance VI_1 {\n    track_process {\n        app\n    }\n}\n"


class CommandOutput(NamedTuple):
    """What the command answered."""

    code: int
    out: str
    err: str


def snapshot(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return all files below, their content, mode and inode."""
    return {
        str(path.relative_to(directory)): (
            path.read_bytes(),
            path.stat().st_mode,
            path.stat().st_ino,
        )
        for path in directory.rglob("*")
        if path.is_file()
    }


def release(keepalived: Path, version: str) -> None:
    """Have the keepalived be that release; with "" it does not say."""
    keepalived.with_suffix(".version").write_text(
        f"Keepalived v{version} (1/2,2021)" * bool(version)
    )
