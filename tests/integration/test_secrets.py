"""A password or token in an address is repeated nowhere, whatever is wrong with the address."""

import json
import os
import subprocess
import syslog
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.vault import StandInVault
from helpers.watcher import Watcher
from kacheck.cli import main
from kacheck.probes.vault import look as vault_probe

SECRETS = ("hunter2", "s3cret", "anna")
ADDRESSES = {
    "user and password": "https://anna:hunter2@vault:8200",
    "user alone": "https://anna@vault:8200",
    "token in the query": "https://vault:8200?token=hvs.s3cret",
    "token behind a path": "https://vault:8200/v1?a=b&token=hvs.s3cret",
    "fragment": "https://vault:8200#hvs.s3cret",
    "no scheme": "anna:hunter2@vault:8200",
    "no scheme, token": "vault:8200?token=hvs.s3cret",
    "no colon": "https//anna:hunter2@vault",
    "one slash": "https:/anna:hunter2@vault",
    "no slash": "https:anna:hunter2@vault",
    "three slashes": "https:///anna:hunter2@vault",
    "backslashes": "https:\\\\anna:hunter2@vault",
    "upper case": "HTTPS://anna:hunter2@vault:port",
    "another scheme": "ftp://anna:hunter2@vault",
    "bad port": "https://anna:hunter2@vault:port",
    "port too high": "https://anna:hunter2@vault:99999",
    "no host": "https://vault:hunter2",
    "no host but a sign": "https://anna:hunter2@",
    "at in the password": "https://anna:hunter2@hunter2@vault:port",
    "slash in the password": "https://anna:hun/hunter2@vault:port",
    "question mark in the password": "https://anna:hun?hunter2@vault:port",
    "hash in the password": "https://anna:hun#hunter2@vault:port",
    "brackets in the password": "https://anna:[hunter2@vault",
    "address in the password": "anna:https://hunter2@vault",
    "at in the query": "https://vault:port?mail=a@b&token=hvs.s3cret",
    "encoded": "https://anna%3Ahunter2%40vault:port",
    "encoded, with a good port": "https://anna%3Ahunter2%40vault:8200",
    "full-width at": "https://anna:hunter2\N{FULLWIDTH COMMERCIAL AT}vault",
    "unclosed bracket": "https://anna:hunter2@[::1",
    "not an IPv6 address": "https://anna:hunter2@[vault]",
    "blank": "https://anna:hunter2 hunter2@vault",
    "control character": "https://anna:hunter2\t@vault",
    "unix with a user": "unix://anna:hunter2@/run/vault.sock",
    "unix with a token": "unix:///run/vault.sock?token=hvs.s3cret",
    "unix with a fragment": "unix:///run/vault.sock#hvs.s3cret",
    "a query behind both": "https://anna:hunter2@vault?token=hvs.s3cret",
}
ON_ADDRESS = pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
WORDS = {name: address for name, address in ADDRESSES.items() if address.split() == [address]}
ON_WORD = pytest.mark.parametrize("address", WORDS.values(), ids=WORDS)
CONF = """
global_defs {{
    script_user root
    enable_script_security
}}
vrrp_script check {{
    script "{command}"
    interval 1
}}
"""
Outputs = Callable[..., str]


@pytest.fixture
def outputs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Outputs:
    """Run a command; all that it has printed and sent to syslog."""
    sent: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _level, message: sent.append(message))

    def run(*argv: str) -> str:
        sent.clear()
        code = main([*argv, "--state-dir", str(tmp_path / "state")])
        assert code != 0, argv
        printed = capsys.readouterr()
        return "\n".join([printed.out, printed.err, *sent])

    return run


def assert_silent(text: str) -> None:
    assert text.strip(), "nothing was said"
    for secret in SECRETS:
        assert secret not in text


@ON_ADDRESS
def test_an_option_s_address_is_not_repeated(outputs: Outputs, address: str) -> None:
    for options in ((), ("--verbose",), ("--format", "json"), ("--format=nagios",), ("--quiet",)):
        said = outputs("vault", "--address", address, "--log", "syslog", *options)
        assert_silent(said)
    assert_silent(outputs("combined", "--process", "sleep", "--address", address))


