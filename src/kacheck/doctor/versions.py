"""keepalived's versions: known faults, and what came with which. Pure (KA130 to KA159).

A row is a fault, the releases that have it, and the features that make a configuration meet it.
Each was looked up in keepalived's git history: `source` has the commit that cures it, and `fixed`
is the first tag that contains that commit. Where a distribution has carried a cure back into its
older release, the row still speaks: it knows numbers, not packages. What depends on more than
the version is found where that is looked at, each at its line (KA202 to KA405).

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
    process_with_parenthesis                    a `)` in the name of a process
    large_pids                                  of the machine: pid_max is above 32768
"""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.keepalived import releases
from kacheck.keepalived.releases import Releases, between
from kacheck.keepalived.version import Version

ERROR, WARNING = Severity.ERROR, Severity.WARNING


class Fault(NamedTuple):
    """Something that keepalived did wrong."""

    name: str
    severity: Severity
    title: str
    releases: Releases
    features: frozenset[str]
    """All of these make a configuration meet it."""
    what: str
    why: str
    source: str
    besides: str = ""
    """What cures it without an upgrade; a whole sentence."""

    @property
    def code(self) -> Code:
        """The kind of finding that it is."""
        since, fixed = self.releases
        last = f"before {fixed}" if fixed else "and every release since, 2.4.3 included"
        if since > FIRST:
            last = f"keepalived from {since} on, {last}"
        text = f"{self.what} {self.why} Releases: {last}. Source: {self.source}. {self.cure}"
        return Code(self.name, self.severity, self.title, text)

    @property
    def cure(self) -> str:
        """What to do."""
        fixed = self.releases.fixed
        upgrade = f"Upgrade keepalived to {fixed} or later." if fixed else ""
        return " ".join(filter(None, [upgrade, self.besides]))


FIRST = Version(0, 0, 0)
MIGRATE = "Or replace vrrp_track_process: `kacheck migrate CONF`."


def _fault(  # noqa: PLR0913 - a row of a table
    name: str,
    severity: Severity,
    title: str,
    *,
    releases: Releases,
    features: str,
    what: str,
    why: str,
    source: str,
    besides: str = "",
) -> Fault:
    needed = frozenset(features.split())
    return Fault(name, severity, title, releases, needed, what, why, source, besides)


