"""Consul as a check: a stand-in for the agent over TCP, TLS and a Unix socket."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.answer import Answer
from helpers.certificates import Authority, server_context
from helpers.consul import StandInConsul
from kacheck.cli import main

Look = Callable[..., Answer]
PATIENT = ("--timeout", "20")


@pytest.fixture
def consul(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInConsul]:
    with StandInConsul() as agent:
        monkeypatch.setenv("CONSUL_HTTP_ADDR", agent.address)
        yield agent


@pytest.mark.parametrize("form", ["text", "json"])  # plainly, and with httpx
@pytest.mark.parametrize(
    ("state", "words", "exit_code", "verdict"),
    [
        ("passing", ("--service", "web"), 0, "ok passing"),
        ("passing", ("--service-id", "web"), 0, "ok passing"),
        ("warning", ("--service", "web"), 1, "warning service-warning"),
        ("critical", ("--service", "web"), 2, "critical service-critical"),
        ("critical", ("--service-id", "web"), 2, "critical service-critical"),
        ("maintenance", ("--service", "web"), 2, "critical maintenance"),
        ("passing", ("--service", "other"), 2, "critical not-registered"),
        ("passing", ("--service-id", "a:b"), 2, "critical not-registered"),
        ("passing", ("--service", "web", "--tag", "active"), 0, "ok passing"),
        ("passing", ("--service", "web", "--tag", "standby"), 1, "warning untagged"),
    ],
)
def test_what_the_agent_says_of_a_service_is_the_status(  # noqa: PLR0913, PLR0917 - a row
    consul: StandInConsul, capsys: pytest.CaptureFixture[str], form: str, state: str,
    words: tuple[str, ...], exit_code: int, verdict: str,
) -> None:  # fmt: skip
    consul.register("web", state, tags=("active",), output="it is cold")
    assert main(["consul", *PATIENT, "--format", form, *words]) == exit_code
    shown = capsys.readouterr().out
    if form == "json":
        fields = json.loads(shown)
        assert f"{fields['status']} {fields['reason']}" == verdict
        assert fields["data"]["address"] == consul.address
    else:
        assert shown.startswith(f"{verdict}: service ")
    assert ("it is cold" in shown) == (exit_code > 0 and "service web is" in shown
                                       and "untagged" not in verdict)  # fmt: skip


def test_a_service_without_checks_is_accepted_on_demand(look: Look, consul: StandInConsul) -> None:
    consul.register("web", "passing", checks=0)
    assert look("consul", *PATIENT, "--service", "web").verdict == "critical no-checks"
    words = ("--service", "web", "--allow-no-checks")
    assert look("consul", *PATIENT, *words).verdict == "ok passing"


def test_an_answer_that_is_longer_than_gos_buffer(look: Look, consul: StandInConsul) -> None:
    consul.register("web", "critical", output="no " * 3000, checks=30)
    assert main(["consul", *PATIENT, "--quiet", "--service", "web"]) == 2
    answer = look("consul", *PATIENT, "--service", "web")
    assert answer.verdict == "critical service-critical"
    assert len(answer.message) < 400


def test_leadership(look: Look, consul: StandInConsul) -> None:
    assert look("consul", *PATIENT, "--leader").verdict == "ok leader"
    consul.leads = False
    answer = look("consul", *PATIENT, "--leader")
    assert answer.verdict == "warning follower"
    assert "10.0.0.2:8300" in answer.message
    consul.is_server = False
    assert look("consul", *PATIENT, "--leader").verdict == "critical client-agent"


def test_a_lock(look: Look, consul: StandInConsul) -> None:
    key = "service/web/leader"
    words = ("consul", *PATIENT, "--lock", key)
    assert look(*words).verdict == "warning lock-free"
    consul.locks[key] = None
    assert look(*words).verdict == "warning lock-free"
    consul.locks[key] = "s-1"
    assert look(*words).verdict == "warning lock-free"  # its session has ended
    consul.sessions["s-1"] = "node-2"
    answer = look(*words)
    assert answer.verdict == "warning lock-elsewhere"
    assert "node-2" in answer.message
    assert "node-1" in answer.message
    consul.sessions["s-1"] = "node-1"
    assert look(*words).verdict == "ok lock-held"
    assert main([*words, "--quiet"]) == 0
    consul.has_leader = False
    answer = look(*words)
    assert answer.verdict == "unknown no-leader"
    assert answer.code == 3
    asked = {request.path for request in consul.requests}
    assert asked == {f"/v1/kv/{key}?consistent", "/v1/session/info/s-1?consistent",
                     "/v1/agent/self"}  # fmt: skip


# --- the token ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json", "nagios"])
def test_the_token_is_sent_and_never_shown(
    consul: StandInConsul, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    file = tmp_path / "token"
    file.touch(mode=0o640)
    file.write_text("hunter2\n")
    consul.token = "hunter2"
    consul.register("web", "critical", output="the token was hunter2")
    words = ["consul", *PATIENT, "--verbose", "--format", form, "--service", "web"]
    assert main([*words, "--token-file", str(file)]) == 2
    monkeypatch.setenv("CONSUL_HTTP_TOKEN_FILE", str(file))
    assert main(words) == 2
    monkeypatch.delenv("CONSUL_HTTP_TOKEN_FILE")
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "hunter2")
    assert main(words) == 2
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "hunter3")
    assert main(words) == 3
    shown = capsys.readouterr()
    assert "hunter" not in shown.out + shown.err
    assert 'service "web" { policy = "read" }' in shown.out.replace("\\", "")
    sent = [request.fields["x-consul-token"] for request in consul.requests]
    assert set(sent[:-1]) == {"hunter2"}
    assert sent[-1] == "hunter3"


def test_a_file_that_others_may_read_is_refused(
    look: Look, consul: StandInConsul, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("hunter2\n")
    words = ("consul", "--service", "web", "--token-file", str(file))
    for mode in (0o644, 0o660, 0o604):
        file.chmod(mode)
        answer = look(*words)
        assert answer.verdict == "unknown bad-config"
        assert f"chmod o=,g-w {file}" in answer.message
    assert consul.requests == []


def test_a_token_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["consul", "--token", "hunter2", "--service", "web"]) == 3
    assert "--token-file" in capsys.readouterr().err


# --- the way to the agent -------------------------------------------------------------------


def test_a_unix_socket(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "s")
    monkeypatch.setenv("CONSUL_HTTP_ADDR", f"unix://{path}")
    words = ("consul", *PATIENT, "--service", "web")
    assert main([*words, "--quiet"]) == 2
    with StandInConsul(path=path) as agent:
        agent.register("web", "passing")
        assert look(*words).verdict == "ok passing"
        assert main([*words, "--quiet"]) == 0


def test_tls(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority()
    ca = str(authority.write(tmp_path / "ca.pem"))
    with StandInConsul(context=server_context(authority.server("127.0.0.1"))) as agent:
        agent.register("web", "passing")
        words = ("consul", *PATIENT, "--service", "web")
        monkeypatch.setenv("CONSUL_HTTP_ADDR", f"127.0.0.1:{agent.port}")
        monkeypatch.setenv("CONSUL_HTTP_SSL", "true")
        assert look(*words).verdict == "critical tls"
        monkeypatch.setenv("CONSUL_CACERT", ca)
        assert look(*words).verdict == "ok passing"
        monkeypatch.delenv("CONSUL_CACERT")
        monkeypatch.setenv("CONSUL_HTTP_SSL_VERIFY", "false")
        answer = look(*words)
        assert answer.verdict == "ok passing"
        assert "is not verified" in str(answer.data["warnings"])


def test_an_agent_that_is_down_hangs_or_drips(look: Look, consul: StandInConsul) -> None:
    consul.register("web", "passing")
    words = ("consul", "--timeout", "1", "--service", "web")
    consul.drips = True
    assert look(*words).verdict == "critical timeout"
    consul.drips, consul.hangs = False, True
    assert look(*words).verdict == "critical timeout"
    consul.stop()
    assert look(*words).verdict == "critical refused"


def test_options_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        ((), "needs --service, --service-id, --leader or --lock"),
        (("--leader", "--lock", "k"), "--lock does not go with --leader"),
        (("--leader", "--tag", "x"), "--tag needs --service or --service-id"),
        (("--service", ""), "needs --service"),
    ):
        assert main(["consul", *words]) == 3
        assert expected in capsys.readouterr().err
