"""The commands that are measured: ours, and what people would run in their place."""

import glob
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bench.measure import Command

NAME = "bench-vault"
LONG = "bench-vault-and-more"
"""More than the 15 bytes of a comm: only the command line tells."""
PLUGINS = "/usr/lib/nagios/plugins"

BARE = "python3 -I -c pass"
FAIR_GET = "bare script: httpx.get, no environment"
OURS = "kacheck-vault"
HTTP = "kacheck-http"
PROCESS = f"kacheck-process {NAME}"
TCP = "kacheck-tcp"
ONE_CONNECT = "bare script: socket.create_connection"
CONNECT = "import socket; socket.create_connection({place!r}, 20).close()"
PROGRAM = "/bin/echo"
COMMAND = f"kacheck-command -- {PROGRAM}"
FAIR_RUN = "bare script: subprocess.run, a group, a deadline"
RUN = """
import subprocess
done = subprocess.run(
    [{program!r}, "fine"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20,
    start_new_session=True,
)
print(done.stdout.decode().partition("\\n")[0])
raise SystemExit(done.returncode)
"""
ONE_GET = "import ssl, httpx; print(httpx.get({url!r}{options}).status_code)"
FAIR = ", trust_env=False, timeout=0.8"
PSUTIL = (
    "import psutil; "
    "print(sum(p.info['name'] == {name!r} for p in psutil.process_iter(['name'])), 'found')"
)
BY_HAND = """
import os
found = 0
for pid in os.listdir("/proc"):
    if pid.isdecimal():
        try:
            file = os.open(f"/proc/{{pid}}/comm", os.O_RDONLY)
        except OSError:
            continue
        found += os.read(file, 64) == {name!r}
        os.close(file)
print(found, "found")
"""


class Bench(NamedTuple):
    """Where the programs are that are measured, and what they are given."""

    programs: str
    directory: str
    environ: Mapping[str, str]

    @property
    def python(self) -> str:
        """The one interpreter of every row in Python."""
        return f"{self.programs}/python3"

    @property
    def kacheck(self) -> list[str]:
        """The beginning of a command line of kacheck."""
        return [self.python, "-IB", "-m", "kacheck"]

    def kacheck_under(self, python: str) -> list[str]:
        """The same under another Python, with the packages that it has."""
        return [python, "-IB", *glob.glob(f"{self.directory}/lib/*/*/kacheck/__main__.py")]

    def script(self, name: str, text: str, expect: str = "") -> Command:
        """A row for a few lines of Python."""
        return Command(name, [self.python, "-I", "-c", text], expect)

    def check(self, *words: str, expect: str = "ok ", name: str | None = None) -> Command:
        """A row for one of the entry points, named as it is called."""
        launcher, *rest = words
        return Command(name or " ".join(words), [f"{self.programs}/{launcher}", *rest], expect)

    def module(self, *words: str, expect: str = "ok ", flags: Sequence[str] = ()) -> Command:
        """A row for kacheck without its entry point."""
        argv = [self.python, "-I", *flags, "-m", "kacheck", *words]
        return Command("python3 -I -m kacheck " + " ".join(words), argv, expect)

    def tool(self, *words: str, expect: str = "", name: str | None = None) -> Iterator[Command]:
        """A row for a program of the machine, or none, with a note, where it is missing."""
        path = shutil.which(words[0], path=f"{self.environ['PATH']}:{PLUGINS}")
        if path is None:
            print(f"({words[0]} is not installed: no row for it)")
            return
        yield Command(name or " ".join(words), [path, *words[1:]], expect)


def start_rows(bench: Bench) -> list[Command]:
    """What every start costs, the text of --help included."""
    return [
        bench.script(BARE, "pass"),
        bench.module("--version", expect="kacheck "),
        bench.module("--help", expect="exit codes"),
        bench.check("kacheck-process", "--help", expect="exit codes"),
        bench.check("kacheck-vault", "--help", expect="exit codes"),
    ]


