"""Where Vault is: from the environment, its configuration, or the process that listens."""

import socket
import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_interface
from pathlib import Path

import pytest

from helpers.certificates import Authority, server_context
from helpers.vault import StandInVault
from kacheck.init.server_process import configurations_in, listening, local_address
from kacheck.init.vault_server import (
    GivenServer,
    ServerSearch,
    VaultServer,
)
from kacheck.network import NetworkInterfaces, OwnAddress
from kacheck.result import BadConfigError

VIP = ip_interface("192.0.2.100/24")
MACHINE = NetworkInterfaces(
    ("lo", "eth0"),
    (
        OwnAddress("lo", ip_interface("127.0.0.1/8")),
        OwnAddress("eth0", ip_interface("192.0.2.1/24")),
        OwnAddress("eth0", VIP),
    ),
)
HCL = """
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_cert_file = "/etc/vault.d/tls.crt"
  {more}
}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine on which nothing runs."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "etc/vault.d").mkdir(parents=True)
    return tmp_path


def find(root: Path, environ: dict[str, str] | None = None, **wanted: str) -> VaultServer:
    return ServerSearch(GivenServer(VIP, **wanted), MACHINE, environ or {}, str(root)).find()


def configure(root: Path, more: str = "", port: int = 1) -> None:
    (root / "etc/vault.d/vault.hcl").write_text(HCL.format(port=port, more=more))


def test_an_option_comes_first(root: Path) -> None:
    configure(root, "tls_disable = true")
    found = find(root, {"VAULT_ADDR": "http://127.0.0.1:2"}, address="http://127.0.0.1:3")
    assert found.address == ("http://127.0.0.1:3", "--address")


def test_the_environment_comes_before_the_configuration(root: Path) -> None:
    configure(root, "tls_disable = true")
    found = find(root, {"VAULT_ADDR": "http://127.0.0.1:2"})
    assert found.address == ("http://127.0.0.1:2", "VAULT_ADDR")
    assert find(
        root, {"VAULT_ADDR": "http://127.0.0.1:2", "BAO_ADDR": "http://[::1]:4"}
    ).address == (
        "http://[::1]:4",
        "BAO_ADDR",
    )


@pytest.mark.parametrize("host", ["vault.example.com", "192.0.2.100", "192.0.2.9"])
def test_an_address_of_another_node_is_not_taken_from_the_environment(
    root: Path, host: str
) -> None:
    configure(root, "tls_disable = true")
    found = find(root, {"VAULT_ADDR": f"https://{host}:8200"})
    assert found.address == ("http://127.0.0.1:1", "/etc/vault.d")
    assert ["VAULT_ADDR is not used" in remark for remark in found.remarks] == [True]


def test_an_address_in_the_environment_that_is_invalid_is_an_error(root: Path) -> None:
    with pytest.raises(BadConfigError, match=r"^VAULT_ADDR has a user or password") as error:
        find(root, {"VAULT_ADDR": "https://me:secret@127.0.0.1:8200"})
    assert "secret" not in str(error.value)
    configure(root, "tls_disable = true")
    assert find(root, {"VAULT_ADDR": "https://[::1"}).address.value == "http://127.0.0.1:1"


def test_a_template_in_the_configuration_is_not_an_address(root: Path) -> None:
    (root / "etc/vault.d/vault.hcl").write_text(
        'listener "tcp" { address = "{{ GetPrivateIP }}:8200" }\napi_addr = "http://127.0.0.1:7"'
    )
    found = find(root)
    assert found.address == ("http://127.0.0.1:7", "api_addr in /etc/vault.d")
    assert found.remarks[0].startswith("the address in /etc/vault.d contains ")


def test_the_vip_is_not_this_node(root: Path) -> None:
    with pytest.raises(BadConfigError, match="is the VIP"):
        find(root, address="https://192.0.2.100:8200", process="vault")


def test_the_process_and_the_address_follow_from_the_configuration(root: Path) -> None:
    (root / "etc/openbao").mkdir()
    (root / "etc/openbao/config.json").write_text(
        '{"listener": {"tcp": {"address": "0.0.0.0:8300", "tls_disable": true}}}'
    )
    found = find(root)
    assert found.address == ("http://127.0.0.1:8300", "/etc/openbao")
    assert found.process == ("bao", "/etc/openbao")
    assert found.ca_cert is None


@pytest.mark.parametrize(
    ("wanted", "option"), [({}, "--address"), ({"address": "http://127.0.0.1:1"}, "--process")]
)
def test_what_cannot_be_known_is_asked_for_by_its_option(
    root: Path, wanted: dict[str, str], option: str
) -> None:
    with pytest.raises(BadConfigError, match=f"give {option} "):
        find(root, None, **wanted)


def test_the_authority_is_the_file_that_proves_the_certificate(root: Path) -> None:
    right = Authority()
    Authority().write(root / "etc/vault.d/ca.pem")
    right.write(root / "etc/vault.d/ca.crt")
    with StandInVault(tls=server_context(right.server("127.0.0.1"))) as vault:
        configure(root, port=int(vault.address.rpartition(":")[2]))
        found = find(root)
        named = find(root, {"VAULT_CACERT": "/etc/vault.d/ca.crt"})
    assert found.address.value == vault.address
    assert found.ca_cert == ("/etc/vault.d/ca.crt", "a usual place")
    assert named.ca_cert == ("/etc/vault.d/ca.crt", "VAULT_CACERT")


def test_a_certificate_that_nothing_proves_asks_for_its_authority(root: Path) -> None:
    with StandInVault(tls=server_context(Authority().server("127.0.0.1"))) as vault:
        configure(root, port=int(vault.address.rpartition(":")[2]))
        with pytest.raises(BadConfigError, match="--ca-cert"):
            find(root)


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("vault server -config=/etc/vault.d", ["/etc/vault.d"]),
        ("vault server -config /a.hcl --config=/b", ["/a.hcl", "/b"]),
        ("vault server -dev", []),
        ("vault server -config=relative.hcl -config", []),
    ],
)
def test_the_server_says_which_configuration_it_has(line: str, paths: list[str]) -> None:
    assert list(configurations_in(line.split())) == paths


def test_a_process_that_listens_is_found_with_its_port(
    start: Callable[..., subprocess.Popen[bytes]],
) -> None:
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0));"
        " print(s.getsockname()[1], flush=True); input()"
    )
    process = start([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    assert listening("/proc", process.pid) == {("127.0.0.1", port)}


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("0100007F:2008", "127.0.0.1"),
        ("00000000:2008", "127.0.0.1"),
        ("0B00000A:2008", "10.0.0.11"),
        ("00000000000000000000000000000000:2008", "127.0.0.1"),
        ("000000FD000000000000000001000000:2008", "[fd00::1]"),
    ],
)
def test_addresses_in_proc_are_read_in_their_order_of_bytes(text: str, host: str) -> None:
    family = socket.AF_INET if len(text) < 20 else socket.AF_INET6
    assert local_address(text, family) == (host, 8200)
