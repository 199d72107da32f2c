"""The Debian package in clean machines, which get it as docs/install.md says, and no network.

    with Machine(clean("trixie"), prepare_apt) as machine:
        apt(machine, f"install ./{package().name} keepalived")

`script/deb` makes the package.
"""

import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from helpers.keepalived import StrPath, command
from helpers.machine import DIES_WITH_US, Machine, debian, locked, put
from helpers.needs import needs
from helpers.paths import ROOT
from kacheck import __version__

SUITES = ("bookworm", "trixie")
SYSTEM = ("dbus", "iproute2", "procps", "systemd", "systemd-sysv")
DOWNLOADED = ("keepalived", "python3-httpx", "python3-psutil")
"""What `apt install` of docs/install.md is offline for: what the package depends on, and keepalived."""


@functools.cache
def package() -> Path:
    """Return the package of this source, as script/deb made it."""
    needs("mmdebstrap", "systemd-nspawn", "nsenter", "setpriv", "unshare", "dpkg-deb", root=True)
    path = ROOT / "dist" / f"kacheck_{__version__}_all.deb"
    if not path.exists():
        pytest.fail(f"{path} is missing: script/deb")
    parts = "src checks debian examples man script systemd :!debian/tests"
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *parts.split()]
    listed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    sources = [ROOT / name for name in listed.split("\0") if name and (ROOT / name).exists()]
    newer = [each for each in sources if each.stat().st_mtime > path.stat().st_mtime]
    if newer:
        pytest.fail(f"{newer[0]} is newer than {path}: script/deb")
    return path


def next_version(path: Path, directory: Path) -> Path:
    """Return the same package as the version after it, which reports that version."""
    version = f"{__version__}+next"
    with tempfile.TemporaryDirectory(dir=directory) as name:
        tree = Path(name)
        command(["dpkg-deb", "--raw-extract", path, tree])
        control = tree / "DEBIAN/control"
        control.write_text(re.sub("(?m)^Version: .*", f"Version: {version}", control.read_text()))
        init = tree / "usr/lib/python3/dist-packages/kacheck/__init__.py"
        text = init.read_text()
        assert f'"{__version__}"' in text
        init.write_text(text.replace(f'"{__version__}"', f'"{version}"'))
        made = directory / f"kacheck_{version}_all.deb"
        command(["dpkg-deb", "--root-owner-group", "--build", tree, made])
    return made


def clean(suite: str) -> Path:
    """Return a root directory in which nothing of kacheck's needs is installed, and all can be."""
    return debian(suite, SYSTEM, DOWNLOADED)


def prepare_apt(root: Path) -> None:
    """Install the package as a user does, without the packages that it recommends."""
    words = 'APT::Get::Assume-Yes "true";\nAPT::Install-Recommends "false";\n'
    put(root, "etc/apt/apt.conf.d/90answers", words)
    (root / "root").mkdir(exist_ok=True)
    shutil.copy(package(), root / "root")


def apt(machine: Machine, words: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run apt-get in the directory with the package; nobody answers its questions."""
    shell = f"cd /root && DEBIAN_FRONTEND=noninteractive exec apt-get -q {words}"
    return machine.run(["sh", "-c", shell], check=check, timeout=300)


TESTS = (
    *SYSTEM,
    "busybox",
    "curl",
    "keepalived",
    "openssl",
    "python3-cryptography",
    "python3-httpx",
    "python3-hypothesis",
    "python3-prometheus-client",
    "python3-psutil",
    "python3-pytest",
    "python3-pytest-timeout",
    "python3-pytest-xdist",
    "python3-trustme",
    "sysvinit-utils",
)
"""What the tests need of Debian, but for respx."""
INSTALL = """
set -e
mount -t proc proc "$0/proc"
mount -t tmpfs tmpfs "$0/run"
export DEBIAN_FRONTEND=noninteractive
exec chroot "$0" apt-get -q -y --no-install-recommends install "$1" keepalived
"""


def installed(suite: str) -> Path:
    """Return a root directory with the package and keepalived, installed by apt."""
    return with_package(clean(suite))


def with_package(made: Path) -> Path:
    """Return a copy of a root directory with the package, what it depends on and keepalived."""
    deb = package()
    target = made.with_name(f"{made.name}-installed")
    with locked(target):
        if not target.exists():
            new = target.with_name(f"{target.name}.new")
            shutil.rmtree(new, ignore_errors=True)
            command(["cp", "--archive", "--reflink=auto", made, new], timeout=300)
            shutil.copy(deb, new / "tmp")
            unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--"]
            argv: list[StrPath] = [*DIES_WITH_US, *unshare, "sh", "-c", INSTALL, new]
            argv += [f"/tmp/{deb.name}"]
            command(argv, timeout=300)
            new.rename(target)
    return target
