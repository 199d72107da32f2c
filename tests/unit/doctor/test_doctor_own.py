"""kacheck doctor, KA5: kacheck's own part. Each code is provoked, and is quiet elsewhere."""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path, PurePath
from types import SimpleNamespace

import pytest

import kacheck
from helpers.doctor import STATE_DIR, TOML, Doctor, instance, script
from kacheck import drain_switch
from kacheck.check import Check, Question
from kacheck.doctor import catalogue
from kacheck.doctor.kacheck import entry_point_paths, installation, state_files
from kacheck.doctor.machine import entry_points
from kacheck.probes.process.options import ProcessOptions

VERDICT = script('"/usr/libexec/kacheck/kacheck-verdict vault"')
FILE = f"track_file f {{\nfile {STATE_DIR}/track/vault\nweight 0 reverse\n}}\n"
TRACKED = instance("track_file {\nf\n}\ntrack_script {\nchk\n}")


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    doctor = Doctor(tmp_path)
    doctor.kacheck = doctor.kacheck._replace(
        checks={"vault": Check("vault", Question("process", ProcessOptions("vault")))}
    )
    doctor.machine.watcher()
    doctor.machine.verdict("vault")
    return doctor


def test_nothing_is_found_where_all_is_well(doctor: Doctor) -> None:
    assert doctor.find(catalogue.KACHECK, VERDICT + FILE + TRACKED) == []


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
        doctor.kacheck = doctor.kacheck._replace(checks=None, error=error)
        finding = doctor.one(catalogue.KACHECK, "", "KA501")
        assert finding[1:] == (what, finding.why, cure, TOML, line)

    def test_one_that_is_not_there_matters_only_where_it_is_needed(self, doctor: Doctor) -> None:
        error = f"{TOML}: No such file or directory; write it"
        doctor.kacheck = doctor.kacheck._replace(checks=None, error=error, is_missing=True)
        assert doctor.codes(catalogue.KACHECK, "") == []
        assert doctor.codes(catalogue.KACHECK, VERDICT) == ["KA501"]
        assert "KA501" in doctor.codes(catalogue.KACHECK, FILE)

    def test_gathering_reads_it_from_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "kacheck.toml"
        found = installation.gather(str(path), str(tmp_path))
        assert (found.checks, found.is_missing) == (None, True)
        path.write_text('[check.x]\nprobe = "process"\n')
        found = installation.gather(str(path), str(tmp_path))
        assert (found.checks, found.is_missing) == (None, False)
        assert str(found.error).startswith(f"{path}:1: ")
        path.write_text('[check.x]\nprobe = "process"\nname = "y"\n')
        assert installation.gather(str(path), str(tmp_path)).track_files().keys() == {
            f"{tmp_path}/track/x"
        }


class TestNames:
    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            (VERDICT, []),
            (script('"/usr/libexec/kacheck/kacheck-verdict vaul"'), ["KA505"]),
            (script('"kacheck run vault other"'), ["KA505"]),
            (script('"kacheck-verdict --config /etc/other.toml other"'), []),
            (FILE.replace("track/vault", "track/other"), ["KA505"]),
            (FILE.replace("/run/", "/var/run/").replace("vault", "other"), ["KA505"]),
            (script('"/usr/bin/env A=b kacheck-verdict other"'), ["KA505"]),
            ("track_file f {\nfile /run/elsewhere/other\n}\n", []),
        ],
    )
    def test_that_are_not_configured(self, doctor: Doctor, text: str, codes: list[str]) -> None:
        assert doctor.codes(catalogue.KACHECK, text) == codes

    def test_names_are_not_judged_where_the_configuration_is_broken(self, doctor: Doctor) -> None:
        doctor.kacheck = doctor.kacheck._replace(checks=None, error=f"{TOML}:1: bad; mend it")
        assert doctor.codes(catalogue.KACHECK, VERDICT) == ["KA501"]


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
        assert doctor.codes(catalogue.KACHECK, script(f'"{command}"')) == codes

    @pytest.mark.parametrize(
        ("command", "cure"),
        [
            (
                "/usr/libexec/kacheck/kacheck-command --timeout 0.8 /bin/check -w 5",
                "/usr/libexec/kacheck/kacheck-command --timeout 0.8 -- /bin/check -w 5",
            ),
            ("kacheck-process vault -config=/x", "kacheck-process -- vault -config=/x"),
        ],
    )
    def test_two_dashes_that_are_missing_are_in_the_cure(
        self, doctor: Doctor, command: str, cure: str
    ) -> None:
        found = doctor.one(catalogue.KACHECK, script(f'"{command}"'), "KA506")
        assert found.cure == f'script "{cure}"'

    def test_a_configured_timeout_counts_for_kacheck_verdict(self, doctor: Doctor) -> None:
        slow = Check(
            "vault", Question("process", ProcessOptions("vault")), interval=2.0, timeout=1.5
        )
        doctor.kacheck = doctor.kacheck._replace(checks={"vault": slow})
        assert doctor.codes(catalogue.KACHECK, VERDICT) == ["KA508"]


