"""KA510: would keepalived run the entry points from where this installation has put them?"""

import os
from collections.abc import Iterator
from contextlib import suppress

import kacheck
from kacheck.doctor.calls import calls_of
from kacheck.doctor.executables import described, prefixes, rejected
from kacheck.doctor.finding import Code, Finding, Severity
from kacheck.doctor.reading import Setup
from kacheck.doctor.system import System

REFUSED = Code(
    "KA510",
    Severity.NOTE,
    "entry points of kacheck's that keepalived would refuse",
    """\
Whoever may write to an entry point, or to a directory above it, decides what keepalived runs as
root. With enable_script_security it removes such a script, and its instances run untracked: the
VIP stays whatever fails (see KA225). Such are a checkout, a virtual environment, pipx and
`uv tool` in a home directory that is not root's. By hand the checks work there as anywhere. It
is said only where the configuration does not call kacheck yet: otherwise KA225 judges the path
that it has.

See it: namei -om FILE; "Unsafe permissions found for script" in keepalived's log.
Do: install the Debian package; or, as root with umask 022, into a directory that is root's alone:
python3 -m venv /opt/kacheck and its pip; PIPX_HOME=/opt/pipx pipx; UV_TOOL_DIR=/opt/uv uv tool.""",
)
CODES = (REFUSED,)
ENTRY_POINT = "kacheck-process"
"""The others lie beside it."""
PACKAGE = "/usr/libexec/kacheck"


def findings(system: System, setup: Setup | None = None) -> Iterator[Finding]:
    """Nothing where the configuration calls kacheck: that path is judged where it stands."""
    directory = None if setup and calls_of(setup) else entry_points()
    for component in prefixes(f"{directory}/{ENTRY_POINT}") if directory else ():
        status = system.status(component)
        trouble = status and rejected(status)
        if status and trouble:
            owner = described(system, status)
            yield Finding(
                REFUSED,
                f"the entry points in {directory} are not for keepalived: {component} ({owner})"
                f" {trouble}",
                "with enable_script_security keepalived removes such a script, and who tracks it"
                " runs untracked",
                "use them by hand alone; for keepalived install the Debian package, or as root"
                " into a virtual environment in /opt",
            )
            return


def entry_points() -> str | None:
    """The directory of the entry points that belong to this kacheck.

    Of a checkout it is beside src/; of what pip, pipx or uv has installed it is on record; of the
    Debian package, which has no such record, it is always the same.
    """
    from importlib.metadata import PackageNotFoundError, files

    directories = [os.path.join(os.path.dirname(kacheck.__file__), "../../checks")]
    with suppress(PackageNotFoundError):
        recorded = [str(each.locate()) for each in files("kacheck") or ()]
        directories += [os.path.dirname(path) for path in recorded if path.endswith(ENTRY_POINT)]
    for directory in map(os.path.realpath, (*directories, PACKAGE)):
        if os.path.isfile(f"{directory}/{ENTRY_POINT}"):
            return directory
    return None
