"""The machine under keepalived: each finding provoked, and not."""

import errno
import gzip
import os
import pathlib
import re
import socket
import struct
from typing import Any, Self

import pytest

from helpers.doctor import findings_with, sound_machine
from kacheck.doctor import catalogue
from kacheck.doctor.finding import Finding, Severity
from kacheck.doctor.machine import entry_points, process_events
from kacheck.doctor.machine.facts import (
    INITIAL,
    Container,
    Facts,
    find_container,
    gather,
    hidepid_for,
    run_by,
)
from kacheck.doctor.machine.process_events import (
    EventsTrial,
    ListenAnswer,
    message,
    parse,
    try_them,
)
from kacheck.keepalived import Version
from kacheck.keepalived.program import Keepalived, find_keepalived, parse_version

V227 = """Keepalived v2.2.7 (01/16,2022)

Copyright(C) 2001-2022 Alexandre Cassen, <acassen@gmail.com>

configure options: --enable-snmp --enable-json

Config options:  NFTABLES LVS VRRP JSON INIT=systemd

System options:  VSYSLOG
"""
OPTIONS = frozenset({"VRRP", "JSON"})
KEEPALIVED = Keepalived("/usr/sbin/keepalived", Version(2, 2, 7), OPTIONS)
SOUND = sound_machine(Version(2, 2, 7))._replace(keepalived=KEEPALIVED)
TRACKS = {"track_process"}
MODULES = [module for module in catalogue.MACHINE if module is not entry_points]
CODES = [lint.code for lint in catalogue.lints(*MODULES) if lint.code.name != "KA009"]


def findings(machine: Facts, uses: set[str]) -> list[Finding]:
    found = findings_with(machine, uses, *MODULES)
    return [finding for finding in found if finding.code.name != "KA009"]


def facts(answer: ListenAnswer = ListenAnswer.WORKS, **changes: Any) -> Facts:
    changes.setdefault("events", EventsTrial(answer))
    return SOUND._replace(**changes)


def codes(machine: Facts, uses: set[str]) -> list[str]:
    return [finding.code.name for finding in findings(machine, uses)]


OTHER_PIDS = {**INITIAL, "pid": 4026532471}
OTHER_USERS = {**INITIAL, "user": 4026532390}
OLD = KEEPALIVED._replace(version=Version(2, 0, 19))

PROVOKED = {
    "KA101": (facts(keepalived=None), set[str]()),
    "KA102": (facts(keepalived=KEEPALIVED._replace(version=None)), set[str]()),
    "KA103": (
        facts(keepalived=KEEPALIVED._replace(options=OPTIONS | {"DISABLE_TRACK_PROCESS"})),
        TRACKS,
    ),
    "KA104": (facts(keepalived=OLD), set[str]()),
    "KA110": (facts(ListenAnswer.REFUSED), TRACKS),
    "KA111": (facts(ListenAnswer.SILENCE, namespaces=OTHER_PIDS), TRACKS),
    "KA112": (facts(ListenAnswer.SILENCE, namespaces=OTHER_USERS), TRACKS),
    "KA113": (facts(ListenAnswer.FORBIDDEN), TRACKS),
    "KA114": (facts(ListenAnswer.NO_CONNECTOR), TRACKS),
    "KA115": (facts(ListenAnswer.SILENCE, kernel_reports=False), TRACKS),
    "KA116": (facts(ListenAnswer.SILENCE), TRACKS),
    "KA117": (facts(ListenAnswer.FORBIDDEN, is_root=False), TRACKS),
    "KA118": (facts(ListenAnswer.REFUSED), {"track_file"}),
    "KA120": (facts(container=Container("LXC", "/run/systemd/container")), set[str]()),
    "KA121": (facts(user="keepalived_script", hidepid="2"), set[str]()),
}


