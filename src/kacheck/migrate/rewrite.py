"""From a configuration to the edits of its files."""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from kacheck.keepalived import Configuration, Node
from kacheck.keepalived.releases import GROUPS_IGNORE_PROCESSES
from kacheck.keepalived.rules import LONGEST_LINE
from kacheck.keepalived.source import encode
from kacheck.keepalived.tracking import OWNERS, SYNC_GROUP, lines_of
from kacheck.keepalived.version import Version
from kacheck.migrate import equivalents, track_blocks, tracked
from kacheck.migrate.checks import Checks
from kacheck.migrate.comments import comments_in, has_comment
from kacheck.migrate.equivalents import Equivalent, Mode, Paths
from kacheck.migrate.groups import lost
from kacheck.migrate.security import secure
from kacheck.migrate.survey import Survey, refuse
from kacheck.migrate.track_blocks import Owner, unit_of
from kacheck.migrate.tracked import LeftError, Tracked, TrackReference
from kacheck.procfs import COMM_MAX
from kacheck.result import BadConfigError

Extent = Literal["defined", "tracked", "all"]
"""How far to go: new blocks beside the old ones; all that track them, too; without the old ones.

Where several files change, each of these holds whichever of them have been written.
"""


class Rewrite:
    """The edits, gathered in the trees of the configuration."""

    def __init__(
        self,
        configuration: Configuration,
        checks: Checks,
        mode: Mode,
        paths: Paths,
        release: Version | None,
    ) -> None:
        self.configuration = configuration
        self.checks = checks
        self.mode = mode
        self.paths = paths
        self.release = release
        self.survey = Survey(configuration, lost(release, mode))
        self.migrated: dict[str, Equivalent] = {}
        self._texts: dict[str, str] = {}
        tops = configuration.root.children or ()
        self._order = {id(node): place for place, node in enumerate(tops)}
        self._taken = {
            node.arguments[0]
            for keyword in ("vrrp_script", "track_file", "vrrp_track_file")
            for node in configuration.find(keyword)
            if node.arguments
        }
        for owner in OWNERS:
            for keyword in ("track_script", "track_file"):
                # Also what is not defined: it would count where the name is.
                self._taken |= {
                    line.keyword
                    for node in configuration.find(owner)
                    for line in lines_of(node, keyword)
                }

    def run(self, extent: Extent = "all") -> None:
        """Plan, and edit."""
        for name, (node, data) in self.survey.definitions.items():
            if name not in self.survey.left:
                self._plan(name, node, data)
        self._edit(extent)
        self._refuse_long_lines()

    def _plan(self, name: str, node: Node, data: Tracked) -> None:
        """Find the equivalent of a block."""
        references = [reference for _, reference in self.survey.references.get(name, ())]
        uses = [reference.own or data.weight for reference in references]
        try:
            refuse(
                self.survey.is_shared(node.source), "its file is included twice; include it once"
            )
            made = equivalents.equivalent(data, uses, self.mode)._replace(name=self._free(name))
            if self.mode == "watch":
                made = made._replace(check=equivalents.check_name(name))
            self._texts[name] = self._text(name, node, made)
            refuse(made.has_file and self._undefined_file != "", self._undefined_file)
            if made.check is not None:
                self.checks.require(made, made.check)
        except LeftError as error:
            self.survey.leave(name, node, error)
            return
        self.migrated[name] = made
        self._taken.add(made.name)
        for text in notes(data, made, self.mode):
            self.survey.note(node, f"{name}: {text}")
        for owner, reference in self.survey.references.get(name, ()):
            for text in self._notes_on(owner, reference, name):
                self.survey.note(reference.node, f"{name}: {text}")
        if self._first_use(name, node) is not node:
            text = (
                "keepalived ignored it where it was tracked above its block; it counts from now on"
            )
            self.survey.note(node, f"{name}: {text}")

    def _notes_on(self, owner: Node, reference: TrackReference, name: str) -> Iterator[str]:
        """Yield what changes for a line that tracks it."""
        group = " ".join(owner.arguments)
        new = [each.group for _, each in self.survey.references[name] if each.is_new]
        if reference.is_new:
            why = lost(self.release, self.mode)
            yield f"{group} tracks it from now on: {why} from members of a vrrp_sync_group"
        elif owner.keyword == SYNC_GROUP and GROUPS_IGNORE_PROCESSES.include(self.release):
            yield f"keepalived before 2.2.0 ignores this line; {group} follows it now"
        elif reference.group is not None and reference.group not in new:
            yield f"{reference.group} tracks it for its members, so that this line goes"

    def _free(self, name: str) -> str:
        """Return a name that no vrrp_script and no track_file has."""
        candidate, number = name, 1
        while candidate in self._taken or (
            candidate != name and candidate in self.survey.definitions
        ):
            candidate = f"kacheck_{name}" if number == 1 else f"kacheck_{name}_{number}"
            number += 1
        return candidate

    def _edit(self, extent: Extent) -> None:
        secured = secure(self.configuration) if self.migrated else None
        if secured is not None:
            text = "enable_script_security added: keepalived wants it where there are scripts"
            self.survey.note(secured, text)
        done: set[int] = set()
        for name in self.migrated:
            self._replace(name, keeps_old=extent != "all")
        if extent == "defined":
            return
        owners: dict[int, Owner] = {}
        for name in self.migrated:
            for node, reference in self.survey.references.get(name, ()):
                owner = owners.setdefault(id(node), Owner(node, {}))
                owner.references[id(reference.node)] = reference
        for owner in owners.values():
            track_blocks.rewrite(owner, self.migrated, self.survey.is_shared, done)

    def _text(self, name: str, node: Node, made: Equivalent) -> str:
        """Return the equivalent, without the indentation of its place.

        Raises:
            LeftError: keepalived could not read it there.

        """
        source, place = node.source, self._first_use(name, node).source
        assert source is not None  # noqa: S101 - it is literal
        refuse(
            place is None or place.condition is not None or self.survey.is_shared(place),
            "it is tracked above, in lines written with @id, $NAME, ~SEQ or a second include;"
            " move it above them",
        )
        assert place is not None  # noqa: S101 - refused
        comments = comments_in(source, behind=place is not source)
        text = equivalents.blocks(
            made, self.paths, unit_of(source), comments, release=self.configuration.release
        )
        margin = place.line.source.indentation(place.start)
        refuse(
            any(is_too_long(margin + line) for line in text.split("\n")),
            f"a line of it would be longer than keepalived's {LONGEST_LINE} bytes; shorten its"
            " comments and arguments, or indent it less",
        )
        return text

    @cached_property
    def _undefined_file(self) -> str:
        """Which track_file is missing, if one is: keepalived 2.2.7 hangs where another is there."""
        above: dict[str, int] = {}
        for keyword in ("track_file", "vrrp_track_file"):
            for node in self.configuration.find(keyword):
                above.setdefault("".join(node.arguments[:1]), self._order[id(node)])
        for keyword in OWNERS:
            for owner in self.configuration.find(keyword):
                last = self._order[id(owner)]
                for block in owner.find("track_file"):
                    for line in block.children or ():
                        if above.get(line.keyword, last) < last:
                            continue
                        where = f"{line.position.file}:{line.position.line}"
                        return (
                            f"{where} tracks {line.keyword}, but no track_file has this"
                            " name above: with another one keepalived 2.2.7 would hang; write one,"
                            " remove that line, or use --mode script"
                        )
        return ""

    def _replace(self, name: str, *, keeps_old: bool) -> None:
        """Write the equivalent where the block stood, or before its first use if that is above."""
        node, _ = self.survey.definitions[name]
        source, first = node.source, self._first_use(name, node).source
        if source is None or source.tree is None or first is None or first.tree is None:
            return
        if first is source and not keeps_old:
            source.tree.replace(source, self._texts[name])
            return
        first.tree.insert_before(first, self._texts[name] + "\n\n", comment=has_comment(first))
        if not keeps_old:
            source.tree.remove(source)

    def _refuse_long_lines(self) -> None:
        """Refuse lines so long that keepalived reads the rest of a comment as a statement."""
        for path, tree in self.configuration.files.items():
            if not tree.edited:
                continue
            old = set(tree.source.text.split("\n"))
            for line in tree.text().split("\n"):
                if line not in old and is_too_long(line):
                    raise BadConfigError(
                        f"{path}: a line would be longer than keepalived's {LONGEST_LINE} bytes,"
                        f" shorten it: {line.strip()[:60]}"
                    )

    def _first_use(self, name: str, node: Node) -> Node:
        """Return the instance or group that tracks it above its block; the block if none does."""
        owners = [owner for owner, _ in self.survey.references.get(name, ())]
        return min([node, *owners], key=lambda each: self._order[id(each)])


