#!/usr/bin/env python3
"""Show what kacheck reports about Vault in every state, and how keepalived moves a VIP by it.

    script/demo         the first part: kacheck watches a stand-in for Vault
    sudo script/demo    the second part as well: two nodes with a real keepalived each, and a VIP

Takes about a minute. Ctrl-C ends it at any time; whatever it made is gone afterwards.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from helpers.keepalived import Keepalived, Lab, LabError, Process  # noqa: E402
from helpers.vault_node import (  # noqa: E402
    RECIPES,
    VIP,
    VaultNode,
    Watcher,
    start_stand_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
WIDTH = 100
KACHECK = Path(sys.executable).with_name("kacheck")
CAUGHT: list[int] = []
"""The signals so far."""

SCENES = {
    "uninitialized": "A new Vault, which nobody has initialized yet.",
    "sealed": "Initialized, but sealed, as after every start. Its process runs nevertheless.",
    "standby": "Unsealed; another node is the active one. Is that good enough? You choose.",
    "active": "It has become the active node. --verbose shows everything that was seen.",
    "performance-standby": "Enterprise: a standby that answers reads by itself.",
    "dr-secondary": "Enterprise: a node of the cluster that is kept for disasters.",
    "ha-unhealthy": "A standby that does not hear the active node any more.",
    "removed": "The other nodes have removed it from their cluster.",
    "rate-limited": "A quota refuses the request, which says nothing about the node.",
    "hanging": "It accepts connections and never answers, as during a change of leaders.",
    "killed": "kill -9. The combined check says which half has failed.",
}
"""Every state of the stand-in, in order."""
COMMANDS = {
    "sealed": ("process NAME", "vault", "combined --process NAME"),
    "standby": ("vault", "vault --accept active --accept standby"),
    "active": ("vault --verbose", "combined --process NAME"),
    "hanging": ("vault", "combined --process NAME"),
    "killed": ("vault", "combined --process NAME --verbose"),
}
"""What is asked in it, where that is not `kacheck vault` alone."""

NATIVE = """
vrrp_track_process track_vault {
    process vault
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    virtual_ipaddress {
        192.0.2.100/24
    }
    track_process {
        track_vault
    }
}
"""
LOGGED = ("errno", "quorum", "now returning", "VRRP_Script(")
"""What is shown of keepalived's log."""
VERDICT = re.compile(r"(?m)^vault-graded: ([a-z]+ [a-z-]+(?: -> [a-z]+ [a-z-]+)?)")
"""What is shown of the watcher's journal."""
STATES = {
    "MASTER": "takes the VIP (priority {})",
    "BACKUP": "ready to take the VIP (priority {})",
    "FAULT": "cannot have the VIP",
}
TOOLS = {"keepalived": "keepalived", "ip": "iproute2", "unshare": "util-linux"}
"""What the second part runs, and Debian's packages with it."""


# --- Ctrl-C, and words on the terminal ------------------------------------------------------------


class InterruptedBySignal(Exception):  # noqa: N818 - no error
    """Somebody wants the demonstration to end."""


def catch_signals() -> None:
    """Only note them: `pause` raises, so that nothing is ever left half made or half removed."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, _: CAUGHT.append(number))


def pause(seconds: float = 0) -> None:
    """Let time pass, unless a signal has come."""
    end = time.monotonic() + seconds
    while not CAUGHT:
        if (left := end - time.monotonic()) <= 0:
            return
        time.sleep(min(left, 0.02))
    raise InterruptedBySignal


def bold(text: str) -> str:
    """Return the text, bold where that helps."""
    is_bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"\033[1m{text}\033[0m" if is_bold else text


def title(text: str, paragraph: str, underline: str = "") -> None:
    """Print the heading of a part, or of a step in it."""
    print(f"\n{bold(text)}")
    if underline:
        print(underline * len(text))
    say(paragraph)
    print()


def say(text: str, indent: str = "", hanging: str = "") -> None:
    """Print a paragraph, or one line of a program's output, no wider than WIDTH."""
    wrapper = textwrap.TextWrapper(WIDTH, break_long_words=False, break_on_hyphens=False)
    wrapper.initial_indent, wrapper.subsequent_indent = indent, indent + hanging
    print(wrapper.fill(text))


# --- the first part: kacheck and a stand-in for Vault ---------------------------------------------


