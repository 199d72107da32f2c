"""What a one-shot check costs, beside what people would run in its place.

    .venv/bin/python bench/one_shot.py [--runs N] [--processes 70,3000] [--looks N]

Prints Markdown tables of medians, and for each goal of the project whether it is met. A goal that
is missed is not an error (the machine may be busy: look at min..max, run it again). The exit code
is 1 only if a command did not do what it is measured for.
"""

import argparse
import math
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib import metadata
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import stage
from bench.measure import (
    Command,
    Measurements,
    UnexpectedError,
    goal,
    grid,
    measure,
    run,
    table,
    verify,
)
from bench.rows import (
    BARE,
    COMMAND,
    FAIR_GET,
    FAIR_RUN,
    HTTP,
    LONG,
    NAME,
    ONE_CONNECT,
    OURS,
    PROCESS,
    TCP,
    Bench,
    other_rows,
    process_rows,
    recipe_rows,
    start_rows,
    vault_rows,
)

AT_MOST = {"http": 2.3, "https": 3.5}
"""Times BARE that kacheck-vault and kacheck-http may cost."""


class Goal(NamedTuple):
    """`row` costs at most `most` times the CPU of `reference`, where `where` says."""

    where: str
    row: str
    reference: str
    most: float
    measured: Measurements

    def line(self) -> str:
        """Whether it is met, with the figures."""
        cost, base = (self.measured[name].cpu for name in (self.row, self.reference))
        word = "met   " if cost <= self.most * base else "MISSED"
        figures = f"{cost:.1f} ms / {base:.1f} ms = {cost / base:.2f}, at most {self.most:g}"
        return f"- {word} {self.where}: {self.row} against {self.reference}: {figures}"


def measure_processes(bench: Bench, least: int, runs: int) -> list[Goal]:
    """The table of process checks among that many processes."""
    with stage.processes(least) as number, ExitStack() as stack:
        path = stack.enter_context(stage.named(bench.directory, NAME))
        stack.enter_context(stage.named(bench.directory, LONG))
        rows = process_rows(bench, path)
        measured = measure(rows, runs, bench.environ)
    title(f"Is a process alive? {number} processes, {runs} runs")
    print(table(measured, f"pidof {NAME}"))
    pairs = (
        (f"kacheck-process {NAME}", f"pidof {NAME}"),
        (f"python3 -I -m kacheck process {NAME}", f"pidof {NAME}"),
        (f"kacheck-process {LONG}", f"pidof {LONG}"),
        (f"kacheck-process /DIR/{NAME}", f"pidof /DIR/{NAME}"),
    )
    at = f"{number} processes"
    if least < 1000:
        return [Goal(at, pairs[0][0], BARE, 1.3, measured)]
    return [Goal(at, row, peer, 1, measured) for row, peer in pairs]


def measure_start(bench: Bench, runs: int) -> list[Goal]:
    """The table of what every start costs."""
    rows = start_rows(bench)
    measured = measure(rows, runs, bench.environ)
    title(f"Start-up, {runs} runs")
    print(table(measured, BARE))
    return [Goal("start-up", row.name, BARE, 3, measured) for row in rows[1:]]


def measure_vault(bench: Bench, runs: int) -> Iterator[Goal]:
    """The tables of Vault checks over HTTP and, with trustme, over HTTPS."""
    files = stage.certificate(bench.directory)
    kinds: list[tuple[str, str | None, list[str]]] = [("http", None, [])]
    if files:
        ca, chain, key = files
        kinds.append(("https", ca, ["--cert", chain, "--key", key]))
    else:
        print("(trustme is not installed: no table for https)")
    for scheme, authority, options in kinds:
        with stage.vault(*options) as address:
            measured = measure(vault_rows(bench, address, authority), runs, bench.environ)
        title(f"Is Vault active, and does a URL answer? {scheme}, {runs} runs")
        print(table(measured, FAIR_GET))
        for row in (OURS, HTTP):
            yield Goal(scheme, row, BARE, AT_MOST[scheme], measured)
        yield Goal(scheme, f"{OURS} --verbose", FAIR_GET, 1.5, measured)


def measure_others(bench: Bench, runs: int) -> Iterator[str]:
    """The table of a port and a program; a goal for each."""
    with stage.named(bench.directory, NAME), stage.vault() as address:
        measured = measure(other_rows(bench, address), runs, bench.environ)
    title(f"Does a port accept, and does a program succeed? {runs} runs")
    print(table(measured, BARE))
    cpu = {name: row.cpu for name, row in measured.items()}
    most = cpu[PROCESS] + cpu[ONE_CONNECT] - cpu[BARE]
    yield goal(f"{TCP} against {PROCESS} and one connect", cpu[TCP] / most, 1)
    yield Goal("a program", COMMAND, FAIR_RUN, 1.5, measured).line()


