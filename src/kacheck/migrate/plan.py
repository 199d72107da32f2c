"""From what is asked for to the contents of files, old and new, in the order of writing."""

from typing import NamedTuple

from kacheck.keepalived import DEFAULT, Configuration, load
from kacheck.keepalived.edit import EditError, Span
from kacheck.keepalived.version import Version
from kacheck.migrate import files
from kacheck.migrate.checks import Checks
from kacheck.migrate.equivalents import Mode, Paths
from kacheck.migrate.recipes import replace_recipes
from kacheck.migrate.rewrite import Extent, Rewrite
from kacheck.migrate.transaction import Change
from kacheck.result import BadConfigError


class MigrationOrder(NamedTuple):
    """What is asked for."""

    conf: str
    mode: Mode = "watch"
    paths: Paths = Paths()
    output: str | None = None
    in_place: bool = False
    recipes: bool = False


def read(path: str, release: Version = DEFAULT) -> Configuration:
    """Return the configuration with all that it includes, as this release reads it."""
    configuration = load(path, release=release)
    if path not in configuration.files:
        why = configuration.problems[0].message if configuration.problems else "cannot be read"
        raise BadConfigError(f"{why}; give the path of a keepalived.conf")
    return configuration


def rewritten(
    configuration: Configuration,
    order: MigrationOrder,
    release: Version | None,
    extent: Extent = "all",
) -> Rewrite:
    """Make the edits in the configuration's trees, for a release of keepalived."""
    text = None
    if order.mode == "watch" and configuration.find("vrrp_track_process"):
        text = configuration_text(order.paths.config)
    checks = Checks(order.paths.config, text)
    rewrite = Rewrite(configuration, checks, order.mode, order.paths, release)
    try:
        rewrite.run(extent)
        if order.recipes and extent == "all":
            replace_recipes(configuration, rewrite.survey)
    except EditError as error:
        raise BadConfigError(f"{error}; write that part on separate lines") from None
    return rewrite


def configuration_text(path: str) -> str | None:
    """kacheck.toml, if it is there."""
    data = files.content(path)
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadConfigError(
            f"{path}:{line}: byte 0x{error.object[error.start]:02x} is not UTF-8; save it as UTF-8"
        ) from None


def changes_of(configuration: Configuration, checks: Checks) -> list[Change]:
    """Old and new contents, keepalived's files first."""
    changes = []
    for path, new in configuration.changed().items():
        tree = configuration.files[path]
        old = tree.source.text.encode("utf-8", "surrogateescape")
        if old != new:
            changes.append(Change(path, old, new, tree.spans()))
    text = checks.result()
    if text != checks.text:
        old_text = checks.text.encode() if checks.is_there else None
        last, end = checks.text.count("\n"), text.count("\n")
        added = [Span(last, last + 1, last, end + 1)]
        changes.append(Change(checks.path, old_text, text.encode(), added))
    return changes


def in_order(changes: list[Change], order: MigrationOrder) -> list[Change]:
    """Return kacheck.toml first, the main file last."""
    main = order.output or order.conf
    return sorted(changes, key=lambda each: (each.path == main, each.path != order.paths.config))


def in_steps(changes: list[Change], order: MigrationOrder, release: Version | None) -> list[Change]:
    """Return them so that between any two all that is tracked is defined.

    One file of keepalived's changes as a whole. Several first get the new blocks beside the old
    ones, then track the new ones, then lose the old ones.
    """
    if sum(change.path != order.paths.config for change in changes) < 2:
        return changes
    now = {change.path: change.old for change in changes}
    config = {each.path: each.new for each in changes if each.path == order.paths.config}
    steps: list[Change] = []
    for extent in ("defined", "tracked", "all"):
        contents: dict[str, bytes | None] = {change.path: change.new for change in changes}
        if extent != "all":
            configuration = read(order.conf, release or DEFAULT)
            rewritten(configuration, order, release, extent)
            files = {**configuration.changed(), **config}
            contents = {path: files.get(path, now[path]) for path in contents}
        for change in changes:
            new = contents[change.path]
            if new is not None and new != now[change.path]:
                steps.append(Change(change.path, now[change.path], new))
                now[change.path] = new
    return steps
