"""The entry points start Python without packages, and once more where one is needed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from helpers.paths import ROOT
from helpers.vault import StandInVault
from kacheck import packages
from kacheck.cli import main

NAME = f"ksec-{os.getpid()}"
Start = Callable[..., subprocess.Popen[bytes]]
ENTRY_POINTS = ("process", "vault", "http", "tcp", "command", "consul", "combined", "verdict")
PYTHON = """#!/bin/sh
echo "$0" "$@"
"""
"""It says what it was started with."""
MAIN = "site-packages/kacheck/__main__.py"
WITHOUT = [sys.executable, "-ISB", str(ROOT / "src/kacheck/__main__.py")]
"""As an entry point starts it."""


def run(*argv: object, **options: object) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in argv]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload,no-any-return]


# --- what an entry point starts -----------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the entry points in bin/, and a Python beside them."""
    programs = tmp_path / "v/bin"
    programs.mkdir(parents=True)
    for name in ENTRY_POINTS:
        (programs / f"kacheck-{name}").write_bytes((ROOT / f"checks/kacheck-{name}").read_bytes())
        (programs / f"kacheck-{name}").chmod(0o755)
    (programs / "python3").write_text(PYTHON)
    (programs / "python3").chmod(0o755)
    return programs


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize("name", ENTRY_POINTS)
@pytest.mark.parametrize("how", ["directly", "by a link", "through a linked directory"])
def test_it_is_the_package_beside_the_interpreter(place: Path, name: str, how: str) -> None:
    touch(place / "../lib/python3.11" / MAIN)
    program = place / f"kacheck-{name}"
    if how == "by a link":
        (place / "../link").symlink_to(program)
        program = place / "../link"
    elif how == "through a linked directory":
        (place / "../linked").symlink_to(place)
        program = place / "../linked" / program.name
    word = "run" if name == "verdict" else name
    expected = f"{place}/python3 -ISB {place}/../lib/python3.11/{MAIN} {word} a b\n"
    for environ in ({}, {"CDPATH": "/tmp:/", "PATH": "/nonexistent", "IFS": "/"}):
        assert run(program, "a", "b", env=environ).stdout == expected


@pytest.mark.parametrize("name", ENTRY_POINTS)
@pytest.mark.parametrize(
    "versions", [(), ("python3.9", "python3.11")], ids=["not there", "of several Pythons"]
)
def test_a_package_that_is_not_found_so_is_left_to_python(
    place: Path, name: str, versions: tuple[str, ...]
) -> None:
    """An editable installation, or an environment of a Python that was upgraded."""
    for version in versions:
        touch(place / "../lib" / version / MAIN)
    word = "run" if name == "verdict" else name
    shown = run(place / f"kacheck-{name}", "a")
    assert shown.stdout == f"{place}/python3 -IB -m kacheck {word} a\n"


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_a_checkout_has_its_own(place: Path, name: str) -> None:
    (place / "python3").rename(touch(place / "../.venv/bin/python3"))
    touch(place / "../src/kacheck/__main__.py")
    word = "run" if name == "verdict" else name
    shown = run(place / f"kacheck-{name}", "a").stdout
    assert (
        shown == f"{place}/../.venv/bin/python3 -ISB {place}/../src/kacheck/__main__.py {word} a\n"
    )


def test_a_word_with_blanks_and_stars_stays_one_word(place: Path) -> None:
    touch(place / "../lib/python3.11" / MAIN)
    (place / "python3").write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    for name in ENTRY_POINTS:
        shown = run(place / f"kacheck-{name}", "--x", "a  b", "*", cwd=place).stdout
        assert shown.endswith("<--x><a  b><*>")


# --- the second start ---------------------------------------------------------------------------


@pytest.fixture
def poison(tmp_path: Path) -> dict[str, str]:
    """An environment that must not reach either start."""
    (tmp_path / "poison").mkdir()
    for module in ("kacheck", "httpx", "sitecustomize"):
        (tmp_path / f"poison/{module}.py").write_text("import os; os._exit(0)")
    return {"PYTHONPATH": str(tmp_path / "poison"), "PYTHONHOME": "/x", "PYTHONINSPECT": "1"}


