"""May we read all that keepalived reads? A part of it would be judged wrongly."""

import errno
import os
import re
import stat
from pathlib import Path

from kacheck.keepalived import Configuration, Kind, files
from kacheck.keepalived.lexer import include_of
from kacheck.result import BadConfigError

WILDCARD = re.compile(r"[*?\[{]")


def refuse_unreadable(path: str) -> None:
    """Refuse a path that cannot be read, or that may block or never end."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise BadConfigError(f"{path}: not a regular file; give another path")
        with open(path, "rb", buffering=0):
            pass
    except OSError as error:
        cure = "run it as root" if isinstance(error, PermissionError) else "give another path"
        raise BadConfigError(f"{path}: {error.strerror}; {cure}") from None


def refuse_hidden(configuration: Configuration) -> None:
    """Refuse an include of something that keepalived, which is root, may read and we may not."""
    seen: set[tuple[str, str]] = set()
    budget = files.Budget(files.MAX_NAMES)
    for name, tree in configuration.files.items():
        for node in tree.root.walk():
            if node.kind is not Kind.INCLUDE:
                continue
            _, pattern = include_of(node.line.text, node.line.source.rules) or ("", "")
            include = os.path.dirname(name), pattern
            path = None if include in seen else _hidden(*include, budget)
            seen.add(include)
            if path is not None:
                where = f"{name}:{node.position.line}: {path}"
                raise BadConfigError(f"{where}: Permission denied; run it as root")


def _hidden(directory: str, pattern: str, budget: files.Budget) -> str | None:
    """Return the first directory or file of an include that exists and that we may not read."""
    whole = os.path.join(directory, pattern)
    fixed = WILDCARD.split(whole)[0]
    base = Path(fixed).parent if whole == fixed else Path(os.path.dirname(fixed))
    for parent in (*reversed(base.parents), base):
        mode = os.X_OK if parent != base or whole == fixed else os.X_OK | os.R_OK
        if parent.is_dir() and not _may(str(parent), mode):
            return str(parent)
    paths = [whole] if whole == fixed else files.glob(pattern, directory, budget).paths
    return next((path for path in paths if os.path.exists(path) and not _may(path, os.R_OK)), None)


def _may(path: str, mode: int) -> bool:
    """Return what os.access() says for the effective user."""
    return os.access(path, mode, effective_ids=True)
