"""Which files an include names, and their text: open_and_check_glob() and open_conf_file().

keepalived changes to the directory of each file that it opens, so names are relative to the file
that contains them; patterns are glob(3)'s with braces. It takes only regular files without any
execute bit. Nothing here blocks, and patterns stop after `MAX_NAMES` names.
"""

import itertools
import os
import re
import stat
from collections.abc import Iterator
from typing import NamedTuple

MAX_NAMES = 100_000
"""Files that may be included, and names that patterns may look at in search of them."""
MAX_SIZE = 4 << 20
"""Bytes of one file."""

MAGIC = re.compile(r"[*?\[]")


class Budget:
    """How many names may still be looked at; of long ones, 64 characters are one more."""

    def __init__(self, names: int) -> None:
        self.left = names

    def take(self, name: str) -> bool:
        """Look at a name, if there is anything left for it."""
        self.left -= 1 + len(name) // 64
        return self.left >= 0


class FileError(Exception):
    """Why keepalived, or we, would not read a file."""


class GlobMatch(NamedTuple):
    """What a pattern names: the files, in glob(3)'s order, and whether that is all of it."""

    paths: list[str]
    missing: bool
    """A name without wildcards that is not there."""
    complete: bool = True


def read(path: str) -> bytes:
    """Return a file's bytes.

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
        raise FileError("it is a directory")
    if not stat.S_ISREG(mode):
        raise FileError("it is not a regular file")
    if mode & 0o111:
        raise FileError("it is executable, so keepalived skips it")


def _read(descriptor: int) -> bytes:
    data = bytearray()
    while part := os.read(descriptor, 1 << 20):
        data += part
        if len(data) > MAX_SIZE:
            raise FileError(f"it is larger than {MAX_SIZE >> 20} MiB, and was not read")
    return bytes(data)


def glob(pattern: str, directory: str, budget: Budget) -> GlobMatch:
    """Return what a pattern in a file of that directory names; paths begin with the directory."""
    paths: list[str] = []
    missing = False
    for alternative in braces(pattern, budget):
        names = sorted(_expand(alternative, directory, budget))
        missing = missing or (not names and not MAGIC.search(alternative))
        paths += names
    return GlobMatch(paths, missing, budget.left >= 0)


def braces(pattern: str, budget: Budget) -> Iterator[str]:
    """Yield the alternatives of csh's braces, `{a,b{c,d}}`; those that do not match are letters."""
    waiting = [(pattern, 0)]
    while waiting and budget.take(pattern):
        text, done = waiting.pop()
        group = _group(text, done)
        if group is None:
            yield text
        else:
            start, commas, end = group
            edges = [start, *commas, end]
            parts = [text[a + 1 : b] for a, b in itertools.pairwise(edges)]
            waiting += [(text[:start] + part + text[end + 1 :], start) for part in reversed(parts)]


def _group(text: str, done: int) -> tuple[int, list[int], int] | None:
    """Return the outermost first group: where its braces and its own commas are.

    None before `done`.
    """
    depth, start, commas = 0, 0, list[int]()
    for index, letter in enumerate(itertools.islice(text, done, None), done):
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


def _expand(pattern: str, directory: str, budget: Budget) -> list[str]:
    """Return the names that match a pattern without braces."""
    if "\0" in pattern or not pattern.strip("/"):
        return []
    paths = ["/" if pattern.startswith("/") else directory]
    for part in filter(None, pattern.split("/")):
        if MAGIC.search(part):
            paths = [name for base in paths for name in _matching(base, part, budget)]
        else:
            name = re.sub(r"\\(.)", r"\1", part)
            paths = [os.path.join(base, name) for base in paths]
    return [name for name in paths if budget.take(name) and os.path.lexists(name)]


def _matching(base: str, part: str, budget: Budget) -> list[str]:
    """Return what one component of a pattern matches in a directory."""
    expression = component(part)
    names = []
    try:
        with os.scandir(base or ".") as entries:
            for entry in entries:
                if not budget.take(entry.name):
                    break
                hidden = entry.name.startswith(".") and not part.startswith(".")
                if not hidden and expression.fullmatch(entry.name):
                    names.append(os.path.join(base, entry.name))
    except OSError:
        return []
    return names


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
    """Return a set of characters; one that no regular expression can have matches nothing."""
    negated = letter[1] in "!^"
    inside = letter[1 + negated : -1].replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    inside = re.sub(r"([&~|^])", r"\\\1", inside)
    expression = f"[{'^' if negated else ''}{inside}]"
    try:
        re.compile(expression)
    except re.error:
        return "(?!)"
    return expression
