"""keepalived's versions: known faults, and what came with which. Pure (KA130 to KA159).

Features are plain words, for whoever reads the configuration:

    a keyword that the configuration has        vrrp_script, track_process (vrrp_track_process too),
                                                track_file (vrrp_track_file too), fork_delay,
                                                terminate_delay, quorum_max, param_match,
                                                use_symlink_paths
    track_file_block, vrrp_track_file_block     under which name the block is written
    weight_reverse                              any `weight N reverse`
    track_file_weight                           a track_file with a weight that is not 0
    unweighted_track_file_at_fixed_priority     tracked by an instance with priority 255, or in a
                                                sync group without sync_group_tracking_weight
    unweighted_track_script_at_fixed_priority   the same of a script
    track_process_in_sync_group                 tracked by a vrrp_sync_group itself
    foreign_script                              any that is not kacheck's, and may overrun its
                                                timeout
    process_with_parenthesis                    a `)` in the name of a process
    large_pids                                  of the machine: pid_max is above 32768
"""

from collections.abc import Set as AbstractSet

from kacheck.doctor.faults import FAULTS
from kacheck.doctor.finding import Code, Finding, Severity
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
NOT_YET = Code(
    "KA150",
    Severity.ERROR,
    "newer than this keepalived",
    "keepalived reports a keyword or value that it does not know, ignores that line and runs"
    " without it: a check is then never run, or as if the line were not there. First releases: "
    + "; ".join(f"{name}, {version}" for name, version in SINCE.values())
    + ". Sources: the commits 0fc7eba1, 36d0df63, c80e3c0f, 80ca73b6, 79f7dbab, dc653b2d, 7d88a351,"
    " ebf37b95. `keepalived -t` shows what it ignores; read what it says, not its exit"
    " code.",
)

CODES = (*(fault.code for fault in FAULTS), NOT_YET)


def met(version: Version, features: AbstractSet[str]) -> list[Finding]:
    """What a configuration with these features meets in that release, by code."""
    faults = [
        fault for fault in FAULTS if fault.releases.include(version) and fault.features <= features
    ]
    findings = [Finding(fault.code, fault.what, fault.why, fault.cure) for fault in faults]
    return findings + [
        _not_yet(version, feature)
        for feature, (_, first) in SINCE.items()
        if feature in features and version < first
    ]


def _not_yet(version: Version, feature: str) -> Finding:
    name, first = SINCE[feature]
    what = f"keepalived {version} ignores {name}."
    cure = f"Upgrade keepalived to {first} or later, or write {INSTEAD.get(feature, 'it without')}."
    return Finding(NOT_YET, what, f"It came with keepalived {first}.", cure)
