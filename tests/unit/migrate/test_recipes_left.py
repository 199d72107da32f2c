"""One-liners whose rewriting would have passed where they failed, and what is said of them."""

from pathlib import Path

import pytest

from kacheck.cli import main

pytestmark = pytest.mark.usefixtures("_without_keepalived")

HEALTH = "http://127.0.0.1:8200/v1/sys/health"
CODE = "-o /dev/null -w %{http_code}"


def said_of(
    directory: Path, capsys: pytest.CaptureFixture[str], script: str, more: str = ""
) -> tuple[int, str, str]:
    """Return the exit code of --recipes, its diff and what it says."""
    path = directory / "keepalived.conf"
    path.write_text(f'vrrp_script chk {{\n    script "{script}"\n}}\n{more}')
    code = main(["migrate", str(path), "--recipes"])
    said = capsys.readouterr()
    return code, said.out, said.err


VAULT = [
    f"sh -c 'curl -sf {CODE} {HEALTH} | grep -q 429'",
    f"sh -c 'curl -sf {CODE} {HEALTH} | grep -q 503'",
    f"sh -c 'curl -sf {CODE} {HEALTH}?standbyok=true | grep -q 429'",
    f"sh -c 'curl -sfI {HEALTH} | grep -q 429'",
    f"sh -c 'test $(curl -sf {CODE} {HEALTH}) = 429'",
]


@pytest.mark.parametrize("script", VAULT)
def test_a_code_other_than_200_of_vault_is_not_the_active_node(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    code, diff, said = said_of(tmp_path, capsys, script)
    assert (code, diff) == (1, "")
    assert "which roles of Vault may have the VIP" in said


INSTANCE = "vrrp_instance v {{\n    track_script {{\n        chk{}\n    }}\n}}\n"


@pytest.mark.parametrize(
    ("block", "line"),
    [
        ("    weight 50 reverse\n", ""),
        ("", " weight 0 reverse"),
        ("", " weight -50 reverse"),
        ("    weight 50 reverse\n", " weight 50 noreverse"),
    ],
)
def test_a_script_whose_failure_is_health_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], block: str, line: str
) -> None:
    path = tmp_path / "keepalived.conf"
    script = f'vrrp_script chk {{\n    script "pidof maintenance"\n{block}}}\n'
    path.write_text(script + INSTANCE.format(line))
    assert main(["migrate", str(path), "--recipes"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert ":2: this is left alone: " in said.err
    assert "reverse" in said.err


def test_a_line_without_reverse_does_not_keep_a_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, diff, _ = said_of(tmp_path, capsys, "pidof vault", INSTANCE.format(" weight 5"))
    assert code == 0
    assert "kacheck-process" in diff


@pytest.mark.parametrize("script", ["nc -4 -z localhost 80", "nc -z6 localhost 80",
                                    "nc -4z ::1 80", "nc -6z 127.0.0.1 80"])  # fmt: skip
def test_nc_keeps_the_family_of_its_addresses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    code, diff, said = said_of(tmp_path, capsys, script)
    assert (code, diff) == (1, "")
    assert "write the address" in said


@pytest.mark.parametrize("script", ["nc -4z 127.0.0.1 80", "nc -6 -z ::1 80"])
def test_nc_may_name_the_family_that_its_address_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    code, diff, _ = said_of(tmp_path, capsys, script)
    assert code == 0
    assert "kacheck-tcp" in diff


URL = "http://127.0.0.1:8080/health"
LOGS = [
    (f"wget -O- {URL} 2>&1 | grep -q '200 OK'", "200"),
    (f"wget -S -qO- {URL} 2>&1 | grep -q '200 OK'", "200"),
    (f"wget --spider -S {URL} 2>&1 | grep 200", "200"),
    (f"wget -SO /dev/null {URL} 2>&1 | grep 'HTTP/2 204'", "204"),
    (f"wget -o - -O- {URL} | grep 200", "200"),
]


@pytest.mark.parametrize(("script", "wanted"), LOGS, ids=[row[0] for row in LOGS])
def test_a_code_in_what_wget_says_is_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, wanted: str
) -> None:
    code, diff, _ = said_of(tmp_path, capsys, script)
    assert code == 0
    assert f"--expect {wanted} " in diff
    assert "--contains" not in diff


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"wget -O- {URL} 2>&1 | grep -q UP", "its grep reads what wget says as well"),
        (f"wget --spider {URL} 2>&1 | grep -q exists", "its grep reads what wget says as well"),
        (f"wget --spider {URL} | grep -q 200", "its grep reads no answer"),
        (f"wget -q --spider {URL} 2>&1 | grep -q 200", "its grep reads no answer"),
        (f"wget -qO- {URL} >/dev/null | grep -q UP", "its grep reads no answer"),
        (f"curl -s {URL} 2>&1 | grep -q '200 OK'", "curl shows no code without -v"),
        (f"curl -sv {URL} >/dev/null 2>&1 | grep -q 200", "its grep reads no answer"),
    ],
)
def test_a_grep_that_reads_another_thing_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, why: str
) -> None:
    code, diff, said = said_of(tmp_path, capsys, script)
    assert (code, diff) == (1, "")
    assert why in said