class TestWatcher:
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
        doctor.machine.watcher(**change)
        assert doctor.codes(catalogue.KACHECK, VERDICT + FILE + TRACKED) == ["KA502"]
        assert trouble in doctor.one(catalogue.KACHECK, VERDICT + FILE + TRACKED, "KA502").what
        assert doctor.codes(catalogue.KACHECK, VERDICT) == ["KA503"]

    def test_that_there_is_not(self, doctor: Doctor) -> None:
        del doctor.machine.contents[f"{STATE_DIR}/watcher/pid"]
        assert doctor.codes(catalogue.KACHECK, FILE) == ["KA502"]
        assert doctor.codes(catalogue.KACHECK, script('"kacheck-process vault"')) == []

    @pytest.mark.parametrize("content", [b"", b"0 990 ok active old\n", b"garbage\n"])
    def test_a_verdict_that_is_not_to_be_believed(self, doctor: Doctor, content: bytes) -> None:
        doctor.machine.file(f"{STATE_DIR}/verdict/vault", content)
        assert doctor.codes(catalogue.KACHECK, VERDICT) == ["KA504"]

    def test_the_lock_s_comm_is_the_publisher_s(self) -> None:
        from kacheck.watch import publisher

        assert state_files.MUTE == publisher.MUTE


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
        assert doctor.codes(catalogue.KACHECK, text) == codes


def test_a_drain_is_reported_with_its_end(doctor: Doctor, tmp_path: Path) -> None:
    drain_switch.switch_on(str(tmp_path), ["vault", "ALL"], 1800, "new disks")
    doctor.kacheck = doctor.kacheck._replace(drains=installation.gather(TOML, str(tmp_path)).drains)
    first, second = doctor.find(catalogue.KACHECK, "")
    assert first.code.name == second.code.name == "KA509"
    assert first.what.startswith("every check is drained for 30 min more: new disks")
    assert first.cure == f"kacheck drain off --all --state-dir {tmp_path}"
    drain_switch.switch_off(str(tmp_path), ["vault", "ALL"])
    assert installation.gather(TOML, str(tmp_path)).drains == ()


class TestInstalled:
    @pytest.fixture
    def place(self, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        """Puts kacheck's entry points there."""

        def put(directory: str) -> None:
            doctor.machine.file(f"{directory}/kacheck-process", b"#!/bin/sh\n")
            monkeypatch.setattr(entry_points, "entry_points", lambda: directory)

        return put

    @pytest.mark.parametrize(
        ("directory", "is_made", "trouble"),
        [
            ("/opt/kacheck/bin", {}, None),
            ("/usr/local/bin", {"mode": 0o775}, None),
            ("/tmp", {"mode": 0o1777}, None),
            ("/usr/local", {"mode": 0o2775, "gid": 50}, "(0:50, mode 2775) is writable by its group"),
            ("/srv", {"mode": 0o777}, "(0:0, mode 0777) is writable by everyone"),
            ("/home/u", {"uid": 1000, "gid": 4}, "(1000:4, mode 0755) is not owned by root"),
        ],
    )  # fmt: skip
    def test_where_keepalived_would_refuse_the_entry_points(
        self,
        doctor: Doctor,
        place: Callable[[str], None],
        directory: str,
        is_made: dict[str, int],
        trouble: str | None,
    ) -> None:
        doctor.machine.directory(directory, **is_made)
        place(f"{directory}/bin")
        whats = [finding.what for finding in doctor.find(entry_points, "")]
        what = f"keepalived would refuse the entry points in {directory}/bin: {directory} {trouble}"
        assert whats == ([what] if trouble else [])

    def test_an_entry_point_that_is_another_s_is_refused_itself(
        self, doctor: Doctor, place: Callable[[str], None]
    ) -> None:
        place("/opt/kacheck/bin")
        doctor.machine.file("/opt/kacheck/bin/kacheck-process", uid=1000)
        (finding,) = doctor.find(entry_points, "")
        assert ": /opt/kacheck/bin/kacheck-process (1000:0, mode 0755)" in finding.what

    def test_a_configuration_with_another_path_to_kacheck_is_not_reported(
        self, doctor: Doctor, place: Callable[[str], None]
    ) -> None:
        doctor.machine.directory("/home/u", uid=1000)
        place("/home/u/bin")
        (finding,) = doctor.find(entry_points, script('"/usr/bin/true"'))
        assert finding.code.name == "KA510"
        assert doctor.find(entry_points, VERDICT) == []

    def test_entry_points_are_found_by_checkout_record_or_package(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recorded = [
            SimpleNamespace(locate=lambda: PurePath(tmp_path, "modules/../bin/kacheck-process"))
        ]
        monkeypatch.setattr(importlib.metadata, "files", lambda _: recorded)
        monkeypatch.setattr(kacheck, "__file__", f"{tmp_path}/src/kacheck/__init__.py")
        monkeypatch.setattr(entry_point_paths, "PACKAGE", f"{tmp_path}/libexec")
        (tmp_path / "src/kacheck").mkdir(parents=True)
        assert entry_point_paths.entry_points() is None
        (tmp_path / "modules").mkdir()
        for name in ("libexec", "bin", "checks"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "kacheck-process").touch()
            assert entry_point_paths.entry_points() == str(tmp_path / name)

    @pytest.mark.parametrize("record", [None, importlib.metadata.PackageNotFoundError()])
    def test_a_package_without_a_record_is_debian_s(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Exception | None
    ) -> None:
        def files(_: str) -> None:
            if record:
                raise record

        monkeypatch.setattr(importlib.metadata, "files", files)
        monkeypatch.setattr(kacheck, "__file__", f"{tmp_path}/kacheck/__init__.py")
        monkeypatch.setattr(entry_point_paths, "PACKAGE", str(tmp_path))
        (tmp_path / "kacheck-process").touch()
        assert entry_point_paths.entry_points() == str(tmp_path)
