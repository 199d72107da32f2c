"""The commands that come next can be pasted, here and on the other nodes."""

import shlex

import pytest

from kacheck import arguments
from kacheck.init.next_steps import Situation, next_steps

HERE = Situation(
    "10.0.0.100/24",
    1,
    ("--ca-cert", "/etc/my ca.pem"),
    (),
    "10.0.0.1",
    (),
    is_written=True,
    has_systemd=True,
    is_watcher_running=True,
    is_keepalived_running=False,
)


def commands(situation: Situation) -> list[list[str]]:
    lines = next_steps(situation).splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("    ")]


@pytest.mark.parametrize("peers", [(), ("10.0.0.2", "10.0.0.3")])
def test_every_command_of_kacheck_is_understood(peers: tuple[str, ...]) -> None:
    for words in commands(HERE._replace(peers=peers)):
        if words[:1] == ["kacheck"]:
            arguments.parse(words[1:])


def test_services_that_run_are_reloaded_and_others_started() -> None:
    said = next_steps(HERE)
    assert "systemctl reload kacheck\n" in said
    assert "systemctl enable --now keepalived\n" in said


def test_the_other_nodes_have_other_numbers_and_the_same_options() -> None:
    others = [words for words in commands(HERE) if words[:2] == ["kacheck", "init"]]
    assert others == [
        ["kacheck", "init", "--vip", "10.0.0.100/24", "--node", "2",
         "--ca-cert", "/etc/my ca.pem", "--write"]
    ]  # fmt: skip


def test_a_program_comes_last() -> None:
    situation = HERE._replace(given=("--service", "command"), argv=("/bin/check", "-w", "a b"))
    (words,) = (words for words in commands(situation) if "init" in words)
    assert words[-5:] == ["--write", "--", "/bin/check", "-w", "a b"]
    assert arguments.parse(words[1:]).words == ["/bin/check", "-w", "a b"]


def test_each_unicast_peer_gets_all_nodes_but_itself() -> None:
    peers = ("10.0.0.2", "10.0.0.3")
    others = [words for words in commands(HERE._replace(peers=peers)) if "init" in words]
    assert [words[words.index("--peer") :] for words in others] == [
        ["--peer", "10.0.0.1", "--peer", "10.0.0.3", "--write"],
        ["--peer", "10.0.0.1", "--peer", "10.0.0.2", "--write"],
    ]


def test_what_is_not_written_yet_is_written_first() -> None:
    first, *_ = commands(HERE._replace(is_written=False))
    assert first[:2] == ["kacheck", "init"]
    assert first[-1] == "--write"


def test_networks_without_multicast_are_mentioned_until_a_peer_was_heard() -> None:
    assert "--peer ADDRESS" in next_steps(HERE)
    assert "--peer ADDRESS" not in next_steps(HERE._replace(has_peer=True))
