"""KA130 to KA146: keepalived's known faults, and the features that meet them. Pure.

A row is a fault, the releases that have it, and the features that make a configuration meet it.
Each was looked up in keepalived's git history: `source` has the commit that cures it, and `fixed`
is the first tag that contains that commit. Where a distribution has carried a cure back into its
older release, the row still speaks: it knows numbers, not packages. What depends on more than
the version is found where that is looked at, each at its line (KA202 to KA405).
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Code, Lint, Observation, Severity
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
    """A configuration that has all of these meets it."""
    what: str
    why: str
    source: str
    besides: str = ""
    """What cures it without an upgrade; a whole sentence."""

    @property
    def code(self) -> Code:
        """The code, with an explanation made of all fields."""
        since, fixed = self.releases
        last = f"all before {fixed}"
        if since > FIRST:
            until = f"fixed in {fixed}" if fixed else "and every release since, 2.4.3 included"
            last = f"keepalived from {since} on, {until}"
        cure = self.cure[0].lower() + self.cure[1:]
        text = f"{self.what} {self.why} Releases: {last}. Source: {self.source}.\n\nDo: {cure}"
        return Code(self.name, self.severity, self.title, text)

    @property
    def cure(self) -> str:
        """What to do about it."""
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
        why="keepalived forgets the pid as soon as it has counted it.",
        source="commit c45ab4ec: Fix maintaining list of processes we are interested in",
        besides=MIGRATE,
    ),
    _fault(
        "KA132", WARNING, "processes whose pid starts with 9 are not counted",
        releases=between("2.0.11", "2.0.15"), features="track_process",
        what="A process whose pid starts with a 9, such as 917, is not counted when keepalived"
        " starts.",
        why="When it starts, it reads only the names in /proc that begin with 1 to 8.",
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
        releases=between("2.0.16", "2.3.2"), features="acting_fork_delay",
        what="On a busy machine a process counts at once instead of after its fork_delay.",
        why="When events were lost, keepalived reads /proc again. There it confuses fork_delay with"
        " terminate_delay, and does not wait.",
        source="commit 3df29478: fix track process reinitialize fork delay timer",
        besides="Or raise process_monitor_rcv_bufs, so that fewer events are lost.",
    ),
    _fault(
        "KA135", WARNING, "a name with a closing parenthesis is not found",
        releases=between("2.0.11", None), features="track_process process_with_parenthesis",
        what="A process with a `)` in its name is not counted when keepalived starts.",
        why="read_procs() assumes that the name in /proc/PID/stat ends at the first `)`.",
        source="keepalived/core/track_process.c, read_procs()",
        besides="Use full_command and the command as it is started, or `kacheck migrate CONF`.",
    ),
    _fault(
        "KA137", WARNING, "a tracked file counts wrongly after a fault",
        releases=between("0.0.0", "2.0.20"), features="track_file_weight",
        what="After a tracked file has ended a fault, the instance has a wrong priority.",
        why="keepalived does not correctly subtract the file's value from the priority and add it"
        " again.",
        source="commit 8731e4a4, issue #1460",
        besides="Or use weight 0, which is up or FAULT.",
    ),
    _fault(
        "KA138", WARNING, "a tracked file counts wrongly after it was removed",
        releases=between("0.0.0", "2.1.0"), features="track_file",
        what="A tracked file counts wrongly if it is removed while it is not 0, and made again.",
        why="keepalived keeps the old value, although it has already subtracted it.",
        source="commit fe49de71: Fix deletion and reinstatement of track files when value <> 0",
        besides="Or write 0 before the file is removed; kacheck's watcher never removes one.",
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
        " introduced by 3390697d",
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
        " introduced by 3390697d",
        besides="Or track the script in the vrrp_sync_group, and give no instance priority 255.",
    ),
    _fault(
        "KA142", WARNING, "a script that overran its timeout is never run again",
        releases=between("0.0.0", "2.0.19"), features="vrrp_script",
        what="After a script has overrun its timeout it may never be run again.",
        why="If it ends at the moment that keepalived kills it, keepalived waits for it forever.",
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
    _fault(
        "KA144", WARNING, "a reload while a script times out crashes VRRP",
        releases=between("2.2.5", "2.3.2"), features="foreign_script",
        what="A reload while keepalived ends a script that overran its timeout can crash VRRP: the"
        " VIPs leave, and come back when it has restarted.",
        why="During the reload keepalived has the script's process in two lists, and removes it"
        " from only one of them.",
        source="commit 7e04261d: fix corruption of master-child_pid red black tree;"
        " introduced by f4a9f52a",
        besides="Or let the script end by itself before its timeout, as kacheck's checks do, and"
        " restart keepalived instead of reloading it.",
    ),
    _fault(
        "KA145", ERROR, "a script that ends at its timeout crashes VRRP",
        releases=between("2.3.2", "2.3.3"), features="foreign_script",
        what="A script that ends at the moment of its timeout crashes VRRP: the VIPs leave, and"
        " come back when it has restarted.",
        why="keepalived removes the script's process twice from a list.",
        source="commit e15990e1: Fix segfault caused double erase from child_pid rb tree;"
        " introduced by 7e04261d",
        besides="Or let the script end by itself before its timeout, as kacheck's checks do.",
    ),
    _fault(
        "KA146", WARNING, "a script that a reload adds counts as failed",
        releases=between("0.0.0", "2.2.5"), features="vrrp_script",
        what="A script that a reload adds takes the VIP from its instances until it has succeeded.",
        why="As when it starts, keepalived counts the script as failed, although the instance may"
        " be MASTER. Up to 2.3.1 a script that a reload changes keeps the state of the old one"
        " (99d73a32).",
        source="commit 1ebdb277: Don't assume scripts added at reload are in failed state",
        besides="Or restart keepalived on the backup first, instead of reloading it.",
    ),
)
# fmt: on


PIDS_OF_16_BITS = 32768
"""A pid_max up to here gives pids up to 32767."""


def find_fault(fault: Fault, context: Context) -> Iterator[Observation]:
    """Find a fault, where the installed release has it and the configuration meets it."""
    if context.facts is None or context.keepalived is None or context.keepalived.version is None:
        return
    machine = {"large_pids"} if context.facts.pid_max > PIDS_OF_16_BITS else set()
    is_met = fault.features <= context.features | machine
    if is_met and fault.releases.include(context.keepalived.version):
        yield Observation(fault.what, fault.why, fault.cure)


LINTS = tuple(Lint(fault.code, partial(find_fault, fault)) for fault in FAULTS)
