"""What migrate passed over in silence."""

from pathlib import Path

import pytest

from kacheck.cli import main


def test_a_missing_brace_is_refused_at_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text(
        "vrrp_script chk\n  script /bin/true\n\nvrrp_instance A {\n  interface eth0\n"
        "  track_script {\n    chk\n  }\n}\n"
    )
    assert main(["migrate", str(conf)]) == 3
    assert ":1: vrrp_script chk has no {" in capsys.readouterr().err


def test_a_tracker_that_can_never_match_is_reported_at_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text(
        'vrrp_track_process p {\n  process "/usr/sbin/kc-none /etc/svc.conf"\n  full_command\n}\n'
        "vrrp_instance A {\n  interface eth0\n  track_process {\n    p\n  }\n}\n"
    )
    main(["migrate", str(conf)])
    said = capsys.readouterr().err
    assert f"{conf}:2: no process is named" in said
    assert "write process /usr/sbin/kc-none /etc/svc.conf" in said
