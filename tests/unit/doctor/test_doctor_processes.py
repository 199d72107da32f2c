"""kacheck doctor, KA3: vrrp_track_process. Each code is provoked, and is quiet elsewhere."""

from pathlib import Path

import pytest

from helpers.doctor import Doctor
from kacheck.doctor import catalogue
from kacheck.doctor.machine.system import RunningProcess
from kacheck.doctor.processes.matching import NativePattern

VAULT = RunningProcess(812, "vault", ("/usr/bin/vault", "server", "-config=/etc/vault.d"))


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    doctor = Doctor(tmp_path)
    doctor.machine.running = [
        RunningProcess(1, "systemd", ("/sbin/init",)),
        VAULT,
        RunningProcess(900, "keepalived", ("/usr/sbin/keepalived",)),
        RunningProcess(901, "keepalived", ("/usr/sbin/keepalived",)),
        RunningProcess(902, "tmux: server", ("tmux",)),
        RunningProcess(903, "a-name-of-19-by", ("/usr/bin/a-name-of-19-bytes",)),
        RunningProcess(3, "kthreadd", ()),
        RunningProcess(904, "Web Content", ("/usr/lib/firefox", "-x")),
        RunningProcess(905, "a/b", ("node",)),
    ]
    return doctor


def track(process: str, options: str = "") -> str:
    return f"vrrp_track_process p {{\nprocess {process}\n{options}\n}}\n"


class TestNames:
    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            (track("vault"), []),
            (track("keepalived"), []),
            (track("a-name-of-19-by"), []),
            (track("a-name-of-19-bytes"), ["KA301"]),
            (track("/usr/bin/a-name-of-19-bytes", "full_command"), []),
            (track("/usr/bin/vault"), ["KA302"]),
            (track("/usr/bin/vault", "full_command"), []),
            (track('"vault server"'), ["KA303"]),
            (track('"/usr/bin/vault server"', "full_command"), ["KA303"]),
            (track("'vault server'"), ["KA303"]),
            (track("'vault'"), ["KA303"]),
            (track('"tmux: server"'), []),
            (track('"Web Content"'), []),
            (track("a/b"), []),
            (track("/usr/bin/vault server -config=/etc/vault.d"), []),
            (track("vault server -config=/etc/vault.d"), ["KA304"]),
            (track("vault", "full_command"), ["KA304"]),
            (track("/usr/bin/vault server"), ["KA304"]),
            (track("/usr/bin/vault server", "param_match partial"), []),
            (track("/usr/bin/vault server -conf", "param_match initial"), []),
            (track("/usr/bin/vault server -conf", "param_match partial"), ["KA304"]),
            (track("/usr/bin/vault", "param_match partial"), ["KA308"]),
            (track("/sbin/init", "param_match"), ["KA308"]),
            (track("/usr/bin/vault server -config=/etc/vault.d", "param_match"), []),
            ("vrrp_track_process p {\nquorum 1\n}\n", ["KA310"]),
        ],
    )
    def test_what_can_match(self, doctor: Doctor, text: str, codes: list[str]) -> None:
        assert doctor.codes(catalogue.PROCESSES, text) == codes

    def test_the_cure_says_what_to_write(self, doctor: Doctor) -> None:
        finding = doctor.one(catalogue.PROCESSES, track("vault server"), "KA304")
        shown = "/usr/bin/vault server -config=/etc/vault.d"
        assert finding.cure == f"process {shown}"

    @pytest.mark.parametrize("name", ["vault", "nginx"])
    def test_a_keyword_on_the_line_of_the_process_is_an_argument(
        self, doctor: Doctor, name: str
    ) -> None:
        finding = doctor.one(catalogue.PROCESSES, track(f"{name} quorum 1"), "KA305")
        assert finding.what == f"p: no process {name} runs that has the arguments quorum 1"
        assert finding.cure == "write quorum on a separate line"

    def test_a_process_may_have_such_an_argument(self, doctor: Doctor) -> None:
        doctor.machine.running.append(RunningProcess(906, "x", ("/x", "weight", "1")))
        assert doctor.codes(catalogue.PROCESSES, track("/x weight 1")) == []


class TestQuorum:
    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            (track("keepalived", "quorum 2"), []),
            (track("keepalived", "quorum 3"), ["KA305"]),
            (track("keepalived", "quorum_max 2"), []),
            (track("keepalived", "quorum_max 1"), ["KA305"]),
            (track("nginx"), ["KA305"]),
            (track("nginx server"), ["KA305"]),
            (track("keepalived", "quorum 3\nquorum_max 2"), ["KA306"]),
            (track("nginx", "quorum_max 0"), ["KA307"]),
            (track("keepalived", "quorum_max 0"), ["KA305", "KA307"]),
            (track("vault", "quorum 0"), ["KA309"]),
            (track("vault", "quorum 65536"), ["KA309"]),
            (track("vault", "quorum one"), ["KA309"]),
            (track("vault", "terminate_delay 0"), ["KA309"]),
            (track("vault", "fork_delay 3601"), ["KA309"]),
            (track("vault", "delay 0.5"), []),
        ],
    )
    def test_numbers(self, doctor: Doctor, text: str, codes: list[str]) -> None:
        assert doctor.codes(catalogue.PROCESSES, text) == codes


class TestPattern:
    """read_procs() and check_params() of keepalived's core/track_process.c."""

    @pytest.mark.parametrize(
        ("match", "arguments", "argv", "matches"),
        [
            (None, (), ("x", "a"), True),
            ("exact", (), ("x",), True),
            ("exact", (), ("x", "a"), False),
            ("exact", ("a", "b"), ("x", "a", "b"), True),
            ("exact", ("a",), ("x", "a", "b"), False),
            ("initial", ("a", "b"), ("x", "a", "bc"), True),
            ("initial", ("a", "b"), ("x", "ab"), False),
            ("partial", ("a",), ("x", "a", "b"), True),
            ("partial", ("a",), ("x", "ab"), False),
            ("partial", (), ("x", "ab"), True),
            ("partial", ("a",), (), False),
        ],
    )
    def test_arguments(
        self, match: str | None, arguments: tuple[str, ...], argv: tuple[str, ...], matches: bool
    ) -> None:
        pattern = NativePattern("x", arguments, match, by_command_line=True)
        assert pattern.matches(RunningProcess(2, "y", argv)) is matches

    def test_a_comm_needs_no_command_line(self) -> None:
        pattern = NativePattern("x", (), None, by_command_line=False)
        assert pattern.matches(RunningProcess(2, "x", ()))
        assert not pattern.matches(RunningProcess(2, "xy", ("x",)))
