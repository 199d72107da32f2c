"""Where another program could answer for Vault, kacheck warns and names the cure."""

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.answer import Answer
from helpers.certificates import Authority, server_context
from helpers.doctor import Doctor, script
from helpers.vault import StandInVault
from helpers.watcher import Watcher
from kacheck.cli import main
from kacheck.doctor.kacheck import configuration
from kacheck.exchange import place
from kacheck.probes.http import settings

Look = Callable[..., Answer]
HTTP = "is plain http"
CURES = ("https://", "unix:///")


@pytest.fixture
def vault() -> Iterator[StandInVault]:
    with StandInVault() as server:
        yield server


def toml(address: str, extra: str = "") -> str:
    return f'[check.v]\nprobe = "vault"\naddress = "{address}"\n{extra}'


def test_plain_http_is_ok_with_a_warning_and_its_cures(
    look: Look, vault: StandInVault, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = look("vault", "--address", vault.address)
    assert (answer.code, answer.verdict) == (0, "ok active")
    (warning,) = answer.data["warnings"]
    assert all(words in warning for words in (vault.address, HTTP, *CURES))
    assert main(["vault", "--address", vault.address]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"ok active: {vault.address} is the active node\n"
    assert shown.err == f"kacheck: warning: {warning}\n"
    assert main(["vault", "--address", vault.address, "--verbose"]) == 0
    shown = capsys.readouterr()
    assert f"  warnings: {warning}\n" in shown.out
    assert shown.err == ""


def test_what_any_user_could_answer_is_an_answer(look: Look) -> None:
    """The reason for the warning: nothing in such an answer shows where it comes from."""
    body = b'{"initialized":true,"sealed":false,"standby":false}'
    with socket.create_server(("127.0.0.1", 0)) as impostor:

        def serve() -> None:
            sock, _ = impostor.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        server = threading.Thread(target=serve)
        server.start()
        answer = look("vault", "--address", f"http://127.0.0.1:{impostor.getsockname()[1]}")
        server.join()
    assert answer.verdict == "ok active"
    assert HTTP in answer.data["warnings"][0]


def test_verified_https_and_a_protected_socket_cause_no_warning(look: Look, tmp_path: Path) -> None:
    authority = Authority()
    ca = authority.write(tmp_path / "ca.pem")
    with StandInVault(tls=server_context(authority.server("127.0.0.1"))) as server:
        answer = look("vault", "--address", server.address, "--ca-cert", str(ca))
        assert "warnings" not in answer.data
        answer = look("vault", "--address", server.address, "--insecure")
        assert answer.verdict == "ok active"
        assert "is not verified" in answer.data["warnings"][0]
    with StandInVault(unix_path=tmp_path / "vault.sock") as server:
        assert "warnings" not in look("vault", "--address", server.address).data


@pytest.mark.parametrize(
    ("modes", "is_open"),
    [
        ((0o755, 0o755), False),
        ((0o755, 0o777), True),
        ((0o755, 0o1777), True),
        ((0o777, 0o755), True),
        ((0o1777, 0o755), False),
        ((0o775, 0o770), False),
    ],
)
def test_a_socket_where_any_user_could_put_one_is_a_warning(
    look: Look, tmp_path: Path, modes: tuple[int, int], *, is_open: bool
) -> None:
    """In a sticky directory nobody can replace another user's directory, but create a socket."""
    inner = tmp_path / "outer/inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(modes[0])
    inner.chmod(modes[1])
    with StandInVault(unix_path=inner / "vault.sock") as server:
        warnings = look("vault", "--address", server.address).data.get("warnings", [])
    assert len(warnings) == is_open
    assert all("any local user" in warning for warning in warnings)


def test_check_config_warns_of_each_check_and_accepts_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "kacheck.toml"
    inline = 'probe = "combined"\nprocess = "vault"\naddress = "http://127.0.0.1:8200"\n'
    config.write_text(
        toml("http://127.0.0.1:8200")
        + f"[check.inline]\n{inline}"
        + '[check.both]\nprobe = "combined"\nall = ["v", "safe"]\n'
        + '[check.safe]\nprobe = "vault"\n'
        + '[check.far]\nprobe = "vault"\naddress = "http://192.0.2.1:8200"\nremote = true\n'
    )
    assert main(["watch", "--check-config", "--config", str(config)]) == 0
    good, *warnings = capsys.readouterr().out.splitlines()
    assert good == f"{config} is good: v, inline, both, safe, far"
    assert [each.partition(":")[0] for each in warnings] == ["v", "inline"]
    assert all(f"warning: http://127.0.0.1:8200 {HTTP}" in each for each in warnings)


def warnings_of(watcher: Watcher) -> list[dict[str, Any]]:
    return [line for line in watcher.lines if HTTP in str(line.get("message"))]


def test_the_watcher_warns_at_a_start_or_change_only(tmp_path: Path, vault: StandInVault) -> None:
    fast = "interval = 0.1\ntimeout = 0.1\n"
    with Watcher(tmp_path, toml(vault.address, fast)) as watcher:
        watcher.until(lambda: len(vault.requests) > 10)
        (said,) = warnings_of(watcher)
        assert (said["level"], said["check"]) == (4, "v")
        watcher.reload(toml(vault.address, fast))
        assert len(warnings_of(watcher)) == 1, "nothing has changed"
        watcher.reload(toml(vault.address, fast + "rise = 3\n"))
        watcher.until(lambda: len(warnings_of(watcher)) == 2)
        ready = watcher.notified.count("READY=1")
        watcher.signal(signal.SIGUSR2)
        watcher.until(lambda: watcher.notified.count("READY=1") > ready)
        assert len(warnings_of(watcher)) == 3, "the trial of the new program says nothing"


@pytest.mark.parametrize(
    ("url", "is_warned"),
    [
        ("http://127.0.0.1:1023/health", False),
        ("http://127.0.0.1:1024/health", True),
        ("http://127.0.0.1/health", False),
        ("http://[::1]/health", False),
        ("http://[::1]:8080/health", True),
        ("http://127.0.0.1:8080?from=check", True),
    ],
)
def test_plain_http_on_a_privileged_port_causes_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, *, is_warned: bool
) -> None:
    file = tmp_path / "first"
    file.write_text("1024\n")
    monkeypatch.setattr(place, "FIRST_FREE_PORT", str(file))
    options = settings.prepare({"url": url})
    assert bool(settings.warnings(options)) is is_warned
    file.write_text("0\n")  # as in most containers
    assert settings.warnings(options)
    file.unlink()
    assert settings.warnings(options)


def test_doctor_warns_of_configured_checks_and_of_scripts(tmp_path: Path) -> None:
    config = tmp_path / "kacheck.toml"
    config.write_text(toml("http://127.0.0.1:8200"))
    conf = tmp_path / "keepalived.conf"
    conf.write_text("")
    doctor = Doctor(tmp_path)
    assert "KA511" not in doctor.codes(configuration, "")
    entry = "/usr/libexec/kacheck/kacheck-"
    for command, codes in (
        ("vault --address http://127.0.0.1:8200", ["KA511"]),
        ("vault --address http://192.0.2.1:8200 --remote", []),
        ("vault --address https://127.0.0.1:8200", []),
        ("vault --address https://127.0.0.1:8200 --insecure", ["KA511"]),
        ("combined --process vault --address http://127.0.0.1:8200", ["KA511"]),
        ("vault", []),
        ("process vault", []),
    ):
        assert doctor.codes(configuration, script(f'"{entry}{command}"')) == codes, command


def test_doctor_names_the_file_and_the_cures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, conf = tmp_path / "kacheck.toml", tmp_path / "keepalived.conf"
    config.write_text(toml("http://127.0.0.1:8200"))
    conf.write_text("vrrp_script a {\n    script /bin/true\n}\n")
    argv = ["doctor", str(conf), "--config", str(config), "--state-dir", str(tmp_path)]
    main([*argv, "--format", "json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    (finding,) = [each for each in findings if each["code"] == "KA511"]
    assert (finding["severity"], finding["file"]) == ("warning", str(config))
    assert finding["what"].startswith("v: http://127.0.0.1:8200 is plain http")
    assert all(words in finding["cure"] for words in CURES)
