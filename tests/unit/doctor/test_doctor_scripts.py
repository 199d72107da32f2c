"""kacheck doctor, KA0 and KA2: references and scripts. Each code is provoked, and is quiet elsewhere."""

import inspect
import stat
from pathlib import Path

import pytest

from helpers.doctor import ELF, Doctor, instance, script, sound_machine
from kacheck.doctor import catalogue
from kacheck.doctor.features import script_user
from kacheck.doctor.keepalived import problems, tracked_names, weights
from kacheck.doctor.machine import known_faults, new_keywords
from kacheck.doctor.machine.system import FileStatus
from kacheck.doctor.scripts import execution, security, statements
from kacheck.keepalived import ProblemKind, Version

GOOD = script('"/usr/bin/true"')
TRACKED = "track_script {\nchk\n}"
REFERENCES = (tracked_names, weights)
EXECUTABLES = (execution, security)
COMMANDS = catalogue.SCRIPTS[3:]


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


class TestTheFile:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            pytest.param('vrrp_script a {\n script "/bin/true\n}\n', "KA002", id="quote"),
            pytest.param("vrrp_script a {\n", "KA003", id="brace"),
            pytest.param("vrrp_instance A {\n" + GOOD + "}\n", "KA003", id="brace elsewhere"),
            pytest.param("include no-such-file.conf\n", "KA004", id="include"),
            pytest.param("include keepalived.conf\n", "KA005", id="cycle"),
            pytest.param('global_defs {\n router_id "a\\#b"c\\#d\n}\n', "KA007", id="line"),
            pytest.param("$A=x\nvrrp_script $A {\n script /bin/true\n}\n", None, id="definition"),
            pytest.param("~SEQ(x)\n", "KA006", id="sequence"),
            pytest.param("vrrp_instance A {\n priority ${P}\n}\n", "KA006", id="undefined"),
            pytest.param("$P = 9\nvirtual_server ${P} 80 {\n}\n", "KA006", id="blanks"),
            pytest.param("$P=9\nvrrp_instance A {\n priority ${P}\n}\n", None, id="defined"),
            pytest.param("vrrp_instance A$ {\n priority 9\n}\n", None, id="no use"),
            pytest.param(
                "@high $P=9\n@node $Q=8\nvrrp_instance A {\n priority ${P}\n}\n",
                "KA006",
                id="not ours",
            ),
            pytest.param(script("\"sh -c 'test ${P} = x'\""), None, id="the shell's"),
            pytest.param("global_defs {\n router_id ${_RANDOM}\n}\n", "KA008", id="random"),
            pytest.param("@high net_namespace x\n@low net_namespace y\n", "KA008", id="ids"),
            pytest.param("@node net_namespace x\n@low net_namespace y\n", None, id="our id"),
            pytest.param("@^node net_namespace x\n", None, id="not our id"),
            pytest.param(GOOD, None, id="good"),
        ],
    )
    def test_what_the_parser_rejects_is_found(
        self, doctor: Doctor, text: str, code: str | None
    ) -> None:
        found = doctor.codes(problems, text)
        assert found == [] if code is None else code in found

    def test_definitions_for_other_nodes_alone_are_not_errors(self, doctor: Doctor) -> None:
        text = "@high $P=9\n@low $P=8\nvrrp_instance A {\n priority ${P}\n}\n"
        assert doctor.codes(problems, text) == ["KA008"]

    def test_every_kind_of_problem_has_a_code(self) -> None:
        source = inspect.getsource(problems)
        assert [kind for kind in ProblemKind if f"ProblemKind.{kind.name}," not in source] == []

    def test_a_finding_names_file_and_line(self, doctor: Doctor) -> None:
        finding = doctor.one(problems, "\n\ninclude none.conf\n", "KA004")
        assert (finding.file, finding.line) == (str(doctor.path), 3)


SYNC = "vrrp_sync_group G {\ngroup {\nVI_1\n}\n%s\n}\n"
UNWEIGHTED = "unweighted_track_script_at_fixed_priority"


