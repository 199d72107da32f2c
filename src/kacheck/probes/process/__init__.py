"""Is a process alive? vrrp_track_process's question, without the kernel's process connector."""

from kacheck.kinds import ANY_TEXT, FLAG, TEXT, USER, one_of, whole
from kacheck.probe import Option, Probe
from kacheck.probes.process.reasons import MISSING, RUNNING, TOO_FEW, TOO_MANY

SCOPE = (
    Option(
        "user", USER, "count only processes whose real and effective user is USER", metavar="USER"
    ),
    Option(
        "all_namespaces",
        FLAG,
        "count processes of nested pid namespaces, such as containers on this host, too",
        default=False,
    ),
)
"""The options that say whose processes count."""

PROBE = Probe(
    name="process",
    summary="is the process alive?",
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
            "with ARGs the arguments of the process must match too. Put -- before a NAME or ARG "
            "that begins with a dash",
            metavar="ARG",
            default=(),
            is_positional=True,
            is_repeatable=True,
        ),
        Option("quorum", whole(1, 65535), "at least N processes", metavar="N", default=1),
        Option(
            "quorum_max", whole(0, 65535), "at most N processes; 0: it must not run", metavar="N"
        ),
        Option(
            "param_match",
            one_of("exact", "initial", "partial"),
            "exact: the ARGs are all there are (the default with ARGs); initial: the last ARG may "
            "be a prefix; partial: they are the first ones",
        ),
        Option(
            "full_command",
            FLAG,
            "NAME is argv[0] to the letter, as keepalived compares it: no part of it, no "
            "executable or script of that name",
            default=False,
        ),
        *SCOPE,
    ),
    reasons=(RUNNING, MISSING, TOO_FEW, TOO_MANY),
    prepare="kacheck.probes.process.look:prepare",
    look="kacheck.probes.process.look:probe",
    repeated="kacheck.probes.process.tracker:Tracker",
    detailed="kacheck.probes.process.look:detailed",
)