def first_part() -> None:
    """Take a stand-in for Vault through its states, and show what kacheck says of each."""
    name = free_name()
    title(
        "Part 1: what kacheck reports about Vault",
        f"A stand-in for Vault listens on this machine; its process is named {name}. It goes "
        "through all states that a Vault can have, and kacheck says what it sees.",
        "=",
    )
    with tempfile.TemporaryDirectory(prefix=f"kacheck-{os.getpid()}-demo-") as made:
        word = Path(made, "state")
        word.write_text("uninitialized")
        options = ["--listen", "127.0.0.1:0", "--state-file", str(word)]
        vault, address = start_stand_in(Process, Path(made, name), options)
        with closing(vault):
            print(f"   $ export VAULT_ADDR={address}")
            os.environ["VAULT_ADDR"] = address
            for number, (state, text) in enumerate(SCENES.items(), 1):
                word.write_text({"hanging": "hang"}.get(state, state))
                if state == "killed":
                    vault.kill()
                    vault.wait()
                print(f"\n{number:2} {bold(state)}")
                say(text, "   ")
                for command in COMMANDS.get(state, ("vault",)):
                    show_command(command.replace("NAME", name))


def free_name() -> str:
    """`vault`, if no other process here has that name."""
    taken = kacheck("process vault").returncode == 0
    return f"vault-{os.getpid()}" if taken else "vault"


