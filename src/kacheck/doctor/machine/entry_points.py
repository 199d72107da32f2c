"""KA510: whether keepalived would run the entry points from where they are installed."""

from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, finding
from kacheck.doctor.kacheck.entry_point_paths import ENTRY_POINT, entry_points
from kacheck.doctor.scripts.program import described, prefixes, unsafe_because


@finding(
    "KA510",
    Severity.NOTE,
    "entry points that keepalived would refuse",
    """\
Whoever may write to an entry point, or to a directory above it, decides what keepalived runs as
root. With enable_script_security it removes such a script, and its instances run unmonitored: the
VIP stays whatever fails (see KA225). This happens in a checkout, a virtual environment, pipx or
`uv tool` in a home directory other than root's. By hand the checks work there as anywhere. This
finding is only for a configuration that does not call kacheck yet; afterwards KA225 judges the path
that is configured.

See it: namei -om FILE; "Unsafe permissions found for script" in keepalived's log.
Do: install the Debian package; or install as root, with umask 022, into a directory that only root
can write to: python3 -m venv /opt/kacheck and its pip; PIPX_HOME=/opt/pipx pipx;
UV_TOOL_DIR=/opt/uv uv tool.""",
)
def refused_entry_points(context: Context) -> Iterator[Observation]:
    """Find entry points that keepalived would refuse; a path that is configured is KA225's."""
    directory = None if context.calls else entry_points()
    for component in prefixes(f"{directory}/{ENTRY_POINT}") if directory else ():
        status = context.system.status(component)
        trouble = status and unsafe_because(status)
        if status and trouble:
            owner = described(context.system, status)
            yield Observation(
                f"keepalived would refuse the entry points in {directory}: {component} ({owner})"
                f" {trouble}",
                "with enable_script_security keepalived removes such a script, and instances that"
                " track it run unmonitored",
                "use them only by hand; for keepalived install the Debian package, or as root"
                " into a virtual environment in /opt",
            )
            return