# One line for where a fault is and what meets it, so that the table can be read as one.
# fmt: off
FAULTS = (
    _fault(
        "KA130", ERROR, "processes with a pid above 32767 are not counted",
        releases=between("2.0.11", "2.0.20"), features="track_process large_pids",
        what="vrrp_track_process loses sight of every process that gets a pid above 32767.",
        why="It writes the pid into the path in /proc as a 16-bit number.",
        source="commit 23a5b811, ChangeLog: Fix track_process with PIDs > 32767",
        besides="Or set kernel.pid_max to 32768 with sysctl.",
    ),
    _fault(
        "KA131", ERROR, "a process that was started later is forgotten",
        releases=between("2.1.0", "2.1.4"), features="track_process",
        what="A process that starts while keepalived runs can die and still counts as running.",
        why="keepalived forgets the pid in the moment it has counted it.",
        source="commit c45ab4ec: Fix maintaining list of processes we are interested in",
        besides=MIGRATE,
    ),
    _fault(
        "KA132", WARNING, "processes whose pid starts with 9 are not counted",
        releases=between("2.0.11", "2.0.15"), features="track_process",
        what="A process whose pid starts with a 9, such as 917, is not counted when keepalived"
        " starts.",
        why="Its first look at /proc takes only the names that start with 1 to 8.",
        source="commit 2a5568d6, ChangeLog: Fix track_process initialisation for processes with"
        " PIDs starting 9",
        besides=MIGRATE,
    ),
    _fault(
        "KA133", ERROR, "no process events after a reload",
        releases=between("2.0.11", "2.0.16"), features="track_process",
        what="After a reload vrrp_track_process keeps the state it had, whatever dies.",
        why="keepalived stops reading the kernel's process events at a reload and does not begin"
        " again.",
        source="commit aaa17ee0, ChangeLog: Fix track processes when reloading",
        besides="Or restart keepalived instead of reloading it.",
    ),
    _fault(
        "KA134", WARNING, "fork_delay is not kept after lost events",
        releases=between("2.0.16", "2.3.2"), features="fork_delay",
        what="On a busy machine a process counts at once, and not after its fork_delay.",
        why="When events were lost keepalived reads /proc anew, and there it takes terminate_delay"
        " for fork_delay and does not wait for it.",
        source="commit 3df29478: fix track process reinitialize fork delay timer",
        besides="Or raise process_monitor_rcv_bufs, so that fewer events are lost.",
    ),
    _fault(
        "KA135", WARNING, "a name with a closing parenthesis is not found",
        releases=between("2.0.11", None), features="track_process process_with_parenthesis",
        what="A process with a `)` in its name is not counted when keepalived starts.",
        why="read_procs() takes the name in /proc/PID/stat to end at the first `)`.",
        source="keepalived/core/track_process.c, read_procs()",
        besides="Use full_command and the command as it is started, or `kacheck migrate CONF`.",
    ),
    _fault(
        "KA137", WARNING, "a tracked file counts wrongly after a fault",
        releases=between("0.0.0", "2.0.20"), features="track_file_weight",
        what="After a tracked file has ended a fault the instance has a wrong priority.",
        why="keepalived does not take the file's value out of the priority and put it in again"
        " correctly.",
        source="commit 8731e4a4, issue #1460",
        besides="Or use weight 0, which is up or FAULT.",
    ),
    _fault(
        "KA138", WARNING, "a tracked file counts wrongly after it was removed",
        releases=between("0.0.0", "2.1.0"), features="track_file",
        what="A tracked file that is removed while it is not 0, and made again, counts wrongly.",
        why="keepalived keeps the old value, which it has taken back already.",
        source="commit fe49de71: Fix deletion and reinstatement of track files when value <> 0",
        besides="Or write 0 before the file is removed; kacheck's resident never removes one.",
    ),
    _fault(
        "KA139", WARNING, "a change of a tracked file at the start is missed",
        releases=between("0.0.0", "2.2.0"), features="track_file",
        what="A tracked file that changes while keepalived starts is not read again.",
        why="keepalived reads it first and watches it afterwards.",
        source="commit 511fad38: Ensure inotify established before read a track file",
    ),
    _fault(
        "KA140", ERROR, "tracked files of a sync group's members are dropped",
        releases=releases.MEMBERS_LOSE_FILES, features="unweighted_track_file_at_fixed_priority",
        what="An instance in a sync group, or with priority 255, does not track its files that have"
        " weight 0.",
        why="keepalived empties that list when it starts, unless the group has"
        " sync_group_tracking_weight.",
        source="commit 569e6833: Don't remove unweighted track_file/if/bfd from sync group members;"
        " 3390697d brought it",
        besides="Or track the file in the vrrp_sync_group, and give no instance priority 255.",
    ),
    _fault(
        "KA141", ERROR, "scripts of a sync group's members are dropped",
        releases=releases.MEMBERS_LOSE_SCRIPTS,
        features="unweighted_track_script_at_fixed_priority",
        what="An instance in a sync group, or with priority 255, does not track its scripts that"
        " have weight 0.",
        why="keepalived empties that list when it starts, unless the group has"
        " sync_group_tracking_weight.",
        source="commit 459fc2b9: Don't remove unweighted track scripts from sync group members;"
        " 3390697d brought it",
        besides="Or track the script in the vrrp_sync_group, and give no instance priority 255.",
    ),
    _fault(
        "KA142", WARNING, "a script that overran its timeout is never run again",
        releases=between("0.0.0", "2.0.19"), features="vrrp_script",
        what="After a script has overrun its timeout it may never be run again.",
        why="If it ends in the moment keepalived kills it, keepalived waits for its end for ever.",
        source="commit 79e1ec8a, issue #1364",
        besides="Or let the script end by itself before its timeout, as kacheck's checks do.",
    ),
    _fault(
        "KA143", ERROR, "a track_process in a sync group has no effect",
        releases=releases.GROUPS_IGNORE_PROCESSES, features="track_process_in_sync_group",
        what="A vrrp_sync_group stays MASTER when a process ends that it tracks.",
        why="keepalived reads the block and does not connect it with the group's members.",
        source="commit f3b09e5e: Make track_process work on sync groups",
        besides="Or track the process in each member, or replace it: `kacheck migrate CONF`.",
    ),
)
# fmt: on

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
    ERROR,
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
