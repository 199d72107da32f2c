"""A process that calls itself otherwise: its executable or script has the name that is asked for."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kacheck.cli import main

RENAME = (
    "import ctypes, time; ctypes.CDLL(None).prctl(15, b'CGO_LOAD');"
    " print('ready', flush=True); time.sleep(60)"
)


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the program milvus whose main thread is named CGO_LOAD."""
    program = tmp_path / "milvus"
    program.symlink_to(os.path.realpath(sys.executable))
    argv = [str(program), "-I", "-c", RENAME]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_missing_names_it(
    milvus: subprocess.Popen[bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = f"{tmp_path}/milvus"
    assert main(["process", "milvus"]) == 2
    said = capsys.readouterr().out
    assert f"; pid {milvus.pid} runs {path} but calls itself CGO_LOAD: use the" in said
    assert main(["process", path]) == 0


@pytest.mark.usefixtures("milvus")
def test_pidof_stays_where_the_check_would_find_other_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text(
        "global_defs {\n    enable_script_security\n    script_user root\n}\n"
        "vrrp_script chk {\n    script \"sh -c 'pidof milvus'\"\n}\n"
    )
    assert main(["migrate", "--recipes", str(conf)]) == 1
    captured = capsys.readouterr()
    assert "is left alone: pidof milvus finds pid" in captured.err
    assert captured.out == ""