class TestFindings:
    @pytest.mark.parametrize("code", PROVOKED)
    def test_each_is_provoked_alone(self, code: str) -> None:
        assert codes(*PROVOKED[code]) == [code]

    @pytest.mark.parametrize("uses", [set(), TRACKS, {"track_file", "track_file_block"}])
    def test_a_sound_machine_has_no_findings(self, uses: set[str]) -> None:
        assert codes(SOUND, uses) == []

    @pytest.mark.parametrize(("pid_max", "found"), [(32768, []), (4194304, ["KA130"])])
    def test_the_machine_s_pids_count_for_the_releases_faults(
        self, pid_max: int, found: list[str]
    ) -> None:
        assert codes(facts(keepalived=OLD, pid_max=pid_max), TRACKS) == ["KA104", *found]

    def test_all_that_are_not_the_releases_own_are_in_this_table(self) -> None:
        mine = {code.name for code in CODES if code.name < "KA130"}
        assert mine == {*PROVOKED}

    @pytest.mark.parametrize("code", PROVOKED)
    def test_each_says_what_why_and_what_cures_it_in_sentences(self, code: str) -> None:
        (finding,) = findings(*PROVOKED[code])
        for text in finding[1:4]:
            assert re.fullmatch(r"[A-Za-z`/].+[.]", str(text)), text
        assert finding.line is None

    @pytest.mark.parametrize(
        "answer", [each for each in ListenAnswer if each is not ListenAnswer.WORKS]
    )
    def test_missing_process_events_do_not_matter_without_a_use(self, answer: ListenAnswer) -> None:
        for finding in findings(facts(answer), {"track_file"}):
            assert finding.code.severity is Severity.NOTE

    def test_without_a_use_of_events_an_unprivileged_user_gets_no_finding(self) -> None:
        assert codes(facts(ListenAnswer.FORBIDDEN, is_root=False), set()) == []

    @pytest.mark.parametrize(
        ("machine", "code"),
        [
            pytest.param(
                facts(ListenAnswer.SILENCE, namespaces=OTHER_PIDS, kernel_reports=False),
                "KA115",
                id="the-kernel-before-the-container",
            ),
            pytest.param(
                facts(ListenAnswer.SILENCE, namespaces={**OTHER_PIDS, "user": 4026532390}),
                "KA111",
                id="both-namespaces",
            ),
            pytest.param(
                facts(ListenAnswer.FORBIDDEN, namespaces=OTHER_USERS, is_root=False),
                "KA112",
                id="a-user-namespace-before-linux-6.6",
            ),
            pytest.param(
                facts(
                    ListenAnswer.SILENCE,
                    namespaces={"pid": None, "user": None},
                    kernel_reports=None,
                ),
                "KA116",
                id="nothing-is-known",
            ),
            pytest.param(
                facts(ListenAnswer.REFUSED, namespaces=OTHER_PIDS, kernel_reports=None),
                "KA110",
                id="refused-is-the-network-whatever-else",
            ),
            pytest.param(facts(ListenAnswer.FAILED), "KA116", id="failed"),
        ],
    )
    def test_the_cause_of_missing_events(self, machine: Facts, code: str) -> None:
        assert codes(machine, TRACKS) == [code]

    def test_an_unknown_cause_is_quoted(self) -> None:
        machine = facts(events=EventsTrial(ListenAnswer.FAILED, "[Errno 97] Address family"))
        (finding,) = findings(machine, TRACKS)
        assert "[Errno 97] Address family" in finding.why

    def test_the_cure_of_missing_events_is_migrate_and_the_watcher(self) -> None:
        for code in ("KA110", "KA111", "KA112", "KA114", "KA115", "KA116"):
            (finding,) = findings(*PROVOKED[code])
            assert "kacheck migrate" in finding.cure
            assert "watcher" in finding.cure

    def test_a_keepalived_without_vrrp_cannot_do_anything(self) -> None:
        without = facts(keepalived=KEEPALIVED._replace(options=frozenset({"LVS"})))
        assert codes(without, {"track_file"}) == ["KA103"]
        assert codes(without, set()) == []
        silent = facts(keepalived=KEEPALIVED._replace(options=frozenset()))
        assert codes(silent, {"track_file"}) == []

    def test_a_container_says_whether_it_matters(self) -> None:
        lxc = Container("LXC", "/run/systemd/container")
        (works,) = findings(facts(container=lxc), TRACKS)
        _, fails = findings(facts(ListenAnswer.REFUSED, container=lxc), TRACKS)
        assert "LXC" in works.what
        assert "here they do" in works.why
        assert "here they do" not in fails.why

    def test_codes_are_named_once_in_order_and_explained(self) -> None:
        names = [code.name for code in CODES]
        assert names == sorted(set(names))
        for code in CODES:
            assert re.fullmatch(r"KA1\d\d", code.name)
            assert code.explanation.endswith(".")
            assert len(code.explanation) > len(code.title) + 100


