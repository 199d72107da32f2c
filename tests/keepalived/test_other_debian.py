"""The recipes, the entry points and the probes once more, in the Debians that this is not.

With its Python, httpx, psutil and keepalived, and against the installed package: Debian 12, 13 and
the coming one have keepalived 2.2.7, 2.3.3 and 2.3.4, httpx 0.23 and 0.28, Python 3.11, 3.13 and 3.14.
"""

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers import package
from helpers.keepalived import PATIENCE, LabError
from helpers.machine import DIES_WITH_US, debian
from helpers.paths import ROOT

pytestmark = [pytest.mark.keepalived, pytest.mark.timeout(900)]

FILES = (
    "tests/keepalived/test_doctor_namespaces.py",
    "tests/keepalived/test_migrated_vip.py",
    "tests/keepalived/test_recipes.py",
    "tests/keepalived/test_watcher_recipes.py",
    "tests/keepalived/test_usual_answers.py",
    "tests/integration/test_entry_points.py",
    "tests/integration/exchange",
    "tests/integration/test_process.py",
    "tests/integration/test_tracker.py",
    "tests/integration/vault",
    "tests/integration/test_verdict.py",
)
COMING = "forky"
"""The Debian that is not released yet: it changes, and may not be had at all."""
WITH_KEEPALIVED = (
    "tests/keepalived/test_recipes.py",
    "tests/keepalived/test_watcher_recipes.py",
    "tests/integration/test_entry_points.py",
)
"""What is tried there: what keepalived and Python have a hand in."""
ENTER = """
set -e
root=$0 checkout=$1
shift
mount --bind "$root" "$root"
for each in proc sys dev; do mount --rbind "/$each" "$root/$each"; done
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -p "$root/src" "$root/old"
mount --bind -o ro "$checkout" "$root/src"
[ ! -d "$root/src/.venv" ] || mount -t tmpfs tmpfs "$root/src/.venv"
cd "$root"
pivot_root . old
umount -l /old
cd /src
exec env -i CI="$CI" PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \\
    PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis "$@"
"""
"""Become the first process of a root directory that sees this checkout, without its .venv."""


def other_suite() -> str:
    here = platform.freedesktop_os_release().get("VERSION_CODENAME")
    return next(suite for suite in reversed(package.SUITES) if suite != here)


def test_the_package_does_what_it_promises_there() -> None:
    package.package()
    passes(debian(other_suite(), package.TESTS), FILES)


def test_the_package_does_what_it_promises_in_the_coming_debian() -> None:
    package.package()
    try:
        root = debian(COMING, package.TESTS)
    except LabError as error:
        pytest.skip(f"Debian {COMING} cannot be made: {str(error).splitlines()[-1]}")
    passes(root, WITH_KEEPALIVED)


def passes(made: Path, files: Sequence[str]) -> None:
    """Install the package into that Debian, and run these tests there."""
    root = package.with_package(made)
    pytest_ = ["python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2"]
    unshare = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", ENTER]
    done = subprocess.run(
        [*DIES_WITH_US, *unshare, root, ROOT, *pytest_, "--dist", "loadfile", *files],
        check=False,
        capture_output=True,
        text=True,
        timeout=900 - PATIENCE,
        env={"CI": os.environ.get("CI", ""), "PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
