"""What kacheck doctor said wrongly of configurations from the field, and what is right."""

from pathlib import Path

import pytest

from helpers.doctor import ELF, Doctor, instance, script, sound_machine
from kacheck.doctor import catalogue
from kacheck.doctor.examine import Examined
from kacheck.doctor.keepalived import problems, unknown_keywords
from kacheck.doctor.machine import known_faults
from kacheck.doctor.machine.system import RunningProcess
from kacheck.doctor.scripts import execution, exit_status, missing_file, process_search
from kacheck.doctor.text import as_text
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

    def test_of_kill_go_to_the_process_in_a_pid_file(self, doctor: Doctor) -> None:
        doctor.machine.users["app"] = (1000, 1000)
        doctor.machine.file("/run/x.pid", b"77\n")
        doctor.machine.directory("/proc/77", uid=33)
        text = script("\"sh -c 'kill -0 $(cat /run/x.pid)'\"", "user app")
        assert doctor.codes(process_search, text) == ["KA251"]

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


class TestKeywords:
    def test_a_typo_is_named_with_the_nearest_keyword_and_what_holds(self, doctor: Doctor) -> None:
        text = script('"/usr/bin/true"', "raise 3")
        (finding,) = doctor.find(unknown_keywords, text)
        assert finding.code.name == "KA019"
        assert "rise stays 1" in finding.what
        assert finding.cure.startswith("write rise")
        assert finding.line == 3

    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            ("vrrp_track_process p {\nprocess x\ninterval 5\n}\n", ["KA019"]),
            ("vrrp_track_process p {\nprocess x\nwieght 5\n}\n", ["KA019"]),
            (instance("track_scripts {\na\n}"), ["KA020"]),
            (instance("track_scirpt {\na\n}"), ["KA020"]),
            ("vrrp_scrip chk {\nscript /bin/x\n}\n", ["KA020"]),
            ("global_defs {\nrouter_id x\nscript_usr root\n}\n", ["KA019"]),
            ("virtual_server 1.2.3.4 80 {\nreal_server 1.2.3.5 80 {\nwheight 1\n}\n}\n", ["KA019"]),
            (instance("track_process {\na\n}", "advert_int 1\npriority 9"), []),
            (instance("virtual_ipaddress {\n10.0.0.1/24 dev eth0\n}"), []),
        ],
    )
    def test_all_blocks_are_read(self, doctor: Doctor, text: str, codes: list[str]) -> None:
        assert doctor.codes(unknown_keywords, text) == codes

    @pytest.mark.parametrize(("version", "codes"), [((2, 2, 7), ["KA019"]), ((2, 4, 0), [])])
    def test_by_release(
        self, doctor: Doctor, version: tuple[int, int, int], codes: list[str]
    ) -> None:
        doctor.version = version
        assert doctor.codes(unknown_keywords, instance("timer_expired_backup 9")) == codes


class TestMissingBrace:
    TEXT = "vrrp_script chk\n  script /bin/true\n" + instance("track_script {\nchk\n}")

    def test_is_said_at_its_line_and_nothing_false_beside_it(self, doctor: Doctor) -> None:
        findings = doctor.find((*catalogue.KEEPALIVED, *catalogue.SCRIPTS), self.TEXT)
        (finding,) = [each for each in findings if each.code.name == "KA003"]
        assert finding.line == 1
        assert finding.cure == "vrrp_script chk {"
        assert "no vrrp_instance exists" in finding.what
        assert not {"KA201", "KA019", "KA020"} & {each.code.name for each in findings}

    def test_swallows_the_next_block_alone(self, doctor: Doctor) -> None:
        text = self.TEXT + instance("").replace("VI_1", "VI_2")
        finding = doctor.one(problems, text, "KA003")
        assert "vrrp_instance VI_1" in finding.what
        assert "no vrrp_instance" not in finding.what


