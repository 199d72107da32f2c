"""`kacheck migrate --recipes`: scripts that are replaced, and those that are not."""

from pathlib import Path

import pytest

from kacheck.cli import main
from kacheck.keepalived import Node, parse
from kacheck.migrate.equivalents import LIBEXEC

pytestmark = pytest.mark.usefixtures("_without_keepalived")

VAULT = f"{LIBEXEC}/kacheck-vault --timeout 4.8 --address http://127.0.0.1:8200"
PROCESS = f"{LIBEXEC}/kacheck-process --timeout 4.8 --all-namespaces vault"
URL = "http://127.0.0.1:8200/v1/sys/health"


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("pidof vault", PROCESS),
        ("/bin/pidof -s vault", PROCESS),
        ("/usr/bin/pgrep -x vault", PROCESS),
        ("killall -0 vault", PROCESS),
        ("/usr/bin/killall -q -0 vault", PROCESS),
        ("sh -c 'pidof vault'", PROCESS),
        (f"curl -s {URL} | grep -q active", VAULT),
        (f"/bin/sh -c 'curl -s {URL} | grep -q active'", VAULT),
        (f"/bin/sh -c 'curl -s {URL}|grep active'", VAULT),
        (
            f"curl -sfk -m 2 {URL} | grep -q standby:false",
            f"{VAULT.replace('4.8', '2')} --insecure",
        ),
        (f"curl --silent --cacert /ca.pem {URL} | grep active", f"{VAULT} --ca-cert /ca.pem"),
    ],
)
def test_one_liners_are_replaced(tmp_path: Path, script: str, wanted: str) -> None:
    assert recipe(tmp_path, f'"{script}"').command == wanted.split()


@pytest.mark.parametrize(
    "script",
    [
        "pidof",
        "pidof vault consul",
        "pidof -o 1 vault",
        "pgrep vault",
        "pgrep -f vault",
        "pgrep -x v.ult",
        "pgrep -u root vault",
        "killall vault",
        "killall -1 vault",
        "/usr/local/bin/check-vault pidof",
        f"curl -s {URL}",
        f"curl -s {URL}?standbyok=true | grep active",
        f"curl -s {URL} | grep -v active",
        f"curl -s {URL} | grep initialized",
        f"curl -s -X PUT {URL} | grep active",
        f"curl -s {URL} | jq . | grep active",
        "sh -c 'pidof vault && pidof consul'",
        "sh -c 'pidof vault || true'",
        "sh -c 'pidof vault; true'",
        "sh -c 'pidof $NAME'",
        "sh -c 'pidof \"vault",
    ],
)
def test_what_is_not_certain_stays(tmp_path: Path, script: str) -> None:
    node = recipe(tmp_path, f"'{script}'" if '"' in script else f'"{script}"')
    assert "kacheck" not in node.line.text


def recipe(directory: Path, script: str) -> Node:
    """Return the `script` statement after --recipes."""
    path = directory / "keepalived.conf"
    text = f"vrrp_script chk {{\n    # why\n    script {script}   # this\n    interval 5\n}}\n"
    path.write_text(text)
    assert main(["migrate", str(path), "--mode", "script"]) == 0
    assert path.read_text() == text
    assert main(["migrate", str(path), "--recipes", "-o", f"{path}.new"]) in (0, 1)
    new = Path(f"{path}.new").read_text()
    assert new.startswith("vrrp_script chk {\n    # why\n    script ")
    assert new.endswith("   # this\n    interval 5\n}\n")
    return parse(new).find("vrrp_script", "script")[0]
