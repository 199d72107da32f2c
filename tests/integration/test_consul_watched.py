"""Consul as a check of the watcher: each change, an agent that restarts, a lock without a leader."""

from functools import partial
from pathlib import Path

import pytest

from helpers.consul import StandInConsul
from helpers.watcher import Watcher


def check(consul: StandInConsul, question: str, more: str = "") -> str:
    return (
        f'[check.it]\nprobe = "consul"\naddress = "{consul.address}"\n{question}\n'
        f"interval = 0.2\ntimeout = 10\n{more}"
    )


def test_each_change_of_a_service_is_seen_on_a_kept_connection(tmp_path: Path) -> None:
    metrics = tmp_path / "k.prom"
    with StandInConsul() as consul:
        consul.register("web", "passing", tags=("active",))
        toml = check(consul, 'service = "web"\ntag = "active"')
        with Watcher(tmp_path, f'metrics = "{metrics}"\n{toml}') as watcher:
            watcher.wait_for("it", "ok passing")
            assert watcher.track("it") == 1
            for state, tags, words in (
                ("passing", ("standby",), "warning untagged"),
                ("critical", ("active",), "critical service-critical"),
                ("maintenance", ("active",), "critical maintenance"),
                ("warning", ("active",), "warning service-warning"),
            ):
                consul.register("web", state, tags=tags)
                watcher.wait_for("it", words)
                assert watcher.track("it") == 0
            del consul.services["web"]
            watcher.wait_for("it", "critical not-registered")
            consul.register("web", "passing", tags=("active",))
            watcher.wait_for("it", "ok passing")
            watcher.until(lambda: 'reason="passing"' in metrics.read_text())
            assert consul.connections < len(consul.requests)


def test_maintenance_acts_at_once_in_both_directions(tmp_path: Path) -> None:
    with StandInConsul() as consul:
        consul.register("web", "passing")
        toml = check(consul, 'service = "web"', "rise = 200\nfall = 200\n")
        with Watcher(tmp_path, toml) as watcher:
            watcher.wait_for("it", "ok passing")
            consul.register("web", "maintenance")
            watcher.wait_for("it", "critical maintenance")
            consul.register("web", "passing")
            watcher.wait_for("it", "ok passing")


def test_a_lock_is_followed_and_a_missing_leader_is_bridged(tmp_path: Path) -> None:
    with StandInConsul() as consul:
        consul.locks["k"], consul.sessions["s-1"] = "s-1", "node-1"
        toml = check(consul, 'lock = "k"', 'on_unknown = "hold"\nhold_for = 3\n')
        with Watcher(tmp_path, toml) as watcher:
            watcher.wait_for("it", "ok lock-held")
            consul.sessions["s-2"], consul.locks["k"] = "node-2", "s-2"
            watcher.wait_for("it", "warning lock-elsewhere")
            consul.sessions["s-3"], consul.locks["k"] = "node-1", "s-3"
            watcher.wait_for("it", "ok lock-held")
            descriptors = watcher.descriptors()
            for number in range(20):
                consul.sessions[f"t-{number}"], consul.locks["k"] = "node-1", f"t-{number}"
                watcher.until(partial(consul.has_been_asked, len(consul.requests) + 5))
            assert watcher.descriptors() <= descriptors + 1
            consul.has_leader = False
            watcher.until(partial(consul.has_been_asked, len(consul.requests) + 5))
            assert watcher.says("it", "ok lock-held")
            watcher.wait_for("it", "unknown no-leader", 15)
            consul.has_leader = True
            watcher.wait_for("it", "ok lock-held")


def test_leadership_is_followed(tmp_path: Path) -> None:
    with StandInConsul() as consul, Watcher(tmp_path, check(consul, "leader = true")) as watcher:
        watcher.wait_for("it", "ok leader")
        consul.leads = False
        watcher.wait_for("it", "warning follower")
        consul.leads = True
        watcher.wait_for("it", "ok leader")


def test_an_agent_that_ends_is_an_event_which_terminate_delay_bridges(tmp_path: Path) -> None:
    with StandInConsul() as consul:
        consul.register("web", "passing")
        slow = check(consul, 'service = "web"').replace("interval = 0.2", "interval = 30")
        patient = slow.replace("check.it", "check.patient") + "terminate_delay = 60\n"
        with Watcher(tmp_path, slow + patient) as watcher:
            watcher.wait_for("it", "ok passing")
            watcher.wait_for("patient", "ok passing")
            consul.stop()
            watcher.wait_for("it", "critical refused", 15)  # before the next regular look
            with StandInConsul(consul.port) as again:
                again.register("web", "passing")
                assert watcher.says("patient", "ok passing")
                assert watcher.transitions("patient") == ["ok passing"]


def test_a_token_is_used_as_it_changes_and_never_logged(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text("hunter2")
    with StandInConsul() as consul:
        consul.token = "hunter2"
        consul.register("web", "passing")
        toml = check(consul, f'service = "web"\ntoken_file = "{file}"')
        with Watcher(tmp_path, toml) as watcher:
            watcher.wait_for("it", "ok passing")
            consul.token = "hunter3"
            watcher.wait_for("it", "unknown unauthorized")
            file.write_text("hunter3")
            watcher.wait_for("it", "ok passing")
            file.chmod(0o644)
            watcher.wait_for("it", "unknown bad-config")
            assert "hunter" not in str(watcher.lines)


def test_it_is_a_member_of_combinations(tmp_path: Path) -> None:
    with StandInConsul() as consul:
        consul.register("web", "passing")
        toml = check(consul, 'service = "web"') + check(consul, "leader = true").replace(
            "check.it", "check.leads"
        )
        toml += '[check.both]\nprobe = "combined"\ntimeout = 20\nall = ["it", "leads"]\n'
        with Watcher(tmp_path, toml) as watcher:
            watcher.wait_for("both", "ok leader")
            consul.leads = False
            watcher.wait_for("both", "warning follower")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "a check of Consul needs service, service_id, leader or lock"),
        ('service = "a"\nlock = "b"', "lock does not go with service"),
        ('service = "a"\ntoken = "hunter2"', "did you mean token_file?"),
        ('service = "a"\naddress = "http://u:hunter2@a"', "address has a user or password"),
    ],
)
def test_a_bad_configuration_is_explained(tmp_path: Path, lines: str, words: str) -> None:
    with Watcher(tmp_path, f'[check.it]\nprobe = "consul"\n{lines}\n', wait=False) as watcher:
        watcher.until(lambda: watcher.returncode is not None)
        watcher.until(lambda: words in str(watcher.lines))
        assert "hunter2" not in str(watcher.lines)
