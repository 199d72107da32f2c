"""A bounded soak: many checks, processes that die thousands of times, a Vault that flaps.

    .venv/bin/python bench/soak.py [--seconds N] [--checks N]

Half of the checks have a process each, which is killed, and started again as soon as its death is
in the watcher's journal and in its track file; an eighth asks a Vault that is sealed, unsealed,
killed and started again; the others ask Vaults that are well. So each transition is known before
it happens. Exit code 1: one was missed, one came without a reason, or memory or descriptors grew.
"""

import argparse
import json
import os
import queue
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import stage
from bench.measure import (
    UnexpectedError,
    cpu_of,
    goal,
    grid,
    machine,
    memory_of,
    percentile,
    title,
)
from bench.rows import Bench

PATIENCE = 5.0
"""Seconds after which a transition was missed: several intervals."""
PAUSE = 3.0
"""Seconds, at most, that a process lives after it was seen."""
GROWTH = 1.1
"""More memory at the end, against a quarter of the way, is growth; less is the threads' stacks and
malloc's arenas, which each thread reaches at some time."""
COMMON = "interval = 1\ntimeout = 0.8\nrise = 1\nfall = 1\n"
PROCESS = '[check.{0}]\nprobe = "process"\nname = "{0}"\n' + COMMON
VAULT = '[check.{}]\nprobe = "vault"\naddress = "{}"\n' + COMMON


class Sample(NamedTuple):
    """What the watcher has, that many seconds after the beginning."""

    at: float
    memory: float
    files: int
    deaths: int


class Seen(NamedTuple):
    """A line of the journal: a check changed its status."""

    at: float
    check: str
    is_up: bool


class Subject:
    """What is hurt and healed again and again, and the checks that must tell of it."""

    def __init__(self, checks: Sequence[str], *actions: Callable[[], object]) -> None:
        self.checks = checks
        self.actions = actions
        """In turn: each one that hurts is followed by one that heals."""
        self.turn = 0
        self.waiting: set[str] = set()
        self.done_at = time.monotonic()
        self.due = self.done_at + random.uniform(0, PAUSE)

    @property
    def is_up(self) -> bool:
        """Should it be up now?"""
        return self.turn % 2 == 0

    def act(self) -> None:
        """Do the next action; every check has to report it."""
        action = self.actions[self.turn % len(self.actions)]
        self.turn += 1
        self.waiting = set(self.checks)
        self.done_at = time.monotonic()
        action()
        self.due = time.monotonic() + random.uniform(0.5, PAUSE)


class Soak:
    """All subjects, and what was seen of them."""

    def __init__(self, subjects: Sequence[Subject], track: str) -> None:
        self.subjects = subjects
        """The first one is the Vault."""
        self.track = track
        self.of_check = {check: subject for subject in subjects for check in subject.checks}
        self.news: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self.deaths = self.expected = self.missed = self.unexpected = 0
        self.delays: list[float] = []

    def hear(self, line: str) -> None:
        """A line of the journal, as it comes."""
        at = time.monotonic()
        fields = json.loads(line)
        if fields["event"] == "transition" and fields["old_status"] not in (None, fields["status"]):
            self.news.put(Seen(at, fields["check"], fields["status"] == "ok"))

    def run(self, until: float, *, hurting: bool) -> None:
        """Let things happen until then, or, without `hurting`, until all are well again."""
        while (now := time.monotonic()) < until:
            for subject in self.subjects:
                self.move(subject, now, hurting=hurting)
            if not hurting and all(s.is_up and not s.waiting for s in self.subjects):
                return
            try:
                self.take(self.news.get(timeout=0.01))
                while True:
                    self.take(self.news.get_nowait())
            except queue.Empty:
                continue

    def move(self, subject: Subject, now: float, *, hurting: bool) -> None:
        """Let a subject's next action happen, if it is time for it."""
        if subject.waiting and now - subject.done_at > PATIENCE:
            self.missed += len(subject.waiting)
            subject.waiting = set()
        if subject.waiting or (subject.is_up and (now < subject.due or not hurting)):
            return
        self.deaths += subject.is_up and subject is not self.subjects[0]
        self.expected += len(subject.checks)
        subject.act()

    def take(self, seen: Seen) -> None:
        """Compare a transition with what was done."""
        subject = self.of_check.get(seen.check)
        if subject is None or seen.check not in subject.waiting or seen.is_up != subject.is_up:
            self.unexpected += 1
            return
        subject.waiting.remove(seen.check)
        with open(f"{self.track}/{seen.check}") as file:
            self.missed += file.read() != f"{int(seen.is_up)}\n"
        if not seen.is_up and subject is not self.subjects[0]:
            self.delays.append((seen.at - subject.done_at) * 1000)


