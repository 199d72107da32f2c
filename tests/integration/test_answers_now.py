"""A script that was content with any answer: what the service answers now decides what is said."""

from pathlib import Path

import pytest

from helpers.web import WebServer
from kacheck.cli import main


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("curl -s", 200, ""),
        ("curl -s", 302, ""),
        ("curl -s", 403, "answered 403"),
        ("curl -s", 500, "answered 500"),
        ("wget -q --spider", 302, "answered 302"),
        ("curl -sf", 403, ""),
    ],
)
def test_migrate_says_where_the_new_check_fails_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, code: int, said: str
) -> None:
    conf = tmp_path / "keepalived.conf"
    with WebServer(code, fields={"Location": "http://127.0.0.1:1/"}) as web:
        conf.write_text(f'vrrp_script chk {{\n    script "{script} {web.url()}"\n}}\n')
        assert main(["migrate", str(conf), "--recipes"]) == 0
    text = capsys.readouterr().err
    assert ("chk: it fails now: " in text) is bool(said)
    assert said in text


def test_a_service_that_is_absent_causes_no_remark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text('vrrp_script chk {\n    script "curl -s http://127.0.0.1:1/"\n}\n')
    assert main(["migrate", str(conf), "--recipes"]) == 0
    assert "now:" not in capsys.readouterr().err


def test_a_word_behind_64_kib_is_said_to_be_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "keepalived.conf"
    with WebServer(200, b"x" * 70_000 + b"UP") as web:
        script = f"curl -sf {web.url()} | grep -q UP"
        conf.write_text(f'vrrp_script chk {{\n    script "{script}"\n}}\n')
        assert main(["migrate", str(conf), "--recipes"]) == 0
    said = capsys.readouterr().err
    assert "chk: it fails now: " in said
    assert "--contains" in said.partition("fails now: ")[2]
    assert "--expect" not in said.partition("fails now: ")[2]
