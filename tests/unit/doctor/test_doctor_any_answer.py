"""Scripts whose exit code does not depend on the answer: they pass whatever the service says."""

import shlex
from pathlib import Path

import pytest

from helpers.doctor import Doctor, script
from kacheck.doctor.scripts import any_answer, curl, exit_status
from kacheck.keepalived import parse

URL = "http://127.0.0.1:8080/health"


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


class TestCurl:
    @pytest.mark.parametrize(
        "command",
        [
            f"curl {URL}",
            f"curl -s -o /dev/null {URL}",
            f"/usr/bin/curl -kso/dev/null -m 0.5 {URL}",
            "curl localhost:8080",
            f"curl -s -w '%{{http_code}}' {URL}",
            f"sh -c 'curl -s {URL} >/dev/null'",
            f"sh -c 'curl -s {URL} || exit 1'",
            f"sh -c 'test -f /run/up && curl -s {URL}'",
            f"timeout 1 curl -s {URL}",
        ],
    )
    def test_without_fail_is_found(self, doctor: Doctor, command: str) -> None:
        assert doctor.codes((any_answer, curl), script(f'"{command}"'))[-1] == "KA254"

    @pytest.mark.parametrize(
        "command",
        [
            f"curl -f {URL}",
            f"curl -sf -o /dev/null {URL}",
            f"curl -fsS {URL}",
            f"curl --fail {URL}",
            f"curl -s --fail-with-body {URL}",
            f"curl -skfL {URL}",
            f"sh -c 'curl -sf {URL} >/dev/null || exit 1'",
            f"sh -c 'curl -s {URL} | grep -q ok'",
            f"sh -c 'curl -so /run/h {URL}; grep -q ok /run/h'",
            f"sh -c 'test 200 = $(curl -so /dev/null -w %{{http_code}} {URL})'",
            "curl telnet://127.0.0.1:25",
            "curl ftp://127.0.0.1/",
            "curl http://127.0.0.1:8200/v1/sys/health",
            "/usr/libexec/kacheck/kacheck-http http://127.0.0.1/",
            "grep -q curl /etc/x",
        ],
    )
    def test_that_judges_the_answer_is_not(self, doctor: Doctor, command: str) -> None:
        assert doctor.codes(any_answer, script(f'"{command}"')) == []

    def test_the_cure_can_be_pasted(self, doctor: Doctor) -> None:
        finding = doctor.one(any_answer, script(f'"curl -s -m 0.5 {URL}"'), "KA254")
        line, _, rest = finding.cure.partition(", or ")
        (node,) = parse(f"vrrp_script x {{\n{line}\n}}").find("vrrp_script", "script")
        assert node.command is not None
        assert node.command[0].endswith("/kacheck-http")
        assert node.command[1:] == ["--timeout", "0.5", "--expect", "200-399", URL]
        assert rest == "curl -f"

    def test_the_cure_has_the_url_of_a_larger_scripts_part(self, doctor: Doctor) -> None:
        text = script(f"\"sh -c 'test -f /run/up && curl -s {URL}'\"")
        assert f"/kacheck-http {URL}" in doctor.one(any_answer, text, "KA254").cure


class TestDocker:
    @pytest.mark.parametrize(
        "command",
        [
            "docker inspect -f {{.State.Running}} web",
            "/usr/bin/docker inspect --format={{.State.Running}} web",
            "docker container inspect web",
            "podman inspect -f '{{.State.Running}}' web",
            "sh -c 'docker inspect -f {{.State.Running}} web >/dev/null 2>&1'",
            "sh -c 'docker inspect web || exit 1'",
        ],
    )
    def test_inspect_succeeds_for_a_stopped_container(self, doctor: Doctor, command: str) -> None:
        finding = doctor.one(any_answer, script(f'"{command}"'), "KA255")
        tool = "podman" if "podman" in command else "docker"
        assert f"{tool} inspect -f {{{{.State.Running}}}} web | grep -qx true" in finding.cure
        assert "/kacheck-http URL" in finding.cure
        line = finding.cure.partition(", or ")[0]
        (node,) = parse(f"vrrp_script x {{\n{line}\n}}").find("vrrp_script", "script")
        assert node.command is not None
        assert node.command[:2] == ["sh", "-c"]
        assert shlex.split(node.command[2])[-1] == "true"

    @pytest.mark.parametrize(
        "command",
        [
            "sh -c 'docker inspect -f {{.State.Running}} web | grep -q true'",
            "sh -c 'test true = $(docker inspect -f {{.State.Running}} web)'",
            "docker exec web /healthcheck",
            "docker ps",
            "/usr/local/bin/inspect docker",
        ],
    )
    def test_what_is_read_is_not_found(self, doctor: Doctor, command: str) -> None:
        assert doctor.codes(any_answer, script(f'"{command}"')) == []


class TestUnits:
    @pytest.mark.parametrize(
        "command",
        [
            "systemctl is-active haproxy nginx",
            "systemctl is-active --quiet haproxy nginx",
            "systemctl is-active haproxy && systemctl is-active nginx",
            "/bin/systemctl is-active haproxy && /bin/systemctl is-active nginx",
            "sh -c 'systemctl -q is-active haproxy nginx || exit 1'",
        ],
    )
    def test_any_one_of_several_is_enough(self, doctor: Doctor, command: str) -> None:
        finding = doctor.one(any_answer, script(f'"{command}"'), "KA256")
        both = "systemctl is-active -q haproxy && systemctl is-active -q nginx"
        assert finding.cure == f"script \"sh -c '{both}'\""

    @pytest.mark.parametrize(
        "command",
        [
            "systemctl is-active haproxy",
            "systemctl is-active --quiet haproxy",
            "systemctl is-active haproxy >/dev/null 2>&1",
            "systemctl is-active haproxy || exit 1",
            "sh -c 'systemctl is-active haproxy && systemctl is-active nginx'",
            "systemctl status haproxy nginx",
            "/usr/libexec/kacheck/kacheck-command systemctl is-active haproxy",
        ],
    )
    def test_one_unit_at_a_time_is_not_found(self, doctor: Doctor, command: str) -> None:
        assert doctor.codes(any_answer, script(f'"{command}"')) == []


class TestEcho:
    @pytest.mark.parametrize(
        "command",
        [
            "sh -c 'if pidof x; then echo 0; else echo 1; fi'",
            "bash -c 'if ! pidof x; then echo 1; fi'",
            "sh -c 'pidof x || echo 1'",
        ],
    )
    def test_echo_1_is_not_exit_1(self, doctor: Doctor, command: str) -> None:
        assert doctor.codes(exit_status, script(f'"{command}"')) == ["KA249"]

    @pytest.mark.parametrize(
        "command",
        [
            "sh -c 'if pidof x; then exit 0; else exit 1; fi'",
            "sh -c 'if ! pidof x; then echo down; exit 1; fi'",
            "sh -c 'if pidof x; then echo 0; else false; fi'",
            "sh -c 'pidof x && echo 0'",
        ],
    )
    def test_exit_1_is_not_found(self, doctor: Doctor, command: str) -> None:
        assert doctor.codes(exit_status, script(f'"{command}"')) == []
