"""A second drain of the same check: a rehearsal does not end somebody's maintenance."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kacheck.cli import main

Kacheck = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kacheck(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Kacheck:
    """`kacheck drain` with a state directory: code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["drain", "--state-dir", str(tmp_path), *words])
        return (code, *capsys.readouterr())

    return run


@pytest.mark.parametrize("longer", [[], ["--for", "2h"]], ids=["without an end", "2h"])
@pytest.mark.parametrize("wait", [[], ["--wait", "1s"]], ids=["drain", "rehearsal"])
def test_a_shorter_drain_does_not_replace_a_longer_one(
    tmp_path: Path, kacheck: Kacheck, longer: list[str], wait: list[str]
) -> None:
    assert kacheck("on", "vault", "--message", "new disks", *longer)[0] == 0
    before = (tmp_path / "drain/vault").read_text()
    code, out, err = kacheck("on", "process", "vault", "--for", "2s", *wait)
    assert (code, out) == (3, "")
    assert "vault is already drained" in err
    assert f": new disks (kacheck drain off vault --state-dir {tmp_path} ends it)" in err
    assert [path.name for path in (tmp_path / "drain").iterdir()] == ["vault"], "all, or none"
    assert (tmp_path / "drain/vault").read_text() == before


def test_a_longer_or_an_independent_drain_may_follow(tmp_path: Path, kacheck: Kacheck) -> None:
    assert kacheck("on", "--all", "--message", "everything")[0] == 0
    for span in ("10m", "10m", "2h"):
        assert kacheck("on", "vault", "--for", span)[0] == 0
    (tmp_path / "drain/vault").write_text("1 over\n")
    assert kacheck("on", "vault", "--for", "2s")[0] == 0