class TestFacts:
    def test_a_whole_machine(self, tmp_path: pathlib.Path) -> None:
        root = machine(tmp_path)
        found = gather(root=str(root), environ={}, trial=lambda: SOUND.events)
        found = run_by(found, "nobody", str(root))
        path = f"{root}/usr/sbin/keepalived"
        keepalived = Keepalived(path, *parse_version(V227))
        assert found == SOUND._replace(
            keepalived=keepalived, is_root=os.geteuid() == 0, user="nobody", pid_max=4194304
        )

    def test_a_bare_machine(self, tmp_path: pathlib.Path) -> None:
        trial = EventsTrial(ListenAnswer.SILENCE)
        found = gather(root=str(tmp_path), environ={}, trial=lambda: trial)
        found = run_by(found, "no-such-user", str(tmp_path))
        assert found.keepalived is None
        assert found.namespaces == {"pid": None, "user": None}
        assert (found.kernel_reports, found.pid_max) == (None, 0)
        assert (found.container, found.hidepid) == (None, None)

    def test_the_checks_run_as_keepaliveds_default_user(self, tmp_path: pathlib.Path) -> None:
        found = gather(
            root=str(tmp_path), environ={}, trial=lambda: EventsTrial(ListenAnswer.SILENCE)
        )
        assert found.user in ("root", "keepalived_script")

    @pytest.mark.parametrize(
        ("files", "reports"),
        [
            ({"proc/net/connector": "Name            ID\ncn_proc         1:1\n"}, True),
            ({"proc/net/connector": "Name            ID\n"}, False),
            ({"boot/config-6.1.0": "CONFIG_CONNECTOR=y\nCONFIG_PROC_EVENTS=y\n"}, True),
            ({"boot/config-6.1.0": "# CONFIG_PROC_EVENTS is not set\n"}, False),
            ({"boot/config-5.10": "CONFIG_PROC_EVENTS=y\n"}, None),
            ({"proc/config.gz": gzip.compress(b"CONFIG_PROC_EVENTS=y\n")}, True),
            ({"proc/config.gz": gzip.compress(b"CONFIG_CONNECTOR=y\n")}, False),
            ({"proc/config.gz": b"not packed"}, None),
            ({"proc/config.gz": gzip.compress(b"CONFIG_PROC_EVENTS=y\n")[:-9]}, None),
            ({}, None),
        ],
    )
    def test_whether_the_kernel_reports_processes(
        self, tmp_path: pathlib.Path, files: dict[str, str | bytes], reports: bool | None
    ) -> None:
        write(tmp_path, {"proc/sys/kernel/osrelease": "6.1.0\n", **files})
        found = gather(root=str(tmp_path), environ={}, trial=lambda: SOUND.events)
        assert found.kernel_reports is reports


def machine(root: pathlib.Path) -> pathlib.Path:
    """Return a sound machine with Debian 12's keepalived."""
    write(
        root,
        {
            "usr/sbin/keepalived": f"#!/bin/sh\ncat >&2 <<'E'\n{V227}E\n",
            "proc/net/connector": "Name            ID\ncn_proc         1:1\n",
            "proc/sys/kernel/osrelease": "6.1.0-42-amd64\n",
            "proc/sys/kernel/pid_max": "4194304\n",
            "proc/self/mountinfo": f"22 27 0:21 / {root}/proc rw - proc proc rw\n",
        },
    )
    (root / "usr/sbin/keepalived").chmod(0o755)
    (root / "proc/self/ns").mkdir()
    for name, inode in INITIAL.items():
        (root / "proc/self/ns" / name).symlink_to(f"{name}:[{inode}]")
    return root


