"""What kacheck doctor said wrongly of configurations from the field, and what is right."""

from pathlib import Path

import pytest

from helpers.doctor import ELF, Doctor, instance, script, sound_machine
from kacheck.doctor import catalogue
from kacheck.doctor.machine import known_faults
from kacheck.doctor.machine.system import RunningProcess
from kacheck.doctor.scripts import execution, process_search
from kacheck.keepalived import Version


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


class TestSignals:
    """nobody may not signal root's process, so the check always fails."""

    @pytest.mark.parametrize("command", ["killall -0 haproxy", "pkill -0 haproxy", "kill -0 77"])
    @pytest.mark.parametrize(
        ("user", "owner", "codes"),
        [
            ("nobody", 0, ["KA251"]),
            ("nobody", 33, ["KA251"]),
            ("nobody", 65534, ["KA246"]),
            ("root", 33, ["KA246"]),
        ],
    )
    def test_of_a_user_reach_the_user_s_processes(
        self, doctor: Doctor, command: str, user: str, owner: int, codes: list[str]
    ) -> None:
        doctor.machine.running = [RunningProcess(77, "haproxy", ("/usr/sbin/haproxy",))]
        doctor.machine.directory("/proc/77", uid=owner)
        doctor.machine.file("/usr/bin/killall", ELF)
        text = script(f'"{command}"', f"user {user}")
        assert doctor.codes(process_search, text) == codes

    def test_of_a_user_without_services_reach_none_that_starts_later(self, doctor: Doctor) -> None:
        text = script('"killall -0 haproxy"', "user nobody")
        assert doctor.codes(process_search, text) == ["KA251"]


class TestSwitches:
    """A file in which 0 means good, as its writer has it."""

    def test_a_switch_that_init_file_creates_is_good(self, doctor: Doctor) -> None:
        text = "track_file f {\nfile /maintenance\nweight 0\ninit_file 0\n}\n"
        assert doctor.codes(catalogue.FILES, text + instance("track_file {\nf\n}")) == []

    def test_a_switch_that_is_not_there_is_off(self, doctor: Doctor) -> None:
        text = "track_file f {\nfile /maintenance\nweight 0\n}\n"
        assert doctor.codes(catalogue.FILES, text + instance("track_file {\nf\n}")) == []

    def test_what_only_a_file_check_reads_is_the_server_s_own(self, doctor: Doctor) -> None:
        text = "track_file f {\nfile /tmp/no/status\n%s\n}\n"
        text += "virtual_server 10.0.0.1 80 {\nreal_server 10.0.0.2 80 {\n"
        text += "FILE_CHECK {\ntrack_file f\n}\n}\n}\n"
        for weight in ("weight 0", "weight 5", ""):
            assert doctor.codes(catalogue.FILES, text % weight) == []


class TestDelays:
    @pytest.mark.parametrize(
        ("lines", "codes"),
        [
            ("delay 1", []),
            ("fork_delay 1\nquorum 1", []),
            ("fork_delay 1\nquorum_max 0", []),
            ("terminate_delay 1\nquorum 2", []),
            ("delay 1\nquorum 2", ["KA134"]),
            ("fork_delay 1\nquorum_max 3", ["KA134"]),
        ],
    )
    def test_a_fork_delay_that_never_acts_is_not_warned_of(
        self, doctor: Doctor, lines: str, codes: list[str]
    ) -> None:
        doctor.facts = sound_machine(Version(2, 2, 7))
        text = f"vrrp_track_process p {{\nprocess vault\n{lines}\n}}\n"
        text += instance("track_process {\np\n}")
        assert doctor.codes(known_faults, text) == codes


class TestCures:
    """A cure is pasted word for word."""

    def test_names_the_entry_point_s_path_and_the_real_process(self, doctor: Doctor) -> None:
        cure = doctor.one(process_search, script('"pgrep haproxy"'), "KA246").cure
        path = cure.split('"')[1].split()
        assert path[1:] == ["haproxy"]
        assert Path(path[0]).is_absolute()
        assert Path(path[0]).name == "kacheck-process"

    def test_asks_by_path_for_a_process_that_calls_itself_otherwise(self, doctor: Doctor) -> None:
        doctor.machine.running = [RunningProcess(77, "CGO_LOAD", ("/opt/milvus", "run"))]
        cure = doctor.one(process_search, script('"pgrep milvus"'), "KA246").cure
        assert cure.endswith('kacheck-process /opt/milvus"')

    def test_gives_an_entry_point_that_is_not_in_path_its_path(self, doctor: Doctor) -> None:
        cure = doctor.one(execution, script('"kacheck-process nginx"'), "KA221").cure
        assert cure.endswith('/kacheck-process nginx"')
        assert cure.startswith('script "/')
