"""kacheck doctor, KA5: kacheck's own part. Each code is provoked, and is quiet elsewhere."""

from pathlib import Path

import pytest

from kacheck import drain
from kacheck.check import Check
from kacheck.doctor import own, resident
from kacheck.probes.process import ProcessOptions
from support.doctor import STATE_DIR, TOML, Doctor, instance, script

VERDICT = script('"/usr/libexec/kacheck/kacheck-verdict vault"')
FILE = f"track_file f {{\nfile {STATE_DIR}/track/vault\nweight 0 reverse\n}}\n"
TRACKED = instance("track_file {\nf\n}\ntrack_script {\nchk\n}")


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    doctor = Doctor(tmp_path)
    doctor.own = doctor.own._replace(checks={"vault": Check("vault", ProcessOptions("vault"))})
    doctor.machine.resident()
    doctor.machine.verdict("vault")
    return doctor


def test_nothing_is_found_where_all_is_well(doctor: Doctor) -> None:
    assert doctor.find(doctor.kacheck, VERDICT + FILE + TRACKED) == []


class TestConfiguration:
    @pytest.mark.parametrize(
        ("error", "what", "line", "cure"),
        [
            (f"{TOML}:10: intervall is no key; did you mean interval?", "intervall is no key", 10, "did you mean interval?"),
            (f"{TOML}: Permission denied; run as root", "Permission denied", None, "run as root"),
        ],
    )  # fmt: skip
    def test_that_is_not_valid(
        self, doctor: Doctor, error: str, what: str, line: int | None, cure: str
    ) -> None:
        doctor.own = doctor.own._replace(checks=None, error=error)
        finding = doctor.one(doctor.kacheck, "", "KA501")
        assert finding[1:] == (what, finding.why, cure, TOML, line)

    def test_one_that_is_not_there_matters_only_where_it_is_needed(self, doctor: Doctor) -> None:
        error = f"{TOML}: No such file or directory; write it"
        doctor.own = doctor.own._replace(checks=None, error=error, is_missing=True)
        assert doctor.codes(doctor.kacheck, "") == []
        assert doctor.codes(doctor.kacheck, VERDICT) == ["KA501"]
        assert "KA501" in doctor.codes(doctor.kacheck, FILE)

    def test_gathering_reads_it_from_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "kacheck.toml"
        found = own.gather(str(path), str(tmp_path))
        assert (found.checks, found.is_missing) == (None, True)
        path.write_text('[check.x]\nprobe = "process"\n')
        found = own.gather(str(path), str(tmp_path))
        assert (found.checks, found.is_missing) == (None, False)
        assert str(found.error).startswith(f"{path}:1: ")
        path.write_text('[check.x]\nprobe = "process"\nname = "y"\n')
        assert own.gather(str(path), str(tmp_path)).track_files().keys() == {f"{tmp_path}/track/x"}


class TestNames:
    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            (VERDICT, []),
            (script('"/usr/libexec/kacheck/kacheck-verdict vaul"'), ["KA505"]),
            (script('"kacheck run vault other"'), ["KA505"]),
            (script('"kacheck-verdict --config /etc/other.toml other"'), []),
            (FILE.replace("track/vault", "track/other"), ["KA505"]),
            ("track_file f {\nfile /run/elsewhere/other\n}\n", []),
        ],
    )
    def test_that_are_not_configured(self, doctor: Doctor, text: str, codes: list[str]) -> None:
        assert doctor.codes(doctor.kacheck, text) == codes

    def test_nothing_is_said_of_names_where_the_configuration_is_broken(
        self, doctor: Doctor
    ) -> None:
        doctor.own = doctor.own._replace(checks=None, error=f"{TOML}:1: bad; mend it")
        assert doctor.codes(doctor.kacheck, VERDICT) == ["KA501"]


