"""Commands measured side by side: CPU and wall time of one run, medians of many, tables of both.

CPU is user and system time as wait4(2) has it: of the command and of every child that it waited
for itself. Commands of one table take turns (A B C A B C ...), so that a machine that slows down
slows all of them, and nothing is concluded from one run.
"""

import math
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

NULL_STREAMS = [
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
]
"""As keepalived starts a script."""


class UnexpectedError(Exception):
    """A command did not do what it is measured for; says which, and what it did."""


class Command(NamedTuple):
    """One row of a table."""

    name: str
    argv: list[str]
    expect: str = ""
    """What its output must contain."""
    code: int = 0


class Sample(NamedTuple):
    """One run: milliseconds."""

    cpu: float
    wall: float


class Measured(NamedTuple):
    """All runs of a command."""

    samples: list[Sample]

    @property
    def cpu(self) -> float:
        """Median CPU time."""
        return statistics.median(sample.cpu for sample in self.samples)

    @property
    def wall(self) -> float:
        """Median wall time."""
        return statistics.median(sample.wall for sample in self.samples)

    def spread(self) -> str:
        """The least and the most CPU that a run took."""
        cpus = [sample.cpu for sample in self.samples]
        return f"{min(cpus):.1f}..{max(cpus):.1f}"


Measurements = dict[str, Measured]


def verify(command: Command, environ: Mapping[str, str]) -> None:
    """Run a command once, so that no table compares failures.

    Raises:
        UnexpectedError: another exit code or output than it should have.

    """
    try:
        done = subprocess.run(
            command.argv,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnexpectedError(f"{command.name}: {error}") from None
    output = done.stdout + done.stderr
    if done.returncode != command.code or command.expect not in output:
        raise UnexpectedError(
            f"{command.name}: exit code {done.returncode} (expected {command.code}), output "
            f"{output.strip()[-500:]!r} (expected {command.expect!r}): {command.argv}"
        )


def run(command: Command, environ: Mapping[str, str]) -> Sample:
    """Run a command to its end.

    Raises:
        UnexpectedError: it did not end as it should.

    """
    begun = time.perf_counter()
    pid = os.posix_spawn(command.argv[0], command.argv, environ, file_actions=NULL_STREAMS)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begun
    code = os.waitstatus_to_exitcode(status)
    if code != command.code:
        raise UnexpectedError(f"{command.name}: exit code {code} (expected {command.code})")
    return Sample((usage.ru_utime + usage.ru_stime) * 1000, wall * 1000)


def measure(commands: Sequence[Command], runs: int, environ: Mapping[str, str]) -> Measurements:
    """Verify every command, which warms it up, then let them take turns.

    Raises:
        UnexpectedError: a command did not do what it is measured for.

    """
    for command in commands:
        verify(command, environ)
    measured: Measurements = {command.name: Measured([]) for command in commands}
    assert len(measured) == len(commands), "two rows of one name"
    for _ in range(runs):
        for command in commands:
            measured[command.name].samples.append(run(command, environ))
    return measured


def cpu_of(pid: int) -> float:
    """Milliseconds of CPU that the living threads of a process have had.

    From schedstat, which counts nanoseconds; getrusage(2) may count ticks.
    """
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e6


def memory_of(pid: int) -> tuple[float, float]:
    """MB of memory that a process has: all of it, and its share (Pss) of what others have, too."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        sizes = dict(line.split(":", 1) for line in file.read().splitlines()[1:])
    watcher, share = (int(sizes[key].split()[0]) * 1024 / 1e6 for key in ("Rss", "Pss"))
    return watcher, share


def table(measured: Measurements, reference: str) -> str:
    """Return a Markdown table that reads well as plain text; ratios are to the row `reference`."""
    base = measured[reference]
    rows = [["command", "CPU ms", "min..max", "wall ms", "CPU ratio", "wall ratio"]]
    rows += [
        [
            name,
            f"{row.cpu:.1f}",
            row.spread(),
            f"{row.wall:.1f}",
            "1 (reference)" if name == reference else f"{row.cpu / base.cpu:.2f}",
            "1" if name == reference else f"{row.wall / base.wall:.2f}",
        ]
        for name, row in measured.items()
    ]
    return grid(rows)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent of them do not exceed (the nearest rank)."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def goal(text: str, value: float, most: float, unit: str = "") -> str:
    """A line for a goal: whether it is met, with the figures."""
    word = "met   " if value <= most else "MISSED"
    return f"- {word} {text}: {value:.3g}{unit}, at most {most:g}{unit}"


def title(text: str) -> None:
    """A heading of the report."""
    print(f"\n## {text}\n", flush=True)


def machine() -> str:
    """What the figures were measured on."""
    kernel = f"{platform.system()} {platform.release()}"
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return f"Python {platform.python_version()}, {kernel}, {load}"


def grid(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of them the heading, with columns lined up: text left, numbers right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines: Iterable[Sequence[str]] = (rows[0], rule, *rows[1:])
    return "\n".join("| " + " | ".join(justify(cells, widths)) + " |" for cells in lines)


def justify(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The cells of one line, padded."""
    first, *rest = zip(cells, widths, strict=True)
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]