def measure_busy(bench: Bench, looks: int) -> Iterator[str]:
    """The table of looks on a machine that has much else to do; a goal for each."""
    files = stage.certificate(bench.directory)
    if not files:
        print("(trustme is not installed: no table of the recipes)")
        return
    ca, chain, key = files
    rows = [["look", "looks", "failed", "median ms", "longest ms"]]
    with stage.named(bench.directory, NAME), stage.vault("--cert", chain, "--key", key) as address:
        commands = recipe_rows(bench, address, ca)
        for command, _ in commands:
            verify(command, bench.environ)
        with stage.busy(stage.LOOPS):
            for command, timeout in commands:
                walls = [wall_of(command, bench.environ) for _ in range(looks)]
                failed = sum(wall > timeout * 1000 for wall in walls)
                whole = [wall for wall in walls if wall < math.inf] or [math.inf]
                spread = [f"{statistics.median(whole):.0f}", f"{max(whole):.0f}"]
                rows.append([command.name, str(looks), str(failed), *spread])
                yield goal(
                    f"{command.name} beside {stage.LOOPS} busy loops, failed looks", failed, 0
                )
    title(f"The looks of the recipes, {stage.LOOPS} busy loops")
    print(grid(rows))


def wall_of(command: Command, environ: Mapping[str, str]) -> float:
    """Milliseconds that a look took; infinite if it failed."""
    try:
        return run(command, environ).wall
    except UnexpectedError:
        return math.inf


def imports(bench: Bench, *words: str) -> set[str]:
    """The modules that a kacheck command imports."""
    command = bench.module(*words, flags=["-X", "importtime"])
    done = subprocess.run(
        command.argv, env=bench.environ, capture_output=True, text=True, check=False
    )
    if done.returncode != command.code or command.expect not in done.stdout:
        raise UnexpectedError(f"{command.name}: {(done.stdout + done.stderr)[-500:]}")
    return set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))


def show_imports(bench: Bench) -> Iterator[str]:
    """The table of what is imported, and whether a check imports what only the other one needs."""
    with stage.named(bench.directory, NAME), stage.vault() as address:
        found = {
            "kacheck process": ("httpx", imports(bench, "process", NAME)),
            "kacheck process --verbose": ("httpx", imports(bench, "process", "-v", NAME)),
            "kacheck vault": ("httpx", imports(bench, "vault", "--address", address)),
            "kacheck vault --verbose": (
                "psutil",
                imports(bench, "vault", "--verbose", "--address", address),
            ),
        }
    title("What is imported")
    rows = [["command", "modules", "httpx", "psutil"]]
    for name, (unwanted, modules) in found.items():
        marks = ["yes" if package in modules else "no" for package in rows[0][2:]]
        rows.append([name, str(len(modules)), *marks])
        yield f"- {'MISSED' if unwanted in modules else 'met   '} {name} does not import {unwanted}"
    print(grid(rows))


def title(text: str) -> None:
    """A heading of the report."""
    print(f"\n## {text}\n", flush=True)


def versions() -> str:
    """What was measured, and on what."""
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("httpx", "psutil"))
    kernel = f"{platform.system()} {platform.release()}"
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return f"Python {platform.python_version()}, {packages}, {kernel}, {load}"


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="What a one-shot check costs.")
    parser.add_argument(
        "--runs", type=int, help="of each command; default 30, with many processes 15"
    )
    parser.add_argument(
        "--processes",
        type=lambda text: [int(number) for number in text.split(",")],
        default=[70, 3000],
        metavar="N,N",
        help="on the machine while processes are looked for; default 70,3000",
    )
    parser.add_argument(
        "--looks", type=int, default=200, help="of each recipe beside busy loops; default 200"
    )
    return parser.parse_args(argv)


def report(args: argparse.Namespace, directory: str) -> None:
    """Measure everything and print it.

    Raises:
        UnexpectedError: a command did not do what it is measured for.

    """
    if not shutil.which("pidof"):
        raise UnexpectedError("pidof, which the goals name, is not installed")
    # Neither a proxy nor PYTHON* nor VAULT_* of whoever runs this.
    environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    bench = Bench(stage.install(directory), directory, environ)
    print(f"# One-shot checks\n\n{versions()}\n\nMedians; CPU is user and system time.")
    lines = list(show_imports(bench))
    goals = measure_start(bench, args.runs or 30)
    goals += measure_vault(bench, args.runs or 30)
    lines += measure_others(bench, args.runs or 30)
    lines += measure_busy(bench, args.looks)
    for number in args.processes:
        goals += measure_processes(bench, number, args.runs or (30 if number < 1000 else 15))
    title("Goals")
    print("\n".join([*(goal.line() for goal in goals), *lines]))


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    args = options(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            report(args, directory)
    except UnexpectedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
