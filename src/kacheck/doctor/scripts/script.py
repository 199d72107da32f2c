"""A vrrp_script as keepalived reads it: its command, its user and its times."""

import re
from typing import NamedTuple

from kacheck.doctor.machine.system import System
from kacheck.keepalived import Configuration, Node
from kacheck.keepalived.limits import leading_number
from kacheck.keepalived.tracking import Definition, Tracking

KEYWORDS = ("interval", "timeout", "weight", "rise", "fall", "user", "init_fail")
"""The keywords of a vrrp_script beside `script`."""


class Runner(NamedTuple):
    """The user who runs a script."""

    uid: int = 0
    gid: int = 0
    trouble: str | None = None
    """Why nobody can run it."""
    node: Node | None = None
    """The statement that names the user."""


class Script(NamedTuple):
    """A vrrp_script."""

    definition: Definition
    node: Node
    """Its script statement, else the vrrp_script itself."""
    argv: list[str]
    """The command; empty if it has none."""
    runner: Runner
    security: bool
    """Whether enable_script_security is on."""

    @property
    def name(self) -> str:
        """The name by which it is tracked."""
        return self.definition.name

    @property
    def interval(self) -> float:
        """Seconds, as keepalived takes it, fractions believed."""
        return seconds(self.definition.value("interval")) or 1.0

    @property
    def timeout(self) -> float:
        """Return the timeout in seconds: the interval by default, and 1 for 0, as in keepalived."""
        word = self.definition.value("timeout")
        return self.interval if word is None else seconds(word) or 1.0

    @property
    def ends_by_itself(self) -> bool:
        """Return whether it is an entry point of kacheck's, which ends at its own deadline."""
        return "".join(self.argv[:1]).rpartition("/")[2].startswith("kacheck-")

    @property
    def is_executed(self) -> bool:
        """Return whether it runs a program; `</path` only opens a file: check_script_secure()."""
        return bool(self.argv) and not re.match(r"<[ \t]*/", self.argv[0])


def read_scripts(configuration: Configuration, tracking: Tracking, system: System) -> list[Script]:
    """Return the vrrp_scripts, with the user who runs each."""
    has_security = bool(configuration.find("global_defs", "enable_script_security"))
    runners = _runners(configuration, system)
    scripts = []
    for definition in tracking.of_kind("track_script"):
        if definition.node.children is None:
            continue  # its { is missing, and keepalived reads none of it: KA003
        line = definition.last("script")
        argv = (line.command or []) if line is not None else []
        runner = runners[definition.order]
        scripts.append(Script(definition, line or definition.node, argv, runner, has_security))
    return scripts


def _runners(configuration: Configuration, system: System) -> dict[int, Runner]:
    """Return who runs each script, by its order; the default is fixed where it is first needed."""
    runners: dict[int, Runner] = {}
    default: Runner | None = None
    security = False
    for order, node in enumerate(configuration.root.children or ()):
        if node.keyword == "global_defs":
            for line in node.children or ():
                security = security or line.keyword == "enable_script_security"
                if line.keyword == "script_user":
                    default = _runner_of(line, system)
        elif node.keyword == "vrrp_script":
            users = node.find("user")
            if not users:
                default = default or _default_runner(system, security=security)
            runner = _runner_of(users[-1], system) if users else default
            runners[order] = runner or Runner()
    return runners


def _runner_of(line: Node, system: System) -> Runner:
    """Return the user of a `user` or `script_user` statement: set_uid_gid()."""
    name, group = (*line.arguments, "", "")[:2]
    user = system.user(name)
    if user is None:
        return Runner(trouble=f"user {name or '(none)'} does not exist", node=line)
    gid = system.group(group) if group else user[1]
    if gid is None:
        return Runner(trouble=f"group {group} does not exist", node=line)
    return Runner(user[0], gid, node=line)


def _default_runner(system: System, *, security: bool) -> Runner:
    """Return the user of a script that names none: get_default_script_user()."""
    user = system.user("keepalived_script")
    if user is not None:
        return Runner(*user)
    if security:
        missing = "there is no user, no script_user above it and no account keepalived_script"
        return Runner(trouble=missing)
    return Runner()


def seconds(text: str | None) -> float:
    """Return a time in seconds; 0 if it is missing or not a number."""
    try:
        return max(float(text or 0), 0.0)
    except ValueError:
        return float(max(leading_number(text or ""), 0))