def write(root: pathlib.Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


class TestKeepalived:
    def test_its_version_and_options(self) -> None:
        version, options = parse_version(V227)
        assert version == (2, 2, 7)
        assert options == {"NFTABLES", "LVS", "VRRP", "JSON", "INIT=systemd"}

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "keepalived: error while loading shared libraries: libnl-3.so.200",
            "Keepalived v2.2 (01/16,2022)",
        ],
    )
    def test_what_says_no_version(self, text: str) -> None:
        assert parse_version(text) == (None, frozenset())

    def test_a_git_build_has_the_version_it_is_based_on(self) -> None:
        text = "Keepalived v2.3.4 (06/10,2025), git commit v2.3.4-12-g1234567\n"
        assert parse_version(text)[0] == (2, 3, 4)

    def test_the_search_path_comes_first(self, tmp_path: pathlib.Path) -> None:
        root = machine(tmp_path)
        write(root, {"opt/bin/keepalived": "#!/bin/sh\necho Keepalived v2.3.3 >&2\n"})
        (root / "opt/bin/keepalived").chmod(0o755)
        found = find_keepalived(str(root), "/nowhere:/opt/bin")
        assert found is not None
        assert found.version == (2, 3, 3)

    @pytest.mark.parametrize("text", ["", "#!/no/such/interpreter\n", "#!/bin/sh\nexit 1\n"])
    def test_one_that_cannot_be_run_has_no_version(self, tmp_path: pathlib.Path, text: str) -> None:
        write(tmp_path, {"usr/sbin/keepalived": text})
        (tmp_path / "usr/sbin/keepalived").chmod(0o755)
        found = find_keepalived(str(tmp_path), "")
        assert found is not None
        assert found.version is None

    def test_what_is_not_executable_is_not_it(self, tmp_path: pathlib.Path) -> None:
        write(tmp_path, {"usr/sbin/keepalived": "#!/bin/sh\n"})
        (tmp_path / "sbin/keepalived").mkdir(parents=True)
        assert find_keepalived(str(tmp_path), "") is None


@pytest.mark.parametrize(
    ("files", "environ", "kind"),
    [
        ({"run/systemd/container": "lxc\n"}, {}, "LXC"),
        ({"run/systemd/container": "systemd-nspawn\n"}, {}, "systemd-nspawn"),
        ({"run/systemd/container": "podman"}, {}, "podman"),
        ({"run/systemd/container": "something-new"}, {}, "something-new"),
        ({".dockerenv": ""}, {}, "Docker"),
        ({"run/.containerenv": ""}, {}, "podman"),
        ({"proc/1/environ": "PATH=/bin\0container=lxc\0TERM=linux\0"}, {}, "LXC"),
        ({"proc/1/environ": "PATH=/bin\0container=\0"}, {}, None),
        ({"proc/1/cgroup": "0::/kubepods/besteffort/pod1/2\n"}, {}, "Kubernetes"),
        ({"proc/1/cgroup": "12:pids:/docker/0123\n0::/system.slice\n"}, {}, "Docker"),
        ({"proc/1/cgroup": "0::/machine.slice/libpod-0123.scope\n"}, {}, "podman"),
        ({"proc/1/cgroup": "0::/lxc.payload.web\n"}, {}, "LXC"),
        ({"proc/1/cgroup": "0::/init.scope\n"}, {}, None),
        ({"proc/sys/kernel/osrelease": "5.15.153.1-microsoft-standard-WSL2\n"}, {}, "WSL"),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Kubernetes"),
        ({}, {"container": "lxc"}, None),
        ({}, {}, None),
    ],
)
def test_which_container(
    tmp_path: pathlib.Path, files: dict[str, str], environ: dict[str, str], kind: str | None
) -> None:
    write(tmp_path, files)
    found = find_container(str(tmp_path), environ)
    assert (found and found.kind) == kind


