"""May we read all that keepalived reads? What is judged by a part of it is judged wrongly."""

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
    """Refuse to look where nothing can be seen; what is no file may block, or never end."""
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
    """Refuse where an include names what keepalived may read, who is root, and we may not."""
    seen: set[tuple[str, str]] = set()
    budget = files.Budget(files.MAX_NAMES)
    for name, tree in configuration.files.items():
        for node in tree.root.walk():
            if node.kind is not Kind.INCLUDE:
                continue
            _, pattern = include_of(node.line.text, node.line.source.rules) or ("", "")
            place = os.path.dirname(name), pattern
            path = None if place in seen else hidden(*place, budget)
            seen.add(place)
            if path is not None:
                where = f"{name}:{node.position.line}: {path}"
                raise BadConfigError(f"{where}: Permission denied; run it as root")


def hidden(directory: str, pattern: str, budget: files.Budget) -> str | None:
    """The first directory or file of an include that is there and that we may not read."""
    whole = os.path.join(directory, pattern)
    fixed = WILDCARD.split(whole)[0]
    base = Path(fixed).parent if whole == fixed else Path(os.path.dirname(fixed))
    for each in (*reversed(base.parents), base):
        wanted = os.X_OK if each != base or whole == fixed else os.X_OK | os.R_OK
        if each.is_dir() and not may(str(each), wanted):
            return str(each)
    found = [whole] if whole == fixed else files.glob(pattern, directory, budget).paths
    return next((each for each in found if os.path.exists(each) and not may(each, os.R_OK)), None)


def may(path: str, mode: int) -> bool:
    """As os.access(), for whom we are in effect."""
    return os.access(path, mode, effective_ids=True)
