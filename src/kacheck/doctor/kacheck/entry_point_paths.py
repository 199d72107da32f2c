"""Where this installation has put the entry points, and the lines that call them."""

import os
from contextlib import suppress

import kacheck
from kacheck.keepalived import DEFAULT, Version
from kacheck.migrate.equivalents import script_word

ENTRY_POINT = "kacheck-process"
"""The others lie beside it."""
PACKAGE = "/usr/libexec/kacheck"


def entry_points() -> str | None:
    """Return the directory of the entry points that belong to this kacheck.

    In a checkout it is beside src/; pip, pipx and uv keep a record of it; the Debian package, which
    has no such record, always uses the same one.
    """
    from importlib.metadata import PackageNotFoundError, files

    directories = [os.path.join(os.path.dirname(kacheck.__file__), "../../checks")]
    with suppress(PackageNotFoundError):
        recorded = [str(file.locate()) for file in files("kacheck") or ()]
        directories += [os.path.dirname(path) for path in recorded if path.endswith(ENTRY_POINT)]
    for directory in map(os.path.realpath, (*directories, PACKAGE)):
        if os.path.isfile(f"{directory}/{ENTRY_POINT}"):
            return directory
    return None


def script_line(name: str, *arguments: str, release: Version | None = None) -> str:
    """Return the `script` line that calls an entry point by its full path, ready to be pasted.

    keepalived looks along its own PATH, where the entry points are not.
    """
    command = [f"{entry_points() or PACKAGE}/{name}", *arguments]
    return f"script {script_word(command, release or DEFAULT)}"
