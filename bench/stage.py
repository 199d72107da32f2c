"""What the measured commands find on the machine: kacheck installed, processes, a Vault, TLS.

Everything here ends with the `with` block that began it; what a killed bench leaves behind ends by
itself: the sleepers when their pipe closes, the rest after LONGEST seconds.
"""

import compileall
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Self

from bench.measure import UnexpectedError

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STAND_IN = f"{REPO}/tests/helpers/vault.py"
LONGEST = 900
SLEEPERS = "n=0; while [ $n -lt $1 ]; do read _ <&3 & n=$((n+1)); done 3<&0; echo ready; wait"
"""A shell that forks $1 copies of itself; each one waits for the end of the shell's stdin."""


def install(directory: str) -> str:
    """A virtual environment with this kacheck in it, compiled, as users have it; its bin/.

    Not the tree itself: somebody may be editing it, and without bytecode every start compiles.
    Packages are those of the interpreter that runs this.
    """
    site = os.path.join(directory, f"lib/python{sysconfig.get_python_version()}/site-packages")
    programs = os.path.join(directory, "bin")
    os.makedirs(site)
    os.makedirs(programs)
    os.symlink(os.path.realpath(sys.executable), f"{programs}/python3")
    with open(f"{directory}/pyvenv.cfg", "w") as file:
        file.write(environment_settings())
    packages = sysconfig.get_path("purelib")
    for name in os.listdir(packages):
        if not name.endswith(".pth") and not name.startswith(("kacheck", "__editable__")):
            os.symlink(os.path.join(packages, name), os.path.join(site, name))
    shutil.copytree(
        f"{REPO}/src/kacheck", f"{site}/kacheck", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(f"{REPO}/checks", programs, dirs_exist_ok=True)
    if not compileall.compile_dir(f"{site}/kacheck", quiet=1):
        raise UnexpectedError(f"{site}/kacheck does not compile")
    return programs


def httpx_of(python: str) -> str:
    """The version of its httpx."""
    words = [python, "-I", "-c", "import httpx; print(httpx.__version__)"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def environment_settings() -> str:
    """pyvenv.cfg, as the environment of this interpreter has it."""
    with suppress(FileNotFoundError), open(f"{sys.prefix}/pyvenv.cfg") as file:
        return file.read()
    home = os.path.dirname(os.path.realpath(sys.executable))
    return f"home = {home}\ninclude-system-site-packages = true\n"


def process_count() -> int:
    """Processes on this machine, kernel threads included."""
    return sum(name.isdecimal() for name in os.listdir("/proc"))


@contextmanager
def processes(least: int) -> Iterator[int]:
    """At least that many processes on the machine; how many there are."""
    missing = max(0, least - process_count())
    shell = subprocess.Popen(
        ["/bin/sh", "-c", SLEEPERS, "sleepers", str(missing)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        first_line(shell, "the shell that forks sleepers")
        yield process_count()
    finally:
        assert shell.stdin is not None
        shell.stdin.close()  # what they wait for
        end(shell, patience=20)


LOOPS = 4 * (os.cpu_count() or 1)
"""Four for each core: a machine that has much else to do."""


@contextmanager
def busy(number: int) -> Iterator[None]:
    """As many loops that do nothing but run."""
    loop = ["timeout", str(LONGEST), "/bin/sh", "-c", "while :; do :; done"]
    with ExitStack() as stack:
        for _ in range(number):
            child = stack.enter_context(subprocess.Popen(loop))
            stack.callback(child.terminate)
        yield


@contextmanager
def named(directory: str, name: str) -> Iterator[str]:
    """One process of that name, from a separate executable; the path of it."""
    path = os.path.join(directory, name)
    sleep = shutil.which("sleep")
    assert sleep is not None
    shutil.copy(sleep, path)
    with subprocess.Popen([path, str(LONGEST)]) as process:
        try:
            yield path
        finally:
            process.kill()


class Victim:
    """A process that is killed and started again."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = argv
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it."""
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE)

    def kill(self) -> float:
        """kill -9, and reap it as any parent would; time.monotonic() of just before."""
        process, self.process = self.process, None
        at = time.monotonic()
        if process is not None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        return at


class Sleeper(Victim):
    """An idle process of that name, from a separate executable."""

    def __init__(self, directory: str, name: str) -> None:
        path = os.path.join(directory, name)
        sleep = shutil.which("sleep")
        assert sleep is not None
        shutil.copy(sleep, path)
        super().__init__([path, str(LONGEST)])


class Vault(Victim):
    """A stand-in for Vault that can be told its state, and comes back at its address."""

    def __init__(self, directory: str, name: str) -> None:
        self._state = os.path.join(directory, f"{name}.state")
        self.tell("active")
        argv = [sys.executable, STAND_IN, "--state-file", self._state, "--seconds", str(LONGEST)]
        super().__init__(argv)
        self.address = "http://127.0.0.1:0"

    def start(self) -> None:
        """Start it; returns when it listens."""
        self.argv = [*self.argv[:6], "--listen", self.address.removeprefix("http://")]
        super().start()
        assert self.process is not None
        self.address = first_line(self.process, STAND_IN).rpartition(" ")[2]

    def tell(self, state: str) -> float:
        """What it answers from the next request on; time.monotonic() of just before."""
        with open(f"{self._state}.new", "w") as file:
            file.write(state)
        at = time.monotonic()
        os.rename(f"{self._state}.new", self._state)
        return at


@contextmanager
def memory() -> Iterator[str]:
    """A directory on a tmpfs, as /run is."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/dev/shm") as directory:
        yield directory


class Watcher:
    """`kacheck watch` with that configuration; its state directory is on a tmpfs.

    `hear` is called with each line that it logs, in a separate thread.
    """

    def __init__(
        self,
        kacheck: Sequence[str],
        configuration: str,
        directory: str,
        hear: Callable[[str], object] = str,
        log_format: str = "text",
    ) -> None:
        self.state_dir = os.path.join(directory, "state")
        self._log: list[str] = []
        self._hear = hear
        self._is_ready = False
        self._is_decided = threading.Event()
        path = os.path.join(directory, "kacheck.toml")
        with open(path, "w") as file:
            file.write(configuration)
        words = ["watch", "--config", path, "--state-dir", self.state_dir]
        # Should this process be killed, it stops, too.
        argv = [
            "setpriv",
            "--pdeathsig",
            "TERM",
            "--",
            *kacheck,
            *words,
            "--log-format",
            log_format,
        ]
        environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        self._process = subprocess.Popen(argv, env=environ, stderr=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        self._is_decided.wait(30)
        if not self._is_ready:
            self.__exit__()
            raise UnexpectedError(f"kacheck watch does not become ready: {self._log[-5:]}")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._log = [*self._log[-9:], line]
            self._hear(line)
            if "ready: watching" in line:
                self._is_ready = True
                self._is_decided.set()
        self._is_decided.set()


@contextmanager
def vault(*options: str) -> Iterator[str]:
    """A local stand-in for an active Vault, in a separate process; its address."""
    words = ("--listen", "127.0.0.1:0", "--state", "active", "--seconds", str(LONGEST))
    argv = [sys.executable, STAND_IN, *words, *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            yield first_line(process, STAND_IN).rpartition(" ")[2]
        finally:
            end(process, patience=0)


def first_line(process: subprocess.Popen[bytes], what: str) -> str:
    """The line with which a helper says that it is ready."""
    assert process.stdout is not None
    line = process.stdout.readline().decode().strip()
    if not line:
        raise UnexpectedError(f"{what} ended before it was ready")
    return line


def end(process: subprocess.Popen[bytes], patience: float) -> None:
    """Wait for the end of a helper for that many seconds, then kill it and its session."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)
        return
    if os.getpgid(process.pid) == process.pid:
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def certificate(directory: str) -> tuple[str, str, str] | None:
    """Files of an authority, a certificate for 127.0.0.1 and its key; None without trustme."""
    try:
        import trustme
    except ImportError:
        return None
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    ca, chain, key = (os.path.join(directory, name) for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(ca)
    issued.private_key_pem.write_to_path(key)
    for place, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(chain, append=place > 0)
    return ca, chain, key
