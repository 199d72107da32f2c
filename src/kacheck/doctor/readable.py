"""May we read all that keepalived reads? What is judged by a part of it is judged wrongly."""

import errno
import glob
import os
import re
import stat
from pathlib import Path

from kacheck.keepalived import Configuration, Kind
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
    for name, tree in configuration.files.items():
        for node in tree.root.walk():
            if node.kind is Kind.INCLUDE:
                pattern = "".join(node.line.text.split(None, 1)[1:])
                path = hidden(os.path.join(os.path.dirname(name), pattern))
                if path is not None:
                    where = f"{name}:{node.position.line}: {path}"
                    raise BadConfigError(f"{where}: Permission denied; run it as root")


def hidden(pattern: str) -> str | None:
    """The first directory or file of an include that is there and that we may not read."""
    fixed = WILDCARD.split(pattern)[0]
    base = Path(fixed).parent if pattern == fixed else Path(os.path.dirname(fixed))
    for directory in (*reversed(base.parents), base):
        wanted = os.X_OK if directory != base or pattern == fixed else os.X_OK | os.R_OK
        if directory.is_dir() and not may(str(directory), wanted):
            return str(directory)
    files = [pattern] if pattern == fixed else glob.glob(pattern)
    return next((each for each in files if os.path.exists(each) and not may(each, os.R_OK)), None)


def may(path: str, mode: int) -> bool:
    """As os.access(), for whom we are in effect."""
    return os.access(path, mode, effective_ids=True)
