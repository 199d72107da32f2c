"""pip, pipx and uv, from the checkout and from the wheel; and what is in the sdist and the wheel.

The registry is asked once: for what kacheck depends on, and for what builds it. (.venv is what pip
makes of a checkout, and all the other tests run there.)
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from helpers.needs import needs
from helpers.paths import ROOT
from helpers.vault import StandInVault
from kacheck import __version__

pytestmark = pytest.mark.slow

NAME = f"ktest-{os.getpid()}"
MADE_BY_SETUPTOOLS = ("PKG-INFO", "setup.cfg", "src/kacheck.egg-info/")
GENERATED = (
    "tests/__pycache__/test_x.cpython-311.pyc",
    "src/kacheck/__pycache__/cli.cpython-311.pyc",
    "build/lib/kacheck/gone.py",
    "dist/kacheck_0.deb",
    "debian/.debhelper/generated/x",
    "debian/debhelper-build-stamp",
    "debian/files",
    "debian/generated/kacheck.bash",
    "debian/kacheck/usr/bin/kacheck",
    "debian/kacheck.postinst.debhelper",
    "debian/kacheck.substvars",
    "debian/venv/bin/python3",
)


class Built(NamedTuple):
    """What was built, and the environment that it is installed in: nothing of the user's."""

    checkout: Path
    wheels: Path
    """A directory in place of the registry."""
    wheel: Path
    """From the checkout."""
    sdist: Path
    from_sdist: Path
    """The wheel from the sdist."""
    environ: dict[str, str]

    def run(self, *argv: object, **environ: object) -> None:
        run([sys.executable, "-m", *map(str, argv)], self.environ, **environ)


class Place(NamedTuple):
    """Where a tool has put kacheck: its own directory of programs, and that of links to them."""

    programs: Path
    links: Path


def run(
    argv: list[Any], environ: dict[str, str], **more: object
) -> subprocess.CompletedProcess[str]:
    environ = environ | {name: str(value) for name, value in more.items()}
    done = subprocess.run(
        argv, check=False, capture_output=True, text=True, timeout=100, env=environ
    )
    assert done.returncode == 0, done
    return done


def tracked() -> list[str]:
    """Return the files that git tracks, or would."""
    needs("git")
    words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    git = ["git", "-c", "safe.directory=*", "-C", ROOT]
    done = run([*git, *words], dict(os.environ))
    return sorted(name for name in set(done.stdout.split("\0")) if (ROOT / name).is_file())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    base = tmp_path_factory.mktemp("built")
    checkout, wheels = base / "checkout", base / "wheels"
    for name in tracked():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--wheel-dir"]
    epoch = {"SOURCE_DATE_EPOCH": "1700000000"}
    run([*pip, wheels, checkout, "pip", "setuptools"], dict(os.environ), **epoch)
    environ = {
        **epoch,
        "HOME": str(base),
        "PATH": "/usr/bin:/bin",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIPX_DEFAULT_BACKEND": "pip",
        "PIPX_SHARED_LIBS": str(base / "pipx-shared"),
        "UV_CACHE_DIR": str(base / "uv-cache"),
        "UV_FIND_LINKS": str(wheels),
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "UV_PYTHON": sys.executable,
    }
    for name in GENERATED:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()
    wheel = f"kacheck-{__version__}-py3-none-any.whl"
    sdist = base / f"kacheck-{__version__}.tar.gz"
    found = Built(checkout, wheels, wheels / wheel, sdist, base / "again" / wheel, environ)
    found.run("uv", "build", "--sdist", "--out-dir", base, checkout)
    shutil.rmtree(checkout / "build")
    found.run("pip", "wheel", "--no-deps", "--wheel-dir", base / "again", sdist)
    return found


