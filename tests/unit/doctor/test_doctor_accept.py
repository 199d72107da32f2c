"""kacheck doctor, KA506: a word after --accept that is not the reason of a warning."""

from pathlib import Path

import pytest

from helpers.doctor import Doctor, script
from kacheck.check import Check, Question
from kacheck.doctor import catalogue
from kacheck.probes.process.options import ProcessOptions


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        ("--accept standby", []),
        ("--accept standby --accept certificate-expiring", []),
        ("--accept stanby", ["KA506"]),
        ("--accept standby --accept sealed", ["KA506"]),
    ],
)
def test_a_reason_that_no_warning_has_is_found(
    tmp_path: Path, words: str, codes: list[str]
) -> None:
    doctor = Doctor(tmp_path)
    checks = {"vault": Check("vault", Question("process", ProcessOptions("vault")))}
    doctor.kacheck = doctor.kacheck._replace(checks=checks)
    doctor.machine.watcher()
    doctor.machine.verdict("vault")
    found = doctor.codes(catalogue.KACHECK, script(f'"kacheck-verdict {words} vault"'))
    assert found == codes
