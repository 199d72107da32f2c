"""KA5: does the watcher run, is what it says fresh, and who looks where it is gone? Pure."""

import stat
from collections.abc import Container, Iterator
from typing import TypeAlias

from kacheck import statedir
from kacheck.doctor.calls import Call
from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.reading import Reference, Setup, found
from kacheck.doctor.system import System
from kacheck.keepalived import Node

NO_WATCHER = Code(
    "KA502",
    Severity.ERROR,
    "a track file of kacheck's, and no watcher that writes it",
    """\
The number in the file is the last one that was written: FAULT from the watcher's end if it was
stopped, for ever healthy if it was killed. Or the watcher runs and does not look: stopped
(SIGSTOP), or unable to write (its comm is kacheck-mute then). With a guard the check is still
made, slower.

See it: kacheck status; journalctl -u kacheck.
Do: systemctl start kacheck.""",
)
SLOW = Code(
    "KA503",
    Severity.NOTE,
    "kacheck-verdict without a watcher looks for itself",
    """\
Without a watcher each run of kacheck-verdict becomes `kacheck run`: right, and 30 to 80 times
slower.

Do: systemctl enable --now kacheck.""",
)
STALE = Code(
    "KA504",
    Severity.WARNING,
    "a verdict that is missing or has expired",
    """\
The watcher runs, and a check that keepalived asks for has no verdict that is to be believed:
the watcher was started with another configuration or state directory, or cannot write.
kacheck-verdict looks for itself meanwhile.

See it: kacheck status CHECK; journalctl -u kacheck.
Do: systemctl reload kacheck.""",
)
NO_GUARD = Code(
    "KA507",
    Severity.WARNING,
    "a track file of kacheck's without a guard",
    """\
Where the watcher was killed, or hangs, the number in the file stays as it is: the VIP stays on
a node whose service dies after that. A vrrp_script with kacheck-verdict beside it notices: it
does not believe a watcher that is gone, and looks for itself.

Do: track kacheck_guard, as examples/keepalived.conf.d/event-driven.conf has it.""",
)
CODES = (NO_WATCHER, SLOW, STALE, NO_GUARD)
MUTE = "kacheck-mute"
"""kacheck.watch.publisher.MUTE, without all that it imports."""
Tracked: TypeAlias = tuple[str, Node, list[Reference]]
"""A check whose file is tracked, the line that names the file, and who tracks it."""


def watcher(
    system: System,
    state_dir: str,
    checks: Container[str],
    names: list[tuple[str, Node]],
    tracked: list[Tracked],
) -> Iterator[Finding]:
    """Does it run, and say something?"""
    trouble = watcher_trouble(system, state_dir)
    start = "systemctl start kacheck; kacheck status"
    if trouble is not None:
        for name, node, _ in tracked:
            what = f"track/{name} is not kept current: {trouble}"
            yield found(NO_WATCHER, node, what, "only the watcher writes it", start)
        if names and not tracked:
            what = f"kacheck-verdict looks for itself each time: {trouble}"
            yield found(SLOW, names[0][1], what, "there are no verdicts", start)
        return
    for name, node in dict([*names, *((name, node) for name, node, _ in tracked)]).items():
        stale = verdict_trouble(system, state_dir, name)
        if stale is not None and name in checks:
            what = f"the verdict of {name} {stale}"
            yield found(STALE, node, what, "the watcher does not renew it", "kacheck status")


def watcher_trouble(system: System, state_dir: str) -> str | None:
    """Why there is no watcher to rely on: the pid file's, as kacheck-verdict asks for it."""
    words = head(system, f"{state_dir}/{statedir.PID}").decode("ascii", "replace").split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return "there is no watcher"
    text = system.head(f"/proc/{words[0]}/stat").decode("utf-8", "replace")
    comm, _, rest = text.partition("(")[2].rpartition(") ")
    stat = rest.split()
    if len(stat) < 20 or stat[19] != words[1] or stat[0] in "ZX":
        return f"the watcher, pid {words[0]}, has ended"
    if stat[0] in "Tt":
        return f"the watcher, pid {words[0]}, is stopped (SIGSTOP)"
    return f"the watcher, pid {words[0]}, cannot write its files" if comm == MUTE else None


def verdict_trouble(system: System, state_dir: str, name: str) -> str | None:
    """What is wrong with a verdict's file."""
    text = head(system, f"{state_dir}/verdict/{name}").decode("utf-8", "replace")
    published = statedir.parse(text) if text else None
    if published is None:
        return "cannot be read" if text else "is missing"
    return "has expired" if published.expiry <= system.uptime() else None


def head(system: System, path: str) -> bytes:
    """Return the beginning of a file; nothing of a symbolic link, which another user may set."""
    status = system.status(path)
    return system.head(path) if status is not None and stat.S_ISREG(status.mode) else b""


def guards(setup: Setup, calls: list[Call], tracked: list[Tracked]) -> Iterator[Finding]:
    """Has every instance that tracks our files a script that asks us?"""
    asking = {call.script.name for call in calls}
    guarded = {
        id(holder.node)
        for each in setup.references
        if each.kind == "track_script" and each.name in asking
        for holder in (each.holder, each.holder.group)
        if holder is not None
    }
    for name, _, references in tracked:
        for reference in references:
            group = reference.holder.group
            own_guard = id(reference.holder.node) in guarded
            if not own_guard and (group is None or id(group.node) not in guarded):
                what = f"{reference.holder.name} tracks {name}'s file without a guard"
                why = "the number stays as it is where the watcher was killed"
                cure = f'track a vrrp_script with "kacheck-verdict {name}", too'
                yield found(NO_GUARD, reference.node, what, why, cure)
