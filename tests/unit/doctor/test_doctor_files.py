"""kacheck doctor, KA4: track_file. Each code is provoked, and is quiet elsewhere."""

from pathlib import Path

import pytest

from helpers.doctor import STATE_DIR, TOML, Doctor, instance
from kacheck.check import Check, Question, Track
from kacheck.doctor import catalogue
from kacheck.doctor.files.tracked_file import value_of
from kacheck.probes.process.options import ProcessOptions

OURS = f"{STATE_DIR}/track/vault"


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    doctor = Doctor(tmp_path)
    doctor.machine.directory(f"{STATE_DIR}/track")
    doctor.machine.file("/run/x/state", b"")
    return doctor


def known(doctor: Doctor, track: Track) -> None:
    check = Check("vault", Question("process", ProcessOptions("vault")), track=track)
    doctor.kacheck = doctor.kacheck._replace(config=TOML, checks={"vault": check})


def track_file(options: str = "", path: str = "/run/x/state") -> str:
    return f"track_file f {{\nfile {path}\n{options}\n}}\n"


class TestWeights:
    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            (track_file("weight 0 reverse"), []),
            (track_file("weight 0"), []),
            (track_file("weight 2"), []),
            (track_file(), ["KA402"]),
            (
                track_file("weight 0 reverse") + instance("track_file {\nf weight 0 noreverse\n}"),
                [],
            ),
            (track_file("weight 0") + instance("track_file {\nf weight 0 reverse\n}"), []),
            ("vrrp_" + track_file("weight 0"), []),
        ],
    )
    def test_of_a_file_that_we_do_not_know(
        self, doctor: Doctor, text: str, codes: list[str]
    ) -> None:
        assert doctor.codes(catalogue.FILES, text) == codes

    @pytest.mark.parametrize(
        ("track", "weight", "codes"),
        [
            (Track(), "weight 0 reverse", []),
            (Track(), "weight 0", ["KA401"]),
            (Track(), "weight 1", ["KA402"]),
            (Track(), "", ["KA402"]),
            (Track(50, 0, -254, -254), "weight 1", []),
            (Track(50, 0, -254, -254), "", []),
            (Track(50, 0, -254, -254), "weight 0 reverse", ["KA403"]),
            (Track(0, 1, 0, 0), "weight 0 reverse", ["KA403"]),
        ],
    )
    def test_of_kacheck_s_own_by_its_numbers(
        self, doctor: Doctor, track: Track, weight: str, codes: list[str]
    ) -> None:
        known(doctor, track)
        assert doctor.codes(catalogue.FILES, track_file(weight, OURS)) == codes


class TestPresence:
    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            (track_file("weight 0 reverse", "/run/x/none"), ["KA406"]),
            (track_file("weight 0 reverse", OURS), []),
            (track_file("weight 0 reverse", f"{STATE_DIR}/track/other"), ["KA406"]),
            (track_file("weight 0 reverse", "/run/none/state"), ["KA408"]),
            ("track_file f {\nweight 0 reverse\n}\n", ["KA407"]),
        ],
    )
    def test_what_is_not_there(self, doctor: Doctor, text: str, codes: list[str]) -> None:
        known(doctor, Track())
        assert doctor.codes(catalogue.FILES, text) == codes

    UNIT = "[Service]\nExecStart=/bin/x\nRuntimeDirectory=y x:z\n"

    @pytest.mark.parametrize(
        ("path", "unit", "codes"),
        [
            ("/etc/systemd/system/x.service", UNIT, ["KA404"]),
            ("/usr/lib/systemd/system/x.service.d/a.conf", UNIT, ["KA404"]),
            ("/etc/systemd/system/x.service", UNIT + "RuntimeDirectoryPreserve=yes\n", []),
            ("/etc/systemd/system/x.service", "[Service]\nRuntimeDirectory=xy\n", []),
            ("/etc/systemd/system/x.service", "[Service]\nStateDirectory=x\n", []),
            ("/etc/systemd/system/x.socket", UNIT, []),
        ],
    )
    def test_directories_that_a_service_recreates_are_found(
        self, doctor: Doctor, path: str, unit: str, codes: list[str]
    ) -> None:
        doctor.machine.file(path, unit.encode())
        assert doctor.codes(catalogue.FILES, track_file("weight 0 reverse")) == codes

    @pytest.mark.parametrize(
        ("version", "option", "codes"),
        [
            ((2, 2, 7), "init_file 1", []),
            ((2, 2, 8), "init_file 1", ["KA405"]),
            ((2, 3, 2), "init_file", ["KA405"]),
            ((2, 3, 2), "init_file 1 overwrite", []),
            ((2, 3, 3), "init_file 1", []),
            (None, "init_file 1", ["KA405"]),
        ],
    )
    def test_init_file(
        self, doctor: Doctor, version: tuple[int, int, int] | None, option: str, codes: list[str]
    ) -> None:
        doctor.version = version
        text = track_file(f"weight 0 reverse\n{option}")
        assert doctor.codes(catalogue.FILES, text) == codes


class TestNow:
    @pytest.mark.parametrize(
        ("content", "weight", "is_fault"),
        [
            ("1\n", "weight 0 reverse", False),
            ("0\n", "weight 0 reverse", True),
            ("garbage\n", "weight 0 reverse", True),
            ("0x10", "weight 0 reverse", False),
            ("-254", "weight 1", True),
            ("-253", "weight 1", False),
            ("-127", "weight 2", True),
            ("127", "weight 2 reverse", True),
            ("50", "weight 1", False),
        ],
    )
    def test_what_the_file_says(
        self, doctor: Doctor, content: str, weight: str, is_fault: bool
    ) -> None:
        doctor.machine.file("/run/x/state", content.encode())
        assert ("KA409" in doctor.codes(catalogue.FILES, track_file(weight))) is is_fault

    @pytest.mark.parametrize(
        ("text", "value"),
        [("12\n", 12), (" -3x", -3), ("0x1F", 31), ("010", 8), ("08", 0), ("", 0), ("x", 0)],
    )
    def test_numbers_are_strtol_s(self, text: str, value: int) -> None:
        assert value_of(text) == value
