"""KA110 to KA118: why process events do not arrive, from the trial's answer and facts. Pure."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Code, Lint, Observation, Severity, finding
from kacheck.doctor.machine.facts import INITIAL, Facts
from kacheck.doctor.machine.process_events import ListenAnswer

ERROR, WARNING = Severity.ERROR, Severity.WARNING
MIGRATE = (
    "Replace vrrp_track_process: `kacheck migrate CONF` writes the configuration for kacheck's"
    " watcher, which needs no process events."
)
CONNECTOR = (
    "keepalived learns from the kernel's process connector which processes start and end. The"
    " doctor opens it as keepalived does, listens, starts a process and waits for its"
    " events. "
)
OF_THE_HOST = (
    " No capability and no mount gives a container these events: keepalived has them only in the"
    " host's own namespaces (`docker run --net=host --pid=host`, without a user namespace). Source:"
    " the kernel's drivers/connector, "
)

STAYS_FAULT = "vrrp_track_process counts no process here: its instances stay in FAULT."
STAYS_MASTER = (
    "vrrp_track_process sees no process end here: an instance that is MASTER stays so, whatever"
    " dies."
)


class Cause(NamedTuple):
    """Why process events do not arrive, and what follows."""

    name: str
    severity: Severity
    title: str
    explanation: str
    what: str
    why: str
    cure: str = MIGRATE

    @property
    def code(self) -> Code:
        """The code of the finding."""
        return Code(*self[:4])


NETWORK = Cause(
    "KA110",
    ERROR,
    "process events are refused: errno 111",
    CONNECTOR
    + "Here the kernel refuses the request to listen with errno 111, ECONNREFUSED: this is"
    " not the host's network namespace, as in LXC, systemd-nspawn with a private network, Docker's"
    " and podman's default, and Kubernetes without hostNetwork. keepalived logs"
    ' "Failed to set/clear process'
    ' event listen - errno 111 - Connection refused", counts no process, says "quorum not'
    ' achieved" and stays in FAULT whatever runs. After a reload (SIGHUP) it is the opposite: it'
    " counts the processes once and then stays MASTER whatever ends." + OF_THE_HOST + "connector.c,"
    " cn_init(): its socket is made in init_net alone. " + MIGRATE,
    STAYS_FAULT,
    "The kernel reports processes only in the host's network namespace, and this is"
    " another one: it refuses with errno 111.",
)
PIDS = Cause(
    "KA111",
    ERROR,
    "process events are ignored: another pid namespace",
    CONNECTOR + "Here the kernel takes the request to listen and never answers: this is the host's"
    " network namespace, but not its pid namespace, as with `docker run --net=host` or a pod with"
    " hostNetwork."
    ' keepalived logs "WARNING - the kernel does not support proc events" (since 2.2.0), counts the'
    " processes once, and then stays MASTER whatever ends: it fails open. While another program of"
    " the host listens, events do come, with the host's pids, which mean other processes here."
    + OF_THE_HOST
    + "cn_proc.c, cn_proc_mcast_ctl(). "
    + MIGRATE,
    STAYS_MASTER,
    "The kernel silently ignores a listener in a pid namespace other than the host's.",
)
USERS = Cause(
    "KA112",
    ERROR,
    "process events are ignored: another user namespace",
    CONNECTOR
    + "Here the kernel takes the request to listen and never answers (before Linux 6.6: it"
    " refuses), because this is not the host's user namespace, as in rootless podman, Docker with"
    " userns-remap, and unprivileged LXC. keepalived counts the processes once and then stays"
    " MASTER whatever ends, except by accident while another program of the host listens."
    + OF_THE_HOST
    + "cn_proc.c, cn_proc_mcast_ctl(). "
    + MIGRATE,
    STAYS_MASTER,
    "The kernel silently ignores a listener in a user namespace other than the host's.",
)
FORBIDDEN = Cause(
    "KA113",
    ERROR,
    "process events are not permitted",
    CONNECTOR + "Here root may not listen: before Linux 6.6 that takes CAP_NET_ADMIN, which Docker"
    " does not give by default, and a seccomp filter can forbid it in any kernel. keepalived"
    ' logs "Failed to bind to process monitoring socket", counts no process and stays in FAULT. It'
    " needs CAP_NET_ADMIN for its addresses too: `--cap-add=NET_ADMIN`, or in a systemd unit"
    " CapabilityBoundingSet= and RestrictAddressFamilies=. " + MIGRATE,
    STAYS_FAULT,
    "Root may not listen to process events here: CAP_NET_ADMIN is missing, or a seccomp"
    " filter forbids it.",
    "Give keepalived CAP_NET_ADMIN, which it needs for its addresses too.",
)
NO_CONNECTOR = Cause(
    "KA114",
    ERROR,
    "a kernel without CONFIG_CONNECTOR",
    CONNECTOR
    + "This kernel has no connector: the socket cannot be made, EPROTONOSUPPORT. keepalived"
    ' says "no kernel support for track_process (CONFIG_PROC_EVENTS)" (since 2.0.20), drops every'
    " vrrp_track_process, and its instances run without them: they fail open. gVisor has none"
    " either.\n\nDo: boot a kernel with CONFIG_CONNECTOR=y and CONFIG_PROC_EVENTS=y, as Debian's"
    " are. Or: " + MIGRATE,
    "keepalived drops vrrp_track_process here: its instances run unmonitored.",
    "The kernel was built without CONFIG_CONNECTOR.",
)
NO_PROC_EVENTS = Cause(
    "KA115",
    ERROR,
    "a kernel without CONFIG_PROC_EVENTS",
    CONNECTOR
    + "This kernel has a connector, but nothing in it that reports processes: it takes the"
    " request to listen and never answers. /proc/net/connector lists no cn_proc, or /proc/config.gz"
    ' or /boot/config-$(uname -r) has no CONFIG_PROC_EVENTS=y. keepalived logs "WARNING - the'
    ' kernel does not support proc events" (since 2.2.0), counts the processes once and then stays'
    " MASTER whatever ends.\n\nDo: boot a kernel with CONFIG_PROC_EVENTS=y, as Debian's are. Or: "
    + MIGRATE,
    STAYS_MASTER,
    "The kernel was built without CONFIG_PROC_EVENTS.",
)
UNEXPLAINED = Cause(
    "KA116",
    ERROR,
    "process events do not arrive",
    CONNECTOR
    + "Here they did not arrive, and none of the known reasons applies: the namespaces are"
    " the host's, or cannot be determined, and nothing is missing in the kernel's configuration."
    " See what the finding quotes, and try again on an idle machine. " + MIGRATE,
    "vrrp_track_process does not learn here which processes start and end.",
    "The kernel did not report a process that the doctor started",
)
UNTRIED = Cause(
    "KA117",
    WARNING,
    "process events could not be tried",
    CONNECTOR + "Before Linux 6.6 only root may do that, and the doctor does not run as root. Run"
    " `sudo kacheck doctor`, in the container that keepalived runs in.",
    "Whether vrrp_track_process works here is not known.",
    "This kernel lets only root listen to process events.",
    "Run the doctor as root.",
)

CAUSES = (NETWORK, PIDS, USERS, FORBIDDEN, NO_CONNECTOR, NO_PROC_EVENTS, UNEXPLAINED, UNTRIED)
AT_ONCE = {
    ListenAnswer.WORKS: None,
    ListenAnswer.REFUSED: NETWORK,
    ListenAnswer.NO_CONNECTOR: NO_CONNECTOR,
}
"""Answers that need no further facts."""


def cause_of(facts: Facts) -> Cause | None:
    """Return why process events do not arrive; None: they do."""
    answer = facts.events.answer
    if answer in AT_ONCE:
        return AT_ONCE[answer]
    if answer is ListenAnswer.SILENCE and facts.kernel_reports is False:
        return NO_PROC_EVENTS
    if answer is ListenAnswer.SILENCE and _is_other(facts, "pid"):
        return PIDS
    if answer in (ListenAnswer.SILENCE, ListenAnswer.FORBIDDEN) and _is_other(facts, "user"):
        return USERS
    if answer is ListenAnswer.FORBIDDEN:
        return FORBIDDEN if facts.is_root else UNTRIED
    return UNEXPLAINED


def _is_other(facts: Facts, kind: str) -> bool:
    return facts.namespaces[kind] not in (None, INITIAL[kind])


def _why(cause: Cause, facts: Facts) -> str:
    if cause is UNEXPLAINED:
        return f"{cause.why}: {facts.events.detail or 'it did not answer'}."
    return cause.why


def _find(cause: Cause, context: Context) -> Iterable[Observation]:
    """Find the cause, where the configuration has a vrrp_track_process."""
    facts = context.facts
    if facts is not None and cause_of(facts) is cause and "track_process" in context.features:
        yield Observation(cause.what, _why(cause, facts), cause.cure)


LINTS = tuple(Lint(cause.code, partial(_find, cause)) for cause in CAUSES)


@finding(
    "KA118",
    Severity.NOTE,
    "vrrp_track_process would not work here",
    CONNECTOR + "They do not arrive here. That does no harm, since the configuration has no"
    " vrrp_track_process. Do not add one here; `kacheck process` and the watcher need no process"
    " events. The codes KA110 to KA116 explain the causes.",
)
def not_usable(context: Context) -> Iterator[Observation]:
    """Find that process events do not arrive where nothing uses them yet."""
    cause = cause_of(context.facts) if context.facts is not None else None
    if context.facts is None or cause is None or cause is UNTRIED:
        return
    if "track_process" not in context.features:
        cure = "Nothing: the configuration has none, and `kacheck process` needs no such events."
        what = "vrrp_track_process would not work here."
        yield Observation(what, _why(cause, context.facts), cure)
