"""KA150: what the installed keepalived is too old for. Pure."""

from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, finding
from kacheck.keepalived.version import Version

SINCE = {
    "vrrp_track_file_block": ("vrrp_track_file", Version(2, 0, 0)),
    "track_process": ("vrrp_track_process", Version(2, 0, 11)),
    "quorum_max": ("quorum_max", Version(2, 0, 16)),
    "param_match": ("param_match", Version(2, 0, 16)),
    "fork_delay": ("fork_delay", Version(2, 0, 16)),
    "terminate_delay": ("terminate_delay", Version(2, 0, 16)),
    "weight_reverse": ("`reverse` of a weight", Version(2, 0, 18)),
    "track_file_block": ("track_file as a block", Version(2, 1, 0)),
    "use_symlink_paths": ("use_symlink_paths", Version(2, 3, 0)),
}
"""A feature, as people write it, and the first release that understands it."""

INSTEAD = {
    "track_file_block": "vrrp_track_file, which has been known since 2.0.0",
}
"""What does the same in older releases."""


@finding(
    "KA150",
    Severity.ERROR,
    "a keyword that is newer than this keepalived",
    "keepalived reports a keyword or value that it does not know, ignores that line and runs"
    " without it: a check then never runs, or runs as if the line were missing. First releases: "
    + "; ".join(f"{name}, {version}" for name, version in SINCE.values())
    + ". Sources: the commits 0fc7eba1, 36d0df63, c80e3c0f, 80ca73b6, 79f7dbab, dc653b2d, 7d88a351,"
    " ebf37b95. `keepalived -t` shows what it ignores; read what it says, not its exit"
    " code.",
)
def newer_than_installed(context: Context) -> Iterator[Observation]:
    """Find keywords and values that the installed release does not know."""
    version = context.keepalived.version if context.keepalived is not None else None
    for feature, (name, first) in SINCE.items():
        if version is not None and feature in context.features and version < first:
            instead = INSTEAD.get(feature, "it without")
            what = f"keepalived {version} ignores {name}."
            cure = f"Upgrade keepalived to {first} or later, or write {instead}."
            yield Observation(what, f"It came with keepalived {first}.", cure)