def kacheck(command: str) -> subprocess.CompletedProcess[str]:
    """Run kacheck as a user would; both its outputs in one."""
    return subprocess.run(
        [KACHECK, *command.split()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
        start_new_session=True,
    )


def show_command(command: str) -> None:
    """Show a command, its output, and what keepalived makes of its exit code."""
    pause(0.7)
    print(f"   $ kacheck {command}")
    done = kacheck(command)
    for line in done.stdout.splitlines():
        own = line[: len(line) - len(line.lstrip())]
        say(line.lstrip(), "   " + own, "  ")
    made = (
        "failed, the VIP leaves this node" if done.returncode else "up, this node may have the VIP"
    )
    print(f"   -> exit code {done.returncode}; for keepalived the check is {made}")


# --- the second part: two nodes, keepalived, a VIP ------------------------------------------------


class Timeline:
    """Prints what happens on the nodes, in order: our actions, keepalived's log, its states."""

    def __init__(self, members: Mapping[str, VaultNode]) -> None:
        self.members = members
        self.keepaliveds: dict[str, Keepalived] = {}
        self.watchers: dict[str, Watcher] = {}
        self._shown: dict[str, tuple[int, int]] = {}
        self._read: dict[str, int] = {}
        self._start = self._last = self._looked = time.monotonic()

    def row(self, node: str, what: str, text: str, at: float | None = None) -> float:
        """One line; returns its time."""
        self._last = at = max(at or time.monotonic(), self._last)
        head = f"{at - self._start:5.1f} s  {node}  {what:9}"
        print(f"{bold(head) if what in STATES else head} {text}")
        return at

    def watch(self, confs: Mapping[str, str]) -> None:
        """Start a keepalived on each node, and show what they do from now on."""
        self._shown = dict.fromkeys(confs, (0, 0))
        self.keepaliveds = {name: self.members[name].keepalived(confs[name]) for name in confs}

    def show(self) -> None:
        """Print what is new."""
        rows = [row for node in self.keepaliveds for row in self._news(node)]
        for row in sorted(rows, key=lambda row: row[0]):
            self.row(*row[1:], at=row[0])
        self._looked = time.monotonic()

    def _news(self, node: str) -> list[tuple[float, str, str, str]]:
        keepalived = self.keepaliveds[node]
        events, log = self._shown[node]
        states, end = keepalived.events[events:], keepalived.log.rfind("\n") + 1
        self._shown[node] = events + len(states), end
        # The log's own times are whole seconds: it was written since the last look.
        logged = [
            (self._looked, node, "log", re.sub(r"^\w+ \w+ +\d+ [\d:]+ \d+: ", "", line))
            for line in keepalived.log[log:end].splitlines()
            if any(word in line for word in LOGGED)
        ]
        logged += [(self._looked, node, "watcher", said) for said in self._watcher_news(node)]
        return logged + [
            (event.at, node, event.state, STATES.get(event.state, "").format(event.priority))
            for event in states
        ]

    def _watcher_news(self, node: str) -> list[str]:
        """Return the changes of its verdict that the watcher has written since the last look."""
        journal = self.watchers[node].journal if node in self.watchers else ""
        end = journal.rfind("\n") + 1
        start, self._read[node] = self._read.get(node, 0), end
        return VERDICT.findall(journal[start:end])

    def until(self, found: Callable[[], T | None], failure: str, seconds: float = 25) -> T:
        """Show the news until something is found; returns it."""
        end = time.monotonic() + seconds
        while not (result := found()):
            if time.monotonic() > end:
                raise LabError(f"{failure} within {seconds} s")
            self.show()
            pause(0.02)
        self.show()
        return result

    def stay(self, seconds: float) -> None:
        """Show the news of the next seconds."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, "time stands still", 2 * seconds)

    def state(self, node: str, state: str, after: float = 0) -> float:
        """Wait until the node's keepalived has reported that state; when it did."""

        def found() -> float | None:
            events = self.keepaliveds[node].events
            return next((e.at for e in events if e.state == state and e.at > after), None)

        return self.until(found, f"{node} was not in {state}")

    def vip(self, holder: str) -> None:
        """Wait until that node has the VIP, and no other."""

        def alone() -> bool:
            return [name for name in self.members if self.members[name].has_vip] == [holder]

        self.until(alone, f"the VIP was not on {holder} alone")
        self.row(holder, "VIP", f"`ip address` has it on {holder}, and nowhere else")


def second_part() -> None:
    """Two nodes with a Vault, a keepalived and a VIP: without kacheck, and with it."""
    from helpers.certificates import Authority

    title(
        "Part 2: what keepalived makes of it",
        "Two nodes, a and b, each one as in a container, with network, processes and files of its "
        "own. Each one has a Vault (the stand-in, with TLS), and a real keepalived that may bring "
        f"the VIP, {VIP}. The lines: seconds, node, what happened; `log` is keepalived's own log.",
        "=",
    )
    with Lab() as lab:
        authority, nodes = Authority(), {name: lab.node(name) for name in "ab"}
        timeline = Timeline({name: VaultNode(nodes[name], authority) for name in nodes})
        for node, state in (("a", "active"), ("b", "standby")):
            timeline.members[node].state = state
            timeline.members[node].start_vault()
            timeline.row(node, "started", f"the process vault, a Vault that is {state}")
            pause()
        usual_answer(timeline)
        moves = recipe(timeline)
    print(f"\n{bold('How long it took')}", *moves, sep="\n")


def usual_answer(timeline: Timeline) -> None:
    """vrrp_track_process: FAULT, although the process runs."""
    title(
        "First without kacheck: vrrp_track_process { process vault }",
        "Both nodes run vault, so one of them should have the VIP after 4 s.",
    )
    timeline.watch(dict.fromkeys("ab", NATIVE))
    for node in "ab":
        timeline.state(node, "FAULT")
    timeline.stay(5)
    for node, keepalived in timeline.keepaliveds.items():
        member = timeline.members[node]
        done = member.node.run(["/usr/libexec/kacheck/kacheck-process", "vault"])
        timeline.row(node, "process", done.stdout.strip())
        if member.has_vip or keepalived.states("VI_1")[-1] != "FAULT":
            raise LabError(f"{node} is not in FAULT")
        timeline.row(node, "FAULT", "still, although vault runs: no VIP")
    for keepalived in timeline.keepaliveds.values():
        keepalived.stop()
    print()
    say(
        "The kernel reports processes only in the first network namespace of a machine; elsewhere "
        "it refuses (errno 111). So keepalived knows of no vault, and stays in FAULT."
    )


def recipe(timeline: Timeline) -> list[str]:
    """Show the VIP follow the active node; return how long each move took."""
    title(
        "Now with kacheck: vault-graded.conf, keepalived.conf and kacheck.toml, as shipped",
        "The watcher on each node looks every 0.25 s, and at once when the process exits. It "
        "writes a number to a file, which keepalived adds to the priority: a 220, b 218, the "
        "active node 20 more, and FAULT where Vault cannot serve. The guards, `now returning`, "
        "add 10 on the active node.",
    )
    for node, member in timeline.members.items():
        timeline.watchers[node] = member.start_watcher()
    conf = (RECIPES / "keepalived.conf").read_text()
    timeline.watch({"a": conf, "b": conf.replace("priority 220 ", "priority 218 ")})
    timeline.state("a", "MASTER")
    timeline.vip("a")
    a, b = timeline.members.values()
    moves = [steps_down(timeline, "a", "b")]
    moves.append(fails(timeline, "b", "a", "killed", b.kill_vault))
    b.state = "standby"
    b.start_vault()
    timeline.row("b", "started", "by us: its Vault is back, as a standby")
    wins(timeline, "a")
    timeline.stay(3)
    moves.append(fails(timeline, "a", "b", "sealed", lambda: setattr(a, "state", "sealed")))
    return moves


def wins(timeline: Timeline, node: str) -> float:
    """Let a node's Vault become the active one; when it did."""
    timeline.members[node].state = "active"
    return timeline.row(node, "active", "by us: its Vault has won the election")


def steps_down(timeline: Timeline, giver: str, taker: str) -> str:
    """Let the active Vault step down, and the other one win the election a while later."""
    timeline.stay(2)
    print()
    timeline.row(giver, "standby", "by us: its Vault steps down, and none is active")
    timeline.members[giver].state = "standby"
    timeline.stay(2)
    done = wins(timeline, taker)
    taken = timeline.state(taker, "MASTER", done)
    timeline.vip(taker)
    return (
        f"{taker}'s Vault active: the VIP was on {taker} after {taken - done:.2f} s\n"
        "  one look of the watcher, then 2 to 3 x advert_int 0.25, as for every change of priority"
    )


def fails(timeline: Timeline, giver: str, taker: str, what: str, act: Callable[[], object]) -> str:
    """Do something to the active Vault: the VIP goes to the standby that serves."""
    timeline.stay(2)
    print()
    done = timeline.row(giver, what, "by us: the active Vault, on the node that has the VIP")
    act()
    left = timeline.state(giver, "FAULT", done)
    taken = timeline.state(taker, "MASTER", done)
    timeline.vip(taker)
    noticed = {"sealed": "two looks of the watcher", "killed": "an exit is an event"}[what]
    return (
        f"{giver}'s Vault {what}: the VIP was on {taker} after {taken - done:.2f} s\n"
        f"  {left - done:5.2f} s  {noticed}: {giver} is in FAULT\n"
        f"  {taken - left:5.2f} s  {taker} took over, told by {giver}"
    )


# --- all of it ------------------------------------------------------------------------------------


def lacking() -> str:
    """Return what the second part needs and cannot have, as a sentence."""
    if os.geteuid() != 0:
        return (
            "It gives two nodes network namespaces of their own and a real keepalived each, so it "
            "needs root, keepalived and iproute2. To see it: sudo script/demo"
        )
    if packages := {package for tool, package in TOOLS.items() if not shutil.which(tool)}:
        return f"Not installed here: apt-get install {' '.join(sorted(packages))}"
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "true"]
    if subprocess.run(unshare, check=False, capture_output=True).returncode != 0:
        return "This root may not make namespaces. In a container: start it with --privileged."
    return ""


