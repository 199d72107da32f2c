"""Three nodes, a stand-in cluster whose leadership moves as raft's does, and a client at the VIP.

Each node has separate network, mount and pid namespaces, a member of the cluster, a keepalived
and, for a recipe of kacheck's, the watcher. The client is in the namespace of the bridge that joins
them. All ends with the `with` block of the lab, and what is killed ends by a pipe (see Node).
"""

import os
import random
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path
from signal import SIGKILL, SIGSTOP
from typing import NamedTuple

from bench import client, member, shipped, stage
from bench.failover import process_events
from bench.measure import UnexpectedError
from bench.rows import Bench
from bench.timeline import Timeline
from bench.unit import Unit
from bench.whereabouts import Whereabouts

from helpers.certificates import Authority
from helpers.keepalived import NETNS_DIR, Keepalived, Lab, Node, Process, StrPath, batch
from helpers.vault_node import VIP, VaultNode

LETTERS = "abc"
NETWORK = VIP.rpartition(".")[0]
WITHOUT_LEADER = (0.4, 3.0)
"""Seconds that an election takes."""
RARE = 12
"""Seconds that a node has not been the leader before it becomes it again, as is usual."""
PATIENCE = 120
"""Seconds for the VIP to arrive: on a machine that is busy one-shots may fail for long."""
SERVING = ("active", "standby")


class Installed(VaultNode):
    """A node with the kacheck that is measured, compiled as users have it."""

    programs = ""

    def _install(self, directory: Path) -> None:
        """Link each entry point to the environment."""
        del directory
        self.libexec.mkdir(exist_ok=True)
        for program in os.listdir(f"{stage.REPO}/checks"):
            (self.libexec / program).unlink(missing_ok=True)
            (self.libexec / program).symlink_to(f"{self.programs}/{program}")


class Place(NamedTuple):
    """What all clusters are made from."""

    stack: ExitStack
    lab: Lab
    bench: Bench
    authority: Authority


class Service:
    """A node's member of the cluster: the process that is killed, stopped and started."""

    def __init__(self, node: VaultNode, name: str, process: str) -> None:
        self.node = node
        self._name = name
        self._program = node.node.dir / process
        self._program.symlink_to(os.path.realpath(sys.executable))
        self._process: Process | None = None

    def start(self, state: str) -> None:
        """Start it with that state."""
        self.node.state = state
        argv: list[StrPath] = [self._program, "-I", str(member.__file__), self._name]
        argv += [self.node.node.dir / "state", self.node.certificate]
        self._process = process = self.node.node.popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert process.popen.stdout
        if process.popen.stdout.readline() != "ready\n" or not process.pid:
            raise UnexpectedError("a member of the stand-in cluster did not start")

    def tell(self, state: str) -> float:
        """Let it answer so from the next request on; the time of just before."""
        at = time.monotonic()
        self.node.state = state
        return at

    def signal(self, number: int) -> float:
        """Send it a signal; the time of just before."""
        assert self._process is not None
        at = time.monotonic()
        self._process.kill(number)
        return at

    def kill(self) -> float:
        """kill -9, and reap it; the time of just before."""
        at = self.signal(SIGKILL)
        assert self._process is not None
        self._process.wait()
        self._process.close()
        return at


