"""Does a program succeed? A monitoring plugin or a script, run without a shell."""

from kacheck.kinds import ANY_TEXT
from kacheck.probe import Option, Probe
from kacheck.probes.command.reasons import REASONS

PROBE = Probe(
    name="command",
    summary="Run a program, such as a monitoring plugin, and judge its exit code",
    description="Run a program, such as a monitoring plugin, and judge its exit code as Nagios "
    "does: 0 is ok, 1 warning, 2 critical, 3 unknown. Everything else fails, each with a separate "
    "reason.\n\n"
    "The program is started without a shell, with /dev/null as its standard input, in a separate "
    "process group. At the deadline, and when the program has exited, every process that is left "
    "in that group is killed. The first line of its output is the message; performance data, "
    "after a `|`, is in the formats `json` and `nagios`.\n\n"
    "Put `--` before the program, so that its options are not taken for those of kacheck.",
    options=(
        Option(
            "argv",
            ANY_TEXT,
            "the program, and its arguments",
            metavar="ARGV",
            example="/usr/lib/nagios/plugins/check_load",
            details="Give the program's absolute path, or a name that PATH finds. Every user can "
            "see the arguments in the list of processes, so give no password there. In the "
            "watcher it runs as the watcher's user, within the limits of kacheck.service.",
            is_positional=True,
            is_repeatable=True,
            is_required=True,
            is_secret=True,
        ),
    ),
    reasons=REASONS,
    prepare="kacheck.probes.command.look:prepare",
    look="kacheck.probes.command.look:look",
    repeated="kacheck.probes.command.look:repeated",
    warnings="kacheck.probes.command.look:warnings",
)
