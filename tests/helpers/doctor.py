"""An invented machine and kacheck, and the findings of a configuration there."""

import stat
import textwrap
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import ModuleType

from kacheck.doctor import catalogue
from kacheck.doctor.context import Context
from kacheck.doctor.finding import Finding
from kacheck.doctor.kacheck.installation import Installation
from kacheck.doctor.machine.facts import INITIAL, Facts
from kacheck.doctor.machine.process_events import EventsTrial, ListenAnswer
from kacheck.doctor.machine.system import FileStatus, RunningProcess
from kacheck.keepalived import DEFAULT, Version, load
from kacheck.keepalived.program import Keepalived

Modules = ModuleType | tuple[ModuleType, ...]
"""Whose findings are asked for."""
STATE_DIR = "/run/kacheck"
TOML = "/etc/kacheck/kacheck.toml"
ELF = b"\x7fELF"


class FakeMachine:
    """A machine of files that a test names; `/bin` is a link to `usr/bin`, as in Debian."""

    search_path = "/usr/bin:/bin"

    def __init__(self) -> None:
        self.statuses: dict[str, FileStatus] = {"/": FileStatus(stat.S_IFDIR | 0o755)}
        self.links: dict[str, str] = {}
        self.contents: dict[str, bytes] = {}
        self.users = {"root": (0, 0), "nobody": (65534, 65534)}
        self.groups = {"root": 0, "adm": 4}
        self.running: list[RunningProcess] = []
        self.now = 1000.0
        for directory in ("/usr/bin", "/usr/sbin", "/etc", "/run", "/proc"):
            self.directory(directory)
        self.link("/bin", "/usr/bin")
        for name in (
            "sh",
            "true",
            "bash",
            "curl",
            "env",
            "killall",
            "pgrep",
            "ps",
            "test",
            "timeout",
        ):
            self.file(f"/usr/bin/{name}", ELF)

    def directory(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        parent = path.rpartition("/")[0]
        if parent and parent not in self.statuses:
            self.directory(parent)
        self.statuses[path] = FileStatus(stat.S_IFDIR | mode, uid, gid)

    def file(
        self, path: str, content: bytes = b"", mode: int = 0o755, uid: int = 0, gid: int = 0
    ) -> None:
        parent = path.rpartition("/")[0]
        if parent and parent not in self.statuses:
            self.directory(parent)
        self.statuses[path] = FileStatus(stat.S_IFREG | mode, uid, gid)
        self.contents[path] = content

    def link(self, path: str, target: str) -> None:
        self.statuses[path] = FileStatus(stat.S_IFLNK | 0o777)
        self.links[path] = target

    def watcher(self, *, comm: str = "kacheck", state: str = "S", start: str = "77") -> None:
        self.directory(f"{STATE_DIR}/track")
        self.file(f"{STATE_DIR}/watcher/pid", b"812 77\n")
        self.file("/proc/812/stat", f"812 ({comm}) {state} {'0 ' * 18}{start} 0\n".encode())

    def verdict(self, name: str, *, expiry: int = 1010) -> None:
        self.file(f"{STATE_DIR}/verdict/{name}", f"0 {expiry} ok active all is well\n".encode())

    # --- what the lints ask

    def realpath(self, path: str) -> str:
        real = ""
        for name in path.split("/"):
            if name == "..":
                real = real.rpartition("/")[0]
            elif name:
                real = self.links.get(f"{real}/{name}", f"{real}/{name}")
        return real or "/"

    def status(self, path: str) -> FileStatus | None:
        parent, _, name = path.rpartition("/")
        return self.statuses.get(f"{self.realpath(parent).rstrip('/')}/{name}")

    def is_missing(self, path: str) -> bool:
        return self.status(self.realpath(path)) is None

    def head(self, path: str) -> bytes:
        return self.contents.get(self.realpath(path), b"")

    def names(self, directory: str) -> list[str]:
        base = self.realpath(directory) + "/"
        return sorted(
            {p.removeprefix(base).split("/")[0] for p in self.statuses if p[: len(base)] == base}
        )

    def user(self, name: str) -> tuple[int, int] | None:
        return self.users.get(name)

    def group(self, name: str) -> int | None:
        return self.groups.get(name)

    def owner(self, status: FileStatus) -> str:
        return f"{status.uid}:{status.gid}"

    def processes(self) -> list[RunningProcess]:
        return self.running

    def uptime(self) -> float:
        return self.now


class Doctor:
    """Examines a configuration on the machine."""

    def __init__(self, directory: Path) -> None:
        self.machine = FakeMachine()
        self.version: tuple[int, int, int] | None = (2, 2, 7)
        self.facts: Facts | None = None
        self.kacheck = Installation(TOML, STATE_DIR, {})
        self.path = directory / "keepalived.conf"

    def context(self, text: str) -> Context:
        self.path.write_text(textwrap.dedent(text))
        release = Version(*self.version) if self.version is not None else None
        configuration = load(str(self.path), config_id="node", release=release or DEFAULT)
        return Context(
            str(self.path), configuration, self.machine, release, self.facts, self.kacheck
        )

    def find(self, modules: Modules, text: str) -> list[Finding]:
        context = self.context(text)
        lints = catalogue.lints(*(modules if isinstance(modules, tuple) else (modules,)))
        return [finding for lint in lints for finding in lint(context)]

    def codes(self, modules: Modules, text: str) -> list[str]:
        return sorted({finding.code.name for finding in self.find(modules, text)})

    def one(self, modules: Modules, text: str, code: str) -> Finding:
        (finding,) = [each for each in self.find(modules, text) if each.code.name == code]
        return finding


def sound_machine(release: Version) -> Facts:
    """Return a machine with a release of keepalived where process events arrive."""
    return Facts(
        keepalived=Keepalived("/usr/sbin/keepalived", release, frozenset()),
        events=EventsTrial(ListenAnswer.WORKS),
        namespaces=INITIAL,
        kernel_reports=True,
        is_root=True,
        pid_max=32768,
        container=None,
        user="root",
        hidepid=None,
    )


def findings_with(facts: Facts, features: AbstractSet[str], *modules: ModuleType) -> list[Finding]:
    """Return what is found on a machine, for a configuration that uses these features."""
    path = "/no/keepalived.conf"
    release = facts.keepalived.version if facts.keepalived is not None else None
    context = Context(
        path, load(path), FakeMachine(), release, facts, Installation(TOML, STATE_DIR, {})
    )
    vars(context)["features"] = features
    return [finding for lint in catalogue.lints(*modules) for finding in lint(context)]


def script(command: str, options: str = "interval 2\ntimeout 1\nuser root") -> str:
    """Return a vrrp_script named chk, the command written as given, quotes included."""
    return f"vrrp_script chk {{\nscript {command}\n{options}\n}}\n"


def instance(track: str, options: str = "") -> str:
    """Return a vrrp_instance named VI_1."""
    return f"vrrp_instance VI_1 {{\n{options}\n{track}\n}}\n"
