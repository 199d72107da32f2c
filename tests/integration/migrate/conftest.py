"""Fixtures for `kacheck migrate`: a configuration, the command, a keepalived that is scripted."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.migrate_command import BLOCK, INSTANCE, CommandOutput
from kacheck.cli import main
from kacheck.migrate import verify


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A keepalived.conf to migrate."""
    path = tmp_path / "keepalived.conf"
    path.write_text(BLOCK + INSTANCE)
    return path


@pytest.fixture
def migrate(
    tmp_path: Path, conf: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., CommandOutput]:
    """Run the command with a separate kacheck.toml."""

    def run(*options: str, path: Path = conf) -> CommandOutput:
        capsys.readouterr()
        code = main(["migrate", str(path), "--config", str(tmp_path / "kacheck.toml"), *options])
        return CommandOutput(code, *capsys.readouterr())

    return run


@pytest.fixture(autouse=True)
def keepalived(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keepalived that says what the file `says` beside it does, with its first line as code."""
    program = tmp_path_factory.mktemp("bin") / "keepalived"
    program.write_text(
        f"#!{sys.executable}\nimport os, re, signal, sys, time\n"
        f"if sys.argv[1] == '-v':\n    sys.exit(open({str(program)!r} + '.version').read())\n"
        "text = open(sys.argv[3]).read()\n"
        "for name in re.findall(r'^include (.*)', text, re.M):\n"
        "    open(name if name[0] == '/' else os.path.join(os.path.dirname(sys.argv[3]), name))\n"
        "new = 'vrrp_script' in text\n"
        f"exec(open({str(program)!r} + '.py').read())\n"
    )
    program.chmod(0o755)
    program.with_suffix(".py").write_text("")
    program.with_suffix(".version").write_text("Keepalived v2.2.7 (01/16,2022)")
    monkeypatch.setattr(verify, "program", lambda: str(program))
    return program.with_suffix(".py")