@ON_ADDRESS
@pytest.mark.parametrize("variable", ["VAULT_ADDR", "BAO_ADDR"])
def test_a_variable_s_address_is_not_repeated(
    outputs: Outputs, monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    monkeypatch.setenv(variable, address)
    said = outputs("vault", "--verbose", "--log=syslog")
    assert variable in said
    assert_silent(said)


@ON_WORD
def test_a_misplaced_address_on_the_command_line_is_not_repeated(
    outputs: Outputs, address: str
) -> None:
    for words in (
        ("vault", "--adress", address),
        ("vault", f"--adress={address}"),
        ("vault", address),
        ("vault", "--accept", address),
        ("vault", "--timeout", address),
        ("vault", "--ca-cert", address, "--address", "https://127.0.0.1:1"),
        ("run", address),
        ("drain", "on", address),
        ("status", "--adress", address),
        (f"--adress={address}",),
    ):
        assert_silent(outputs(*words, *(["--log=syslog"] if words[0] == "vault" else [])))


@pytest.mark.parametrize("address", [ADDRESSES["blank"]])
def test_an_argument_with_a_blank_is_not_repeated_either(outputs: Outputs, address: str) -> None:
    assert_silent(outputs("vault", "--adress", address))
    assert_silent(outputs("vault", f"--adress={address}"))


@ON_ADDRESS
def test_a_configured_address_is_not_repeated(
    outputs: Outputs, tmp_path: Path, address: str
) -> None:
    config, conf = tmp_path / "kacheck.toml", tmp_path / "keepalived.conf"
    conf.write_text(CONF.format(command="/usr/libexec/kacheck/kacheck-verdict v"))
    value = json.dumps(address)
    for text in (
        f'[check.v]\nprobe = "vault"\naddress = {value}\n',
        f'[check.v]\nprobe = "combined"\nprocess = "vault"\naddress = {value}\n',
    ):
        config.write_text(text)
        for argv in (("run", "v"), ("watch", "--check-config"), ("watch",), ("doctor", str(conf))):
            assert_silent(outputs(*argv, "--config", str(config)))


@ON_WORD
def test_an_address_under_another_key_is_not_repeated(
    outputs: Outputs, tmp_path: Path, address: str
) -> None:
    config = tmp_path / "kacheck.toml"
    for value in (address, address + "x" * 60, "https://" + "v" * 60 + ":" + address):
        for key in ("ca_cert", "interval", "probe", "accept", "track", "insecure"):
            head = "" if key == "probe" else 'probe = "vault"\n'
            config.write_text(f"[check.v]\n{head}{key} = {json.dumps(value)}\n")
            assert_silent(outputs("watch", "--check-config", "--config", str(config)))
        config.write_text(f"metrics = {json.dumps(value)}\n")
        assert_silent(outputs("watch", "--check-config", "--config", str(config)))


def test_the_watcher_repeats_no_address_in_its_journal_or_to_systemd(tmp_path: Path) -> None:
    good = '[check.p]\nprobe = "process"\nname = "sleep"\n'
    with Watcher(tmp_path, good) as watcher:
        for address in ADDRESSES.values():
            bad = f'[check.v]\nprobe = "vault"\naddress = {json.dumps(address)}\n'
            watcher.reload(bad)
        watcher.configure(bad)
    with Watcher(tmp_path, bad, wait=False) as refused:
        refused.until(lambda: refused.returncode is not None)
        refused.until(lambda: refused.notified)
    for each in (watcher, refused):
        assert_silent(json.dumps(each.lines) + "\n".join(each.notified))


@pytest.mark.parametrize(
    "location",
    [
        "https://anna:hunter2@other:8200/v1/sys/health",
        "https://other/login?token=hvs.s3cret",
        "/login?token=hvs.s3cret#s3cret",
    ],
)
def test_where_a_server_redirects_is_shown_without_secrets(outputs: Outputs, location: str) -> None:
    with StandInVault("redirect") as server:
        server.redirect_to = location
        assert_silent(outputs("vault", "--address", server.address, "--verbose"))


class LeakyError(Exception):
    """What a library may raise."""


def test_a_bug_s_message_and_traceback_hide_the_secrets_of_addresses(
    outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise LeakyError("cannot ask https://anna:hunter2@vault?token=hvs.s3cret")

    monkeypatch.setattr(vault_probe, "look", fail)
    for options in (("--verbose",), ("--format=json",), ("--log=syslog",)):
        said = outputs("vault", *options)
        assert "LeakyError" in said
        assert_silent(said)


@pytest.mark.parametrize(
    "command",
    [
        "/usr/bin/curl -s https://anna:hunter2@vault/v1/sys/health | grep x",
        "/nowhere/check --url=https://anna:hunter2@vault?token=hvs.s3cret",
        "/usr/libexec/kacheck/kacheck-vault --address https://anna:hunter2@vault",
        "/usr/libexec/kacheck/kacheck-vault --adress https://anna:hunter2@vault",
        "curl -s https://vault/v1/sys/health?token=hvs.s3cret",
    ],
)
def test_doctor_hides_the_secrets_of_addresses_in_scripts(
    outputs: Outputs, tmp_path: Path, command: str
) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text(CONF.format(command=command))
    for options in ((), ("--format", "json")):
        assert_silent(outputs("doctor", str(conf), *options))


def test_a_process_is_described_without_the_secrets_of_addresses(
    outputs: Outputs, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    name = f"ksecret-{os.getpid()}"
    code = ["-c", "import time; time.sleep(60)", "https://anna:hunter2@vault?token=hvs.s3cret"]
    start([name, *code], executable="/usr/bin/python3")
    for options in (("--verbose",), ("--format=json",)):
        said = outputs("process", *options, "--quorum", "2", "--full-command", name)
        assert_silent(said)
