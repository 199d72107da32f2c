"""KA120 and KA121: what this machine keeps from keepalived and its checks."""

from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, finding
from kacheck.doctor.machine.missing_events import cause_of


@finding(
    "KA120",
    Severity.NOTE,
    "this looks like a container",
    "The signs are /run/systemd/container, /run/.containerenv, /.dockerenv, `container=` in the"
    " environment of process 1, KUBERNETES_SERVICE_HOST, or the path of its cgroup. A container"
    " matters to keepalived in three ways. It may get no process events (KA110 to KA112). It sets"
    " its addresses in this network namespace only. And the program of every check must be in the"
    " image.",
)
def container(context: Context) -> Iterator[Observation]:
    """Find that this looks like a container."""
    if context.facts is None or context.facts.container is None:
        return
    kind, evidence = context.facts.container
    why, cure = "Process events may not arrive in a container; here they do.", "Nothing."
    if cause_of(context.facts) is not None:
        why = "A container has process events only in all of the host's namespaces."
        cure = "Use kacheck's checks for processes: they need no process events."
    yield Observation(f"This looks like a {kind} container, by {evidence}.", why, cure)


@finding(
    "KA121",
    Severity.WARNING,
    "/proc hides processes from the checks",
    "/proc is mounted with hidepid, so that users see only their own processes. `kacheck process`"
    " then answers `unknown hidden`, which fails, since it cannot tell a hidden process from a"
    " missing one; pidof and pgrep say that it is missing. keepalived's own vrrp_track_process"
    " reads /proc as root, so that hidepid does not matter. Source: proc(5), hidepid=; the"
    " kernel's fs/proc/base.c, has_pid_permissions().",
)
def hidden_processes(context: Context) -> Iterator[Observation]:
    """Find that /proc hides processes from the checks."""
    facts = context.facts
    if facts is not None and facts.hidepid is not None:
        yield Observation(
            f"Checks that run as {facts.user} do not see other users' processes.",
            f"/proc is mounted with hidepid={facts.hidepid}.",
            f"Write `user root` in the vrrp_script, or mount /proc with gid= and a group that"
            f" {facts.user} is in.",
        )