class TestUsage:
    @pytest.mark.parametrize(
        ("command", "codes"),
        [
            ("kacheck-process vault", []),
            ("kacheck-process --param-match partial -- vault server -x", []),
            ("kacheck-process vault -config=/x", ["KA506"]),
            ("kacheck-process", ["KA506"]),
            ("kacheck-vault --adress https://127.0.0.1:8200", ["KA506"]),
            ("kacheck-vault --help", ["KA506"]),
            ("kacheck-combined --process vault --timeout 0.8", []),
            ("/opt/kacheck vault --timeout 0.8", []),
            ("kacheck-vault --timeout 1", ["KA508"]),
            ("kacheck-vault --timeout 1.5", ["KA508"]),
        ],
    )
    def test_of_the_entry_points(self, doctor: Doctor, command: str, codes: list[str]) -> None:
        assert doctor.codes(doctor.kacheck, script(f'"{command}"')) == codes

    def test_a_configured_timeout_counts_for_kacheck_verdict(self, doctor: Doctor) -> None:
        slow = Check("vault", ProcessOptions("vault"), interval=2.0, timeout=1.5)
        doctor.own = doctor.own._replace(checks={"vault": slow})
        assert doctor.codes(doctor.kacheck, VERDICT) == ["KA508"]


class TestResident:
    @pytest.mark.parametrize(
        ("change", "trouble"),
        [
            ({"start": "78"}, "has ended"),
            ({"state": "Z"}, "has ended"),
            ({"state": "T"}, "is stopped"),
            ({"comm": "kacheck-mute"}, "cannot write"),
        ],
    )
    def test_that_cannot_be_relied_on(
        self, doctor: Doctor, change: dict[str, str], trouble: str
    ) -> None:
        doctor.machine.resident(**change)
        assert doctor.codes(doctor.kacheck, VERDICT + FILE + TRACKED) == ["KA502"]
        assert trouble in doctor.one(doctor.kacheck, VERDICT + FILE + TRACKED, "KA502").what
        assert doctor.codes(doctor.kacheck, VERDICT) == ["KA503"]

    def test_that_there_is_not(self, doctor: Doctor) -> None:
        del doctor.machine.contents[f"{STATE_DIR}/lock"]
        assert doctor.codes(doctor.kacheck, FILE) == ["KA502"]
        assert doctor.codes(doctor.kacheck, script('"kacheck-process vault"')) == []

    @pytest.mark.parametrize("content", [b"", b"0 990 ok active old\n", b"garbage\n"])
    def test_a_verdict_that_is_not_to_be_believed(self, doctor: Doctor, content: bytes) -> None:
        doctor.machine.file(f"{STATE_DIR}/verdict/vault", content)
        assert doctor.codes(doctor.kacheck, VERDICT) == ["KA504"]

    def test_the_lock_s_comm_is_the_publisher_s(self) -> None:
        from kacheck.watch import publisher

        assert resident.MUTE == publisher.MUTE


class TestGuard:
    GROUP = "vrrp_sync_group G {\ngroup {\nVI_1\n}\ntrack_script {\nchk\n}\n}\n"

    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            (VERDICT + FILE + TRACKED, []),
            (VERDICT + FILE + instance("track_file {\nf\n}"), ["KA507"]),
            (VERDICT + FILE + GROUP + instance("track_file {\nf\n}"), []),
            (script('"/usr/bin/true"') + FILE + TRACKED, ["KA507"]),
            (FILE, []),
        ],
    )
    def test_beside_a_track_file(self, doctor: Doctor, text: str, codes: list[str]) -> None:
        assert doctor.codes(doctor.kacheck, text) == codes


def test_a_drain_is_told_with_its_end(doctor: Doctor, tmp_path: Path) -> None:
    drain.switch_on(str(tmp_path), ["vault", "ALL"], 1800, "new disks")
    doctor.own = doctor.own._replace(drains=own.gather(TOML, str(tmp_path)).drains)
    first, second = doctor.find(doctor.kacheck, "")
    assert first.code.name == second.code.name == "KA509"
    assert first.what.startswith("every check is drained for 30 min more: new disks")
    assert first.cure == f"kacheck drain off --all --state-dir {tmp_path}"
    drain.switch_off(str(tmp_path), ["vault", "ALL"])
    assert own.gather(TOML, str(tmp_path)).drains == ()