def is_too_long(line: str) -> bool:
    """Return whether keepalived cuts a line in two."""
    return len(encode(line)) > LONGEST_LINE


def notes(data: Tracked, made: Equivalent, mode: Mode) -> Iterator[str]:
    """Yield what changes for the better, or is not the same to the millisecond."""
    by_comm = not (data.full_command or data.param_match)
    if by_comm and ("/" in data.process or len(data.process.encode(errors="replace")) > COMM_MAX):
        yield f"keepalived can never match {data.process}, not being a command name; kacheck does"
    if made.name != data.name:
        yield (
            f"it is named {made.name} now, since there is a vrrp_script or track_file {data.name},"
            " or a reference to one"
        )
    if made.is_negated:
        yield "reverse: the check asks the opposite, so that an unknown state fails"
    delays = {"terminate_delay": data.terminate_delay, "fork_delay": data.fork_delay}
    if data.fork_delay and not made.policy.fork_delay:
        yield "fork_delay is left out: it is for what a tracked process forks, and had no effect"
        del delays["fork_delay"]
    elif data.fork_delay:
        yield (
            "fork_delay applies to every new process; keepalived's only to what a tracked process "
            "forks"
        )
    interval = equivalents.INTERVAL * tracked.MICROSECONDS
    if mode == "script":
        for key, delay in delays.items():
            if delay % interval:
                whole = equivalents.seconds(-(-delay // interval) * interval)
                yield f"{key} {equivalents.seconds(delay)} s becomes {whole} s, in whole looks"
