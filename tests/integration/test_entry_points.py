"""The entry points in every place that they are installed to: same answers, isolated from PYTHON*."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from helpers.needs import IS_PACKAGE, needs
from helpers.paths import ROOT
from helpers.vault import StandInVault
from kacheck.probes import MODULES

Start = Callable[..., subprocess.Popen[bytes]]

NAME = f"ktest-{os.getpid()}"
NAMES = (*(f"kacheck-{name}" for name in MODULES), "kacheck-verdict")
DEBIANS_PYTHON = "/usr/bin/python3"


def test_the_entry_points_match_the_probes_and_the_template(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT)  # script/ is not part of the package
    from script.entry_points import texts

    there = {path.name: path.read_text() for path in (ROOT / "checks").iterdir()}
    assert there == texts(), "run script/generate-entry-points"


def test_the_package_installs_every_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = project["tool"]["setuptools"]["script-files"]
    assert sorted(listed) == sorted(f"checks/{name}" for name in NAMES)


def run(argv: list[Any], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, **options)


def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return a checkout without a virtual environment: Debian's Python and its httpx and psutil."""
    for part in ("checks", "src"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "checks"


def checkout_with_venv(tmp_path: pathlib.Path) -> pathlib.Path:
    checks = checkout(tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / ".venv/bin/python3").chmod(0o755)
    return checks


def venv(_: pathlib.Path) -> pathlib.Path:
    """Return the directory where pip, or the Debian package, has installed them."""
    return pathlib.Path("/usr/libexec/kacheck" if IS_PACKAGE else sysconfig.get_path("scripts"))


def link_to_venv(tmp_path: pathlib.Path) -> pathlib.Path:
    """Make /usr/libexec/kacheck a symbolic link, as an administrator may."""
    (tmp_path / "libexec").symlink_to(venv(tmp_path))
    return tmp_path / "libexec"


def links_to_files(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in NAMES:
        (tmp_path / name).symlink_to(venv(tmp_path) / name)
    return tmp_path


Place = Callable[[pathlib.Path], pathlib.Path]
PLACES = [checkout, checkout_with_venv, venv, link_to_venv, links_to_files]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: str(place.__name__))
def test_an_entry_point_answers_wherever_it_is(
    tmp_path: pathlib.Path, start: Start, place: Place
) -> None:
    if place is checkout:
        needs_debians_packages()
    here = place(tmp_path)
    start(NAME, "60")
    config = tmp_path / "kacheck.toml"
    config.write_text(
        f'[check.here]\nprobe = "process"\nname = "{NAME}"\ntimeout = 20\ninterval = 20\n'
        '[check.gone]\nprobe = "process"\nname = "ktest-none"\ntimeout = 20\ninterval = 20\n'
    )
    verdict = ["kacheck-verdict", "--state-dir", tmp_path, "--config", config]
    with StandInVault(state="active") as vault:
        address = ["--address", vault.address, "--timeout", "20"]
        checks: list[tuple[list[Any], int, str]] = [
            (["kacheck-process", "--timeout", "20", NAME], 0, "ok running"),
            (["kacheck-process", "--timeout", "20", "ktest-none"], 2, "critical missing"),
            (["kacheck-vault", *address], 0, "ok active"),
            (["kacheck-combined", "--process", NAME, *address], 0, "ok active"),
            (
                ["kacheck-combined", "--process", "ktest-none", *address],
                2,
                "critical missing: process",
            ),
            ([*verdict, "here"], 0, "ok running"),
            ([*verdict, "gone"], 2, "critical missing"),
            ([*verdict, "--misc", "gone"], 1, "critical missing"),
            (["kacheck-process"], 3, ""),
            (["kacheck-verdict"], 3, ""),
        ]
        for argv, code, words in checks:
            shown = run([here / argv[0], *argv[1:]])
            assert shown.returncode == code, shown
            assert shown.stdout.startswith(words)


def needs_debians_packages() -> None:
    needs(DEBIANS_PYTHON)
    if run([DEBIANS_PYTHON, "-I", "-c", "import httpx, psutil"]).returncode:
        needs("python3-httpx and python3-psutil")


def test_an_entry_point_answers_from_usr_libexec_beside_the_package(start: Start) -> None:
    """As a .deb has it: the package in Debian's own Python, httpx and psutil Debian's."""
    needs("unshare", "mount", root=True)
    needs_debians_packages()
    start(NAME, "60")
    version = run([DEBIANS_PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    modules = f"/usr/local/lib/python{version.stdout.strip()}/dist-packages"
    code = f"""
        set -e
        mount -t tmpfs tmpfs {modules}
        cp -r {ROOT}/src/kacheck {modules}
        mount -t tmpfs tmpfs /usr/libexec
        cp -r {ROOT}/checks /usr/libexec/kacheck
        /usr/libexec/kacheck/kacheck-process {NAME}
        """
    shown = run(["unshare", "--mount", "sh", "-c", code])
    assert shown.returncode == 0, shown
    assert shown.stdout.startswith("ok running")


@pytest.mark.parametrize("place", [checkout, venv], ids=lambda place: str(place.__name__))
def test_nothing_of_pythons_environment_reaches_a_check(
    tmp_path: pathlib.Path, start: Start, place: Place
) -> None:
    if place is checkout:
        needs_debians_packages()
    start(NAME, "60")
    poison = tmp_path / "poison"
    poison.mkdir()
    for module in ("kacheck", "argparse", "sitecustomize", "usercustomize"):
        (poison / f"{module}.py").write_text("import os; os._exit(0)\n")
    env = {
        "PYTHONPATH": str(poison),
        "PYTHONHOME": "/nowhere",
        "PYTHONSTARTUP": str(poison / "kacheck.py"),
        "PYTHONINSPECT": "1",
    }
    for name, code in ((NAME, 0), ("ktest-none", 2)):
        shown = run([place(tmp_path / "x") / "kacheck-process", name], env=env, cwd=poison)
        assert shown.returncode == code, shown
        shutil.rmtree(tmp_path / "x", ignore_errors=True)


def test_a_python_that_is_missing_is_a_failure(tmp_path: pathlib.Path) -> None:
    """keepalived counts a script that cannot be executed as healthy; a shell exits with 126 or 127."""
    bad = checkout_with_venv(tmp_path)
    (tmp_path / ".venv/bin/python3").write_text("#!/no/such/interpreter\n")
    for name in ("kacheck-process", "kacheck-verdict"):
        assert run([bad / name, NAME]).returncode in (126, 127)
        misc = run([bad / name, "--misc", NAME])
        assert misc.returncode == 1, "MISC_CHECK with misc_dynamic reads 127 as up"


@pytest.mark.parametrize(("name", "code"), [(NAME, 0), ("ktest-none", 1)], ids=["runs", "none"])
def test_misc_makes_every_failure_1(
    tmp_path: pathlib.Path, start: Start, name: str, code: int
) -> None:
    start(NAME, "60")
    assert run([venv(tmp_path) / "kacheck-process", "--misc", name]).returncode == code


def test_misc_behind_a_separator_is_a_word_of_the_process(tmp_path: pathlib.Path) -> None:
    argv = [checkout_with_venv(tmp_path) / "kacheck-process", "--", "ktest-none", "--misc"]
    assert run(argv).returncode == 2


def test_a_path_that_leads_nowhere_changes_nothing(tmp_path: pathlib.Path, start: Start) -> None:
    start(NAME, "60")
    shown = run([link_to_venv(tmp_path) / "kacheck-process", NAME], env={"PATH": "/nonexistent"})
    assert shown.returncode == 0, shown


def test_a_clone_beside_an_installation_is_not_taken_for_a_checkout(
    tmp_path: pathlib.Path, start: Start
) -> None:
    """/usr/local/bin/kacheck-process, and the clone in /usr/local/src/kacheck."""
    start(NAME, "60")
    (tmp_path / "bin").mkdir()
    (tmp_path / "src/kacheck/src/kacheck").mkdir(parents=True)
    shutil.copy(ROOT / "checks/kacheck-process", tmp_path / "bin")
    shown = run([tmp_path / "bin/kacheck-process", NAME])
    assert "__main__.py" not in shown.stderr, "it asks the package of Debian's Python"


def test_a_check_writes_no_bytecode(tmp_path: pathlib.Path, start: Start) -> None:
    """Under keepalived's umask 0177 it would make __pycache__ directories that nobody can enter."""
    start(NAME, "60")
    shown = run([checkout_with_venv(tmp_path) / "kacheck-process", NAME], umask=0o177)
    assert shown.returncode == 0, shown
    assert list(tmp_path.rglob("__pycache__")) == []


def test_the_entry_points_are_a_few_lines_of_posix_sh() -> None:
    assert sorted(path.name for path in (ROOT / "checks").iterdir()) == sorted(NAMES)
    for name in NAMES:
        path = ROOT / "checks" / name
        assert os.access(path, os.X_OK)
        text = path.read_text()
        assert text.startswith("#!/bin/sh\n")
        assert len(text.splitlines()) <= (53 if name == "kacheck-verdict" else 26)
