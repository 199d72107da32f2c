"""What the doctor says of process events in real namespaces, and of the keepalived that is here.

The trial is made by a process that is started in the namespace. It knows its own listen's answer
from any other's; what it must not do is to answer for a keepalived of test_usual_answers.py that
waits for silence, so both take turns.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from helpers.keepalived import Lab, keepalived_version
from helpers.needs import needs
from kacheck.doctor.machine import process_events
from kacheck.doctor.machine.process_events import ListenAnswer, try_them
from kacheck.keepalived.program import find_keepalived

pytestmark = [pytest.mark.keepalived, pytest.mark.usefixtures("process_events")]

DOCTOR = """
import json, os, pwd, sys
from kacheck.doctor import catalogue
from kacheck.doctor.context import Context
from kacheck.doctor.kacheck.installation import Installation
from kacheck.doctor.machine import missing_events
from kacheck.doctor.machine.facts import gather
from kacheck.doctor.machine.system import Machine
from kacheck.keepalived import load
if sys.argv[1:]:  # only now: nobody else may be able to read this tree
    os.setgroups([])
    os.setresuid(*[int(sys.argv[1])] * 3)
facts = gather()
def codes(features):
    kacheck = Installation("/no/kacheck.toml", "/no")
    context = Context("/no/conf", load("/no/conf"), Machine(), None, facts, kacheck)
    vars(context)["features"] = features
    lints = catalogue.lints(missing_events)
    return [finding.code.name for lint in lints for finding in lint(context)]
print(json.dumps([facts.events.answer.name, codes({"track_process"}), codes(set())]))
"""


class Said(NamedTuple):
    """Of process events alone: the trial's answer, and the codes with and without a use."""

    answer: str
    codes: list[str]
    unused: list[str]


@pytest.fixture
def another_listens() -> Iterator[socket.socket]:
    """A program of the host that listens, so that the kernel reports to everybody."""
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_DGRAM, process_events.NETLINK_CONNECTOR
    ) as connector:
        connector.bind((0, process_events.CN_IDX_PROC))
        connector.send(process_events.message(process_events.PROC_CN_MCAST_LISTEN, 1))
        yield connector
        connector.send(process_events.message(process_events.PROC_CN_MCAST_IGNORE, 1))


def doctor(*where: str, uid: str = "") -> Said:
    argv = [*where, sys.executable, "-B", "-I", "-c", DOCTOR, *([uid] if uid else [])]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30)
    answer, codes, unused = json.loads(done.stdout)
    return Said(answer, *(_of_events(each) for each in (codes, unused)))


def _of_events(codes: list[str]) -> list[str]:
    return [code for code in codes if "KA110" <= code < "KA120"]


PIDS = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def test_in_the_initial_namespaces_it_finds_nothing() -> None:
    assert doctor() == ("WORKS", [], [])
    assert try_them().answer is ListenAnswer.WORKS


def test_in_a_private_network_namespace_it_finds_errno_111() -> None:
    assert doctor("unshare", "--net") == ("REFUSED", ["KA110"], ["KA118"])


def test_in_a_private_pid_namespace_it_finds_silence() -> None:
    assert doctor(*PIDS) == ("SILENCE", ["KA111"], ["KA118"])


@pytest.mark.parametrize("options", [(), ("--map-root-user",)], ids=["nobody", "root"])
def test_in_a_private_user_namespace_it_finds_silence_or_no_permission(
    options: tuple[str, ...],
) -> None:
    """Before Linux 6.6 the multicast group takes a capability in the network's user namespace."""
    answer, codes, unused = doctor("unshare", "--user", *options)
    assert answer in ("SILENCE", "FORBIDDEN")
    assert (codes, unused) == (["KA112"], ["KA118"])


@pytest.mark.parametrize(
    ("where", "code"),
    [(PIDS, "KA111"), (("unshare", "--user"), "KA112")],
    ids=["pid", "user"],
)
@pytest.mark.usefixtures("another_listens")
def test_it_does_not_take_what_another_hears_for_its_own(where: tuple[str, ...], code: str) -> None:
    assert doctor(*where).codes == [code]


def test_in_all_of_a_containers_namespaces_the_network_is_the_cause() -> None:
    needs("ip", "nsenter")
    with Lab() as lab:
        node = lab.node("a")
        done = node.run([sys.executable, "-B", "-I", "-c", DOCTOR])
    answer, codes, _ = json.loads(done.stdout)
    assert answer == "REFUSED"
    assert _of_events(codes) == ["KA110"]


def test_without_permission_to_listen_root_is_suggested() -> None:
    """Since Linux 6.6 anybody may."""
    answer, codes, unused = doctor(uid="65534")
    expected = {"WORKS": [], "FORBIDDEN": ["KA117"]}
    assert codes == expected[answer]
    assert unused == []


def test_the_version_is_the_one_that_keepalived_says() -> None:
    needs("keepalived")
    found = find_keepalived("", os.environ["PATH"])
    assert found is not None
    assert found.version is not None
    assert "VRRP" in found.options
    assert found.version[:2] == tuple(keepalived_version()[:2])
