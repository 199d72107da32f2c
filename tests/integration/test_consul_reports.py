"""Verdicts that the watcher reports to Consul's TTL checks, and agents that do not take them."""

import json
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from helpers.consul import UPDATE, StandInConsul
from helpers.faults import report_imports
from helpers.watcher import Watcher
from helpers.web import WebServer

ID = "service:web"


@pytest.fixture
def consul() -> Iterator[StandInConsul]:
    with StandInConsul() as agent:
        agent.ttl_checks[ID] = []
        yield agent


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


def toml(consul: StandInConsul, web: WebServer, more: str = "", *, table: str = "") -> str:
    return (
        f'[consul]\naddress = "{consul.address}"\n{table}\n'
        f'[check.web]\nprobe = "http"\nurl = "{web.url()}"\nwarn = "503"\ninterval = 0.2\n'
        f'timeout = 10\nfall = 1\nrise = 1\nconsul_check = "{ID}"\n{more}'
    )


def wait_for_report(
    watcher: Watcher, consul: StandInConsul, status: str, seconds: float = 20
) -> None:
    watcher.until(lambda: consul.status_of(ID) == status, seconds)


def test_every_change_is_reported_with_its_message(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    with Watcher(tmp_path, toml(consul, web)) as watcher:
        wait_for_report(watcher, consul, "passing")
        for code, status, words in (
            (503, "warning", "warning-status: "),
            (500, "critical", "unexpected-status: "),
            (200, "passing", "answered: "),
            (401, "critical", "unauthorized: "),
            (200, "passing", "answered: "),
        ):
            web.code = code
            wait_for_report(watcher, consul, status)
            output = consul.ttl_checks[ID][-1][1]
            assert output.startswith(words)
            assert f"answered {code}" in output
    assert consul.ttl_checks[ID][-1] == ("critical", "stopped: the watcher was stopped")


def test_it_is_reported_again_well_within_the_ttl(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    with Watcher(tmp_path, toml(consul, web, table="ttl = 1")) as watcher:
        wait_for_report(watcher, consul, "passing")
        began, seen = time.monotonic(), len(consul.ttl_checks[ID])
        watcher.until(lambda: len(consul.ttl_checks[ID]) >= seen + 9)
        assert time.monotonic() - began > 9 / 3 - 1
        assert {status for status, _ in consul.ttl_checks[ID]} == {"passing"}


def test_an_unchanged_verdict_is_not_reported_at_every_look(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    with Watcher(tmp_path, toml(consul, web, table="ttl = 3600")) as watcher:
        wait_for_report(watcher, consul, "passing")
        seen = len(web.requests)
        watcher.until(lambda: len(web.requests) > seen + 8)
        assert len(consul.ttl_checks[ID]) == 1


def test_a_drain_and_its_end_are_reported(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    with Watcher(tmp_path, toml(consul, web)) as watcher:
        wait_for_report(watcher, consul, "passing")
        drain = watcher.state_dir / "drain"
        drain.mkdir(exist_ok=True)
        (drain / "web").touch()
        wait_for_report(watcher, consul, "critical")
        assert consul.ttl_checks[ID][-1][1].startswith("draining: ")
        (drain / "web").unlink()
        wait_for_report(watcher, consul, "passing")


@pytest.mark.parametrize("trouble", ["hangs", "drips", "is slow", "is down"])
def test_an_agent_that_does_not_answer_delays_no_verdict(
    tmp_path: Path, consul: StandInConsul, web: WebServer, trouble: str
) -> None:
    consul.hangs, consul.drips = trouble == "hangs", trouble == "drips"
    consul.answers_late = 60.0 if trouble == "is slow" else 0.0
    if trouble == "is down":
        consul.stop()
    with Watcher(tmp_path, toml(consul, web, table="ttl = 1")) as watcher:
        began = time.monotonic()
        for code, words in ((200, "ok answered"), (500, "critical unexpected-status")) * 5:
            web.code = code
            watcher.wait_for("web", words)
        assert time.monotonic() - began < 15, "each report takes 2 s, so 10 would take 20"
        watcher.until(lambda: watcher.find("verdicts are not reported to Consul: "))
        threads = len(list(Path(f"/proc/{watcher.pid}/task").iterdir()))
        seen = len(web.requests)
        watcher.until(lambda: len(web.requests) > seen + 5)
        assert len(list(Path(f"/proc/{watcher.pid}/task").iterdir())) <= threads
        began = time.monotonic()
        watcher.stop()
        assert time.monotonic() - began < 5  # the last report may take a second
        assert watcher.returncode == 0


def test_an_agent_that_is_back_gets_the_newest_verdict(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    with Watcher(tmp_path, toml(consul, web, table="ttl = 1")) as watcher:
        wait_for_report(watcher, consul, "passing")
        consul.hangs = True
        web.code = 500
        watcher.wait_for("web", "critical unexpected-status")
        watcher.until(lambda: watcher.find("verdicts are not reported to Consul: no answer"))
        consul.hangs = False
        wait_for_report(watcher, consul, "critical")
        watcher.until(lambda: watcher.find("verdicts are reported to Consul again"))
        said = [line for line in watcher.lines if "not reported" in str(line.get("message"))]
        assert len(said) == 1


def test_a_refusal_is_logged_again_only_after_recovery(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text("hunter2")
    consul.token = "hunter3"
    table = f'ttl = 1\ntoken_file = "{file}"'
    with Watcher(tmp_path, toml(consul, web, table=table)) as watcher:
        line = watcher.until(lambda: watcher.find("not reported to Consul: "))
        assert line["check"] == "web"
        assert 'service "web" { policy = "write" }' in line["message"]
        seen = len(consul.requests)
        watcher.until(lambda: len(consul.requests) > seen + 4)
        assert watcher.find("not reported", watcher.lines.index(line) + 1) is None
        file.write_text("hunter3")
        wait_for_report(watcher, consul, "passing")
        again = watcher.until(lambda: watcher.find("reported to Consul again"))
        file.write_text("hunter2")
        place = watcher.lines.index(again)
        watcher.until(lambda: watcher.find("not reported to Consul: ", place))
        file.chmod(0o644)
        watcher.until(lambda: watcher.find(f"chmod o=,g-w {file}", place))
        assert "hunter" not in str(watcher.lines)
        assert watcher.says("web", "ok answered")


def test_a_check_that_is_not_registered_is_logged_with_its_registration(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    del consul.ttl_checks[ID]
    with Watcher(tmp_path, toml(consul, web, table="ttl = 3")) as watcher:
        line = watcher.until(lambda: watcher.find("not reported to Consul: "))
        assert '"ServiceID": "web", "TTL": "3s"' in line["message"]
        assert f"{consul.address}/v1/agent/check/register" in line["message"]
        consul.ttl_checks[ID] = []
        wait_for_report(watcher, consul, "passing")
        watcher.until(lambda: watcher.find("reported to Consul again"))


def test_checks_report_side_by_side_and_one_that_goes_is_critical(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    consul.ttl_checks["other"] = []
    other = f'[check.other]\nprobe = "http"\nurl = "{web.url("/other")}"\nconsul_check = "other"\n'
    with Watcher(tmp_path, toml(consul, web, other)) as watcher:
        wait_for_report(watcher, consul, "passing")
        watcher.until(lambda: consul.status_of("other") == "passing")
        watcher.reload(toml(consul, web))
        watcher.until(lambda: consul.status_of("other") == "critical")
        assert consul.status_of(ID) == "passing"
        watcher.reload(toml(consul, web).replace(f'consul_check = "{ID}"\n', ""))
        wait_for_report(watcher, consul, "critical")


def test_a_new_agent_is_reported_to_after_a_reload(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    with StandInConsul() as new, Watcher(tmp_path, toml(consul, web)) as watcher:
        new.ttl_checks[ID] = []
        wait_for_report(watcher, consul, "passing")
        watcher.reload(toml(new, web))
        wait_for_report(watcher, new, "passing")
        wait_for_report(watcher, consul, "critical")


def test_other_settings_for_the_same_agent_make_nothing_critical_but_what_goes(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    consul.ttl_checks["other"] = []
    other = f'[check.other]\nprobe = "http"\nurl = "{web.url("/other")}"\nconsul_check = "other"\n'
    with Watcher(tmp_path, toml(consul, web, other, table="ttl = 3600")) as watcher:
        wait_for_report(watcher, consul, "passing")
        watcher.until(lambda: consul.status_of("other") == "passing")
        watcher.reload(toml(consul, web, table="ttl = 1"))
        watcher.until(lambda: consul.status_of("other") == "critical")
        seen = len(consul.ttl_checks[ID])
        watcher.until(lambda: len(consul.ttl_checks[ID]) > seen + 2)
        assert {status for status, _ in consul.ttl_checks[ID]} == {"passing"}


def test_a_watcher_that_is_stopped_or_left_does_not_renew(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    """So that the TTL ends what it said."""
    options = ("--on-stop", "leave")
    with Watcher(tmp_path, toml(consul, web, table="ttl = 1"), options=options) as watcher:
        wait_for_report(watcher, consul, "passing")
        watcher.signal(signal.SIGSTOP)
        time.sleep(0.1)
        seen = len(consul.ttl_checks[ID])
        time.sleep(1)
        assert len(consul.ttl_checks[ID]) == seen
        watcher.signal(signal.SIGCONT)
        wait_for_report(watcher, consul, "passing")
    assert consul.status_of(ID) == "passing"


def test_it_goes_on_after_a_re_execution(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    with Watcher(tmp_path, toml(consul, web, table="ttl = 1")) as watcher:
        wait_for_report(watcher, consul, "passing")
        watcher.signal(signal.SIGUSR2)
        watcher.until(lambda: watcher.find("re-executing"))
        seen = len(consul.ttl_checks[ID])
        watcher.until(lambda: len(consul.ttl_checks[ID]) > seen + 2)
        assert {status for status, _ in consul.ttl_checks[ID]} == {"passing"}


def test_once_ready_a_report_needs_no_file_of_the_program(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    """While a package is being unpacked they are neither the old ones nor the new ones."""
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text("hunter2")
    table = f'ttl = 1\ntoken_file = "{file}"'
    with Watcher(tmp_path, toml(consul, web, table=table), faults=[report_imports]) as watcher:
        wait_for_report(watcher, consul, "passing")
        for trouble, value, words in (
            ("token", "other", "not reported to Consul: "),
            ("token", None, "reported to Consul again"),
            ("hangs", True, "verdicts are not reported to Consul: "),
        ):
            place = len(watcher.lines)
            setattr(consul, trouble, value)
            watcher.until(partial(watcher.find, words, place))
        consul.hangs = False
        watcher.until(lambda: watcher.find("verdicts are reported to Consul again"))
        consul.stop()
        watcher.until(lambda: watcher.find("refuses connections"))
    said = [str(line.get("text", "")) for line in watcher.lines]
    assert [line for line in said if line.startswith("imported")] == []


def test_the_request_is_what_consul_expects(
    tmp_path: Path, consul: StandInConsul, web: WebServer
) -> None:
    with Watcher(tmp_path, toml(consul, web)) as watcher:
        wait_for_report(watcher, consul, "passing")
    asked = consul.requests[0]
    assert (asked.method, asked.path) == ("PUT", f"{UPDATE}{ID}")
    assert set(json.loads(asked.body)) == {"Status", "Output"}
    assert "x-consul-token" not in asked.fields
