"""What the watcher costs while nothing happens, beside the one-liners that people run instead.

    .venv/bin/python bench/watcher.py [--seconds N] [--processes N] [--python FILE]...

CPU of the watcher is what its threads have had (/proc/PID/task/*/schedstat) while the one-liners
ran once a second beside it, on the same machine in the same seconds. Its state directory is on a
tmpfs, as /run is. A missed goal is not an error (see one_shot.py).
"""

import argparse
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import pairwise
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import stage
from bench.measure import (
    UnexpectedError,
    cpu_of,
    goal,
    grid,
    machine,
    measure,
    memory_of,
    percentile,
    run,
    table,
    title,
    verify,
)
from bench.rows import NAME, Bench, one_liners

WARM_UP = 5.0
"""Seconds after which a watcher has loaded everything, connected, and connected again."""
MANY = 200
"""Checks."""
PAUSE = 0.2
"""Seconds between two looks, after which caches are about as cold as after one."""
PROCESS = '[check.process{}]\nprobe = "process"\nname = "{}"\n'
VAULT = '[check.vault{}]\nprobe = "vault"\naddress = "{}"\n'
HTTP = '[check.http{}]\nprobe = "http"\nurl = "{}/v1/sys/health"\n'


class Cost(NamedTuple):
    """Milliseconds of CPU for each second, of the watcher and of what it replaces."""

    where: str
    watcher: float
    one_liners: float

    @property
    def ratio(self) -> float:
        """How many times the one-liners' cost."""
        return self.watcher / self.one_liners


# --- one process and one Vault ---------------------------------------------------------------


def configuration(address: str, ca: str | None) -> str:
    """A process and a Vault, once a second."""
    trust = f'ca_cert = "{ca}"\n' if ca else ""
    return PROCESS.format("", NAME) + VAULT.format("", address) + trust


def measure_cpu(bench: Bench, least: int, seconds: int) -> Iterator[Cost]:
    """The watcher beside the one-liners among that many processes, over http and https."""
    files = stage.certificate(bench.directory)
    with ExitStack() as stack:
        number = stack.enter_context(stage.processes(least))
        stack.enter_context(stage.named(bench.directory, NAME))
        plain = stack.enter_context(stage.vault())
        yield one_cost(bench, f"{number} processes, http", (plain, None), seconds)
        if files and least < 1000:
            ca, chain, key = files
            address = stack.enter_context(stage.vault("--cert", chain, "--key", key))
            yield one_cost(bench, f"{number} processes, https", (address, ca), seconds)


def one_cost(bench: Bench, where: str, vault: tuple[str, str | None], seconds: int) -> Cost:
    """Let the watcher and the one-liners work side by side for a while."""
    commands = one_liners(bench, *vault)
    for command in commands:
        verify(command, bench.environ)
    with (
        stage.memory() as memory,
        stage.Watcher(bench.kacheck, configuration(*vault), memory) as watcher,
    ):
        time.sleep(WARM_UP)
        before, begun = cpu_of(watcher.pid), time.monotonic()
        spent = 0.0
        for second in range(seconds):
            time.sleep(max(0.0, begun + second - time.monotonic()))
            spent += sum(run(command, bench.environ).cpu for command in commands)
        time.sleep(max(0.0, begun + seconds - time.monotonic()))
        return Cost(where, (cpu_of(watcher.pid) - before) / seconds, spent / seconds)


def show_costs(costs: Sequence[Cost]) -> None:
    """The table of them."""
    rows = [["one process and one Vault, each second", "watcher", "pidof and curl-grep", "ratio"]]
    for cost in costs:
        figures = [f"{cost.watcher:.2f} ms", f"{cost.one_liners:.2f} ms", f"{cost.ratio:.3f}"]
        rows.append([cost.where, *figures])
    print(grid(rows))


def measure_memory(bench: Bench, pythons: Sequence[str]) -> Iterator[str]:
    """The table of its memory under each Python."""
    rows = [["one process and one Vault", "VmRSS", "Pss", "httpx"]]
    goals = []
    for python in pythons:
        kacheck = bench.kacheck if python == bench.python else bench.kacheck_under(python)
        with (
            stage.named(bench.directory, NAME),
            stage.vault() as address,
            stage.memory() as memory,
            stage.Watcher(kacheck, configuration(address, None), memory) as watcher,
        ):
            time.sleep(WARM_UP)
            whole, share = memory_of(watcher.pid)
        name = "this environment" if python == bench.python else python
        rows.append([name, f"{whole:.1f} MB", f"{share:.1f} MB", stage.httpx_of(python)])
        goals.append(goal(f"memory, {name}", whole, 32, " MB"))
    print(grid(rows))
    yield from goals