class Cluster:
    """The nodes by their letters, and what is seen of them."""

    def __init__(self, place: Place, name: str, shape: shipped.Shape) -> None:
        self.shape = shape
        self._name = name
        self._pause = shipped.pause(shape)
        self._lost = dict.fromkeys(LETTERS, -1e9)
        self.leader = LETTERS[0]
        self._wire = self._node(place, "w", 9)
        lines = ["link add br0 type bridge mcast_snooping 0", "link set br0 up"]
        lines.append(f"address add {self._wire.address}/24 dev br0")
        batch(f"-n {self._wire.netns}", *lines)
        self.nodes = {letter: self._join(place, letter) for letter in LETTERS}
        self.services = {
            letter: Service(node, letter, self._process(letter))
            for letter, node in self.nodes.items()
        }
        argv = [place.bench.python, "-IB", "-m", "kacheck"]
        self.units = {letter: Unit(node, argv) for letter, node in self.nodes.items()}
        paths = {letter: str(NETNS_DIR / node.node.netns) for letter, node in self.nodes.items()}
        self.holders = place.stack.enter_context(Whereabouts(VIP, paths)).timeline
        self.answers: Timeline[str] = Timeline("-")

    def _node(self, place: Place, letter: str, number: int) -> Node:
        directory = place.lab.dir / f"{self._name}-{letter}"
        netns = f"kacheck-{os.getpid()}-{self._name}-{letter}"
        return Node(place.stack, directory, netns, f"{NETWORK}.{number}")

    def _join(self, place: Place, letter: str) -> VaultNode:
        node = self._node(place, letter, 11 + LETTERS.index(letter))
        port = f"port-{letter}"
        batch(
            f"-n {node.netns}",
            f"link add eth0 type veth peer name {port} netns {self._wire.netns}",
            f"address add {node.address}/24 dev eth0",
            "link set lo up",
            "link set eth0 up",
        )
        batch(f"-n {self._wire.netns}", f"link set {port} master br0", f"link set {port} up")
        Installed.programs = place.bench.programs
        return Installed(node, place.authority)

    def _process(self, letter: str) -> str:
        """Return the name of a member's process: native tracking sees those of all nodes."""
        is_native = self.shape.name == "native"
        return f"vault-{letter}-{str(os.getpid())[-5:]}" if is_native else "vault"

    # --- starting -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything; returns when the VIP is on the leader and a client is answered."""
        for letter, service in self.services.items():
            service.start("active" if letter == self.leader else "standby")
            if self.shape.is_recipe:
                self.units[letter].start()
        self._start_client()
        is_native = self.shape.name == "native"
        self.keepalived: dict[str, Keepalived] = {}
        with process_events() if is_native else nullcontext():
            for place, (letter, node) in enumerate(self.nodes.items()):
                text = self.shape.configuration(place, self._process(letter))
                self.keepalived[letter] = node.keepalived(text, "host" if is_native else "node")
                self.keepalived[letter].wait_log("VRRP sockpool")
        self.come_to_rest()

    def _start_client(self) -> None:
        argv = [sys.executable, "-I", str(client.__file__), VIP, str(member.PORT)]
        process = self._wire.popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.client = process
        threading.Thread(target=self._read_client, args=[process], daemon=True).start()

    def _read_client(self, process: Process) -> None:
        assert process.popen.stdout
        for line in process.popen.stdout:
            at, _, answer = line.strip().partition(" ")
            self.answers.add(float(at), answer)

    # --- what happens -------------------------------------------------------------------------

    def step_down(self) -> None:
        """Let the leader become a standby."""
        self._lost[self.leader] = self.services[self.leader].tell("standby")

    def kill(self) -> float:
        """kill -9 of the leader; the time of just before."""
        self._lost[self.leader] = time.monotonic()
        return self.services[self.leader].kill()

    def stop(self) -> float:
        """SIGSTOP of the leader, which finds itself a standby when it goes on; the time."""
        self._lost[self.leader] = at = self.services[self.leader].signal(SIGSTOP)
        self.services[self.leader].node.state = "standby"
        return at

    def seal(self) -> float:
        """Seal the leader; the time of just before."""
        self._lost[self.leader] = at = self.services[self.leader].tell("sealed")
        return at

    def pull(self) -> float:
        """Pull the leader's cable, which makes it a standby; the time of just before."""
        self._lost[self.leader] = at = time.monotonic()
        self.plug(self.leader, "down")
        self.services[self.leader].tell("standby")
        return at

    def plug(self, letter: str, state: str = "up") -> None:
        """Put a node's cable back, or pull it (`down`)."""
        batch(f"-n {self._wire.netns}", f"link set port-{letter} {state}")

    def elect(self, *candidates: str) -> float:
        """Let the others elect a leader which has not the VIP; the time of its first 200."""
        time.sleep(random.uniform(*WITHOUT_LEADER))
        others = list(candidates or LETTERS.replace(self.leader, ""))
        others = [letter for letter in others if letter not in self.holders.latest]
        if not others:
            raise UnexpectedError(f"the VIP is on every candidate: {self.holders.latest}")
        self.leader = random.choice(others)
        return self.services[self.leader].tell("active")

    # --- what is seen -------------------------------------------------------------------------

    def answered(self, after: float, victim: str) -> float:
        """Return when a client is first answered by a node that serves, which is not the victim."""
        words = {f"{node} {state}" for node in LETTERS if node != victim for state in SERVING}
        return self.answers.wait(words.__contains__, after, PATIENCE, f"{self._name}: an answer")

    def followed(self, after: float) -> float:
        """Return when the VIP is first on the leader, and on no other node."""
        what = f"{self._name}: the VIP on {self.leader}"
        return self.holders.wait({self.leader}.__eq__, after, PATIENCE, what)

    def announced(self, after: float) -> float | None:
        """Return when the leader's watcher last changed its file, if that was after `after`."""
        if not (name := shipped.track_file(self.shape)):
            return None
        path = self.nodes[self.leader].run_dir / "track" / name
        at = path.stat().st_mtime - time.time() + time.monotonic()
        return at if at > after else None

    def wait_a_while(self, seconds: float) -> None:
        """Wait until the VIP is there, but no longer than that."""
        self.holders.wait_a_while({self.leader}.__eq__, time.monotonic(), seconds)

    def come_to_rest(self) -> None:
        """Wait until nothing moves any more, and for a random moment of the intervals."""
        begun = time.monotonic()
        self.followed(begun)
        word = f"{self.leader} active"
        self.answers.wait(word.__eq__, begun, PATIENCE, f"{self._name}: {word}")
        lost = [at for node, at in self._lost.items() if node != self.leader]
        rested = max(lost) + RARE if self.shape.is_recipe else 0
        time.sleep(max(self._pause, rested - time.monotonic()) + random.uniform(0, 2))
        self.followed(time.monotonic())
