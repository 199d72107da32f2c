"""From a failure to FAULT on keepalived's notify FIFO: the watcher, native tracking and scripts.

    sudo .venv/bin/python bench/failover.py [--runs N] [--processes N] [--svg FILE]

Everything runs at the same time, and in each round everything fails once: a process is killed, or
Vault, or Vault is sealed. Each row has a separate keepalived, all of them started alike: outside,
with `net_namespace`, the one way in which native tracking works. The time is from just before
kill(2) to the line read from the FIFO, by the clock of one process; it begins at a random moment
of the interval. Between two rounds everything is healed, and every instance MASTER.

A missed goal is not an error (see one_shot.py).
"""

import argparse
import fcntl
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(1, f"{sys.path[0]}/tests")

from bench import picture, stage
from bench.measure import UnexpectedError, goal, grid, machine, percentile, title
from bench.rows import Bench

from helpers.keepalived import Keepalived, Lab, LabError, Node, keepalived_version

NATIVE = "kill -9: native vrrp_track_process"
WATCHER = "kill -9: kacheck watch"
PGREP = "kill -9: pgrep -x, interval {0}, fall {0}"
VAULT_KILLED = "kill -9 of Vault: kacheck watch"
HTTP_KILLED = "kill -9 of an HTTP server: kacheck watch"
SEALED = "Vault sealed: kacheck watch, fall {}"
COLOURS = {NATIVE: "a", PGREP.format(1): "c", PGREP.format(2): "c"}
HEADING = "From the failure to FAULT on keepalived's notify FIFO"
PATIENCE = 40
"""Seconds; a role of Vault that comes and goes is regained after 20."""

CONFIGURATION = """
[check.process]
probe = "process"
name = "{process}"
rise = 1

[check.vault-killed]
probe = "vault"
address = "{killed}"
rise = 1

[check.http-killed]
probe = "http"
url = "{http_killed}/v1/sys/health"
rise = 1

[check.sealed-1]
probe = "vault"
address = "{sealed_1}"
rise = 1
fall = 1

[check.sealed-2]
probe = "vault"
address = "{sealed_2}"
rise = 1
"""
"""As shipped (interval 1, fall 2, a timeout of 0.8), but for rise, so that a round is short."""
INSTANCE = """
vrrp_instance VI_1 {
    version 3
    interface eth0
    virtual_router_id %d
    priority 100
    advert_int 0.1
    virtual_ipaddress {
        10.77.0.%d
    }
    track_%s {
        tracked
    }
}
"""
PROCESS = "vrrp_track_process tracked {\n process %s\n weight 0\n}\n"
FILE = "track_file tracked {\n file %s\n weight 0 reverse\n}\n"
SCRIPT = """
vrrp_script tracked {
    script "pgrep -x %s"
    interval %d
    fall %d
    user root
}
"""


class Failure(NamedTuple):
    """What happens to a process or a Vault."""

    hurt: Callable[[], float]
    """Let it fail; time.monotonic() of just before."""
    heal: Callable[[], object]


class Trial(NamedTuple):
    """One row: a keepalived, and what fails."""

    name: str
    keepalived: Keepalived
    failure: Failure
    interval: float | None
    """Seconds between two looks; None where an event tells."""
    times: list[float]
    """Milliseconds from the failure to FAULT."""


class Scene:
    """Everything that fails, and everything that watches it."""

    def __init__(self, stack: ExitStack, lab: Lab, directory: str) -> None:
        self.stack = stack
        self.node: Node = lab.node("a")
        self.directory = directory
        self.trials: list[Trial] = []

    def begin(self, kacheck: Sequence[str]) -> None:
        """Start it all."""
        enter = self.stack.enter_context
        memory = enter(stage.memory())
        suffix = str(os.getpid())[-5:]  # no other bench's
        names = [f"{word}-{suffix}" for word in ("native", "ours", "pgrep-1", "pgrep-2")]
        sleepers = [enter(stage.Sleeper(self.directory, name)) for name in names]
        vaults = {
            word: enter(stage.Vault(self.directory, word))
            for word in ("killed", "http_killed", "sealed_1", "sealed_2")
        }
        addresses = {word: vault.address for word, vault in vaults.items()}
        configuration = CONFIGURATION.format(process=names[1], **addresses)
        track = enter(stage.Watcher(kacheck, configuration, memory)).state_dir + "/track"
        with process_events():
            self.add(NATIVE, PROCESS % names[0], killing(sleepers[0]))
        self.add(WATCHER, FILE % f"{track}/process", killing(sleepers[1]))
        for number in (1, 2):
            text = SCRIPT % (names[1 + number], number, number)
            name = PGREP.format(number)
            self.add(name, text, killing(sleepers[1 + number]), number)
        text = FILE % f"{track}/vault-killed"
        self.add(VAULT_KILLED, text, killing(vaults["killed"]))
        text = FILE % f"{track}/http-killed"
        self.add(HTTP_KILLED, text, killing(vaults["http_killed"]))
        for number in (1, 2):
            text = FILE % f"{track}/sealed-{number}"
            self.add(SEALED.format(number), text, sealing(vaults[f"sealed_{number}"]), 1)

    def add(self, name: str, tracked: str, failure: Failure, interval: float | None = None) -> None:
        """A row: start its keepalived."""
        number = 100 + len(self.trials)
        kind = tracked.split(maxsplit=1)[0].removeprefix("vrrp_").removeprefix("track_")
        keepalived = self.node.keepalived(tracked + INSTANCE % (number, number, kind), "host")
        keepalived.wait_for("MASTER", PATIENCE)
        self.trials.append(Trial(name, keepalived, failure, interval, []))

    def round(self, *, slow: bool) -> None:
        """Let everything fail once, at random moments, and heal it."""
        quick = [trial for trial in self.trials if trial.interval is None]
        timed = [trial for trial in self.trials if trial.interval is not None and slow]
        random.shuffle(quick)
        time.sleep(random.random())
        for trial in quick:
            observe(trial, trial.failure.hurt())
            time.sleep(0.05)
        moments = [(time.monotonic() + random.uniform(0, t.interval or 0), t) for t in timed]
        hurt: list[tuple[Trial, float]] = []
        for moment, trial in sorted(moments, key=lambda pair: pair[0]):
            time.sleep(max(0.0, moment - time.monotonic()))
            hurt.append((trial, trial.failure.hurt()))
        for trial, at in hurt:
            observe(trial, at)
        healed = time.monotonic()
        for trial in quick + timed:
            trial.failure.heal()
        for trial in quick + timed:
            trial.keepalived.wait_for("MASTER", PATIENCE, after=healed)