def scene(stack: ExitStack, directory: str, checks: int) -> tuple[list[Subject], str]:
    """The processes, the Vaults, and the configuration of the checks that look at them."""
    enter = stack.enter_context
    flapping = enter(stage.Vault(directory, "flapping"))
    steady = [enter(stage.vault()) for _ in range(3)]
    flaps = [f"flapping-{number}" for number in range(checks // 8)]
    seal, unseal = (partial(flapping.tell, state) for state in ("sealed", "active"))
    subjects = [Subject(flaps, seal, unseal, flapping.kill, flapping.start)]
    text = "".join(VAULT.format(name, flapping.address) for name in flaps)
    for number in range(checks // 2):
        name = f"soak-{number}"
        sleeper = enter(stage.Sleeper(directory, name))
        subjects.append(Subject([name], sleeper.kill, sleeper.start))
        text += PROCESS.format(name)
    for number in range(checks - checks // 2 - checks // 8):
        text += VAULT.format(f"steady-{number}", steady[number % len(steady)])
    return subjects, text


def measure_soak(soak: Soak, pid: int, seconds: float) -> Iterator[Sample]:
    """Let it go on, and look at the watcher at each quarter, while all is well."""
    begun = time.monotonic()
    for quarter in range(1, 5):
        soak.run(begun + seconds * quarter / 4, hurting=True)
        soak.run(time.monotonic() + 2 * PATIENCE, hurting=False)
        files = 0
        for _ in range(20):  # a connection may be missing for a moment while it is replaced
            files = max(files, len(os.listdir(f"/proc/{pid}/fd")))
            time.sleep(0.05)
        yield Sample(time.monotonic() - begun, memory_of(pid)[0], files, soak.deaths)


def show(soak: Soak, samples: Sequence[Sample], cpu: float) -> None:
    """The figures."""
    rows = [["after", "memory", "descriptors", "deaths"]]
    for sample in samples:
        figures = [f"{sample.memory:.1f} MB", str(sample.files), str(sample.deaths)]
        rows.append([f"{sample.at:.0f} s", *figures])
    print(grid(rows))
    delays = soak.delays or [0.0]
    median, slow = statistics.median(delays), percentile(delays, 99)
    print(
        f"\n{soak.expected} transitions, of {soak.deaths} deaths and {soak.subjects[0].turn} "
        f"changes of the Vault.\nA death is in the journal after {median:.1f} ms (median), "
        f"{slow:.1f} ms (p99), {max(delays):.1f} ms (max).\n"
        f"CPU of the watcher: {cpu:.0f} % of one core."
    )


def goals(soak: Soak, samples: Sequence[Sample]) -> Iterator[str]:
    """Whether all was seen, and nothing grew."""
    first, last = samples[0], samples[-1]
    yield goal("transitions that were missed", soak.missed, 0)
    yield goal("transitions without a reason", soak.unexpected, 0)
    yield goal("memory, the end against a quarter of the way", last.memory / first.memory, GROWTH)
    yield goal("descriptors, the same", last.files / first.files, 1)


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Many checks, processes that die thousands of times, a Vault that flaps."
    )
    parser.add_argument("--seconds", type=float, default=180, help="about (default: 180)")
    parser.add_argument("--checks", type=int, default=200, help="at least 8 (default: 200)")
    return parser.parse_args(argv)


def report(args: argparse.Namespace, stack: ExitStack) -> bool:
    """Soak, print the figures; whether all is well."""
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
    memory = stack.enter_context(stage.memory())
    kacheck = Bench(stage.install(f"{directory}/env"), directory, {}).kacheck
    print(f"# Soak\n\n{machine()}, {args.checks} checks\n", flush=True)
    subjects, text = scene(stack, directory, args.checks)
    soak = Soak(subjects, f"{memory}/state/track")
    watcher = stage.Watcher(kacheck, text, memory, soak.hear, "json")
    with watcher:
        begun = time.monotonic()
        samples = [*measure_soak(soak, watcher.pid, args.seconds)]
        cpu = cpu_of(watcher.pid) / (time.monotonic() - begun) / 10
    show(soak, samples, cpu)
    title("Goals")
    lines = [*goals(soak, samples)]
    print("\n".join(lines))
    return not any("MISSED" in line for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    args = options(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with ExitStack() as stack:
            return 0 if report(args, stack) else 1
    except UnexpectedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
