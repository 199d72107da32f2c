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
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bench.measure import UnexpectedError

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
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
def processes(wanted: int) -> Iterator[int]:
    """At least that many processes on the machine; how many there are."""
    missing = max(0, wanted - process_count())
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


@contextmanager
def named(directory: str, name: str) -> Iterator[str]:
    """One process of that name, from an executable of its own; the path of it."""
    path = os.path.join(directory, name)
    sleep = shutil.which("sleep")
    assert sleep is not None
    shutil.copy(sleep, path)
    with subprocess.Popen([path, str(LONGEST)]) as process:
        try:
            yield path
        finally:
            process.kill()


@contextmanager
def vault(*options: str) -> Iterator[str]:
    """A local stand-in for an active Vault, in a process of its own; its address."""
    script = f"{REPO}/tests/support/vault.py"
    words = ("--listen", "127.0.0.1:0", "--state", "active", "--seconds", str(LONGEST))
    argv = [sys.executable, script, *words, *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            yield first_line(process, script).rpartition(" ")[2]
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
    for pem in issued.cert_chain_pems:
        pem.write_to_path(chain, append=True)
    return ca, chain, key