def test_the_sdist_has_what_git_tracks_and_nothing_that_is_generated(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        files = {
            member.name.partition("/")[2]: bool(member.mode & 0o100)
            for member in archive
            if member.isfile()
        }
    ours = {name for name in files if not name.startswith(MADE_BY_SETUPTOOLS)}
    assert sorted(ours) == tracked()
    assert {name for name in ours if files[name]} == {
        name
        for name in tracked()
        if os.access(ROOT / name, os.X_OK) or (ROOT / name).stat().st_mode & 0o100
    }


def test_the_sdist_builds_the_wheel_of_the_checkout_byte_for_byte(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as one, zipfile.ZipFile(built.from_sdist) as other:
        assert one.namelist() == other.namelist()
        for name in one.namelist():
            assert one.read(name) == other.read(name), name
    assert built.wheel.read_bytes() == built.from_sdist.read_bytes()


def test_the_wheel_has_the_package_and_unchanged_entry_points(built: Built) -> None:
    modules = {name.removeprefix("src/") for name in tracked() if name.startswith("src/")}
    scripts = {path.name: path.read_bytes() for path in (ROOT / "checks").iterdir()}
    with zipfile.ZipFile(built.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        data = f"kacheck-{__version__}.data/scripts/"
        assert names == modules | {data + name for name in scripts}
        for name, content in scripts.items():
            assert wheel.read(data + name) == content


def pip(built: Built, source: Path, home: Path) -> Place:
    """Return the virtual environment of docs/install.md, and a link to each entry point."""
    run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], built.environ)
    programs, links = home / "venv/bin", home / "libexec"
    built.run("pip", "--python", programs / "python3", "install", source)
    links.mkdir()
    for program in programs.glob("kacheck*"):
        (links / program.name).symlink_to(program)
    return Place(programs, links)


def pipx(built: Built, source: Path, home: Path) -> Place:
    environ = {"PIPX_HOME": home / "pipx", "PIPX_BIN_DIR": home / "bin"}
    built.run("pipx", "install", source, **environ)
    return Place(home / "pipx/venvs/kacheck/bin", home / "bin")


def uv(built: Built, source: Path, home: Path) -> Place:
    environ = {"UV_TOOL_DIR": home / "uv", "UV_TOOL_BIN_DIR": home / "bin"}
    built.run("uv", "tool", "install", source, **environ)
    return Place(home / "uv/kacheck/bin", home / "bin")


Install = Callable[[Built, Path, Path], Place]
WAYS = [(pip, "wheel"), (pipx, "checkout"), (pipx, "wheel"), (uv, "checkout"), (uv, "wheel")]


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: f"{way[0].__name__}-from-the-{way[1]}")
def place(
    request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    install: Install = request.param[0]
    home = tmp_path_factory.mktemp("home")
    os.chmod(home, 0o755)
    yield install(built, getattr(built, request.param[1]), home)
    shutil.rmtree(home)


def ask(argv: list[Any]) -> subprocess.CompletedProcess[str]:
    """Run a check without any environment, as keepalived may have none."""
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, env={})


def test_every_command_and_entry_point_answers_directly_and_through_links(
    place: Place, tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    start(NAME, "60")
    config = tmp_path / "kacheck.toml"
    config.write_text(f'[check.here]\nprobe = "process"\nname = "{NAME}"\n')
    verdict: list[Any] = ["kacheck-verdict", "--state-dir", tmp_path, "--config", config, "here"]
    with StandInVault(state="active") as vault:
        address = ["--address", vault.address, "--timeout", "20"]
        checks: list[tuple[list[Any], int, str]] = [
            (["kacheck", "--version"], 0, f"kacheck {__version__}"),
            (["kacheck", "process", NAME], 0, "ok running"),
            (["kacheck-process", NAME], 0, "ok running"),
            (["kacheck-process", "ktest-none"], 2, "critical missing"),
            (["kacheck-vault", *address], 0, "ok active"),
            (["kacheck-combined", "--process", NAME, *address], 0, "ok active"),
            (verdict, 0, "ok running"),
        ]
        for argv, code, words in checks:
            for directory in place:
                shown = ask([directory / argv[0], *argv[1:]])
                warned = shown.stderr.startswith("kacheck: warning: http://")
                assert (shown.returncode, warned) == (code, "--address" in argv), shown
                assert warned or not shown.stderr, shown
                assert shown.stdout.startswith(words)


def test_the_doctor_says_where_keepalived_would_refuse_them(place: Place) -> None:
    """Run as the user of the tests: keepalived refuses every directory that another user owns."""
    home = place.links.parent
    kacheck = place.links / "kacheck"
    conf = home / "keepalived.conf"
    conf.touch()

    def said() -> list[str]:
        shown = ask([kacheck, "doctor", "--format", "json", conf])
        findings = json.loads(shown.stdout)["findings"]
        return [each["what"] for each in findings if each["code"] == "KA510"]

    os.chmod(home, 0o777)
    (what,) = said()
    assert f"keepalived would refuse the entry points in {place.programs}: " in what
    os.chmod(home, 0o755)
    if os.geteuid() == 0:
        assert said() == []
