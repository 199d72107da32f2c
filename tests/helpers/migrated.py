"""A configuration that is migrated in memory."""

import tomllib
from pathlib import Path
from typing import Any

from kacheck.keepalived import load, parse
from kacheck.keepalived.version import Version
from kacheck.migrate.equivalents import LIBEXEC, Mode, Paths
from kacheck.migrate.plan import MigrationOrder, changes_of, rewritten

MODES: tuple[Mode, ...] = ("watch", "script")
INSTANCE = "vrrp_instance VI_1 {{\n    priority 100\n{}}}\n"
SECURE = "global_defs {\n    enable_script_security\n}\n\n"


class Migrated:
    """A configuration, migrated in memory."""

    def __init__(self, path: Path, mode: Mode, toml: Path) -> None:
        configuration = load(str(path), config_id="node1")
        paths = Paths(str(toml))
        self.rewrite = rewritten(
            configuration, MigrationOrder(str(path), mode, paths), Version(2, 2, 7)
        )
        changes = changes_of(configuration, self.rewrite.checks)
        new = {change.path: change.new.decode() for change in changes}
        self.texts = {name: tree.text() for name, tree in configuration.files.items()}
        self.text = self.texts[str(path)]
        self.toml = new.get(str(toml), "")
        self.tree = parse(self.text)
        self.left = [str(each) for each in sorted(self.rewrite.survey.remarks) if each.is_left]
        self.notes = [each.text for each in sorted(self.rewrite.survey.remarks) if not each.is_left]

    def body(self, keyword: str) -> list[str]:
        """Return the statements of the only block of this kind."""
        (block,) = self.tree.find(keyword)
        return [child.line.text for child in block.children or ()]

    @property
    def command(self) -> list[str]:
        """What the only vrrp_script runs, without `kacheck-process` and `--all-namespaces`."""
        (script,) = self.tree.find("vrrp_script", "script")
        assert script.command is not None
        entry_point, *words = script.command
        assert entry_point == f"{LIBEXEC}/kacheck-process"
        words.remove("--all-namespaces")
        return words

    @property
    def check(self) -> dict[str, Any]:
        """The only check."""
        (check,) = tomllib.loads(self.toml)["check"].values()
        assert isinstance(check, dict)
        return check


def migrated(directory: Path, text: str, mode: Mode = "watch") -> Migrated:
    path = directory / "keepalived.conf"
    path.write_text(text)
    return Migrated(path, mode, directory / "kacheck.toml")


def block(*lines: str) -> str:
    return "vrrp_track_process app {\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def tracking(*lines: str) -> str:
    inner = "".join(f"        {line}\n" for line in lines)
    return INSTANCE.format(f"    track_process {{\n{inner}    }}\n")


PING = "vrrp_script ping {\n    script /bin/true\n    user root\n}\n"


def stable(directory: Path, text: str, mode: Mode = "watch") -> Migrated:
    """Migrate, and check that a second time changes nothing."""
    done = migrated(directory, text, mode)
    for path, new in done.texts.items():
        Path(path).write_text(new)
    again = Migrated(directory / "keepalived.conf", mode, directory / "kacheck.toml")
    assert again.texts == done.texts
    assert len(again.left) == len(done.left)
    return done


def group(members: str, *lines: str, name: str = "G") -> str:
    inner = "".join(f"        {line}\n" for line in lines)
    tracked = f"    track_process {{\n{inner}    }}\n" if lines else ""
    weight = "    sync_group_tracking_weight\n"
    return (
        f"vrrp_sync_group {name} {{\n    group {{\n        {members}\n    }}\n{weight}{tracked}}}\n"
    )


def tracked_lines(done: Migrated) -> dict[str, list[str]]:
    """Return what each instance and group tracks."""
    return {
        node.arguments[0]: [f"{each.keyword}: {line.line.text}" for each in node.children or ()
                            if each.keyword.startswith("track_") for line in each.children or ()]
        for keyword in ("vrrp_instance", "vrrp_sync_group") for node in done.tree.find(keyword)
    }  # fmt: skip
