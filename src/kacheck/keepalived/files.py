"""Which files an include names, and their text: open_and_check_glob() and open_conf_file().

keepalived changes to the directory of each file that it opens, so that names are relative to the
file they stand in; patterns are glob(3)'s with braces. It takes regular files without any execute
bit alone. Nothing here blocks, and patterns stop after `MAX_NAMES` names.
"""

import itertools
import os
import re
import stat
from collections.abc import Iterator
from typing import NamedTuple

MAX_NAMES = 20_000
"""Names that one pattern may look at."""
MAX_SIZE = 16 << 20
"""Bytes of one file."""

MAGIC = re.compile(r"[*?\[]")


class FileError(Exception):
    """Why keepalived, or we, would not read a file."""


class Match(NamedTuple):
    """What a pattern names: the files, in glob(3)'s order, and whether that is all of it."""

    paths: list[str]
    missing: bool
    """A name without wildcards that is not there."""
    complete: bool = True


def read(path: str) -> bytes:
    """A file's bytes.

    Raises:
        FileError: it is not what keepalived reads.

    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise FileError(getattr(error, "strerror", None) or str(error)) from None
    try:
        _check(os.fstat(descriptor).st_mode)
        return _read(descriptor)
    except OSError as error:
        raise FileError(error.strerror or str(error)) from None
    finally:
        os.close(descriptor)


def _check(mode: int) -> None:
    """check_glob_file()."""
    if stat.S_ISDIR(mode):
        raise FileError("is a directory")
    if not stat.S_ISREG(mode):
        raise FileError("is not a regular file")
    if mode & 0o111:
        raise FileError("is executable: keepalived skips it")


def _read(descriptor: int) -> bytes:
    data = bytearray()
    while part := os.read(descriptor, 1 << 20):
        data += part
        if len(data) > MAX_SIZE:
            raise FileError(f"is larger than {MAX_SIZE >> 20} MiB: not read")
    return bytes(data)


def glob(pattern: str, directory: str) -> Match:
    """What a pattern in a file of that directory names; paths begin with the directory."""
    found: list[str] = []
    missing = False
    budget = [MAX_NAMES]
    for alternative in braces(pattern, budget):
        names = sorted(_expand(alternative, directory, budget))
        missing = missing or (not names and not MAGIC.search(alternative))
        found += names
    return Match(found, missing, budget[0] > 0)


def braces(pattern: str, budget: list[int]) -> Iterator[str]:
    """The alternatives of csh's braces, `{a,b{c,d}}`; those that do not match are letters."""
    waiting = [pattern]
    while waiting and budget[0] > 0:
        budget[0] -= 1
        text = waiting.pop()
        group = _group(text)
        if group is None:
            yield text
        else:
            start, commas, end = group
            edges = [start, *commas, end]
            parts = [text[a + 1 : b] for a, b in itertools.pairwise(edges)]
            waiting += [text[:start] + part + text[end + 1 :] for part in reversed(parts)]


def _group(text: str) -> tuple[int, list[int], int] | None:
    """The outermost first group: where its braces and its own commas are."""
    depth, start, commas = 0, 0, list[int]()
    for index, letter in enumerate(text):
        if letter == "{":
            depth += 1
            if depth == 1:
                start, commas = index, []
        elif letter == "}" and depth:
            depth -= 1
            if not depth:
                return start, commas, index
        elif letter == "," and depth == 1:
            commas.append(index)
    return None


def _expand(pattern: str, directory: str, budget: list[int]) -> list[str]:
    """The names that match a pattern without braces."""
    found = ["/" if pattern.startswith("/") else directory]
    for part in filter(None, pattern.split("/")):
        found = [name for base in found for name in _step(base, part, budget)]
    return found if pattern.strip("/") else []


def _step(base: str, part: str, budget: list[int]) -> list[str]:
    """What one component of a pattern matches in a directory."""
    if not MAGIC.search(part):
        path = os.path.join(base, re.sub(r"\\(.)", r"\1", part))
        return [path] if "\0" not in path and os.path.lexists(path) else []
    expression = component(part)
    found = []
    try:
        with os.scandir(base or ".") as entries:
            for entry in entries:
                budget[0] -= 1
                if budget[0] < 0:
                    break
                hidden = entry.name.startswith(".") and not part.startswith(".")
                if not hidden and expression.fullmatch(entry.name):
                    found.append(os.path.join(base, entry.name))
    except OSError:
        return []
    return found


def component(part: str) -> re.Pattern[str]:
    r"""fnmatch(3)'s `*`, `?`, `[a-z]`, `[!a]` and `\` as a regular expression that never hangs."""
    pieces = [""]
    for letter in re.findall(r"\\.|\[[!^]?\]?[^\]]*\]|\*+|.", part, re.DOTALL):
        if letter[0] == "*":
            pieces.append("")
        elif letter == "?":
            pieces[-1] += "."
        elif letter[0] == "[" and len(letter) > 2:
            pieces[-1] += _set(letter)
        else:
            pieces[-1] += re.escape(letter[letter[0] == "\\" and len(letter) > 1 :])
    # Each `*` takes as little as it can and never takes it back: enough, since the last is greedy.
    *first, last = pieces
    lazy = "".join(f"(?>{'.*?' if index else ''}{piece})" for index, piece in enumerate(first))
    return re.compile(lazy + (".*" if first else "") + last, re.DOTALL)


def _set(letter: str) -> str:
    """A set of characters; one that no regular expression can have matches nothing."""
    negated = letter[1] in "!^"
    inside = letter[1 + negated : -1].replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    inside = re.sub(r"([&~|^])", r"\\\1", inside)
    expression = f"[{'^' if negated else ''}{inside}]"
    try:
        re.compile(expression)
    except re.error:
        return "(?!)"
    return expression
