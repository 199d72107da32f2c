"""From a configuration to the edits of its files."""

from collections.abc import Iterator

from kacheck.keepalived import Configuration, Node
from kacheck.migrate import equivalents, references, tracked
from kacheck.migrate.checks import Checks
from kacheck.migrate.comments import comments_in
from kacheck.migrate.equivalents import Equivalent, Mode, Paths
from kacheck.migrate.references import Owner, unit_of
from kacheck.migrate.security import secure
from kacheck.migrate.survey import Survey, refuse
from kacheck.migrate.tracked import LeftError, Tracked
from kacheck.probes.procfs import COMM_MAX


class Rewrite:
    """The edits, gathered in the trees of the configuration."""

    def __init__(
        self, configuration: Configuration, checks: Checks, mode: Mode, paths: Paths
    ) -> None:
        self.configuration = configuration
        self.checks = checks
        self.mode = mode
        self.paths = paths
        self.survey = Survey(configuration)
        self.migrated: dict[str, Equivalent] = {}
        tops = configuration.root.children or ()
        self._order = {id(node): place for place, node in enumerate(tops)}
        self._taken = {
            node.arguments[0]
            for keyword in ("vrrp_script", "track_file", "vrrp_track_file")
            for node in configuration.find(keyword)
            if node.arguments
        }

    def run(self) -> None:
        """Plan, and edit."""
        for name, (node, data) in self.survey.definitions.items():
            if name not in self.survey.left:
                self._plan(name, node, data)
        self._edit()

    def _plan(self, name: str, node: Node, data: Tracked) -> None:
        """Find the equivalent of a block."""
        found = [reference for _, reference in self.survey.references.get(name, ())]
        uses = [reference.own or data.weight for reference in found]
        try:
            refuse(
                self.survey.is_shared(node.source), "its file is included twice; include it once"
            )
            made = equivalents.equivalent(data, uses, self.mode)._replace(name=self._free(name))
            if self.mode == "watch":
                made = made._replace(check=equivalents.check_name(name))
            equivalents.blocks(made, self.paths, "")
            if made.check is not None:
                self.checks.require(made, made.check)
        except LeftError as error:
            self.survey.leave(name, node, error)
            return
        self.migrated[name] = made
        self._taken.add(made.name)
        for text in notes(data, made, self.mode):
            self.survey.note(node, f"{name}: {text}")
        if self._first_use(name, node) is not None:
            text = (
                "keepalived ignored it where it was tracked above its block; it counts from now on"
            )
            self.survey.note(node, f"{name}: {text}")

    def _free(self, name: str) -> str:
        """A name that no vrrp_script and no track_file has."""
        taken = self._taken | (self.survey.definitions.keys() - {name})
        candidate, number = name, 1
        while candidate in taken:
            candidate = f"kacheck_{name}" if number == 1 else f"kacheck_{name}_{number}"
            number += 1
        return candidate

    def _edit(self) -> None:
        secured = secure(self.configuration) if self.migrated else None
        if secured is not None:
            text = "enable_script_security added: keepalived wants it where there are scripts"
            self.survey.note(secured, text)
        done: set[int] = set()
        for name, made in self.migrated.items():
            self._replace(name, made)
        owners: dict[int, Owner] = {}
        for name in self.migrated:
            for node, reference in self.survey.references.get(name, ()):
                owner = owners.setdefault(id(node), Owner(node, {}))
                owner.references[id(reference.node)] = reference
        for owner in owners.values():
            references.rewrite(owner, self.migrated, self.survey.is_shared, done)

    def _replace(self, name: str, made: Equivalent) -> None:
        """Write the equivalent where the block stood, or before its first use if that is above."""
        node, _ = self.survey.definitions[name]
        source = node.source
        if source is None or source.tree is None:
            return
        first = self._first_use(name, node)
        unit = unit_of(source)
        if first is None or first.tree is None:
            comments = comments_in(source, behind=False)
            source.tree.replace(source, equivalents.blocks(made, self.paths, unit, comments))
            return
        comments = comments_in(source, behind=True)
        text = equivalents.blocks(made, self.paths, unit, comments)
        first.tree.insert_before(first, text + "\n\n")
        source.tree.remove(source)

    def _first_use(self, name: str, node: Node) -> Node | None:
        """The instance or group, in its file, that tracks it above its block; None if none does."""
        order = self._order
        owners = [owner for owner, _ in self.survey.references.get(name, ())]
        first = min(owners, key=lambda owner: order[id(owner)], default=node)
        return first.source if order[id(first)] < order[id(node)] else None


def notes(data: Tracked, made: Equivalent, mode: Mode) -> Iterator[str]:
    """What changes for the better, or is not the same to the millisecond."""
    by_comm = not (data.full_command or data.param_match)
    if by_comm and ("/" in data.process or len(data.process.encode(errors="replace")) > COMM_MAX):
        yield f"keepalived could never see {data.process}, which is no command name; kacheck does"
    if made.name != data.name:
        yield f"it is {made.name} now, since there is a vrrp_script or track_file {data.name}"
    if made.contrary:
        yield "reverse: the check asks for the contrary, so that what cannot be told fails"
    interval = equivalents.INTERVAL * tracked.MICROSECONDS
    delays = {"terminate_delay": data.terminate_delay, "fork_delay": data.fork_delay}
    if mode == "script":
        for key, delay in delays.items():
            if delay % interval:
                whole = equivalents.seconds(-(-delay // interval) * interval)
                yield f"{key} {equivalents.seconds(delay)} s becomes {whole} s, in whole looks"
