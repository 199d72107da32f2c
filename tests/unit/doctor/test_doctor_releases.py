"""`kacheck doctor` reads a configuration as the keepalived that is installed does."""

from pathlib import Path

import pytest

from helpers.doctor import findings_with
from helpers.release import install
from kacheck.doctor import catalogue, examine
from kacheck.doctor.examine import Request
from kacheck.doctor.machine import entry_points, facts
from kacheck.keepalived import program

SCRIPT = "vrrp_script chk {{\n script /usr/bin/true\n interval 2{}\n timeout 1\n user root\n}}\n"
INSTANCE = "vrrp_instance VI_1 {\n interface eth0\n track_script {\n  chk\n }\n}\n"
COMMENT = SCRIPT.format("  # see C:\\") + INSTANCE
VARIABLE = SCRIPT.replace("/usr/bin/true", '"${{_ENV CHECKS}}/true"').format("") + INSTANCE
LONG = SCRIPT.format("") + INSTANCE + "# " + "x" * 1021 + "}\n"


@pytest.fixture(autouse=True)
def _a_machine_without_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_points, "entry_points", lambda: None)
    machine = catalogue.lints(*catalogue.MACHINE)
    lints = [lint for lint in catalogue.LINTS if lint not in machine]
    monkeypatch.setattr(catalogue, "LINTS", lints)


def codes(directory: Path, text: str) -> list[str]:
    conf = directory / "keepalived.conf"
    conf.write_text(text)
    request = Request(str(conf), f"{directory}/kacheck.toml", str(directory), "id")
    found = examine.examine(request).findings
    return sorted({finding.code.name for finding in found})


@pytest.mark.parametrize(
    ("text", "release", "expected"),
    [
        pytest.param(COMMENT, "2.3.4", ["KA007", "KA206"], id="comment-2.3.4"),
        pytest.param(COMMENT, "2.4.0", [], id="comment-2.4.0"),
        pytest.param(VARIABLE, "2.3.4", ["KA221"], id="variable-2.3.4"),
        pytest.param(VARIABLE, "2.4.0", ["KA008"], id="variable-2.4.0"),
        pytest.param(LONG, "2.4.0", ["KA003", "KA007"], id="long-2.4.0"),
    ],
)
def test_the_release_that_is_installed_decides_what_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, release: str, expected: list[str]
) -> None:
    install(monkeypatch, tmp_path, release)

    assert codes(tmp_path, text) == expected


def test_without_keepalived_the_assumed_release_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(program, "DIRECTORIES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    found = findings_with(facts.gather(), set(), *catalogue.MACHINE)

    (finding,) = [each for each in found if each.code.name == "KA101"]
    assert "read as 2.2.7 reads it" in finding.what
