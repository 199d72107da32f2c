"""Whether the watcher's user can read what a configuration names; root reads everything."""

import os
from collections.abc import Sequence
from functools import partial

from kacheck import config
from kacheck.permission import refused
from kacheck.result import BadConfigError
from kacheck.service_user import answered_to, service_user


def refuse_unreadable(path: str, *, is_installed: bool) -> None:
    """Refuse a configuration that names files which the watcher's user cannot read.

    Only root has to ask for somebody else. A file that is not installed yet may be root's alone.

    Raises:
        BadConfigError: which file, what refuses, and the cure for the unit.

    """
    user = service_user() if os.geteuid() == 0 else None
    if user is None or user.uid == 0:
        return
    files = [(path, os.path.abspath(path))] if is_installed else []
    files += [(f"{path}:{line}", file) for line, file in config.files(path) if os.path.exists(file)]
    said = answered_to(user, partial(first_refusal, files))
    if said:
        raise BadConfigError(said)


def first_refusal(files: Sequence[tuple[str, str]]) -> str:
    """Return why this user cannot read one of the files, which come with where they are named."""
    for place, file in files:
        if not os.access(file, os.R_OK, effective_ids=True):
            return f"{place}: {refused(file)}"
    return ""
