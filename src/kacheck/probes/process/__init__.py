"""Is a process alive? vrrp_track_process's question, without the kernel's process connector."""

from kacheck.kinds import ANY_TEXT, FLAG, TEXT, USER, one_of, whole
from kacheck.probe import Option, Probe
from kacheck.probes.process.reasons import MISSING, RUNNING, TOO_FEW, TOO_MANY

SCOPE = (
    Option(
        "user",
        USER,
        "count only processes of this real and effective user, a name or a number",
        metavar="USER",
        details="Without it every user's processes count, and any user can start one. A setuid "
        "program such as su, which any user can start under any name, has the real user of "
        "whoever started it.",
    ),
    Option(
        "all_namespaces",
        FLAG,
        "count processes of nested pid namespaces too, such as containers on this host",
        default=False,
    ),
)
"""The options that say whose processes count."""

PROBE = Probe(
    name="process",
    summary="Check whether a process runs",
    description="Check whether a process runs, without the kernel's process connector, so that it "
    "works in every container.\n\n"
    "NAME is compared with the command name (comm), which has at most 15 bytes and no path. A "
    "longer NAME, or one with a slash, is compared with argv[0], with the executable, and with "
    "the script whose `#!` line names its interpreter directly.\n\n"
    "It does not count zombies, the check itself and its parents, other checks of kacheck, and "
    "processes of containers on this host. A process whose main thread has exited counts while "
    "another of its threads runs.\n\n"
    "Put `--` before a NAME or ARG that begins with a dash.",
    options=(
        Option(
            "name",
            TEXT,
            "the name of the process",
            metavar="NAME",
            example="vault",
            is_positional=True,
            is_required=True,
        ),
        Option(
            "args",
            ANY_TEXT,
            "arguments that the process must have as well",
            metavar="ARG",
            default=(),
            is_positional=True,
            is_repeatable=True,
        ),
        Option(
            "quorum",
            whole(1, 65535),
            "require at least this many processes",
            metavar="N",
            default=1,
        ),
        Option(
            "quorum_max",
            whole(0, 65535),
            "allow at most this many processes; 0: it must not run; default: no limit",
            metavar="N",
        ),
        Option(
            "param_match",
            one_of("exact", "initial", "partial"),
            "how arguments are compared; `exact`: the process has these and no others; `initial`: "
            "the last one may be a prefix; `partial`: the process may have others after them",
            details="With arguments the default is `exact`. Without arguments, `exact` matches a "
            "process that has none.",
        ),
        Option(
            "full_command",
            FLAG,
            "require that argv[0] equals the name exactly, as keepalived does",
            default=False,
            details="Then a part of argv[0] does not count, nor does an executable or script of "
            "that name.",
        ),
        *SCOPE,
    ),
    reasons=(RUNNING, MISSING, TOO_FEW, TOO_MANY),
    prepare="kacheck.probes.process.options:prepare",
    look="kacheck.probes.process.look:probe",
    repeated="kacheck.probes.process.tracker:Tracker",
    detailed="kacheck.probes.process.options:detailed",
)