@pytest.mark.parametrize(
    ("state", "code", "requests"),
    [("active", 0, 1), ("sealed", 2, 1), ("chunked", 0, 2), ("error", 2, 2), ("redirect", 2, 2)],
)
def test_what_takes_httpx_is_asked_again_with_it(
    poison: dict[str, str], state: str, code: int, requests: int
) -> None:
    with StandInVault(state) as vault:
        words = ["vault", "--address", vault.address, "--timeout", "20"]
        shown = run(*WITHOUT, *words, env=poison, umask=0o177)
        assert shown.returncode == code, shown
        assert len(shown.stdout.splitlines()) == 1
        assert len(vault.requests) == requests
        assert run(sys.executable, "-IBm", "kacheck", *words).stdout == shown.stdout


@pytest.mark.parametrize("words", [["--verbose"], ["--format", "json"]])
def test_details_are_asked_for_once_and_with_packages(start: Start, words: list[str]) -> None:
    start(NAME, "60")
    with StandInVault() as vault:
        shown = run(*WITHOUT, "vault", "--address", vault.address, "--timeout", "20", *words)
        assert shown.returncode == 0, shown
        assert "certificate" not in shown.stdout
        assert "body" in shown.stdout, "httpx's phases"
        assert len(vault.requests) == 1
    shown = run(*WITHOUT, "process", "--timeout", "20", *words, NAME)
    assert shown.returncode == 0, shown
    assert "sleeping" in shown.stdout, "psutil's word"


def test_a_combination_and_configured_checks_are_started_again_too(
    start: Start, tmp_path: Path
) -> None:
    start(NAME, "60")
    with StandInVault("chunked") as vault:
        look = ["--process", NAME, "--address", vault.address, "--timeout", "20"]
        shown = run(*WITHOUT, "combined", *look)
        assert (shown.returncode, len(vault.requests)) == (0, 2), shown
        check = f'probe = "vault"\naddress = "{vault.address}"\ntimeout = 20\ninterval = 20\n'
        config = tmp_path / "kacheck.toml"
        config.write_text(
            f"[check.a]\n{check}[check.b]\n{check}"
            '[check.either]\nprobe = "combined"\nany = ["a", "b"]\ntimeout = 20\ninterval = 20\n'
        )
        for names in (["a"], ["a", "b"], ["either"]):
            shown = run(*WITHOUT, "run", "--config", config, *names)
            assert shown.returncode == 0, shown
            assert len(shown.stdout.splitlines()) == len(names)


def test_the_deadline_begins_with_the_first_start() -> None:
    with StandInVault("hang") as vault:
        begun = repr(time.monotonic() - 20)
        argv = [sys.executable, "-IB", f"-Xkacheck-started={begun}", *WITHOUT[2:]]
        shown = run(*argv, "vault", "--address", vault.address, "--timeout", "15")
        assert shown.returncode == 2
        assert "no answer within 15 s" in shown.stdout
        assert vault.requests == []


@pytest.mark.parametrize("value", ["x", "inf", "nan", "1e300", "-1e300", ""])
def test_a_start_that_cannot_be_is_now(value: str) -> None:
    with StandInVault() as vault:
        argv = [sys.executable, "-IB", f"-Xkacheck-started={value}", *WITHOUT[2:]]
        shown = run(*argv, "vault", "--address", vault.address, "--timeout", "20")
        assert (shown.returncode, len(vault.requests)) == (0, 1)


def test_a_second_start_that_fails_is_unknown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> NoReturn:
        raise FileNotFoundError(2, "No such file or directory")

    def need() -> NoReturn:
        raise packages.PackagesNeededError

    monkeypatch.setattr(os, "execv", fail)
    monkeypatch.setattr(packages, "need", need)
    for words, code in (([], 3), (["--on-unknown", "ok"], 3), (["--misc"], 1)):
        assert main(["process", "--verbose", *words, "x"]) == code
        shown = capsys.readouterr()
        assert shown.out == ""
        assert f"cannot start {sys.executable} again" in shown.err


def test_nothing_that_lies_beside_the_package_is_imported(tmp_path: Path) -> None:
    """In site-packages there may be an old backport of a module of Python's own."""
    site = tmp_path / "site-packages"
    site.mkdir()
    (site / "kacheck").symlink_to(ROOT / "src/kacheck")
    for module in ("socket", "json", "enum", "re", "argparse", "typing"):
        (site / f"{module}.py").write_text("import os; os._exit(0)")
    for flags in ("-ISB", "-IB"):
        argv = [sys.executable, flags, site / "kacheck/__main__.py"]
        assert run(*argv, "process", "--verbose", "ktest-none").returncode == 2
        assert run(*argv, "vault", "--address", "http://127.0.0.1:9").returncode == 2