def measure_verdict(bench: Bench, runs: int) -> Iterator[str]:
    """The table of kacheck-verdict beside pidof."""
    with (
        stage.named(bench.directory, NAME),
        stage.memory() as memory,
        stage.Watcher(bench.kacheck, PROCESS.format("", NAME), memory) as watcher,
    ):
        words = ("kacheck-verdict", "--state-dir", watcher.state_dir, "process")
        check = bench.check(*words, name=words[0], expect="ok running")
        measured = measure([*bench.tool("pidof", NAME), check], runs, bench.environ)
    print(table(measured, f"pidof {NAME}"))
    pidof, verdict = measured.values()
    yield goal("kacheck-verdict, wall time against pidof", verdict.wall / pidof.wall, 0.6)


# --- many checks -----------------------------------------------------------------------------


def measure_many(bench: Bench, seconds: int) -> Iterator[str]:
    """CPU, memory and punctuality with many checks: of processes and Vaults, and of URLs."""
    with ExitStack() as stack:
        enter = stack.enter_context
        names = [f"crowd-{number}" for number in range(MANY // 2)]
        for name in names:
            enter(stage.named(bench.directory, name))
        servers = [enter(stage.vault()) for _ in range(4)]
        processes = [PROCESS.format(f"-{name}", name) for name in names]
        vaults, urls = (
            [form.format(f"-{n}", servers[n % len(servers)]) for n in range(MANY)]
            for form in (VAULT, HTTP)
        )
        mixed = processes + vaults[: MANY - len(names)]
        yield from measure_crowd(bench, f"{MANY} checks", mixed, seconds)
        yield from measure_crowd(bench, f"{MANY} http checks", urls, seconds)


def measure_crowd(bench: Bench, what: str, checks: Sequence[str], seconds: int) -> Iterator[str]:
    """The table of a watcher with these checks."""
    with (
        stage.memory() as memory,
        stage.Watcher(bench.kacheck, "".join(checks), memory) as watcher,
    ):
        time.sleep(WARM_UP)
        before, begun = cpu_of(watcher.pid), time.monotonic()
        off_time = deviations(f"{watcher.state_dir}/verdict", seconds)
        cpu = (cpu_of(watcher.pid) - before) / (time.monotonic() - begun) / 10
        whole, share = memory_of(watcher.pid)
    rows = [
        [f"{what}, each once a second", "median", "p99", "max"],
        ["CPU of one core", f"{cpu:.1f} %", "", ""],
        ["memory", f"{whole:.1f} MB (Pss {share:.1f})", "", ""],
        [f"from renewal to renewal of a verdict, less 1 s ({len(off_time)})", *spread(off_time)],
    ]
    print(grid(rows), end="\n\n")
    yield goal(f"{what}, CPU of one core", cpu, 25, " %")
    yield goal(f"{what}, looks off time, p99", percentile(off_time, 99), 100, " ms")


def deviations(directory: str, seconds: float) -> list[float]:
    """Milliseconds by which verdicts were renewed earlier or later than after a second.

    A file's time counts in ticks of the kernel, 4 ms at 250 Hz.
    """
    renewed: dict[str, list[float]] = {name: [] for name in os.listdir(directory)}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, times in renewed.items():
            at = os.stat(f"{directory}/{name}").st_mtime_ns / 1e6
            if times[-1:] != [at]:
                times.append(at)
        time.sleep(0.1)
    pairs = (pairwise(times) for times in renewed.values())
    return [abs(later - earlier - 1000) for each in pairs for earlier, later in each]


def spread(times: Sequence[float]) -> list[str]:
    """Median, p99 and the most."""
    figures = (statistics.median(times), percentile(times, 99), max(times))
    return [f"{figure:.1f} ms" for figure in figures]


# --- one look on a kept connection -----------------------------------------------------------


def measure_looks(runs: int) -> str:
    """The table of what one exchange costs the thread that makes it."""
    with stage.vault() as address:
        exchanges, close = ways(address)
        with closing(close):
            spent: dict[str, list[float]] = {name: [] for name in exchanges}
            for _ in range(runs):
                for name, exchange in exchanges.items():
                    time.sleep(PAUSE)
                    begun = time.thread_time()
                    code = exchange()
                    spent[name].append((time.thread_time() - begun) * 1000)
                    if code != 200:
                        raise UnexpectedError(f"{name}: the answer was {code}")
    rows = [["one exchange, every 0.2 s", "CPU of its thread", "least", "most"]]
    for name, times in spent.items():
        figures = (statistics.median(times), min(times), max(times))
        rows.append([name, *(f"{figure:.2f} ms" for figure in figures)])
    return grid(rows)


def ways(address: str) -> tuple[dict[str, Callable[[], int]], ExitStack]:
    """Ways to ask for the health, each of which returns the answer's code."""
    import httpx

    from kacheck.deadline import Deadline
    from kacheck.exchange import library, plain
    from kacheck.exchange.answer import MAX_BODY
    from kacheck.exchange.request import HEADERS
    from kacheck.probes.vault.health import STATES

    stack = ExitStack()
    url = f"{address}/v1/sys/health"
    context = httpx.create_ssl_context()
    request = f"GET /v1/sys/health HTTP/1.1\r\nHost: {address[7:]}\r\n".encode()
    request += b"".join(f"{key}: {value}\r\n".encode() for key, value in HEADERS.items())
    host, _, port = address[7:].partition(":")
    sock = stack.enter_context(socket.create_connection((host, int(port))))
    transport = stack.enter_context(httpx.HTTPTransport(verify=context, trust_env=False))
    timeout = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), 1.0)}

    def by_hand() -> int:
        answer = plain.ask(sock, request + b"\r\n", STATES, Deadline(1))
        return answer.code if answer else 0

    def anew_by_hand() -> int:
        deadline = Deadline(1)
        with plain.connect((host, int(port)), deadline) as fresh:
            answer = plain.ask(fresh, request + b"\r\n", STATES, deadline)
        return answer.code if answer else 0

    def by_httpx(transport: httpx.HTTPTransport = transport) -> int:
        asked = httpx.Request("GET", url, headers=HEADERS, extensions=timeout)
        response = transport.handle_request(asked)
        library.read_body(response.iter_raw(), MAX_BODY)
        response.close()
        return response.status_code

    def connect_again() -> int:
        with httpx.HTTPTransport(verify=context, trust_env=False) as fresh:
            return by_httpx(fresh)

    exchanges = {
        "kept connection, plain.py": by_hand,
        "kept connection, httpx.HTTPTransport": by_httpx,
        "new connection, plain.py": anew_by_hand,
        "new connection, httpx.HTTPTransport": connect_again,
    }
    return exchanges, stack


