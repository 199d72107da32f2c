"""Vault's configuration files: where the listener is, and which files may be its authority."""

import pytest

from kacheck.init.hcl import HclError, ServerSettings, parse, settings_of

PACKAGED = """
# Full configuration options can be found at https://developer.hashicorp.com/vault/docs
ui = true
/* two
lines */
storage "raft" {
  path = "/opt/vault/data"   // here
  node_id = "a"
  retry_join {
    leader_api_addr = "https://10.0.0.12:8200"
    leader_ca_cert_file = "/etc/vault.d/ca.pem"
  }
}
listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/opt/vault/tls/tls.crt"
  tls_key_file  = "/opt/vault/tls/tls.key"
  telemetry { unauthenticated_metrics_access = true }
}
api_addr = "https://10.0.0.11:8200"
seal "pkcs11" { lib = <<EOT
{ not a block
EOT
  generate_key = true }
"""


def listener(lines: str) -> str:
    return f'listener "tcp" {{\n{lines}\n}}\n'


def test_a_whole_file_gives_the_listener_and_its_likely_authority() -> None:
    assert settings_of(parse(PACKAGED)) == ServerSettings(
        "https://127.0.0.1:8200", ("/etc/vault.d/ca.pem", "/opt/vault/tls/tls.crt")
    )


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (listener('address = "10.0.0.11:8300"'), "https://10.0.0.11:8300"),
        (listener('address = "[::]:8200"'), "https://127.0.0.1:8200"),
        (listener('address = "[fd00::1]:8200"'), "https://[fd00::1]:8200"),
        (listener('address = ":8200"'), "https://127.0.0.1:8200"),
        (listener('address = "10.0.0.11"'), "https://10.0.0.11:8200"),
        (listener(""), "https://127.0.0.1:8200"),
        (listener("tls_disable = 1"), "http://127.0.0.1:8200"),
        (listener('tls_disable = "true"'), "http://127.0.0.1:8200"),
        (listener("tls_disable = false"), "https://127.0.0.1:8200"),
        ('listener "unix" { address = "/run/vault.sock" }', "unix:///run/vault.sock"),
        ('listener "unix" { address = "/run/v" }\n' + listener(""), "https://127.0.0.1:8200"),
        ('{"listener": {"tcp": {"address": "10.0.0.1:8200"}}}', "https://10.0.0.1:8200"),
        ('{"listener": [{"tcp": [{"tls_disable": true}]}]}', "http://127.0.0.1:8200"),
        ("ui = true", None),
        ("{}", None),
    ],
)
def test_the_address_is_one_that_a_client_here_can_use(text: str, address: str | None) -> None:
    assert settings_of(parse(text)).address == address


@pytest.mark.parametrize(
    "text",
    ['listener "tcp" {', "}", "a = ", '"open', "{", "a b", "a = [", "x {" * 2000, "[" * 2000],
)
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(HclError):
        parse(text)
