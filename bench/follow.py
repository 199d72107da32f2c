"""From a failure until the VIP answers, and from a new leader until it has the VIP.

    sudo .venv/bin/python bench/follow.py [--runs N] [--recipe NAME]... [--svg FILE]

Three nodes with the configuration of examples/ (shipped.py), a stand-in cluster (cluster.py), and a
client that connects to the VIP every 2 ms. Beside kacheck, with the same VRRP settings and in turn
with it, native vrrp_track_process, and a one-liner. A new leader is one that has not the VIP: where
it has it, there is nothing to measure. While anything is measured at least two nodes can serve.

A missed goal is not an error (see one_shot.py).
"""

import argparse
import signal
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from os.path import abspath, dirname
from types import FrameType

sys.path.insert(0, dirname(dirname(abspath(__file__))))
sys.path.insert(1, f"{sys.path[0]}/tests")

from bench import picture, shipped, stage, trial
from bench.cluster import Cluster, Place
from bench.measure import UnexpectedError, goal, grid, machine, title
from bench.rows import Bench
from bench.shipped import RECOMMENDED, Shape
from bench.trial import SCENARIOS, Trial

from helpers.certificates import Authority
from helpers.keepalived import Lab, LabError, keepalived_version

FAST = "0.1"
"""Seconds of advert_int: the fast settings."""
PGREP = "pgrep -x, interval 2, fall 2"
HEADING = "From a failure until the VIP answers"


class Measured:
    """What the clusters showed, by their names: seconds, by the names of the rows."""

    def __init__(self, lab: Lab, scenarios: Sequence[str], runs: int) -> None:
        self._lab = lab
        programs = stage.install(f"{lab.dir}/env")
        self._bench = Bench(programs, str(lab.dir), {})
        self._authority = Authority()
        self._scenarios = scenarios
        self._runs = runs
        self._number = 0
        self.trials: dict[str, Trial] = {}

    def recipe(self, name: str) -> None:
        """Measure a recipe, and what is compared with it."""
        with ExitStack() as stack:
            ours = self._begin(stack, name, Shape(name, name))
            if "kill" in self._scenarios:
                self._beside(ours, name)
            for scenario in self._scenarios:
                if scenario not in ("kill", "fast"):
                    self._repeat([ours], scenario)
        if "fast" in self._scenarios:
            with ExitStack() as stack:
                fast = self._begin(stack, fastened(name), Shape(name, name, FAST))
                self._repeat([fast], "step-down")

    def _beside(self, ours: Trial, name: str) -> None:
        """Kill the service in turn with those of others than kacheck."""
        with ExitStack() as stack:
            others = [self._begin(stack, native(name), Shape("native", name))]
            if name == RECOMMENDED:
                others.append(self._begin(stack, PGREP, Shape("pgrep", name)))
            self._repeat([ours, *others], "kill")

    def _begin(self, stack: ExitStack, name: str, shape: Shape) -> Trial:
        self._number += 1
        place = Place(stack, self._lab, self._bench, self._authority)
        trial = self.trials[name] = Trial(Cluster(place, str(self._number), shape))
        trial.cluster.start()
        return trial

    def _repeat(self, trials: Sequence[Trial], scenario: str) -> None:
        for _ in range(self._runs):
            for each in trials:
                each.run(scenario)


def native(name: str) -> str:
    """Return the name of native tracking beside a recipe."""
    return f"native beside {name}"


def fastened(name: str) -> str:
    """Return the name of a recipe with the fast settings."""
    return f"{name}, advert_int {FAST}"


def show(name: str, trials: dict[str, Trial]) -> None:
    """Print what a recipe, and what is compared with it, has shown."""
    trials = {key: each for key, each in trials.items() if each.times}
    for key, each in trials.items():
        title(key)
        print(table(each))
    title(f"Goals, {name}")
    print("\n".join(goals(name, trials)), flush=True)


def table(measured: Trial) -> str:
    """Return the figures of a cluster, in seconds."""
    rows = [["seconds", "times", "median", "longest"]]
    for name in trial.ROWS:
        if times := measured.times.get(name):
            figures = [f"{value:.3f}" for value in (statistics.median(times), max(times))]
            rows.append([name, str(len(times)), *figures])
    return f"{grid(rows)}\n\nload {min(measured.loads):.1f} to {max(measured.loads):.1f}"