# --- the report ------------------------------------------------------------------------------


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="What the watcher costs while nothing happens.")
    parser.add_argument(
        "--seconds", type=int, default=20, help="of each measurement of CPU (default: 20)"
    )
    parser.add_argument("--runs", type=int, default=40, help="of what is short (default: 40)")
    parser.add_argument(
        "--processes", type=int, default=3000, help="on a machine with many (default: 3000)"
    )
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="FILE",
        help="one more Python for the table of memory, such as /usr/bin/python3 with its httpx",
    )
    return parser.parse_args(argv)


def report(args: argparse.Namespace, directory: str) -> None:
    """Measure everything and print it.

    Raises:
        UnexpectedError: a command did not do what it is measured for.

    """
    # Neither a proxy nor PYTHON* nor VAULT_* of whoever runs this.
    environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    bench = Bench(stage.install(directory), directory, environ)
    print(f"# The watcher\n\n{machine()}, httpx {stage.httpx_of(bench.python)}")
    title(f"CPU, {args.seconds} s")
    costs = [cost for n in (0, args.processes) for cost in measure_cpu(bench, n, args.seconds)]
    show_costs(costs)
    lines = [
        goal(f"CPU against pidof and curl-grep, {cost.where}", cost.ratio, 0.1) for cost in costs
    ]
    title("Memory")
    lines += measure_memory(bench, [bench.python, *args.python])
    title(f"kacheck-verdict, {args.runs} runs")
    lines += measure_verdict(bench, args.runs)
    title(f"Many checks, {args.seconds} s")
    lines += measure_many(bench, args.seconds)
    title(f"A look at Vault, {args.runs} runs")
    print(measure_looks(args.runs))
    title("Goals")
    print("\n".join(lines))


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
