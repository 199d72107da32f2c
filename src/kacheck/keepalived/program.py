"""The keepalived that is installed here."""

import os
import re
import subprocess
from typing import NamedTuple

from kacheck.keepalived.version import Version, version_of

DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where it is, although not in every user's PATH."""


class Keepalived(NamedTuple):
    """The program, and what `keepalived -v` says of it."""

    path: str
    version: Version | None
    options: frozenset[str]
    """Its `Config options`; empty where it does not say."""


def find_keepalived(root: str, search_path: str) -> Keepalived | None:
    """Return the keepalived in PATH or where root's programs are; `root` is put before it."""
    path = find_path(root, search_path)
    return Keepalived(path, *parse_version(_version_text(path))) if path is not None else None


def find_path(root: str, search_path: str) -> str | None:
    """Return where it is."""
    for directory in (*filter(None, search_path.split(":")), *DIRECTORIES):
        path = f"{root}{directory}/keepalived"
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def version_at(path: str) -> Version | None:
    """Return the release of a program; None if it does not say."""
    return parse_version(_version_text(path))[0]


def parse_version(text: str) -> tuple[Version | None, frozenset[str]]:
    """Return the version and options in what `keepalived -v` prints (on stderr; main.c)."""
    version = re.search(r"Keepalived v(\d+\.\d+\.\d+)", text)
    options = re.search(r"^(?:Config|Build) options: *(.*)$", text, re.MULTILINE)
    words = options[1].split() if options else ()
    return version_of(version[1]) if version else None, frozenset(words)


def _version_text(path: str) -> str:
    try:
        answer = subprocess.run([path, "-v"], check=False, capture_output=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (answer.stderr + answer.stdout).decode(errors="replace")
