"""A configuration: its files as they stand, and what keepalived sees of them."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from kacheck.keepalived import files, lexer, syntax
from kacheck.keepalived.expand import Reader
from kacheck.keepalived.missing_braces import missing_braces
from kacheck.keepalived.rules import DEFAULT, Rules, rules_of
from kacheck.keepalived.source import (
    Line,
    Problem,
    ProblemKind,
    Source,
    decode,
    note,
)
from kacheck.keepalived.syntax import Node, Tree
from kacheck.keepalived.version import Version


class Configuration:
    """What `load()` returns."""

    def __init__(self, opened: "Opened", reader: Reader) -> None:
        self.files: dict[str, Tree] = opened.trees
        """The files by the path under which they were opened first, the main file first."""
        self.config_id = opened.config_id
        self.release = opened.rules.version
        """Of the keepalived that is taken to read it."""
        found: list[Problem] = []
        self.root: Node = syntax.grow(reader.pieces(), None, found)
        """The statements as keepalived sees them."""
        found += [each.problem for each in missing_braces(self.root)]
        for tree in opened.trees.values():
            found += tree.line_problems
        found += opened.problems + reader.problems + opened.unevaluated + reader.unevaluated
        known = {each for each in found if each.kind is not ProblemKind.UNEVALUATED}
        self.problems: list[Problem] = _sorted(known, list(opened.trees))
        """What keepalived rejects, or reads otherwise than it looks."""
        self.unevaluated = [each for each in found if each.kind is ProblemKind.UNEVALUATED]
        """What cannot be known here, such as a random number; the view has its text unchanged."""

    def find(self, *path: str) -> list[Node]:
        """`root.find()`."""
        return self.root.find(*path)

    def written(self) -> Iterator[Node]:
        """Yield all nodes of the files, including definitions and those for another `@id`."""
        for tree in self.files.values():
            yield from tree.root.walk()

    def changed(self) -> dict[str, bytes]:
        """Return the new content of the files that were edited."""
        return {path: tree.bytes() for path, tree in self.files.items() if tree.edited}


def load(path: str, *, config_id: str | None = None, release: Version = DEFAULT) -> Configuration:
    """Read a configuration file and all that it includes, as a release does. Never raises.

    `config_id` is keepalived's --config-id: by default the host's name up to the first dot.
    """
    if config_id is None:
        config_id = os.uname().nodename.split(".")[0]
    opened = Opened(path, config_id, rules_of(release))
    return Configuration(opened, Reader(opened, config_id, opened.rules))


class Frame(NamedTuple):
    """An include on its way: the file that is open, and those that come after it."""

    lines: Iterator[Line]
    directory: str
    """Of the file."""
    identity: str
    waiting: Iterator[str]
    statement: Line


class Opened:
    """The files, opened as they are needed; `expand.Files` for the reader."""

    def __init__(self, path: str, config_id: str, rules: Rules) -> None:
        self.config_id = config_id
        self.rules = rules
        self.trees: dict[str, Tree] = {}
        self.problems: list[Problem] = []
        self.unevaluated: list[Problem] = []
        self._by_identity: dict[str, Tree] = {}
        self._stack: list[Frame] = []
        self._names = files.Budget(files.MAX_NAMES)
        self._start = path
        self._open(iter([path]), Line("", range(1), Source("", path, rules)))

    def next(self) -> Line | None:
        """Return the next line of the innermost file."""
        while self._stack:
            frame = self._stack[-1]
            line = next(frame.lines, None)
            if line is not None:
                return line
            self._stack.pop()
            self._open(frame.waiting, frame.statement)
        return None

    def include(self, line: Line) -> None:
        """check_include(): the pattern is the rest of the line, quotes and all since 2.1.4."""
        keyword, pattern = lexer.include_of(line.text, self.rules) or ("", "")
        here = self._stack[-1].directory if self._stack else os.path.dirname(self._start)
        match = files.glob(pattern, here, self._names)
        if not match.complete:
            self._note(line, f"{pattern}: includes look at more than {files.MAX_NAMES} names")
        if not match.paths and (match.missing or keyword in ("includew", "includea")):
            self._problem(line, f"no file matches {pattern}")
        self._open(iter(match.paths), line)

    def directory(self) -> str:
        """Return the innermost file's directory, as getcwd(3) has it."""
        here = self._stack[-1].directory if self._stack else ""
        return os.path.realpath(here)

    def _open(self, paths: Iterator[str], statement: Line) -> None:
        """Go on with the first of the files that can be read."""
        for path in paths:
            if not self._names.take(path):
                self._note(statement, f"{path} is not read: more than {files.MAX_NAMES} files")
                return
            identity = os.path.realpath(path) if "\0" not in path else path
            if any(frame.identity == identity for frame in self._stack):
                self._problem(statement, f"{path} includes itself", ProblemKind.CYCLE)
                continue
            tree = self._tree(path, identity, statement)
            if tree is not None:
                directory = os.path.dirname(path)
                lines = iter(tree.lines)
                self._stack.append(Frame(lines, directory, identity, paths, statement))
                return

    def _tree(self, path: str, identity: str, statement: Line) -> Tree | None:
        """Return the tree of a file, read once."""
        if identity in self._by_identity:
            return self._by_identity[identity]
        try:
            text = decode(files.read(path))
        except files.FileError as error:
            self._problem(statement, f"{path}: {error}")
            return None
        tree = Tree(Source(text, path, self.rules), self.config_id)
        self.trees[path] = self._by_identity[identity] = tree
        return tree

    def _problem(
        self, statement: Line, message: str, kind: ProblemKind = ProblemKind.INCLUDE
    ) -> None:
        note(self.problems, statement, message, kind)

    def _note(self, statement: Line, message: str) -> None:
        note(self.unevaluated, statement, message, ProblemKind.UNEVALUATED)


def _sorted(problems: set[Problem], names: list[str]) -> list[Problem]:
    """By file, in the order of reading, and by place."""
    ranks = {name: rank for rank, name in enumerate(names)}
    return sorted(problems, key=lambda problem: (ranks.get(problem.position.file, -1), problem))