class TestHidepid:
    """nobody has uid and gid 65534."""

    @pytest.mark.parametrize(
        ("options", "user", "mode"),
        [
            ("rw", "nobody", None),
            ("rw,hidepid=0", "nobody", None),
            ("rw,hidepid=off", "nobody", None),
            ("rw,hidepid=2", "nobody", "2"),
            ("rw,hidepid=invisible", "nobody", "invisible"),
            ("rw,gid=65534,hidepid=invisible", "nobody", None),
            ("rw,gid=65534,hidepid=ptraceable", "nobody", "ptraceable"),
            ("rw,gid=4242,hidepid=1", "nobody", "1"),
            ("rw,hidepid=2", "no-such-user", None),
        ],
    )
    def test_another_user(
        self,
        tmp_path: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        options: str,
        user: str,
        mode: str | None,
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        proc = tmp_path / "proc"
        line = f"22 27 0:21 / {proc} rw,relatime - proc proc {options}\n"
        write(tmp_path, {"proc/self/mountinfo": "24 27 0:6 / /dev rw - tmpfs tmpfs rw\n" + line})
        assert hidepid_for(user, str(proc)) == mode

    def test_procfs_answers_a_user_who_asks_for_himself(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 65534)
        monkeypatch.setattr("kacheck.procfs.hidepid", lambda _: "hidden")
        assert hidepid_for("nobody", str(tmp_path)) == "hidden"


EVENT = struct.Struct("=IHHII IIIIHH IIQ IIII 8x")


def datagram(what: int, *ids: int, ack: int = 0, index: int = 1) -> bytes:
    numbers = [*ids, 0, 0, 0, 0][:4]
    return EVENT.pack(EVENT.size, 3, 0, 0, 0, index, 1, 7, ack, 40, 0, what, 0, 0, *numbers)


class Connector:
    """A kernel's side of the connector, as the test wants it."""

    failing: dict[str, int] = {}  # noqa: RUF012
    answered = True
    err = 0
    events: tuple[int, ...] = tuple(process_events.EVENTS)
    noise: list[bytes | OSError] = []  # noqa: RUF012
    operations: list[int] = []  # noqa: RUF012
    child = 0

    def __init__(self, *_: int) -> None:
        self._fail("socket")
        self.queue: list[bytes | OSError] = list(self.noise)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _fail(self, call: str) -> None:
        if number := self.failing.get(call):
            raise OSError(number, os.strerror(number))

    def bind(self, _: object) -> None:
        self._fail("bind")

    def settimeout(self, _: float) -> None:
        pass

    def send(self, text: bytes) -> None:
        self._fail("send")
        *_, ack, _, _, operation = struct.unpack("=IHHII IIIIHH I", text)
        self.operations.append(operation)
        if self.answered:
            self.queue.append(datagram(0, self.err, ack=ack + 1))
        self.queue.append(datagram(0, 0, ack=ack + 2))  # the answer to somebody else

    def recv(self, _: int) -> bytes:
        if not self.queue:
            for what in self.events:
                pids = (os.getpid(), os.getpid(), self.child, self.child)
                self.queue.append(datagram(what, *(pids if what == 1 else pids[2:])))
            type(self).events = ()
        if not self.queue:
            raise TimeoutError
        item = self.queue.pop(0)
        if isinstance(item, OSError):
            raise item
        return item


class TestTrial:
    """What the kernel may answer; the real one's answers are in tests/keepalived."""

    @pytest.fixture
    def kernel(self, monkeypatch: pytest.MonkeyPatch) -> type[Connector]:
        class Kernel(Connector):
            operations: list[int] = []  # noqa: RUF012

        def spawn(*_: object) -> int:
            Kernel.child = 4711
            return 4711

        def gone(*_: object) -> None:
            raise ChildProcessError

        monkeypatch.setattr(socket, "socket", Kernel)
        monkeypatch.setattr(os, "posix_spawn", spawn)
        monkeypatch.setattr(os, "waitpid", gone)
        return Kernel

    def test_it_works(self, kernel: type[Connector]) -> None:
        assert try_them() == (ListenAnswer.WORKS, "")
        assert kernel.operations == [1, 2]  # what was begun is ended

    @pytest.mark.parametrize(
        ("call", "number", "answer"),
        [
            ("socket", errno.EPROTONOSUPPORT, ListenAnswer.NO_CONNECTOR),
            ("socket", errno.EAFNOSUPPORT, ListenAnswer.FAILED),
            ("bind", errno.EPERM, ListenAnswer.FORBIDDEN),
            ("bind", errno.EACCES, ListenAnswer.FORBIDDEN),
            ("send", errno.ECONNREFUSED, ListenAnswer.REFUSED),
        ],
    )
    def test_it_cannot_begin(
        self, kernel: type[Connector], call: str, number: int, answer: ListenAnswer
    ) -> None:
        kernel.failing = {call: number}
        assert try_them() == (answer, f"[Errno {number}] {os.strerror(number)}")

    def test_an_answer_that_is_an_error(self, kernel: type[Connector]) -> None:
        kernel.err = errno.EPERM
        assert try_them() == (ListenAnswer.FORBIDDEN, "Operation not permitted")

    def test_an_answer_to_another_listener_is_silence(self, kernel: type[Connector]) -> None:
        kernel.answered = False
        assert try_them().answer is ListenAnswer.SILENCE

    def test_all_is_quiet(self, kernel: type[Connector]) -> None:
        kernel.answered = False
        kernel.events = ()
        assert try_them().answer is ListenAnswer.SILENCE

    def test_events_that_do_not_come_are_named(self, kernel: type[Connector]) -> None:
        kernel.events = (process_events.PROC_EVENT_EXEC,)
        answer, detail = try_them()
        assert answer is ListenAnswer.FAILED
        assert detail == "the listen was answered, but no fork or exit was reported"

    def test_a_child_of_another_process_with_our_number_is_ignored(
        self, kernel: type[Connector]
    ) -> None:
        kernel.noise = [datagram(process_events.PROC_EVENT_FORK, 1, 1, 4711, 4711)]
        kernel.events = (process_events.PROC_EVENT_EXEC, process_events.PROC_EVENT_EXIT)
        assert "no fork" in try_them().detail

    def test_lost_events_and_other_messages_do_not_disturb_it(
        self, kernel: type[Connector]
    ) -> None:
        lost = OSError(errno.ENOBUFS, "No buffer space available")
        kernel.noise = [lost, b"", datagram(1, index=9), datagram(4, 4711, 4711)]
        assert try_them().answer is ListenAnswer.WORKS

    def test_an_error_while_waiting_is_reported(self, kernel: type[Connector]) -> None:
        kernel.noise = [OSError(errno.EIO, "Input/output error")]
        assert try_them() == (ListenAnswer.FAILED, "[Errno 5] Input/output error")

    def test_no_time_is_silence(self, kernel: type[Connector]) -> None:
        assert try_them(timeout=0).answer is ListenAnswer.SILENCE
        assert kernel.operations == [1, 2]

    def test_the_listen_is_keepaliveds(self) -> None:
        """Byte for byte what strace shows of keepalived 2.2.7, which sends ack 0.

        But for nlmsg_pid, where it puts its own: the kernel does not look at it.
        """
        text = message(process_events.PROC_CN_MCAST_LISTEN, 0)
        assert text.hex() == "280000000300000000000000000000000100000001000000" + (
            "0000000000000000" + "0400000001000000"
        )

    def test_other_messages_are_not_events(self) -> None:
        assert parse(b"") is None
        assert parse(datagram(1, index=2)) is None
