#!/usr/bin/env python3
"""Show what kacheck says of Vault in every state, and how keepalived moves a VIP by it.

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
from helpers.vault_node import RECIPES, VIP, VaultNode, start_stand_in  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
WIDTH = 100
KACHECK = Path(sys.executable).with_name("kacheck")
CAUGHT: list[int] = []
"""The signals so far."""

SCENES = {
    "uninitialized": "A new Vault, which nobody has initialized yet.",
    "sealed": "Initialized, but sealed, as after every start. Its process runs all the same.",
    "standby": "Unsealed; another node is the active one. Is that good enough? You choose.",
    "active": "It has become the active node. --verbose shows everything that was seen.",
    "performance-standby": "Enterprise: a standby that answers reads by itself.",
    "dr-secondary": "Enterprise: a node of the cluster that is kept for disasters.",
    "ha-unhealthy": "A standby that does not hear the active node any more.",
    "removed": "The other nodes have removed it from their cluster.",
    "rate-limited": "A quota refuses the question, which is no answer about the node.",
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
    """The text, bold where that helps."""
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"\033[1m{text}\033[0m" if wanted else text


def title(text: str, paragraph: str, underline: str = "") -> None:
    """The beginning of a part, or of a step in it."""
    print(f"\n{bold(text)}")
    if underline:
        print(underline * len(text))
    say(paragraph)
    print()


def say(text: str, indent: str = "", hanging: str = "") -> None:
    """A paragraph, or one line of a program's output, no wider than WIDTH."""
    wrapper = textwrap.TextWrapper(WIDTH, break_long_words=False, break_on_hyphens=False)
    wrapper.initial_indent, wrapper.subsequent_indent = indent, indent + hanging
    print(wrapper.fill(text))


# --- the first part: kacheck and a stand-in for Vault ---------------------------------------------


def first_part() -> None:
    """A stand-in for Vault goes through its states; kacheck says what it sees."""
    name = free_name()
    title(
        "Part 1: what kacheck says of Vault",
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
    """A command, what it says, and what keepalived makes of its exit code."""
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
    """Prints what happens on the nodes, in order: our deeds, keepalived's log, its states."""

    def __init__(self, members: Mapping[str, VaultNode]) -> None:
        self.members = members
        self.keepaliveds: dict[str, Keepalived] = {}
        self._shown: dict[str, tuple[int, int]] = {}
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
        return logged + [
            (event.at, node, event.state, STATES.get(event.state, "").format(event.priority))
            for event in states
        ]

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
        "The kernel tells of processes only in the first network namespace of a machine; elsewhere "
        "it refuses (errno 111). So keepalived knows of no vault, and stays in FAULT."
    )


def recipe(timeline: Timeline) -> list[str]:
    """The shipped configuration: the VIP follows the active node. How long each move took."""
    title(
        "Now with kacheck: the shipped keepalived.conf and vault-active.conf, as they are",
        "Two scripts, each one looks every 3 s. At the start one look counts, later two in a row: "
        "`now returning` is the first, `failed` or `succeeded` the second one. Their exit codes: 0 "
        "ok, 1 warning (here a standby), 2 critical. Priorities: a 100, b 99, the active node +50.",
    )
    conf = (RECIPES / "keepalived.conf").read_text()
    timeline.watch({"a": conf, "b": conf.replace("priority 100 ", "priority 99 ")})
    timeline.state("a", "MASTER")
    timeline.vip("a")
    a, b = timeline.members.values()
    sealed = move(timeline, "a", "b", "sealed", lambda: setattr(a, "state", "sealed"))
    unsealed = timeline.row("a", "unsealed", "by us: its Vault joins as a standby")
    a.state = "standby"
    timeline.state("a", "BACKUP", unsealed)
    return [sealed, move(timeline, "b", "a", "killed", b.kill_vault)]


def move(timeline: Timeline, giver: str, taker: str, what: str, deed: Callable[[], object]) -> str:
    """Do something to the giver's Vault: the VIP goes to the taker, whose Vault becomes active.

    That takes an election, and so happens later than the deed: after a look that has failed.
    """
    timeline.stay(2)
    keepalived = timeline.keepaliveds[giver]
    logged = len(keepalived.log)
    print()
    done = timeline.row(giver, what, "by us: the active Vault, on the node that has the VIP")
    deed()
    timeline.until(lambda: "now returning 2" in keepalived.log[logged:], "no look failed")
    timeline.stay(1)
    timeline.row(taker, "active", "its Vault has won the election")
    timeline.members[taker].state = "active"
    left = timeline.state(giver, "FAULT", done)
    taken = timeline.state(taker, "MASTER", done)
    timeline.vip(taker)
    recipe = (RECIPES / "vault-active.conf").read_text()
    number = dict(re.findall(r"^ *(interval|fall) (\d+)", recipe, re.MULTILINE))
    return (
        f"{giver}'s Vault {what}: the VIP was on {taker} after {taken - done:.1f} s\n"
        f"  {left - done:4.1f} s  {number['fall']} failed looks, one every {number['interval']} s "
        f"(interval {number['interval']}, fall {number['fall']})\n"
        f"  {taken - left:4.1f} s  {taker} took over, told by {giver} "
        "(untold it would have waited for 3 x advert_int 1)"
    )


# --- all of it ------------------------------------------------------------------------------------


def lacking() -> str:
    """What the second part needs and cannot have, as a sentence."""
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