def demonstrate() -> int:
    """Both parts; the exit code."""
    first_part()
    if needs := lacking():
        print(f"\n{bold('Part 2 is left out')}")
        say(needs)
        return int(os.geteuid() == 0)
    second_part()
    return 0


def clean_environment() -> None:
    """Neither the user's own Vault nor a PATH without sbin may change what is shown."""
    for name in list(os.environ):
        if name.startswith(("VAULT_", "BAO_")):
            del os.environ[name]
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def main() -> int:
    """Run it; the exit code."""
    formatter = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=formatter).parse_args()
    if not KACHECK.exists():
        print("script/demo.py: kacheck is not installed here: use script/demo", file=sys.stderr)
        return 1
    catch_signals()
    clean_environment()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    started = time.monotonic()
    try:
        code = demonstrate()
        pause()
    except InterruptedBySignal:
        with suppress(OSError):
            begin = "\n" if sys.stdout.isatty() else ""
            print(f"{begin}{signal.strsignal(CAUGHT[0])}: stopped; nothing is left behind.")
        return 128 + CAUGHT[0]
    except LabError as error:
        print(f"script/demo: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    seconds = time.monotonic() - started
    print(f"\nThat took {seconds:.0f} s. Nothing is left: no process, no namespace, no file.")
    return code


if __name__ == "__main__":
    sys.exit(main())