class TestUses:
    """The words of versions.py for the environment's faults."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (GOOD, {"vrrp_script", "foreign_script"}),
            (script("/x", "weight 2 reverse"), {"weight_reverse"}),
            (
                "vrrp_track_process p {\nprocess (a)\n}\n",
                {"track_process", "process_with_parenthesis"},
            ),
            ("vrrp_track_process p {\nprocess a\ndelay 2\n}\n", {"fork_delay", "terminate_delay"}),
            ("track_file f {\n}\n", {"track_file", "track_file_block", "track_file_weight"}),
            ("vrrp_track_file f {\nweight 0\n}\n", {"track_file", "vrrp_track_file_block"}),
            (GOOD + SYNC % "" + instance(TRACKED), {UNWEIGHTED}),
            (GOOD + instance(TRACKED, "priority 255"), {UNWEIGHTED}),
            (
                "vrrp_track_process p {\nprocess a\n}\n" + SYNC % "track_process {\np\n}",
                {"track_process_in_sync_group"},
            ),
        ],
    )
    def test_are_gathered(self, doctor: Doctor, text: str, words: set[str]) -> None:
        assert words <= doctor.context(text).features

    @pytest.mark.parametrize(
        "text",
        [
            GOOD + instance(TRACKED),
            GOOD + SYNC % "sync_group_tracking_weight" + instance(TRACKED),
            GOOD + SYNC % TRACKED,
        ],
    )
    def test_what_every_release_tracks_is_not_called_lost(self, doctor: Doctor, text: str) -> None:
        assert UNWEIGHTED not in doctor.context(text).features

    @pytest.mark.parametrize("name", ["kacheck-verdict vault", "kacheck-process vault"])
    def test_kacheck_s_own_checks_end_before_their_timeout(self, doctor: Doctor, name: str) -> None:
        text = script(f'"/usr/libexec/kacheck/{name}"')
        assert "foreign_script" not in doctor.context(text).features

    def test_a_finding_with_a_line_is_not_repeated_without_one(self, doctor: Doctor) -> None:
        ours = '"/usr/libexec/kacheck/kacheck-process x"'
        text = "track_file f {\nfile /x\ninit_file\n}\n" + script(ours, "interval 0.5")
        doctor.facts = sound_machine(Version(2, 2, 7))
        assert doctor.find((known_faults, new_keywords), text) == []

    def test_a_script_s_user_is_whom_the_checks_run_as(self, doctor: Doctor) -> None:
        assert script_user(doctor.context(GOOD).configuration) == "root"
        text = "global_defs {\nscript_user x y\n}\n"
        assert script_user(doctor.context(text).configuration) == "x"
        assert script_user(doctor.context("").configuration) is None


class TestReferences:
    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            pytest.param(GOOD + instance(TRACKED), [], id="good"),
            pytest.param(
                GOOD + instance("track_script {\nchk weight 2 reverse\n}"), [], id="weight"
            ),
            pytest.param(instance(TRACKED), ["KA010"], id="nothing defines it"),
            pytest.param(instance(TRACKED) + GOOD, ["KA011"], id="too late"),
            pytest.param(GOOD + GOOD + instance(TRACKED), ["KA012"], id="twice"),
            pytest.param(GOOD, ["KA013"], id="never tracked"),
            pytest.param(
                GOOD + instance("track_process {\nchk\n}"), ["KA010", "KA013"], id="other kind"
            ),
            pytest.param(script("/x", "weight 254") + instance(TRACKED), ["KA014"], id="254"),
            pytest.param(script("/x", "weight ten") + instance(TRACKED), ["KA014"], id="ten"),
            pytest.param(script("/x", "weight -253") + instance(TRACKED), [], id="-253"),
            pytest.param(GOOD + instance("track_script {\nchk weight 300\n}"), ["KA014"], id="300"),
            pytest.param(
                GOOD + instance("track_script {\nchk weight 3 revers\n}"), ["KA014"], id="revers"
            ),
            pytest.param(GOOD + instance("track_script {\nchk wieght 3\n}"), ["KA018"], id="typo"),
            pytest.param(
                GOOD + instance("track_script { chk chk2 }"), ["KA018"], id="two on a line"
            ),
        ],
    )
    def test_names_and_weights(self, doctor: Doctor, text: str, codes: list[str]) -> None:
        assert doctor.codes(REFERENCES, text) == codes

    def test_other_words_on_a_weights_line_are_not_weights(self, doctor: Doctor) -> None:
        text = script("/x", "weight -20 fall 2") + instance(TRACKED)
        cure = doctor.one(REFERENCES, text, "KA014").cure
        assert cure == "write each keyword on a separate line"

    WEIGHTED = script("/x", "weight 5")
    GROUP = "vrrp_sync_group G {\ngroup {\nVI_1\n}\n%s\n}\n"

    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            (GOOD + GROUP % "" + instance(TRACKED), []),
            (WEIGHTED + GROUP % "" + instance(TRACKED), ["KA015"]),
            (WEIGHTED + GROUP % "sync_group_tracking_weight" + instance(TRACKED), []),
            (WEIGHTED + GROUP % TRACKED + instance(""), []),
            (WEIGHTED + instance(TRACKED, "priority 255"), ["KA016"]),
            (GOOD + instance(TRACKED, "priority 255"), []),
            (WEIGHTED + instance(TRACKED, "nopreempt"), ["KA017"]),
            (GOOD + instance(TRACKED, "nopreempt"), []),
            (WEIGHTED + instance(TRACKED, "nopreempt\nstate BACKUP"), ["KA017"]),
            (WEIGHTED + instance(TRACKED, "nopreempt\nstate MASTER"), []),
        ],
    )
    def test_weights_that_do_nothing(self, doctor: Doctor, text: str, codes: list[str]) -> None:
        assert doctor.codes(REFERENCES, text) == codes

    def test_a_files_weight_1_is_reversed_in_a_sync_group(self, doctor: Doctor) -> None:
        text = "track_file f {\nfile /run/f\n}\n" + self.GROUP % "" + instance("track_file {\nf\n}")
        finding = doctor.one(REFERENCES, text, "KA015")
        assert "1 in the file is FAULT" in finding.why

    def test_a_file_a_virtual_server_may_use_is_not_unused(self, doctor: Doctor) -> None:
        text = "track_file f {\nfile /run/f\n}\nvirtual_server 10.0.0.1 80 {\n}\n"
        assert doctor.codes(REFERENCES, text) == []

    def test_an_included_definition_counts_at_its_include(self, doctor: Doctor) -> None:
        (doctor.path.parent / "check.conf").write_text(GOOD)
        assert doctor.codes(REFERENCES, "include check.conf\n" + instance(TRACKED)) == []
        late = instance(TRACKED) + "include check.conf\n"
        assert doctor.codes(REFERENCES, late) == ["KA011"]


class TestDefinitions:
    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            pytest.param(GOOD, [], id="good"),
            pytest.param("vrrp_script chk {\ntimeout 1\ninterval 2\n}\n", ["KA201"], id="none"),
            pytest.param(script('"sh -c \'x"'), ["KA201"], id="open quote"),
            pytest.param(script("/usr/bin/pgrep vault"), ["KA202"], id="arguments"),
            pytest.param(script('"/usr/bin/pgrep vault" -x'), ["KA202"], id="an argument"),
            pytest.param(script("/x", "interval 2\ntimeout 1\nuser none"), ["KA203"], id="user"),
            pytest.param(
                script("/x", "interval 2\ntimeout 1\nuser root none"), ["KA203"], id="group"
            ),
            pytest.param(script("/x", "interval 2\ntimeout 2"), ["KA204"], id="equal"),
            pytest.param(script("/x", "interval 2\ntimeout 5"), ["KA204"], id="above"),
            pytest.param(
                script("/x/kacheck-verdict a", "interval 1\ntimeout 2"), ["KA202"], id="ours"
            ),
            pytest.param(script("/x", "interval 2"), ["KA205"], id="no timeout"),
            pytest.param(script("/x", "interval 2.5\ntimeout 1"), ["KA206"], id="fraction"),
            pytest.param(script("/x", "interval 2s\ntimeout 1"), ["KA206"], id="unit"),
            pytest.param(script("/x", "interval 2\ntimeout 0"), ["KA206"], id="0 is 1"),
        ],
    )
    def test_what_is_wrong_with_a_vrrp_script(
        self, doctor: Doctor, text: str, codes: list[str]
    ) -> None:
        assert doctor.codes(statements, text) == codes

    def test_fractions_are_read_from_2_3_2_on(self, doctor: Doctor) -> None:
        text = script("/x", "interval 0.5\ntimeout 0.2")
        cures = [each.cure for each in doctor.find(statements, text)]
        assert cures[0] == "interval 1, or keepalived 2.3.2"
        doctor.version = (2, 3, 2)
        assert doctor.codes(statements, text) == []

    @pytest.mark.parametrize(
        ("version", "interval", "cure"),
        [
            (
                (2, 2, 7),
                1,
                "write interval 2 and timeout 1: before 2.3.2 there are whole seconds only",
            ),
            ((2, 3, 3), 1, "write a timeout below the interval"),
            ((2, 2, 7), 3, "write a timeout below the interval"),
        ],
    )
    def test_a_cure_is_one_that_this_version_can_read(
        self, doctor: Doctor, version: tuple[int, int, int], interval: int, cure: str
    ) -> None:
        doctor.version = version
        text = script("/x", f"interval {interval}\ntimeout {interval}")
        assert doctor.one(statements, text, "KA204").cure == cure

    @pytest.mark.parametrize("word", ["2s", "0", "-2", "two"])
    def test_an_upgrade_does_not_cure_a_time_invalid_in_every_release(
        self, doctor: Doctor, word: str
    ) -> None:
        text = script("/x", f"interval {word}\ntimeout 1")
        for doctor.version in ((2, 2, 7), (2, 3, 3)):
            finding = doctor.one(statements, text, "KA206")
            assert "2.3.2" not in finding.what + finding.cure

    @pytest.mark.parametrize(
        ("command", "cure"),
        [
            ("/usr/bin/pgrep vault", 'script "/usr/bin/pgrep vault"'),
            ('/bin/sh -c "pidof vault"', "script \"/bin/sh -c 'pidof vault'\""),
            ('"/x" interval 2 timeout 1', "write interval 2 timeout 1 on a separate line"),
            ("/x init_fail", "write init_fail on a separate line"),
            ("/x -w user", 'script "/x -w user"'),
        ],
    )
    def test_the_cure_of_dropped_arguments_keeps_their_words(
        self, doctor: Doctor, command: str, cure: str
    ) -> None:
        assert doctor.one(statements, script(command), "KA202").cure == cure

    NOBODY = script('"/x"', "interval 2\ntimeout 1")

    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            pytest.param(NOBODY, [], id="runs as root"),
            pytest.param(
                "global_defs {\nenable_script_security\n}\n" + NOBODY, ["KA203"], id="none"
            ),
            pytest.param(NOBODY + "global_defs {\nenable_script_security\n}\n", [], id="later"),
            pytest.param(
                "global_defs {\nenable_script_security\nscript_user root\n}\n" + NOBODY,
                [],
                id="root",
            ),
            pytest.param(
                "global_defs {\nscript_user none\n}\n" + NOBODY, ["KA203"], id="no such user"
            ),
        ],
    )
    def test_the_default_user_is_settled_where_it_is_first_needed(
        self, doctor: Doctor, text: str, codes: list[str]
    ) -> None:
        assert doctor.codes(statements, text) == codes

    def test_the_account_keepalived_script_will_do(self, doctor: Doctor) -> None:
        doctor.machine.users["keepalived_script"] = (990, 990)
        text = "global_defs {\nenable_script_security\n}\n" + self.NOBODY
        assert doctor.codes(statements, text) == []


SECURE = "global_defs {\nenable_script_security\n}\n"


class TestExecutables:
    @pytest.mark.parametrize(
        ("content", "codes"),
        [
            pytest.param(ELF, [], id="elf"),
            pytest.param(b"#!/bin/sh\nexit 0\n", [], id="sh"),
            pytest.param(b"#! /usr/bin/env -S PYTHONPATH=x sh -e\n", [], id="env -S"),
            pytest.param(b"#!/no/such/python\n", ["KA223"], id="interpreter"),
            pytest.param(b"#!/bin/sh\r\nexit 1\r\n", ["KA223"], id="carriage return"),
            pytest.param(b"exit 1\n", ["KA223"], id="no #!"),
            pytest.param(b"#!/usr/bin/env python4\n", ["KA224"], id="env"),
            pytest.param(b"#!/usr/bin/env sh\n", [], id="env sh"),
            pytest.param(b"#!/usr/bin/env sh -e\n", ["KA224"], id="env without -S"),
        ],
    )
    def test_what_execve_makes_of_the_file(
        self, doctor: Doctor, content: bytes, codes: list[str]
    ) -> None:
        doctor.machine.file("/etc/check", content)
        assert doctor.codes(EXECUTABLES, script('"/etc/check"')) == codes

    @pytest.mark.parametrize(
        ("command", "codes"),
        [
            ('"true"', []),
            ('"nothing -x"', ["KA221"]),
            ('"/usr/bin/nothing"', ["KA221"]),
            ('"</run/file"', []),
            ('"< /run/file"', ["KA221"]),
            ('"</dev/tcp/127.0.0.1/80"', ["KA228"]),
            ("\"'< /dev/tcp/127.0.0.1/80'\"", ["KA228"]),
            ("\"sh -c '</dev/tcp/127.0.0.1/80'\"", ["KA228"]),
            ("\"timeout 1 sh -c 'echo >/dev/tcp/127.0.0.1/80'\"", ["KA228"]),
            ("\"bash -c '</dev/tcp/127.0.0.1/80'\"", []),
        ],
    )
    def test_what_is_not_there(self, doctor: Doctor, command: str, codes: list[str]) -> None:
        assert doctor.codes(EXECUTABLES, script(command)) == codes

    @pytest.mark.parametrize(
        ("mode", "user", "codes"),
        [
            (0o755, "root", []),
            (0o644, "root", ["KA222"]),
            (0o700, "root", []),
            (0o700, "nobody", ["KA222"]),
            (0o705, "nobody", []),
        ],
    )
    def test_what_is_not_executable(
        self, doctor: Doctor, mode: int, user: str, codes: list[str]
    ) -> None:
        doctor.machine.file("/etc/check", ELF, mode)
        text = script('"/etc/check"', f"interval 2\ntimeout 1\nuser {user}")
        assert doctor.codes(EXECUTABLES, text) == codes

    @pytest.mark.parametrize("command", ["A=b true", "if true", "! true", "exit 0"])
    def test_what_only_a_shell_knows_is_given_to_one(self, doctor: Doctor, command: str) -> None:
        finding = doctor.one(EXECUTABLES, script(f'"{command}"'), "KA221")
        assert finding.cure == f"script \"sh -c '{command}'\""

    @pytest.mark.parametrize(
        ("command", "cure"),
        [
            ("source /etc/x", "script \"sh -c '. /etc/x'\""),
            ("! grep 'a b' /etc/x", "script \"sh -c '...'\", or a file"),
        ],
    )
    def test_what_is_given_to_a_shell_is_what_it_understands(
        self, doctor: Doctor, command: str, cure: str
    ) -> None:
        text = script(f'"{command}"')
        assert doctor.one(EXECUTABLES, text, "KA221").cure == cure

    @pytest.mark.parametrize(
        ("mode", "user", "codes"),
        [
            (0o700, "root", []),
            (0o700, "nobody", ["KA221"]),
            (0o711, "nobody", []),
            (0o710, "nobody", ["KA221"]),
        ],
    )
    def test_a_directory_that_its_user_may_not_enter(
        self, doctor: Doctor, mode: int, user: str, codes: list[str]
    ) -> None:
        doctor.machine.directory("/root", mode)
        doctor.machine.file("/root/check", ELF)
        text = script('"/root/check"', f"interval 2\ntimeout 1\nuser {user}")
        assert doctor.codes(EXECUTABLES, text) == codes
        if codes:
            what = doctor.one(EXECUTABLES, text, "KA221").what
            assert f"may not enter /root (0:0, mode {mode:04o})" in what

    def test_no_cure_gives_a_home_directory_to_root(self, doctor: Doctor) -> None:
        doctor.machine.directory("/home/bob", uid=1000, gid=1000)
        doctor.machine.file("/home/bob/check", ELF)
        finding = doctor.one(EXECUTABLES, SECURE + script('"/home/bob/check"'), "KA225")
        assert finding.cure == "move the script to where only root writes, such as /etc/keepalived"

    def test_bash_as_sh_knows_dev_tcp(self, doctor: Doctor) -> None:
        doctor.machine.link("/usr/bin/sh", "/usr/bin/bash")
        assert doctor.codes(EXECUTABLES, script('"</dev/tcp/127.0.0.1/80"')) == []

    def test_a_directory_is_not_a_command(self, doctor: Doctor) -> None:
        assert doctor.codes(EXECUTABLES, script('"/usr/bin/"')) == ["KA222"]

    @pytest.mark.parametrize(
        ("status", "trouble"),
        [
            (FileStatus(0o755), None),
            (FileStatus(0o755, uid=1000), "is not owned by root"),
            (FileStatus(0o775, gid=4), "is writable by its group"),
            (FileStatus(0o775, gid=0), None),
            (FileStatus(0o757), "is writable by everyone"),
        ],
    )
    @pytest.mark.parametrize("kind", [stat.S_IFREG, stat.S_IFDIR], ids=["file", "directory"])
    def test_what_the_security_check_rejects(
        self, doctor: Doctor, status: FileStatus, trouble: str | None, kind: int
    ) -> None:
        doctor.machine.file("/opt/x/check", ELF)
        path = "/opt/x/check" if kind == stat.S_IFREG else "/opt/x"
        doctor.machine.statuses[path] = status._replace(mode=kind | status.mode)
        text = script('"/opt/x/check"')
        assert doctor.codes(EXECUTABLES, text) == []
        if trouble is None:
            assert doctor.codes(EXECUTABLES, SECURE + text) == []
        else:
            finding = doctor.one(EXECUTABLES, SECURE + text, "KA225")
            shown = f"{status.uid}:{status.gid}, mode {status.mode:04o}"
            assert f"{path} ({shown}) {trouble}" in finding.what

    def test_a_sticky_directory_passes(self, doctor: Doctor) -> None:
        doctor.machine.directory("/tmp", 0o1777)
        doctor.machine.file("/tmp/check", ELF)
        assert doctor.codes(EXECUTABLES, SECURE + script('"/tmp/check"')) == []

    def test_it_is_not_checked_for_users_other_than_root(self, doctor: Doctor) -> None:
        doctor.machine.file("/opt/check", ELF, 0o777)
        text = SECURE + script('"/opt/check"', "interval 2\ntimeout 1\nuser nobody")
        assert doctor.codes(EXECUTABLES, text) == []

    @pytest.mark.parametrize(
        ("version", "command", "codes"),
        [
            ((2, 2, 7), '"/bin/true"', []),
            ((2, 3, 0), '"/bin/true"', ["KA226"]),
            ((2, 3, 3), '"/usr/bin/true"', []),
            ((2, 3, 3), '"true"', []),
            ((2, 3, 4), '"/opt/link/../bin/true"', []),
            ((2, 4, 3), '"/bin/true"', ["KA226"]),
            (None, '"/bin/true"', ["KA226"]),
        ],
    )
    @pytest.mark.parametrize("option", ["", "use_symlink_paths", "use_symlink_paths off"])
    def test_a_linked_directory_is_dropped_since_2_3(
        self,
        doctor: Doctor,
        version: tuple[int, int, int] | None,
        command: str,
        codes: list[str],
        option: str,
    ) -> None:
        doctor.version = version
        doctor.machine.file("/opt/bin/true", ELF)
        doctor.machine.link("/opt/link", "/opt/bin")
        text = f"global_defs {{\n{option}\n}}\n" + script(command)
        assert doctor.codes(EXECUTABLES, text) == codes

    @pytest.mark.parametrize(
        ("version", "option", "codes"),
        [
            ((2, 2, 7), "", ["KA225"]),
            ((2, 3, 4), "", ["KA225"]),
            ((2, 3, 1), "use_symlink_paths", []),
            ((2, 3, 4), "use_symlink_paths", []),
            ((2, 3, 4), "use_symlink_paths off", ["KA225"]),
            ((2, 3, 4), "use_symlink_paths no\nuse_symlink_paths yes", []),
            ((2, 4, 0), "use_symlink_paths", ["KA225"]),
            ((2, 4, 3), "use_symlink_paths", ["KA225"]),
            (None, "use_symlink_paths", ["KA225"]),
        ],
    )
    def test_a_links_target_is_checked_unless_2_3_uses_symlink_paths(
        self, doctor: Doctor, version: tuple[int, int, int] | None, option: str, codes: list[str]
    ) -> None:
        doctor.version = version
        doctor.machine.directory("/opt/open", uid=65534)
        doctor.machine.file("/opt/open/check", ELF)
        doctor.machine.link("/opt/check", "/opt/open/check")
        text = SECURE.replace("{", f"{{\n{option}\n", 1) + script('"/opt/check"')
        assert doctor.codes(EXECUTABLES, text) == codes

    @pytest.mark.parametrize(
        ("version", "codes"),
        [((2, 2, 7), ["KA227"]), ((2, 2, 8), ["KA227"]), ((2, 3, 0), []), (None, ["KA227"])],
    )
    def test_pidof_runs_as_killall5_before_2_3(
        self, doctor: Doctor, version: tuple[int, int, int] | None, codes: list[str]
    ) -> None:
        doctor.version = version
        doctor.machine.file("/usr/sbin/killall5", ELF)
        doctor.machine.link("/usr/bin/pidof", "/usr/sbin/killall5")
        assert doctor.codes(EXECUTABLES, script('"pidof vault"')) == codes

    def test_a_link_beside_its_target_keeps_its_name(self, doctor: Doctor) -> None:
        doctor.machine.file("/usr/bin/busybox", ELF)
        doctor.machine.link("/usr/bin/pidof", "/usr/bin/busybox")
        assert doctor.codes(EXECUTABLES, script('"pidof vault"')) == []


HEALTH = "http://127.0.0.1:8200/v1/sys/health"


class TestCommands:
    @pytest.mark.parametrize(
        ("command", "codes"),
        [
            ('"/usr/bin/true"', []),
            ('"/usr/libexec/kacheck/kacheck-vault --address https://127.0.0.1:8200"', []),
            ('"test -f /run/x && true"', ["KA241"]),
            ('"test -f /run/x; true"', ["KA241"]),
            ('"true > /dev/null"', ["KA241"]),
            ('"true >/dev/null 2>&1"', ["KA241"]),
            ('"test $(date) = x"', ["KA241"]),
            ('"test `date` = x"', ["KA241"]),
            ('"test -f $HOME"', ["KA241"]),
            ('"test -f /etc/*.conf"', ["KA241"]),
            ('"/usr/bin/[ -f /x ]"', []),
            ('"test -f /etc/[ab]"', ["KA241"]),
            ("\"sh -c 'test -f /etc/*.conf && true > $HOME/x'\"", []),
            ("\"curl -fm 0.5 -w '%{http_code}|' http://x/?a=1&b=2\"", []),
            ("\"mysql -e 'SELECT 1;'\"", []),
            ("\"mysql -e 'SELECT 2 > 1;'\"", []),
            ("\"cut -d '|' -f 1 /etc/x\"", []),
            ("\"grep -q '$USER' /etc/x\"", []),
            ("\"mysqladmin -p'a$$b' ping\"", []),
            ('"grep -q \\$x /etc/x"', []),
            ('"test -f /x||exit 1"', ["KA241"]),
            ('"test -f /x&&true"', ["KA241"]),
            ('"cat </etc/x"', ["KA241"]),
            ('"~/check"', ["KA242"]),
            ('"~root/check"', ["KA242"]),
            ('"/usr/bin/test -f ~/x"', ["KA242"]),
            ('"/usr/bin/test -f /a~b"', []),
            ('"sh -c test -f /x"', ["KA243"]),
            ("\"sh -c 'test -f $0' /x\"", []),
            ("\"sh -c -- 'test -f /x'\"", []),
            ("\"sh -ec 'test -f /x'\"", []),
            ('"bash /etc/check -c 3 -w 5"', ["KA252"]),
            ('"bash +e --norc -o errexit -c test -f /x"', ["KA243"]),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} | grep -q active'\"", ["KA244"]),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} | grep -qi Active:true'\"", ["KA244"]),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} | /bin/grep -q active'\"", ["KA244"]),
            (f'"sh -c \'curl -sm 0.5 {HEALTH} | grep -q \\"standby.:false\\"\'"', []),
            ("\"sh -c 'curl -sm 0.5 http://active/v1/sys/health | grep -q sealed.:false'\"", []),
            ("\"sh -c 'systemctl status x | grep -q active'\"", []),
            (f"\"sh -c 'systemctl status x | grep active && curl -fm 0.5 {HEALTH}'\"", []),
            (f"\"sh -c 'curl -fsm 0.5 {HEALTH} | tr -d x | grep -q active'\"", ["KA244"]),
            (f"\"sh -c 'test $(curl -sm 0.5 {HEALTH} | grep -c active) = 1'\"", ["KA244"]),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} >/run/h; grep -q active /run/h'\"", ["KA244"]),
            (f"\"sh -c 'X=$(curl -sm 0.5 {HEALTH}); printf %s $X | grep active'\"", ["KA244"]),
            (f"\"sh -c 'U={HEALTH}; curl -sm 0.5 $U | grep active'\"", ["KA244"]),
            (f"\"sh -c '{{ curl -sm 0.5 {HEALTH}; }} | grep active'\"", ["KA244"]),
            (f"\"sh -c 'grep -q 1 /x && curl -sfm 0.5 {HEALTH}?activecode=200'\"", []),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} >/run/active; grep -q 1 /run/active'\"", []),
            ('"curl -sf http://x"', ["KA245"]),
            ('"curl -f --connect-timeout 1 http://x"', ["KA245"]),
            ('"curl -fm 1 http://x"', ["KA245"]),
            ('"curl -f --max-time=5 http://x"', ["KA245"]),
            ('"curl -fsSm0.5 http://x"', []),
            ('"curl -f --max-time 0.5 http://x"', []),
            ('"curl -fm 0 http://x"', ["KA245"]),
            (f'"curl -sm 0.5 {HEALTH}"', ["KA250"]),
            (f'"curl -sfm 0.5 {HEALTH}"', []),
            (f'"curl -sfm0.5 {HEALTH}"', []),
            (f'"curl -fso/dev/null -m 0.5 {HEALTH}"', []),
            (f'"curl -sm 0.5 -o/dev/fd/1 {HEALTH}"', ["KA250"]),
            (f'"curl -sm 0.5 -of {HEALTH}"', ["KA250"]),
            (f'"curl --fail-with-body -m 0.5 {HEALTH}"', []),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} >/dev/null && test -f /x'\"", ["KA250"]),
            (f"\"sh -c 'test -f /x; curl -sm 0.5 {HEALTH} -o /dev/null'\"", ["KA250"]),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} | jq -e .initialized'\"", []),
            (f"\"sh -c 'curl -sm 0.5 -o /run/h {HEALTH} && grep -q 1 /run/h'\"", []),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} >/run/h; jq -e .initialized /run/h'\"", []),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} >/run/h && test x = $(cat /run/h)'\"", []),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} && exit 0'\"", ["KA250"]),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} && ip addr | grep -q 10.0.0.1'\"", ["KA250"]),
            (f"\"sh -c 'curl -sm 0.5 {HEALTH} && ip a | grep eth | grep 10.1'\"", ["KA250"]),
            (f"\"sh -c 'curl -so /run/h -m 0.5 {HEALTH}; cat /run/h | jq -e .x'\"", []),
            (f"\"sh -c 'grep -q 1 /x && curl -sm 0.5 {HEALTH}'\"", ["KA250"]),
            (f"\"sh -c 'test 200 = $(curl -sm 0.5 -w %{{http_code}} {HEALTH})'\"", []),
            ('"curl -sm 0.5 http://x"', ["KA254"]),
            ('"pgrep vault"', ["KA246"]),
            ('"pgrep -r S,R vault"', []),
            ('"killall -0 vault"', ["KA246"]),
            ('"killall vault"', []),
            ('"pkill -0 vault"', ["KA246"]),
            ("\"sh -c 'ps aux | grep vault'\"", ["KA247"]),
            ("\"sh -c 'ps -ef | egrep vault'\"", ["KA247"]),
            ("\"sh -c 'ps -aux | grep vault'\"", ["KA247"]),
            ("\"sh -c 'ps axo pid,args | grep vault'\"", ["KA247"]),
            ("\"sh -c 'ps -e | grep vault'\"", []),
            ("\"sh -c 'ps -eo comm= | grep vault'\"", []),
            ("\"sh -c 'ps axc | grep vault'\"", []),
            ("\"sh -c 'ps -u vault -f | grep server'\"", []),
            ("\"sh -c 'ps --ppid 1 -f | grep server'\"", []),
            ("\"sh -c 'test $(ps aux | grep -c vault) -gt 2'\"", []),
            ("\"sh -c 'test $(ps aux | grep -ic vault) -gt 2'\"", []),
            ("\"sh -c 'test $(ps aux | grep --count vault) -gt 2'\"", []),
            ("\"sh -c 'test $(ps aux | grep -c vault) -gt 1'\"", ["KA247"]),
            ("\"sh -c '[ `ps -ef | grep vault | wc -l` -ge 2 ]'\"", ["KA247"]),
            ("\"sh -c 'test $(ps -ef | grep vault | wc -l) -ne 0'\"", ["KA247"]),
            ("\"sh -c 'test $(ps -ef | grep vault | grep -v grep | wc -l) -gt 0'\"", []),
            ("\"sh -c 'test $(ps -eo args | grep -x /bin/vault | wc -l) -ge 1'\"", []),
            ("\"sh -c 'test $(ps -ef | grep vault | sed /grep/d | wc -l) -ge 1'\"", []),
            ("\"sh -c 'test $(ps -eo args | cut -c 1-20 | grep -c /bin/vault) -gt 0'\"", []),
            ("\"sh -c 'test $(ps -ef | grep -c x) -gt 9 && test $(cat /x) -gt 0'\"", []),
            ("\"sh -c 'ps aux | grep [v]ault'\"", []),
            ("\"sh -c 'ps aux | grep vault | grep -v grep'\"", []),
            ("\"sh -c 'ps aux | grep vault | grep -Ev vim.grep'\"", []),
            ("\"sh -c 'ps aux | grep vault | grep -v vim'\"", ["KA247"]),
            ("\"sh -c 'ps aux | grep ^vault'\"", []),
            ("\"sh -c 'ps aux | grep vault$'\"", []),
            ("\"sh -c 'ps aux | grep [/]usr/bin/vault'\"", []),
            ('"pgrep -f vault"', ["KA246", "KA248"]),
            ('"pgrep -xf vault"', ["KA246"]),
            ('"pgrep -f ^/usr/bin/vault"', ["KA246"]),
            ("\"sh -c 'kill -0 $(cat /run/x)'\"", ["KA246"]),
            ("\"sh -c 'kill $(cat /run/x)'\"", []),
            ('"ps -C vault"', ["KA246"]),
            ('"ps -p 1"', ["KA246"]),
            ('"ps -ef"', []),
            ("\"sh -c 'ls /x | wc -l'\"", ["KA249"]),
            ("\"sh -c 'test -f /x || true'\"", ["KA249"]),
            ("\"sh -c 'test -f /x || logger down'\"", ["KA249"]),
            ("\"sh -c 'test -f /x && true'\"", []),
            ("\"sh -c 'test -f /x || exit 1; true'\"", []),
            ("\"sh -ec 'test -f /x; true'\"", []),
            ("\"sh -c 'test -f /x; cat /x'\"", []),
            ("\"bash -o pipefail -c 'test -f /x | cat'\"", []),
            ("\"sh -c 'pidof vault 2>&1 | cat 2>&1'\"", ["KA249"]),
            ("\"sh -c 'pidof vault | head -n 1'\"", ["KA249"]),
            ("\"sh -c 'ps aux | awk /[v]ault/'\"", ["KA249"]),
            ("\"sh -c 'ps aux | awk -f /etc/x.awk'\"", []),
            ("\"sh -c 'test -f /x && ip addr | awk /eth0/'\"", []),
            ("\"sh -c 'awk /x/ /run/x'\"", []),
        ],
    )
    def test_one_liners(self, doctor: Doctor, command: str, codes: list[str]) -> None:
        assert doctor.codes(COMMANDS, script(command)) == codes

    @pytest.mark.parametrize(
        ("program", "codes"),
        [
            ("pidof vault &>/dev/null", ["KA249"]),
            ("pidof vault &> /dev/null", ["KA249"]),
            ("pidof vault &>>/run/log || exit 1", ["KA249"]),
            ("pidof vault &>/dev/null && test -f /x", []),
            ("pidof vault >/dev/null 2>&1", []),
            ("pidof vault >&/dev/null", []),
            ("grep -q a&\\>b /x", []),
        ],
    )
    def test_what_bash_redirects_runs_in_the_background_of_dash(
        self, doctor: Doctor, program: str, codes: list[str]
    ) -> None:
        doctor.machine.file("/usr/bin/dash", ELF)
        doctor.machine.link("/usr/bin/sh", "/usr/bin/dash")
        assert doctor.codes(COMMANDS, script(f"\"sh -c '{program}'\"")) == codes
        assert doctor.codes(COMMANDS, script(f"\"bash -c '{program}'\"")) == []

    @pytest.mark.parametrize(
        ("command", "codes"),
        [
            ("\"sh -c 'env A=b nice -n 5 pgrep vault'\"", ["KA246"]),
            ('"env A=b pgrep vault"', ["KA246"]),
            ('"nice -n5 pgrep vault"', ["KA246"]),
            ('"timeout 1 pgrep vault"', ["KA246"]),
            ('"timeout -s KILL -k 2 1s curl -f http://x"', ["KA245"]),
            ("\"timeout 1 sh -c 'pgrep vault'\"", ["KA246"]),
            ('"ionice -c 3 pgrep vault"', ["KA246"]),
            ('"sudo -n -u vault pgrep vault"', ["KA246"]),
            ('"flock -n /run/x pgrep vault"', ["KA246"]),
            ('"busybox killall -0 vault"', ["KA246"]),
            ("\"sh -c 'if pgrep vault; then exit 0; else exit 1; fi'\"", ["KA246"]),
            ("\"sh -c '(pgrep vault) && exit 0'\"", ["KA246"]),
            ("\"sh -c '{ pgrep vault; } || exit 1'\"", ["KA246"]),
            ("\"sh -c 'test $(pgrep -c vault) -gt 0'\"", ["KA246"]),
            ("\"sh -c 'test `pgrep vault | wc -l` -gt 0'\"", ["KA246"]),
            ("\"sh -c 'test $(ps -ef | wc -l) -gt 0'\"", []),
            ("\"bash -c '[[ $(curl -so /dev/null http://x) == 200 ]]'\"", ["KA245"]),
            ('"timeout 1"', []),
            ("\"sh -e -c 'pgrep vault'\"", ["KA246"]),
            ("\"busybox sh -c 'pgrep vault && true'\"", ["KA246"]),
            ('"sh /etc/check pgrep"', ["KA252"]),
            ('"sh"', []),
        ],
    )
    def test_words_before_the_program_are_skipped(
        self, doctor: Doctor, command: str, codes: list[str]
    ) -> None:
        assert doctor.codes(COMMANDS, script(command)) == codes

    @pytest.mark.parametrize(
        ("command", "cure"),
        [
            ("bash -c [[ -f /x ]]", "script \"bash -c '[[ -f /x ]]'\""),
            ("timeout 1 sh -ec test -f /x", "script \"timeout 1 sh -ec 'test -f /x'\""),
            ("sh -c grep 'a b' /x", "script \"sh -c '...'\", or a file"),
        ],
    )
    def test_lost_words_are_given_to_the_same_shell(
        self, doctor: Doctor, command: str, cure: str
    ) -> None:
        assert doctor.one(COMMANDS, script(f'"{command}"'), "KA243").cure == cure

    def test_a_program_that_no_shell_understands_is_left_alone(self, doctor: Doctor) -> None:
        text = script('"sh -c \\\\\'pgrep | wc"')
        assert doctor.codes(COMMANDS, text) in ([], ["KA243"])

    def test_the_first_table_s_one_liner(self, doctor: Doctor) -> None:
        text = script(f'"curl -s {HEALTH} | grep -q active"')
        assert doctor.codes(COMMANDS, text) == ["KA241", "KA244", "KA245"]
        assert "curl gets | as an argument" in doctor.one(COMMANDS, text, "KA241").what
