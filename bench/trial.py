"""What happens to a cluster, and how long its VIP took."""

import itertools
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import NamedTuple

from bench import stage
from bench.cluster import LETTERS, Cluster
from bench.measure import UnexpectedError

KILLED = "kill -9 -> answered"
HUNG = "SIGSTOP -> answered"
SEALED = "sealed -> answered"
PULLED = "cable pulled -> answered"
FOLLOWED = "new leader's 200 -> VIP"
ANNOUNCED = "new leader's 200 -> track file"
CRASHED = "watcher killed: VIP away"
STOPPED = "watcher stopped: VIP away"
RESTARTED = "watcher restarted: VIP away"
BUSY = "busy loops: VIP away"
DEAF_OLD = "old leader's watcher dead: 200 -> VIP"
DEAF_NEW = "new leader's watcher dead: 200 -> VIP"
NOWHERE = "VIP nowhere"
NOWHERE_PULLED = "VIP nowhere, cable pulled"
TWICE = "VIP on two nodes"
ROWS = [
    KILLED, HUNG, SEALED, PULLED, ANNOUNCED, FOLLOWED, NOWHERE, NOWHERE_PULLED, TWICE, CRASHED,
    STOPPED, RESTARTED, BUSY, DEAF_OLD, DEAF_NEW,
]  # fmt: skip
"""In the order in which they are shown."""
DEAF = [(DEAF_OLD, True), (DEAF_NEW, False), (DEAF_NEW, True), (DEAF_OLD, False)]
"""Whose watcher it is, and whether that is killed or stopped, in turn."""
BUSY_SECONDS = 15.0
"""How long there are busy loops, four for each core."""
STOP_SECONDS = 5.0
"""How long a watcher is stopped: less than its watchdog waits."""
DEAF_SECONDS = 4.0
"""How long a watcher is dead or stopped, at most, before the leader changes."""
HEALED_SECONDS = 12.0
"""When it is there again, at the latest, after the leader has changed: its watchdog waits 10 s."""


class Trial:
    """A cluster, and what has been measured on it: seconds, by the names of the rows."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.times: dict[str, list[float]] = defaultdict(list)
        self.loads: list[float] = []
        """Of the machine, at the end of each scenario."""
        self._deaf = itertools.cycle(DEAF)

    def run(self, name: str) -> None:
        """Let one scenario happen, wait until all is at rest, and note where the VIP was."""
        scenario = SCENARIOS[name]
        begun, leader = time.monotonic(), self.cluster.leader
        try:
            scenario.happen(self)
            self.cluster.come_to_rest()
        except UnexpectedError as error:
            raise UnexpectedError(f"{name}: {error}") from None
        spans, now = self.cluster.holders.spans, time.monotonic()
        nowhere = spans(lambda at: not at, begun, now)
        twice = spans(lambda at: len(at) > 1, begun, now)
        self.loads.append(os.getloadavg()[0])
        self.times[scenario.nowhere].append(max(nowhere, default=0))
        self.times[TWICE].append(max(twice, default=0))
        if scenario.away:
            away = spans(lambda at: leader not in at, begun, now)
            self.times[scenario.away].append(sum(away))

    def kill(self) -> None:
        """kill -9 of the leader's service."""
        state = "standby" if self.cluster.shape.is_recipe else "active"
        services = self.cluster.services
        self._fail(KILLED, self.cluster.kill, lambda victim: services[victim].start(state))

    def hang(self) -> None:
        """The leader's service is stopped."""
        services = self.cluster.services
        self._fail(HUNG, self.cluster.stop, lambda victim: services[victim].signal(SIGCONT))

    def seal(self) -> None:
        """The leader's service is sealed."""
        services = self.cluster.services
        self._fail(SEALED, self.cluster.seal, lambda victim: services[victim].tell("standby"))

    def pull(self) -> None:
        """The leader's cable is pulled."""
        self._fail(PULLED, self.cluster.pull, self.cluster.plug)

    def _fail(self, row: str, hurt: Callable[[], float], heal: Callable[[str], object]) -> None:
        """Let the leader fail, and the others elect a new one; heal it when that has the VIP.

        Beside kacheck nothing asks for a leader: the VIP comes back to the one that is healed.
        """
        cluster, victim = self.cluster, self.cluster.leader
        at = hurt()
        if cluster.shape.is_recipe:
            self._follow()
        self.times[row].append(cluster.answered(at, victim) - at)
        heal(victim)

    def step_down(self) -> None:
        """Another node leads, while all of them live."""
        self.cluster.step_down()
        self._follow()

    def _follow(self) -> None:
        elected = self.cluster.elect()
        self.times[FOLLOWED].append(self.cluster.followed(elected) - elected)
        if announced := self.cluster.announced(elected):
            self.times[ANNOUNCED].append(announced - elected)

    def crash(self) -> None:
        """The leader's watcher is killed, and started again by its unit."""
        self.cluster.units[self.cluster.leader].crash()

    def stop(self) -> None:
        """The leader's watcher is stopped for a while."""
        unit = self.cluster.units[self.cluster.leader]
        unit.signal(SIGSTOP)
        time.sleep(STOP_SECONDS)
        unit.signal(SIGCONT)

    def restart(self) -> None:
        """The leader's watcher is restarted by its unit."""
        self.cluster.units[self.cluster.leader].restart()

    def load(self) -> None:
        """The machine of all nodes has much else to do."""
        with stage.busy(stage.LOOPS):
            time.sleep(BUSY_SECONDS)

    def deafen(self) -> None:
        """The watcher of the old or the new leader is dead or stopped when the leader changes.

        The first node is not the new leader: without one it may have the VIP already.
        """
        old = self.cluster.leader
        new = random.choice(LETTERS[1:].replace(old, ""))
        row, is_killed = next(self._deaf)
        unit = self.cluster.units[old if row == DEAF_OLD else new]
        unit.signal(SIGKILL if is_killed else SIGSTOP)
        time.sleep(random.uniform(0, DEAF_SECONDS))
        self.cluster.step_down()
        elected = self.cluster.elect(new)
        self.cluster.wait_a_while(HEALED_SECONDS)
        if is_killed:
            unit.start()
        else:
            unit.signal(SIGCONT)
        self.times[row].append(self.cluster.followed(elected) - elected)


class Scenario(NamedTuple):
    """What happens, and the rows for what is seen of the VIP meanwhile."""

    happen: Callable[[Trial], None]
    away: str = ""
    """For how long the leader has not the VIP; none where that is the purpose."""
    nowhere: str = NOWHERE


SCENARIOS = {
    "kill": Scenario(Trial.kill),
    "hang": Scenario(Trial.hang),
    "seal": Scenario(Trial.seal),
    "step-down": Scenario(Trial.step_down),
    "crash": Scenario(Trial.crash, away=CRASHED),
    "stop": Scenario(Trial.stop, away=STOPPED),
    "restart": Scenario(Trial.restart, away=RESTARTED),
    "load": Scenario(Trial.load, away=BUSY),
    "deafen": Scenario(Trial.deafen),
    "pull": Scenario(Trial.pull, nowhere=NOWHERE_PULLED),
}