def process_rows(bench: Bench, path: str) -> list[Command]:
    """Everything that can tell whether a process runs."""
    kacheck = "kacheck-process"
    slash = f"{kacheck} /DIR/{NAME}"
    return [
        bench.script(BARE, "pass"),
        *bench.tool("pidof", NAME),
        bench.check(kacheck, NAME),
        bench.module("process", NAME),
        *bench.tool("pgrep", "-x", NAME),
        *bench.tool("check_procs", "-C", NAME, "-c", "1:", expect="OK"),
        bench.check(
            *(kacheck, "--verbose", "--timeout", "20", NAME),
            expect="state",
            name=f"{kacheck} --verbose {NAME}",
        ),
        bench.script("psutil.process_iter(['name'])", PSUTIL.format(name=NAME), "1 found"),
        bench.script(
            "/proc/*/comm read by hand", BY_HAND.format(name=NAME.encode() + b"\n"), "1 found"
        ),
        bench.check(kacheck, LONG),
        *bench.tool("pidof", LONG),
        *bench.tool("pgrep", "-f", LONG),
        bench.check(kacheck, path, name=slash),
        *bench.tool("pidof", path, name=f"pidof /DIR/{NAME}"),
    ]


def other_rows(bench: Bench, address: str) -> list[Command]:
    """A port and a program, each beside what it is compared with."""
    host, _, port = address.partition("://")[2].partition(":")
    return [
        bench.script(BARE, "pass"),
        bench.check("kacheck-process", NAME),
        bench.script(ONE_CONNECT, CONNECT.format(place=(host, int(port)))),
        bench.check(TCP, "--timeout", "20", f"{host}:{port}", name=TCP),
        bench.script(FAIR_RUN, RUN.format(program=PROGRAM), "fine"),
        bench.check("kacheck-command", "--timeout", "20", "--", PROGRAM, "fine", name=COMMAND),
        *bench.tool("nc", "-z", host, port),
        Command(f"{PROGRAM} alone", [PROGRAM, "fine"], "fine"),
    ]


def recipe_rows(bench: Bench, address: str, ca: str) -> list[tuple[Command, float]]:
    """The looks of the recipes, as examples/ has them, each with keepalived's timeout."""
    vault = ("--address", address, "--ca-cert", ca, "--timeout", "1.5")
    process = ("--timeout", "0.8", "--log", "syslog", NAME)
    return [
        (bench.check("kacheck-process", *process, name="kacheck-process"), 1.0),
        (bench.check("kacheck-vault", *vault, name=OURS), 2.0),
        (bench.check("kacheck-combined", "--process", NAME, *vault, name="kacheck-combined"), 2.0),
    ]


def one_liners(bench: Bench, address: str, ca: str | None) -> list[Command]:
    """What people run once a second in the watcher's place: is it there, and is it active?"""
    trust = f"--cacert {ca} " if ca else ""
    grep = f"curl -s {trust}{address}/v1/sys/health | grep -q '\"standby\":false'"
    return [
        *bench.tool("pidof", NAME),
        Command("sh -c 'curl -s | grep -q'", ["/bin/sh", "-c", grep]),
    ]


def vault_rows(bench: Bench, address: str, ca: str | None) -> list[Command]:
    """One GET of the health endpoint in every way; with an authority's file, over TLS."""
    url = f"{address}/v1/sys/health"
    trust = f", verify=ssl.create_default_context(cafile={ca!r})" if ca else ""
    # A timeout that no machine is too busy for: what it costs is asked here, not how long it takes.
    ours = ["--address", address, "--timeout", "20", *(["--ca-cert", ca] if ca else [])]
    curl = ["-s", "--cacert", ca, url] if ca else ["-s", url]
    scripts = [
        (FAIR_GET, trust + FAIR),
        ("bare script: httpx.get, defaults", trust),
        *([] if ca else [("bare script: httpx.get, no authorities", f", verify=False{FAIR}")]),
    ]
    return [
        bench.script(BARE, "pass"),
        bench.script("python3 -I -c 'import httpx'", "import httpx"),
        *(
            bench.script(name, ONE_GET.format(url=url, options=options), "200")
            for name, options in scripts
        ),
        bench.check("kacheck-vault", *ours, name=OURS),
        bench.check("kacheck-vault", *ours, "--verbose", name=f"{OURS} --verbose"),
        bench.check(HTTP, *ours[2:], url, name=HTTP),
        *bench.tool("curl", "-f", *curl, name="curl -sf"),
        one_liners(bench, address, ca)[-1],
    ]