class TestMissingFile:
    @pytest.mark.parametrize(
        "command",
        [
            "sh /usr/local/bin/none.sh",
            "bash -e /usr/local/bin/none.sh",
            "/usr/bin/env bash /usr/local/bin/none.sh",
            "timeout 2 /usr/local/bin/none.sh",
            "timeout 2 bash /usr/local/bin/none.sh",
            "bash -c /usr/local/bin/none.sh",
            "bash -c '/usr/local/bin/none.sh -v'",
            "sh -c 'sh /usr/local/bin/none.sh'",
            "sh none.sh",
        ],
    )
    def test_behind_a_program_that_is_there_always_fails(
        self, doctor: Doctor, command: str
    ) -> None:
        assert doctor.codes(missing_file, script(f'"{command}"')) == ["KA252"]

    @pytest.mark.parametrize(
        "command",
        [
            "sh /opt/here.sh",
            "sh -c 'test -x /usr/local/bin/none.sh && /usr/local/bin/none.sh'",
            "sh -c '! /usr/local/bin/none.sh'",
            "sh -c 'exit 1'",
            "bash -c '$CHECK'",
            "timeout 2 curl -f http://x/",
        ],
    )
    def test_what_is_there_or_uncertain_is_left_out(self, doctor: Doctor, command: str) -> None:
        doctor.machine.file("/opt/here.sh", b"#!/bin/sh\nexit 1\n")
        assert doctor.codes(missing_file, script(f'"{command}"')) == []


class TestShellFiles:
    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            ("if ! pgrep x; then\n  echo 1\nelse\n  echo 0\nfi", ["KA253"]),
            ("pgrep x\nexit 0", ["KA253"]),
            ("pgrep x || systemctl start x", ["KA253"]),
            ("pgrep x\necho 1  # bad", ["KA253"]),
            ("if ! pgrep x; then\n  exit 1\nfi\nexit 0", []),
            ("if pgrep x; then\n  echo 0\nelse\n  false\nfi", []),
            ("pgrep x && echo 1", []),
            ("set -e\npgrep x\necho 1", []),
            ("pgrep x", []),
            ("exec pgrep x\necho 1", []),
            ("cat <<E\necho\nE\necho 1", []),
            ("if ! pgrep x; then\n  systemctl stop keepalived\nfi\necho 1", []),
            ("A=`pgrep -c x`\nif [ $A -eq 0 ]; then\n  systemctl start x\nfi", ["KA253"]),
        ],
    )
    @pytest.mark.parametrize("command", ["/opt/chk.sh", "bash /opt/chk.sh"])
    def test_are_read_as_inline_commands_are(
        self, doctor: Doctor, command: str, text: str, codes: list[str]
    ) -> None:
        doctor.machine.file("/opt/chk.sh", f"#!/bin/bash\n{text}\n".encode())
        assert doctor.codes(exit_status, script(f'"{command}"')) == codes


class TestProcessLines:
    TITLE = "nginx: master process #1 [/usr/sbin/nginx -c /etc/x.conf]"

    @pytest.mark.parametrize(
        ("running", "lines", "cure"),
        [
            (
                RunningProcess(7, "nginx", (TITLE, "", "")),
                "process /usr/sbin/nginx\nfull_command",
                f'process "{TITLE}"\nfull_command',
            ),
            (
                RunningProcess(7, "MainThread", ("/usr/bin/node", "/srv/my app.js")),
                "process node server.js",
                'process /usr/bin/node "/srv/my app.js"',
            ),
            (
                RunningProcess(7, "java", ("/usr/bin/java", *(["-Dlong=" + "x" * 50] * 40))),
                "process java -jar x.jar",
                "process java",
            ),
            (
                RunningProcess(7, "main", ("/usr/bin/java", *(["-Dlong=" + "x" * 50] * 40))),
                "process java -jar x.jar",
                "process /usr/bin/java\nfull_command",
            ),
        ],
    )
    def test_can_be_pasted_and_match(
        self, doctor: Doctor, running: RunningProcess, lines: str, cure: str
    ) -> None:
        doctor.machine.running = [running]
        text = "vrrp_track_process p {\n%s\n}\n"
        finding = doctor.one(catalogue.PROCESSES, text % lines, "KA304")
        assert finding.cure == cure
        assert finding.cure in as_text(
            Examined([finding], [], is_default=False), colours=False
        ).replace("\n         ", "\n")
        assert "KA304" not in doctor.codes(catalogue.PROCESSES, text % finding.cure)