def killing(victim: stage.Victim) -> Failure:
    """It is killed, and started again."""
    return Failure(victim.kill, victim.start)


def sealing(vault: stage.Vault) -> Failure:
    """It is sealed, and unsealed."""
    return Failure(lambda: vault.tell("sealed"), lambda: vault.tell("active"))


def observe(trial: Trial, at: float) -> None:
    """Wait for FAULT."""
    event = trial.keepalived.wait_for("FAULT", PATIENCE, after=at)
    trial.times.append((event.at - at) * 1000)


@contextmanager
def process_events() -> Iterator[None]:
    """The kernel's process events: one listener begins at a time, those of the tests included.

    Each one gets the answer to any other's listen (tests/keepalived/test_usual_answers.py).
    """
    directory = os.open(f"{stage.REPO}/tests/keepalived", os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def table(trials: Sequence[Trial]) -> str:
    """The figures, in milliseconds."""
    base = statistics.median(trials[0].times)
    rows = [["failure to FAULT, ms", "runs", "median", "p99", "max", "against native"]]
    for trial in trials:
        times, median = trial.times, statistics.median(trial.times)
        figures = [f"{value:.1f}" for value in (median, percentile(times, 99), max(times))]
        rows.append([trial.name, str(len(times)), *figures, f"{median / base:.2f}"])
    return grid(rows)


def goals(trials: Sequence[Trial]) -> Iterator[str]:
    """Whether they are met."""
    times = {trial.name: trial.times for trial in trials}
    medians = {name: statistics.median(each) for name, each in times.items()}
    ratio = medians[WATCHER] / medians[NATIVE]
    yield goal("killed to FAULT, median against native", ratio, 1.5)
    yield goal("killed to FAULT, p99", percentile(times[WATCHER], 99), 10, " ms")
    yield goal("Vault killed to FAULT, median", medians[VAULT_KILLED], 10, " ms")
    yield goal("Vault killed to FAULT, p99", percentile(times[VAULT_KILLED], 99), 10, " ms")
    ratio = medians[HTTP_KILLED] / medians[VAULT_KILLED]
    yield goal("HTTP server killed to FAULT, median against Vault killed", ratio, 1.2)
    if sealed := times.get(SEALED.format(1)):
        yield goal("sealed to FAULT, fall 1, the longest", max(sealed), 1000, " ms")


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="From a failure to FAULT on keepalived's notify FIFO; needs root."
    )
    parser.add_argument("--runs", type=int, default=50, help="rounds (default: 50)")
    parser.add_argument(
        "--slow-runs",
        type=int,
        default=20,
        help="rounds in which what waits for an interval takes part (default: 20)",
    )
    parser.add_argument(
        "--processes", type=int, default=0, help="at least, on the machine; default: as it is"
    )
    parser.add_argument("--svg", metavar="FILE", help="make a picture of it, too")
    return parser.parse_args(argv)


def report(args: argparse.Namespace, stack: ExitStack) -> None:
    """Measure everything and print it."""
    number = stack.enter_context(stage.processes(args.processes))
    lab = stack.enter_context(Lab())
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
    scene = Scene(stack, lab, directory)
    scene.begin(Bench(stage.install(f"{directory}/env"), directory, {}).kacheck)
    print(f"# Failover\n\n{machine()}, {number} processes", flush=True)
    for count in range(args.runs):
        scene.round(slow=count < args.slow_runs)
    trials = [trial for trial in scene.trials if trial.times]
    title("From the failure to FAULT")
    print(table(trials))
    title("Goals")
    print("\n".join(goals(trials)))
    if args.svg:
        rows = [picture.Row(t.name, t.times, COLOURS.get(t.name, "b")) for t in trials]
        version = ".".join(map(str, keepalived_version()))
        note = (
            "One run of bench/failover.py: a dot is one failure, a bar the median; "
            f"keepalived {version}, {number} processes"
        )
        with open(args.svg, "w") as file:
            file.write(picture.draw(rows, HEADING, note))


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    args = options(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with ExitStack() as stack:
            report(args, stack)
    except (UnexpectedError, LabError, AssertionError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
