"""The machine under keepalived: what of it makes a configuration fail (KA101 to KA129). Pure.

    findings(gather(), {"track_process", "vrrp_script"})   # what the configuration uses

The words for what it uses are those of versions.py.
"""

from collections.abc import Set as AbstractSet

from kacheck.doctor import causes, versions
from kacheck.doctor.causes import MIGRATE
from kacheck.doctor.facts import Facts, gather, run_by
from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.keepalived import DEFAULT
from kacheck.keepalived.program import Keepalived
from kacheck.keepalived.releases import OLDEST
from kacheck.keepalived.version import Version

__all__ = ["CODES", "Facts", "findings", "gather", "run_by"]

NO_RELEASE = f"keepalived's version is not known; the configuration is read as {DEFAULT} reads it."
PIDS_OF_16_BITS = 32768
"""A pid_max up to here gives pids up to 32767."""
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
NOT_INSTALLED = Code(
    "KA101",
    WARNING,
    "keepalived is not installed",
    "There is no keepalived in PATH, /usr/local/sbin, /usr/sbin or /sbin. Without its version the"
    " doctor cannot say which known faults the configuration meets, and nothing asks keepalived"
    f" itself (`keepalived -t`). The configuration is read as keepalived {DEFAULT} reads it; 2.4.0"
    " reads comments that end in a backslash, long lines and definitions differently. Run the"
    " doctor where keepalived runs: in the same container.",
)
NO_VERSION = Code(
    "KA102",
    WARNING,
    "keepalived does not say its version",
    "`keepalived -v` prints `Keepalived v2.2.7 (...)` on stderr. Without that the doctor cannot say"
    " which known faults the configuration meets, and reads it as keepalived"
    f" {DEFAULT} does. Run `keepalived -v` and read what it says: a library that is missing, or a"
    " wrapper of that name.",
)
BUILT_WITHOUT = Code(
    "KA103",
    ERROR,
    "keepalived was built without it",
    "The `Config options` that `keepalived -v` prints say what it was built with."
    " DISABLE_TRACK_PROCESS means that vrrp_track_process and track_process are unknown keywords,"
    " and without VRRP all of VRRP is: keepalived reports them and runs without (configure.ac:"
    " --disable-track-process, --disable-vrrp). Install a package that has them; for processes"
    " there is kacheck.",
)
TOO_OLD = Code(
    "KA104",
    WARNING,
    "a keepalived that is too old for kacheck",
    f"kacheck's recipes, and what `kacheck migrate` writes, are for keepalived {OLDEST} and later."
    " Before 2.0.18 `weight 0 reverse` of a track file is not understood, and such a line is"
    " ignored: the VIP stays whatever fails. See KA150. Releases up to 2.0.19 have faults of their"
    " own: KA130, KA137, KA142. Upgrade keepalived.",
)
CONTAINER = Code(
    "KA120",
    NOTE,
    "this looks like a container",
    "By /run/systemd/container, /run/.containerenv, /.dockerenv, `container=` in the environment of"
    " process 1, KUBERNETES_SERVICE_HOST or the path of its cgroup. That matters to keepalived in"
    " three ways: its process events (KA110 to KA112), its addresses, which it sets in this network"
    " namespace alone, and what must be in the image: every check's program.",
)
HIDEPID = Code(
    "KA121",
    WARNING,
    "/proc hides processes from the checks",
    "/proc is mounted with hidepid, so that a user sees only processes of his own. `kacheck"
    " process` then answers `unknown hidden`, which fails, since it cannot tell a process that is"
    " hidden from one that is missing; pidof and pgrep say that it is missing. keepalived's own"
    " vrrp_track_process reads /proc as root and is not hindered. Source: proc(5), hidepid=; the"
    " kernel's fs/proc/base.c, has_pid_permissions().",
)


CODES = (
    *(NOT_INSTALLED, NO_VERSION, BUILT_WITHOUT, TOO_OLD),
    *causes.CODES,
    *(CONTAINER, HIDEPID),
    *versions.CODES,
)


def findings(facts: Facts, uses: AbstractSet[str]) -> list[Finding]:
    """What is wrong with the machine for a configuration that uses this, by code."""
    return [
        *_of_keepalived(facts.keepalived, uses),
        *causes.findings(facts, uses),
        *_of_container(facts),
        *_of_hidepid(facts),
        *_of_version(facts, uses),
    ]


def _of_keepalived(keepalived: Keepalived | None, uses: AbstractSet[str]) -> list[Finding]:
    if keepalived is None:
        what, why = NO_RELEASE, "There is no keepalived here."
        cure = "Run the doctor where keepalived runs, or install it: apt install keepalived."
        return [Finding(NOT_INSTALLED, what, why, cure)]
    if keepalived.version is None:
        why = f"`{keepalived.path} -v` does not say it."
        return [Finding(NO_VERSION, NO_RELEASE, why, f"Run it: `{keepalived.path} -v`.")]
    return [*_too_old(keepalived.version), *_missing(keepalived, uses)]


def _too_old(version: Version) -> list[Finding]:
    if version >= OLDEST:
        return []
    what = f"keepalived {version} is too old for kacheck's checks."
    why = f"They need {OLDEST} or later."
    return [Finding(TOO_OLD, what, why, f"Upgrade keepalived to {OLDEST} or later.")]


def _missing(keepalived: Keepalived, uses: AbstractSet[str]) -> list[Finding]:
    return [
        Finding(
            BUILT_WITHOUT,
            f"keepalived does not know {missing}, and runs without.",
            f"{keepalived.path} was built {how}.",
            cure,
        )
        for missing, how, cure in _built_without(keepalived.options, uses)
    ]


def _built_without(options: AbstractSet[str], uses: AbstractSet[str]) -> list[tuple[str, str, str]]:
    if options and "VRRP" not in options and uses:
        cure = "Install a keepalived with VRRP in the `Config options` of `keepalived -v`."
        return [("VRRP", "with --disable-vrrp", cure)]
    if "DISABLE_TRACK_PROCESS" in options and "track_process" in uses:
        return [("vrrp_track_process", "with --disable-track-process", MIGRATE)]
    return []


def _of_container(facts: Facts) -> list[Finding]:
    if facts.container is None:
        return []
    kind, evidence = facts.container
    why = "It shows in whether process events arrive: here they do."
    cure = "Nothing."
    if causes.cause(facts) is not None:
        why = "A container has process events only in all of the host's namespaces."
        cure = "Use kacheck's checks for processes: they need no process events."
    return [Finding(CONTAINER, f"This looks like a {kind} container, by {evidence}.", why, cure)]


def _of_hidepid(facts: Facts) -> list[Finding]:
    if facts.hidepid is None:
        return []
    return [
        Finding(
            HIDEPID,
            f"Checks that run as {facts.user} do not see other users' processes.",
            f"/proc is mounted with hidepid={facts.hidepid}.",
            f"Write `user root` in the vrrp_script, or mount /proc with gid= and a group of"
            f" {facts.user}'s.",
        )
    ]


def _of_version(facts: Facts, uses: AbstractSet[str]) -> list[Finding]:
    if facts.keepalived is None or facts.keepalived.version is None:
        return []
    machine = {"large_pids"} if facts.pid_max > PIDS_OF_16_BITS else set()
    return versions.met(facts.keepalived.version, uses | machine)
