"""KA009 and KA101 to KA104: keepalived as it is installed here."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, finding
from kacheck.doctor.machine.missing_events import MIGRATE
from kacheck.keepalived import DEFAULT
from kacheck.keepalived.releases import OLDEST

NO_RELEASE = f"keepalived's version is not known; the configuration is read as {DEFAULT} reads it."


@finding(
    "KA009",
    Severity.NOTE,
    "keepalived.conf does not exist",
    """\
Without a path `kacheck doctor` reads /etc/keepalived/keepalived.conf. If that file does not exist,
it examines only the environment: keepalived itself, the kernel, the container.

Do: kacheck doctor PATH.""",
)
def no_configuration(context: Context) -> Iterator[Observation]:
    """Report a missing configuration."""
    if not context.configuration.files:
        yield Observation(
            f"{context.path} does not exist: only the environment was examined",
            "no configuration was named",
            "name it: kacheck doctor PATH",
        )


@finding(
    "KA101",
    Severity.WARNING,
    "keepalived is not installed",
    "keepalived is not in PATH, /usr/local/sbin, /usr/sbin or /sbin. Without its version the"
    " doctor cannot say which known faults the configuration meets, and nothing asks keepalived"
    f" itself (`keepalived -t`). The configuration is read as keepalived {DEFAULT} reads it; 2.4.0"
    " reads comments that end in a backslash, long lines and definitions differently. Run the"
    " doctor where keepalived runs: in the same container.",
)
def not_installed(context: Context) -> Iterator[Observation]:
    """Report that keepalived is not installed."""
    if context.facts is not None and context.facts.keepalived is None:
        cure = "Run the doctor where keepalived runs, or install it: apt install keepalived."
        yield Observation(NO_RELEASE, "keepalived is not installed here.", cure)


@finding(
    "KA102",
    Severity.WARNING,
    "keepalived does not say its version",
    "`keepalived -v` prints `Keepalived v2.2.7 (...)` on stderr. Without that the doctor cannot say"
    " which known faults the configuration meets, and reads it as keepalived"
    f" {DEFAULT} does. Run `keepalived -v` and read what it prints: a library may be missing, or it"
    " may be a wrapper of that name.",
)
def no_version(context: Context) -> Iterator[Observation]:
    """Find a keepalived that does not say its version."""
    keepalived = context.keepalived
    if keepalived is not None and keepalived.version is None:
        why = f"`{keepalived.path} -v` does not print it."
        yield Observation(NO_RELEASE, why, f"Run it: `{keepalived.path} -v`.")


@finding(
    "KA103",
    Severity.ERROR,
    "keepalived was built without a feature that is configured",
    "`keepalived -v` prints the `Config options` that it was built with. With DISABLE_TRACK_PROCESS"
    " vrrp_track_process and track_process are unknown keywords; without VRRP all keywords of VRRP"
    " are unknown. keepalived reports them and runs without them (configure.ac:"
    " --disable-track-process, --disable-vrrp). Install a package that was built with the feature."
    " In place of vrrp_track_process you can use kacheck.",
)
def built_without(context: Context) -> Iterator[Observation]:
    """Find features that keepalived was built without."""
    keepalived = context.keepalived
    if keepalived is None or keepalived.version is None:
        return
    for feature, how, cure in _missing_features(keepalived.options, context.features):
        what = f"keepalived does not know {feature}, and runs without it."
        yield Observation(what, f"{keepalived.path} was built {how}.", cure)


def _missing_features(
    options: AbstractSet[str], features: AbstractSet[str]
) -> list[tuple[str, str, str]]:
    """Return what is missing, by which option of configure, and the cure."""
    if options and "VRRP" not in options and features:
        cure = "Install a keepalived with VRRP in the `Config options` of `keepalived -v`."
        return [("VRRP", "with --disable-vrrp", cure)]
    if "DISABLE_TRACK_PROCESS" in options and "track_process" in features:
        return [("vrrp_track_process", "with --disable-track-process", MIGRATE)]
    return []


@finding(
    "KA104",
    Severity.WARNING,
    "keepalived is too old for kacheck",
    f"kacheck's recipes, and what `kacheck migrate` writes, are for keepalived {OLDEST} and later."
    " Before 2.0.18 `weight 0 reverse` of a track file is not understood, and such a line is"
    " ignored: the VIP stays whatever fails. See KA150. Releases up to 2.0.19 also have the faults"
    " KA130, KA137 and KA142. Upgrade keepalived.",
)
def too_old(context: Context) -> Iterator[Observation]:
    """Find a keepalived that is too old for kacheck."""
    if context.keepalived is None or context.keepalived.version is None:
        return
    if context.keepalived.version < OLDEST:
        what = f"keepalived {context.keepalived.version} is too old for kacheck's checks."
        cure = f"Upgrade keepalived to {OLDEST} or later."
        yield Observation(what, f"They need {OLDEST} or later.", cure)
