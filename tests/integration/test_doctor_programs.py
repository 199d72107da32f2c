"""Doctor names the program of a command check that cannot be executed, and what to do."""

import json
from pathlib import Path

import pytest

from helpers.doctor import Doctor, script
from kacheck.cli import main
from kacheck.doctor.kacheck import configuration


def test_of_configured_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, conf = tmp_path / "kacheck.toml", tmp_path / "keepalived.conf"
    unfit = tmp_path / "unfit"
    unfit.write_text("#!/bin/sh\n")
    paths = {"missing": "/no-such-plugin", "unfit": str(unfit), "good": "/bin/true"}
    config.write_text(
        "".join(
            f'[check.{name}]\nprobe = "command"\nargv = ["{path}"]\n'
            for name, path in paths.items()
        )
    )
    conf.write_text("vrrp_script a {\n    script /bin/true\n}\n")
    argv = ["doctor", str(conf), "--config", str(config), "--state-dir", str(tmp_path)]
    main([*argv, "--format", "json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert "KA511" not in {each["code"] for each in findings}
    missing, unfit_one = [each for each in findings if each["code"] == "KA512"]
    assert missing["what"].startswith("missing: /no-such-plugin does not exist")
    assert "install it" in missing["cure"]
    assert unfit_one["what"].startswith(f"unfit: {unfit} is not executable")
    assert f"chmod a+rx {unfit}" in unfit_one["cure"]


def test_of_scripts_that_keepalived_starts(tmp_path: Path) -> None:
    doctor = Doctor(tmp_path)
    entry = "/usr/libexec/kacheck/kacheck-command"
    for program, codes in (("/no-such-plugin", ["KA512"]), ("/bin/true", [])):
        assert doctor.codes(configuration, script(f'"{entry} -- {program}"')) == codes
