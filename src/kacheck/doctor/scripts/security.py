"""KA225 and KA226: the paths that keepalived rejects for what runs as root: check_security()."""

import os
from collections.abc import Iterator

from kacheck.doctor.context import Context
from kacheck.doctor.finding import Observation, Severity, at, finding
from kacheck.doctor.scripts.program import (
    REMOVED,
    UNTRACKED,
    Program,
    described,
    prefixes,
    unsafe_because,
)

TRUE, FALSE = ("true", "on", "yes"), ("false", "off", "no")
"""check_true_false() in lib/parser.c."""


@finding(
    "KA225",
    Severity.ERROR,
    "a path that enable_script_security rejects",
    REMOVED
    + """With enable_script_security, every component from / to a
script that root or group root runs must be owned by root. No group other than root may write to it,
and not everyone (except to a sticky directory): check_security() in lib/notify.c. keepalived checks
the resolved path, and since 2.3.0 the configured one, too. With use_symlink_paths 2.3 checks only
the configured path, so the target of a link may belong to anybody; 2.4.0 checks both again.

See it: "Unsafe permissions found for script"; keepalived -t exits 5 (before 2.2.0: 4).
Do: chown root:root and chmod go-w what the finding names; or put the script elsewhere.""",
)
def unsafe_path(context: Context) -> Iterator[Observation]:
    """Find components of a path that other users than root can change."""
    for program in context.programs:
        if not program.is_checked or not program.script.security:
            continue
        for component in _checked_components(context, program):
            status = context.system.status(component)
            trouble = status and unsafe_because(status)
            if status and trouble:
                owner = described(context.system, status)
                what = f"{program.script.name}: {component} ({owner}) {trouble}"
                cure = f"chown root:root {component} && chmod go-w {component}"
                if status.is_directory and status.uid:
                    cure = "move the script to where only root writes, such as /etc/keepalived"
                yield at(program.script.node, what, UNTRACKED, cure)


def _checked_components(context: Context, program: Program) -> list[str]:
    paths = [] if _is_target_unchecked(context) else prefixes(program.real)
    if context.is_from(2, 3, 0) and program.path is not None:
        paths += prefixes(os.path.normpath(program.path))
    return [*dict.fromkeys(paths)]


def _is_target_unchecked(context: Context) -> bool:
    """Return whether only the configured path is checked: 2.3, with use_symlink_paths."""
    keeps_links = False
    for line in context.configuration.find("global_defs", "use_symlink_paths"):
        word = "".join(line.arguments[:1]) or "true"
        keeps_links = word in TRUE or (keeps_links and word not in FALSE)
    return keeps_links and not context.is_before(2, 3, 0) and not context.is_from(2, 4, 0)


@finding(
    "KA226",
    Severity.ERROR,
    "a path through a link to a directory, since keepalived 2.3",
    REMOVED
    + """Since 2.3.0 keepalived checks the path as it is configured. If
root or group root runs the script, each component before the last must be a real directory, with or
without enable_script_security and use_symlink_paths: /bin/x is rejected if /bin is a link to
usr/bin, and so is /sbin/x. 2.2 resolves the path first.

See it: "Wrong file type found in script path".
Do: write the real path, as readlink -f shows it; only the file itself may be a link.""",
)
def linked_directory(context: Context) -> Iterator[Observation]:
    """Find links before the last component of a path."""
    for program in context.programs if context.is_from(2, 3, 0) else ():
        if not program.is_checked or program.path is None:
            continue
        for directory in prefixes(os.path.normpath(program.path))[:-1]:  # clean_path()
            status = context.system.status(directory)
            if status is not None and status.is_link:
                directories, name = os.path.split(program.path)
                what = f"{program.script.name}: {directory} is a link, which keepalived since 2.3"
                cure = f"write {context.system.realpath(directories)}/{name}"
                yield at(program.script.node, f"{what} rejects", UNTRACKED, cure)
                break
