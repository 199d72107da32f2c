"""kacheck doctor as a command: what it prints, its exit codes, its catalogue."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.doctor import instance, script
from helpers.needs import needs
from helpers.paths import ROOT
from kacheck.arguments import parse
from kacheck.cli import main
from kacheck.commands.options import CONFIGURATION
from kacheck.doctor import catalogue, examine, text
from kacheck.doctor.catalogue import CODES
from kacheck.doctor.context import Context
from kacheck.doctor.examine import Examined, Request
from kacheck.doctor.finding import Code, Finding, Lint, Observation, Severity
from kacheck.doctor.machine import entry_points, facts
from kacheck.doctor.machine.system import Machine, RunningProcess, which

DOCS = ROOT / "docs"
GOOD = script(f'"{os.path.realpath("/usr/bin/true")}"') + instance("track_script {\nchk\n}")
LATE = instance("track_script {\nchk\n}") + script(f'"{os.path.realpath("/usr/bin/true")}"')
NOTE = script(f'"{os.path.realpath("/usr/bin/true")}"')
DOUBLED = NOTE + GOOD
KEEPALIVED = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(15, b"keepalived")
os.setresuid(*map(int, sys.argv[1].split()))
print(flush=True)
time.sleep(60)
"""
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(autouse=True)
def _a_machine_without_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is tested elsewhere, and takes a while."""
    monkeypatch.setattr(facts, "gather", lambda: None)
    monkeypatch.setattr(entry_points, "entry_points", lambda: None)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return tmp_path / "keepalived.conf"


@pytest.fixture
def doctor(tmp_path: Path, conf: Path, capsys: pytest.CaptureFixture[str]) -> "Command":
    return Command(tmp_path, conf, capsys)


class Command:
    """`kacheck doctor` on a text."""

    def __init__(self, directory: Path, conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.own = ["--config", f"{directory}/kacheck.toml", "--state-dir", str(directory)]
        self.conf = conf
        self.capsys = capsys

    def __call__(self, content: str, *options: str) -> tuple[int, str]:
        self.conf.write_text(content)
        code = main(["doctor", *self.own, *options, str(self.conf)])
        return code, self.capsys.readouterr().out


@contextmanager
def nobody() -> Iterator[None]:
    """Give what root may do, and nobody may not."""
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


class TestExitCodes:
    @pytest.mark.parametrize(
        ("content", "code", "counts"),
        [
            pytest.param(GOOD, 0, "0 errors, 0 warnings, 0 notes", id="good"),
            pytest.param(NOTE, 0, "0 errors, 0 warnings, 1 note", id="note"),
            pytest.param(DOUBLED, 1, "0 errors, 1 warning, 0 notes", id="warning"),
            pytest.param(LATE, 2, "1 error, 0 warnings, 0 notes", id="error"),
        ],
    )
    def test_are_the_worst_severity(
        self, doctor: Command, content: str, code: int, counts: str
    ) -> None:
        found, shown = doctor(content)
        assert (found, shown.splitlines()[-1]) == (code, counts)

    @pytest.mark.parametrize(
        ("argv", "why"),
        [
            (["doctor", "/no/such.conf"], "/no/such.conf: No such file or directory"),
            (["doctor", "/tmp"], "/tmp: Is a directory"),
            (["doctor", "--explain", "KA999"], "unknown code KA999"),
        ],
    )
    def test_3_where_it_could_not_look(
        self, capsys: pytest.CaptureFixture[str], argv: list[str], why: str
    ) -> None:
        assert main(argv) == 3
        assert why in capsys.readouterr().err

    def test_a_path_that_is_not_a_file_exits_3(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        os.mkfifo(tmp_path / "fifo")
        for path in (str(tmp_path / "fifo"), "/dev/zero"):
            assert main(["doctor", path]) == 3
            assert f"{path}: not a regular file" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("include", "mode", "closed"),
        [
            pytest.param("conf.d/*.conf", 0o700, "conf.d", id="directory"),
            pytest.param("conf.d/*.conf", 0o711, "conf.d", id="names"),
            pytest.param("conf.d/a.conf", 0o711, None, id="entered"),
            pytest.param("conf.d/a.conf", 0o700, "conf.d", id="not entered"),
            pytest.param("conf.d/secret.conf", 0o755, "conf.d/secret.conf", id="file"),
            pytest.param("conf.d/none.conf", 0o755, None, id="missing"),
        ],
    )
    def test_3_where_only_root_may_read_an_included_file(
        self, include: str, mode: int, closed: str | None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        needs(root=True)
        with tempfile.TemporaryDirectory(dir="/tmp") as directory:
            conf = Path(directory, "keepalived.conf")
            conf.write_text(f"\ninclude {include}\n{NOTE}")
            Path(directory, "conf.d").mkdir()
            Path(directory, "conf.d/a.conf").touch()
            Path(directory, "conf.d/secret.conf").touch(0o600)
            os.chmod(directory, 0o755)
            os.chmod(f"{directory}/conf.d", mode)
            assert main(["doctor", str(conf)]) != 3
            with nobody():
                assert (main(["doctor", str(conf)]) == 3) is (closed is not None)
            if closed is not None:
                said = f"{conf}:2: {directory}/{closed}: Permission denied; run it as root"
                assert said in capsys.readouterr().err

    def test_without_the_default_file_the_environment_alone_is_examined(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(examine, "DEFAULT", "/no/keepalived.conf")
        assert main(["doctor"]) == 0
        assert capsys.readouterr().out.startswith("note KA009 /no/keepalived.conf does not exist")

    def test_entry_points_that_keepalived_refuses_are_noted_without_a_file_too(
        self,
        doctor: Command,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        os.chmod(tmp_path, 0o777)
        monkeypatch.setattr(entry_points, "entry_points", lambda: str(tmp_path))
        code, shown = doctor(GOOD)
        assert (code, shown.splitlines()[-1]) == (0, "0 errors, 0 warnings, 1 note")
        monkeypatch.setattr(examine, "DEFAULT", "/no/keepalived.conf")
        assert main(["doctor"]) == 0
        for said in (shown, capsys.readouterr().out):
            assert f"note KA510 keepalived would refuse the entry points in {tmp_path}: " in said


class TestText:
    def test_a_finding_is_its_head_why_and_cure(self, doctor: Command) -> None:
        _, shown = doctor(LATE)
        first, why, cure, *_ = shown.partition("\n\n")[2].splitlines()
        assert first.startswith(f"error KA011 {doctor.conf}:4: VI_1 tracks chk, which is defined")
        assert why.startswith("    why: keepalived ignores the line")
        assert cure == "    do:  move the definition above the vrrp_instance"

    def test_findings_are_ordered_by_inability_then_present_faults_then_severity(
        self,
    ) -> None:
        def made(name: str, severity: Severity, file: str | None, line: int | None) -> Finding:
            return Finding(Code(name, severity, "", ""), name, "", "", file, line)

        right = [
            made("KA110", Severity.ERROR, None, None),
            made("KA305", Severity.WARNING, "b", 9),
            made("KA301", Severity.ERROR, "b", 2),
            made("KA301", Severity.ERROR, "b", 7),
            made("KA010", Severity.ERROR, "a", 1),
            made("KA120", Severity.WARNING, None, None),
            made("KA204", Severity.WARNING, "b", 1),
            made("KA013", Severity.NOTE, "a", 1),
        ]
        assert text.ordered([*right, right[0]]) == right
        assert text.ordered([right[1], *right[5:], right[3], right[2], right[4], right[0]]) == right

    def test_colours_only_where_they_are_shown(self) -> None:
        finding = Finding(CODES["KA301"], "what", "why", "cure")
        assert "\033" not in text.as_text(Examined([finding], [], is_default=False), colours=False)
        assert text.as_text(Examined([finding], [], is_default=False), colours=True).startswith(
            "\033[31m"
        )

    def test_nothing_that_a_terminal_would_obey_gets_through(self, doctor: Command) -> None:
        _, shown = doctor(GOOD.replace("chk", "c\033[2Jhk", 1))
        assert "\033" not in shown


class TestJson:
    def test_its_keys_are_a_contract(self, doctor: Command) -> None:
        code, shown = doctor(LATE, "--format", "json")
        report = json.loads(shown)
        assert [*report] == ["schema", "instances", "findings", "exit_code"]
        assert (report["schema"], report["exit_code"], code) == (1, 2, 2)
        (finding,) = report["findings"]
        assert [*finding] == ["code", "severity", "file", "line", "what", "why", "cure"]
        assert finding["code"] == "KA011"
        assert finding["severity"] == "error"
        assert (finding["file"], finding["line"]) == (str(doctor.conf), 4)

    def test_a_finding_about_the_machine_has_no_place(self) -> None:
        report = json.loads(
            text.as_json(Examined([Finding(CODES["KA101"], "a", "b", "c")], [], is_default=False))
        )
        assert (report["findings"][0]["file"], report["findings"][0]["line"]) == (None, None)


class TestACrash:
    def test_of_one_lint_is_a_finding_and_the_others_still_run(
        self, doctor: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def too_long(_: Context) -> Iterator[Observation]:
            yield Observation("found before", "", "")
            raise RuntimeError("boom")

        lints = [Lint(CODES["KA301"], too_long), *catalogue.LINTS]
        monkeypatch.setattr(catalogue, "LINTS", lints)
        code, shown = doctor(LATE)
        assert code == 2
        assert "warning KA001 too_long crashed: RuntimeError: boom" in shown
        assert "KA011" in shown
        assert "found before" in shown

    def test_of_the_environment_does_not_keep_the_configuration_from_being_read(
        self, doctor: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crash(**_: object) -> None:
            raise OSError("no /proc")

        monkeypatch.setattr(facts, "gather", crash)
        code, shown = doctor(GOOD)
        assert code == 1
        assert "KA001 environment crashed: OSError: no /proc" in shown


class TestExplain:
    @pytest.mark.parametrize("name", CODES)
    def test_every_code_has_a_long_form(
        self, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["doctor", "--explain", name.lower()]) == 0
        shown = capsys.readouterr().out
        code = CODES[name]
        assert shown.startswith(f"{name} ({code.severity.word}): {code.title}\n\n")
        assert len(shown.splitlines()[2]) > 40

    def test_codes_are_unique_and_in_the_family_of_their_module(self) -> None:
        every = [lint.code for lint in catalogue.LINTS]
        assert len({code.name for code in every}) == len(every) == len(CODES) - 1
        assert all(re.fullmatch(r"KA\d{3}", code.name) for code in every)
        assert [*CODES] == sorted(CODES)

    def test_the_documentation_has_all_codes_and_no_other(self) -> None:
        table = re.sub(r"\\(\W)", r"\1", (DOCS / "codes.md").read_text())
        rows = re.findall(r"^\| \[(KA\d{3})\]\(.*?\) \| (\w+) \| (.*) \|$", table, re.MULTILINE)
        assert rows == [(code.name, code.severity.word, code.title) for code in CODES.values()]

    def test_the_documentation_has_its_options(self, capsys: pytest.CaptureFixture[str]) -> None:
        main(["doctor", "--help"])
        options = set(re.findall(r"^ +(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
        text = (DOCS / "commands.md").read_text()
        section = text.split("## `kacheck doctor")[1].split("\n## ")[0]
        shared = {"--help", "--version", "--state-dir"}
        assert options - shared <= set(re.findall(r"--[a-z-]+", section))


@pytest.mark.no_cover
def test_a_megabyte_of_findings_is_examined(tmp_path: Path) -> None:
    blocks = [
        f'vrrp_script s{i} {{\n script "/usr/bin/curl http://x/{i} | grep -q active"\n interval 2\n}}\n'
        f"vrrp_track_process p{i} {{\n process name{i}\n}}\n"
        f"track_file f{i} {{\n file /run/x/{i}\n}}\n"
        f"vrrp_instance V{i} {{\n track_script {{\n s{i}\n }}\n track_file {{\n f{i}\n }}\n}}\n"
        for i in range(4100)
    ]
    path = tmp_path / "keepalived.conf"
    path.write_text("".join(blocks))
    assert path.stat().st_size > 1_000_000
    request = Request(str(path), str(tmp_path / "kacheck.toml"), str(tmp_path))
    assert len(examine.examine(request).findings) > 10_000


def test_the_shipped_recipes_have_no_findings_but_missing_installations(tmp_path: Path) -> None:
    toml = tmp_path / "kacheck.toml"
    text = (ROOT / "examples/kacheck.toml").read_text()
    toml.write_text(re.sub(r"^#(?=[a-z[])", "", text, flags=re.MULTILINE))  # all checks in force
    absent = {"KA013", "KA221", "KA305", "KA408", "KA502", "KA503"}
    for name in sorted(os.listdir(ROOT / "examples/keepalived.conf.d")):
        request = Request(
            str(ROOT / "examples/keepalived.conf.d" / name),
            str(toml),
            "/run/kacheck",
        )
        found = examine.examine(request).findings
        assert {each.code.name for each in found} <= absent, name


class TestTheRealMachine:
    def test_it_sees_this_process_and_no_zombie(self) -> None:
        child = os.spawnv(os.P_NOWAIT, "/bin/true", ["true"])
        while not Path(f"/proc/{child}/stat").read_text().rpartition(") ")[2].startswith("Z"):
            time.sleep(0.001)
        running = {process.pid: process for process in Machine().processes()}
        os.waitpid(child, 0)
        assert child not in running
        assert running[os.getpid()].comm == Path("/proc/self/comm").read_text().rstrip("\n")
        assert running[os.getpid()].argv == tuple(
            Path("/proc/self/cmdline").read_text().split("\0")[:-1]
        )

    @pytest.mark.parametrize("uids", ["65534 65534 65534", "65534 0 0"], ids=["own", "setuid"])
    def test_a_keepalived_of_another_user_says_nothing_about_keepalived(
        self, start: Start, uids: str
    ) -> None:
        needs(root=True)
        argv = [sys.executable, "-I", "-c", KEEPALIVED, uids, "--config-id", "untrusted"]
        child = start(argv, env={"PATH": "/untrusted"}, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        machine = Machine()
        assert child.pid in {each.pid for each in machine.processes() if each.comm == "keepalived"}
        assert machine.config_id != "untrusted"
        assert "/untrusted" not in machine.search_path

    def test_of_a_huge_command_line_the_beginning_is_read(self, start: Start) -> None:
        pid = start("ktest-doctor", "60", *["0" * 100_000] * 15).pid
        (process,) = [each for each in Machine().processes() if each.pid == pid]
        assert process.argv[1:] == ("60",)
        assert len("".join(process.argv)) < 1 << 14

    def test_its_files_users_and_path(self, tmp_path: Path) -> None:
        machine = Machine()
        (tmp_path / "file").write_text("#!/bin/sh\n")
        (tmp_path / "link").symlink_to("file")
        status = machine.status(str(tmp_path / "link"))
        assert status is not None
        assert status.is_link
        assert machine.realpath(str(tmp_path / "link")) == str(tmp_path / "file")
        assert machine.head(str(tmp_path / "link")) == b"#!/bin/sh\n"
        assert machine.names(str(tmp_path)) == ["file", "link"]
        assert machine.user("root") == (0, 0)
        assert machine.group("root") == 0
        assert machine.user("no-such-user") is None
        assert machine.group("no-such-group") is None
        assert machine.owner(status._replace(uid=0, gid=0)) == "root:root"
        assert machine.owner(status._replace(uid=54321, gid=54321)) == "54321:54321"
        assert machine.uptime() > 0
        assert which("sh", machine) is not None
        assert which("no-such-program", machine) is None

    def test_absent_is_missing_and_unaskable_is_not(self, tmp_path: Path) -> None:
        machine = Machine()
        assert machine.is_missing(str(tmp_path / "none"))
        assert machine.is_missing(f"{tmp_path}/none/none")
        assert not machine.is_missing("a\0b")
        assert machine.status("a\0b") is None
        assert machine.head(str(tmp_path)) == b""
        assert machine.names(str(tmp_path / "none")) == []

    def test_a_fifo_does_not_block(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        assert Machine().head(str(tmp_path / "fifo")) == b""

    @pytest.mark.parametrize(
        ("options", "config_id"),
        [
            ([], None),
            ([("-i", "high")], "high"),
            ([("-ihigh",), ("-l", "--config-id=high")], "high"),
            ([("--config-id", "high"), ("--config-id", "low")], None),
            ([("-i",)], None),
            ([("-f", "-i")], None),
        ],
    )
    def test_the_config_id_is_that_of_the_keepalived_that_runs(
        self,
        monkeypatch: pytest.MonkeyPatch,
        options: list[tuple[str, ...]],
        config_id: str | None,
    ) -> None:
        running = [RunningProcess(2, "keepalived", ("keepalived", *each)) for each in options]
        monkeypatch.setattr(
            Machine, "processes", lambda _: [RunningProcess(3, "x", ("x", "-ix")), *running]
        )
        assert Machine().config_id == config_id

    def test_the_path_is_that_of_the_keepalived_that_runs(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keepalived = RunningProcess(os.getpid(), "keepalived", ())
        monkeypatch.setattr(Machine, "processes", lambda _: [keepalived])
        environ = dict(
            entry.split("=", 1)
            for entry in Path("/proc/self/environ").read_text().split("\0")
            if entry
        )
        assert Machine().search_path == environ["PATH"]


def test_the_namespace_has_the_defaults() -> None:
    args = parse(["doctor"])
    assert (args.conf, args.config, args.state_dir) == (
        None,
        CONFIGURATION,
        "/run/kacheck",
    )


def test_a_command_to_paste_is_never_wrapped() -> None:
    command = f"/very/long/{'x' * 90}/kacheck-vault --ca-cert /etc/vault.d/ca.pem"
    assert [*text.wrapped("do:  ", command, is_command=True)] == [f"    do:  {command}"]
