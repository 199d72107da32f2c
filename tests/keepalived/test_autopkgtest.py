"""debian/tests, as autopkgtest runs them, in machines that have the package installed."""

import shutil
from pathlib import Path

import pytest

from helpers import package
from helpers.machine import Machine
from helpers.paths import ROOT

pytestmark = [pytest.mark.keepalived, pytest.mark.timeout(400)]


def prepare(root: Path) -> None:
    shutil.copytree(ROOT / "debian/tests", root / "src/debian/tests")
    (root / "src/tests/helpers").mkdir(parents=True)
    shutil.copy(ROOT / "tests/helpers/vault.py", root / "src/tests/helpers")
    (root / "adt").mkdir()


@pytest.mark.parametrize("suite", package.SUITES)
def test_each_succeeds_and_is_silent_on_stderr(suite: str) -> None:
    with Machine(package.installed(suite), prepare) as machine:
        for name in ("commands", "vip"):
            line = f"cd /src && AUTOPKGTEST_TMP=/adt debian/tests/{name}"
            done = machine.run(["sh", "-c", line], check=False, timeout=300)
            assert (done.returncode, done.stderr) == (0, ""), done.stdout