def goals(name: str, trials: dict[str, Trial]) -> Iterator[str]:
    """Say of each goal whether a recipe meets it."""
    times = trials[name].times if name in trials else {}
    median = {row: statistics.median(each) for row, each in times.items()}
    longest = {row: max(each) for row, each in times.items()}
    if trial.KILLED in times:
        killed = median[trial.KILLED]
        yield goal(f"{trial.KILLED}, median", killed * 1000, 100, " ms")
        if native(name) in trials:
            theirs = statistics.median(trials[native(name)].times[trial.KILLED])
            yield goal("the same, more than native tracking", (killed - theirs) * 1000, 10, " ms")
    if failed := times.get(trial.HUNG, []) + times.get(trial.SEALED, []):
        yield goal("SIGSTOP or sealed -> answered, median", statistics.median(failed), 1, " s")
    if fast := trials.get(fastened(name)):
        followed, what = fast.times[trial.FOLLOWED], f"{trial.FOLLOWED}, advert_int {FAST}"
        yield goal(f"{what}, median", statistics.median(followed), 0.5, " s")
        yield goal(f"{what}, longest", max(followed), 1.2, " s")
    limits = [
        (median, trial.FOLLOWED, 0.8),
        (longest, trial.FOLLOWED, 1.8),
        (longest, trial.NOWHERE, 0.1),
        (longest, trial.NOWHERE_PULLED, 3 * shipped.advert_int(Shape(name, name)) + 0.1),
        (longest, trial.TWICE, 0.05),
        (longest, trial.CRASHED, 0),
        (longest, trial.STOPPED, 0),
        (longest, trial.RESTARTED, 0),
        (longest, trial.BUSY, 0),
        (longest, trial.DEAF_OLD, 2),
        (longest, trial.DEAF_NEW, 2),
    ]
    for values, row, most in limits:
        if row in values:
            word = "median" if values is median else "longest"
            yield goal(f"{row}, {word}", values[row], most, " s")


def pictured(trials: dict[str, Trial]) -> Iterator[picture.Row]:
    """Yield the rows of the picture: what was killed everywhere, and what else failed."""
    words = {trial.KILLED: "kill -9", trial.HUNG: "SIGSTOP", trial.SEALED: "sealed"}
    for name, measured in sorted(trials.items(), key=lambda pair: not pair[0].startswith("native")):
        is_recipe = measured.cluster.shape.is_recipe
        colour = "b" if is_recipe else "a" if name.startswith("native") else "c"
        for row, word in words.items():
            if times := measured.times.get(row):
                milliseconds = [seconds * 1000 for seconds in times]
                yield picture.Row(f"{word}: {name}", milliseconds, colour)


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="From a failure until the VIP answers, and from a new leader until it has the "
        "VIP; needs root."
    )
    parser.add_argument("--runs", type=int, default=10, help="of each scenario (default: 10)")
    parser.add_argument(
        "--recipe",
        action="append",
        choices=shipped.recipes(),
        help=f"of examples/, more than once if you like (default: {RECOMMENDED})",
    )
    parser.add_argument(
        "--scenario",
        action="append",
        choices=[*SCENARIOS, "fast"],
        help="what happens, more than once if you like (default: everything)",
    )
    parser.add_argument("--svg", metavar="FILE", help="make a picture of it, too")
    return parser.parse_args(argv)


def report(args: argparse.Namespace, lab: Lab) -> bool:
    """Measure everything and print it; return whether all of it could be measured."""
    is_complete = True
    measured = Measured(lab, args.scenario or [*SCENARIOS, "fast"], args.runs)
    version = ".".join(map(str, keepalived_version()))
    print(f"# The VIP follows\n\n{machine()}, keepalived {version}", flush=True)
    for name in args.recipe or [RECOMMENDED]:
        before = set(measured.trials)
        try:
            measured.recipe(name)
        except UnexpectedError as error:
            print(f"bench: {name}: {error}", file=sys.stderr)
            is_complete = False
        finally:  # what was measured before an error or a signal is shown, too
            show(name, {key: each for key, each in measured.trials.items() if key not in before})
    if args.svg:
        note = "One run of bench/follow.py: a dot is one failure, a bar the median; keepalived "
        with open(args.svg, "w") as file:
            file.write(picture.draw([*pictured(measured.trials)], HEADING, note + version))
    return is_complete


def leave(number: int, _: FrameType | None) -> None:
    """Clean up at the first signal, whatever comes after it."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    args = options(argv)
    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)
    try:
        with Lab() as lab:
            return 0 if report(args, lab) else 1
    except (UnexpectedError, LabError, AssertionError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