@pytest.mark.parametrize(
    "script", [f"wget -qO- {URL} 2>&1 | grep -q UP", f"curl -s {URL} 2>&1 | grep -q UP"]
)
def test_a_silent_program_says_nothing_beside_the_body(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    code, diff, _ = said_of(tmp_path, capsys, script)
    assert code == 0
    assert "--contains UP" in diff


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("curl -sf http:/127.0.0.1/", "no // behind http: or https:"),
        ("curl -sf HTTPS:127.0.0.1", "no // behind http: or https:"),
        ("wget -qO- http:/127.0.0.1/", "no // behind http: or https:"),
        ("curl -sf $URL", "write ${NAME}"),
        ("curl -sf http://127.0.0.1:$PORT/x", "write ${NAME}"),
        ("curl -sf http://admin:hidden$@127.0.0.1/", "write ${NAME}"),
        ("curl -sf http:/admin:hidden@127.0.0.1/", "no // behind"),
        ("curl -sf 'http://127.0.0.1/a b'", "kacheck-http refuses it: URL contains"),
        ("sh -c 'pidof vault >&-'", "its redirection >&-"),
        ("sh -c 'pidof vault 2>&-'", "its redirection 2>&-"),
        ("bash -c 'pidof vault >&/tmp/log'", "its redirection >&/tmp/log"),
        (
            "bash -c '/usr/lib/nagios/plugins/check_disk -w {1..3}'",
            "a shell makes something else of {1..3}",
        ),
    ],
)
def test_what_another_program_reads_differently_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, why: str
) -> None:
    code, diff, said = said_of(tmp_path, capsys, script)
    assert (code, diff) == (1, "")
    assert why in said
    assert "hidden" not in said


def test_a_word_in_the_body_may_be_too_far_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, said = said_of(tmp_path, capsys, f"curl -sf {URL} | grep -q UP")
    assert "grep read all of the answer, and this reads its first 64 KiB" in said


def test_a_line_with_reverse_for_another_id_keeps_a_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "vrrp_instance v {\n    track_script {\n        @other chk weight 0 reverse\n    }\n}\n"
    code, diff, said = said_of(tmp_path, capsys, "pidof vault", lines)
    assert (code, diff) == (1, "")
    assert "reverse" in said


@pytest.mark.parametrize("option", ["-sI", "-si"])
def test_a_head_that_curl_writes_to_dev_null_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    script = f"curl {option} -o /dev/null {URL} | grep -q 200"
    code, diff, said = said_of(tmp_path, capsys, script)
    assert (code, diff) == (1, "")
    assert "its grep does not read the answer alone" in said
