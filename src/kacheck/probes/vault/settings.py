"""Where Vault is and how to trust it: options before the environment, as Vault's client reads it.

Source: hashicorp/vault api/client.go, Config.ReadEnvironment(); OpenBao api/client.go for BAO_X,
which wins over VAULT_X even when it is empty. An empty value counts as unset.
Left alone, because they would turn a look at this node into a look at something else:
VAULT_AGENT_ADDR, VAULT_PROXY_ADDR, HTTP_PROXY and its kin, VAULT_NAMESPACE, VAULT_TOKEN,
VAULT_MAX_RETRIES.
"""

from __future__ import annotations

from kacheck.exchange.address import AddressForm, base_of
from kacheck.exchange.options import Trust, boolean, split_trust
from kacheck.exchange.place import unproven
from kacheck.probe import OptionError
from kacheck.probes.vault import DEFAULT_ADDRESS
from kacheck.result import BadConfigError

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NamedTuple
else:
    from kacheck.light import NamedTuple

HEALTH = "/v1/sys/health"
FORM = AddressForm("Vault", DEFAULT_ADDRESS, HEALTH)
CA_CERT_BYTES = "VAULT_CACERT_BYTES or BAO_CACERT_BYTES"


class VaultOptions(NamedTuple):
    """One Vault node and the roles that count as up."""

    address: str = DEFAULT_ADDRESS
    """As it was given, for people."""
    url: str = DEFAULT_ADDRESS + HEALTH
    unix_socket: str | None = None
    accept: tuple[str, ...] = ("active",)
    trust: Trust = Trust()
    in_detail: bool = False
    """Show each phase of the exchange, which takes httpx (0.1 s)."""

    @property
    def method(self) -> str:
        """How it is asked."""
        return "GET"

    def fields(self) -> Mapping[str, str]:
        """Return nothing: it is asked without a token."""
        return {}

    @property
    def socket_form(self) -> str:
        """How a Unix socket is given."""
        return "unix:///PATH"

    @property
    def service(self) -> str:
        """Whose address it is."""
        return "Vault"


class Environment:
    """The variables of Vault's and OpenBao's clients."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def variable(self, name: str) -> str:
        """Return the variable that counts: BAO_X if it is set at all, else VAULT_X."""
        return f"BAO_{name}" if f"BAO_{name}" in self.environ else f"VAULT_{name}"

    def get(self, name: str) -> str | None:
        """Its value, None when unset or empty."""
        return self.environ.get(self.variable(name)) or None

    def flag(self, name: str) -> bool:
        """Its value as Go reads a boolean."""
        return boolean(self.environ, self.variable(name)) or False


def from_environment(values: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Complete a command line's values from the environment, `timeout` included.

    Raises:
        BadConfigError: names the variable and the cure.

    """
    env = Environment(environ)
    has_trust = bool(values.get("ca_cert") or values.get("ca_path"))
    names = ("client_cert", "client_key", "tls_server_name")
    given: dict[str, Any] = {name: env.get(name.upper()) for name in names}
    if not has_trust:
        given |= {
            "ca_cert": env.get("CACERT"),
            "ca_cert_bytes": env.get("CACERT_BYTES"),
            "ca_path": env.get("CAPATH"),
        }
        given["insecure"] = env.flag("SKIP_VERIFY") or None
    given["address"] = env.get("ADDR")
    given["timeout"] = env.get("CLIENT_TIMEOUT")
    given = {name: value for name, value in given.items() if value and not values.get(name)}
    if "address" in given:
        try:
            parse_address(given["address"])
        except ValueError as error:
            raise BadConfigError(f"{env.variable('ADDR')} {error}") from None
    if "timeout" in given:
        given["timeout"] = timeout(given["timeout"], env.variable("CLIENT_TIMEOUT"))
    complete = {**values, **given}
    if bool(complete.get("client_cert")) != bool(complete.get("client_key")):
        have, lack = ("cert", "key") if complete.get("client_cert") else ("key", "cert")
        raise BadConfigError(
            f"a client {have} without its {lack}: give both --client-cert and --client-key "
            f"({env.variable('CLIENT_CERT')} and {env.variable('CLIENT_KEY')})"
        )
    return complete


def prepare(values: Mapping[str, Any]) -> VaultOptions:
    """Return what is asked, as the probe's `prepare`.

    Raises:
        OptionError: the address is invalid, or a client certificate has no key, or the reverse.

    """
    trust, given = split_trust(values)
    if trust.ca_cert_bytes:
        trust = trust._replace(ca_cert_bytes_source=CA_CERT_BYTES)
    address = values.get("address") or DEFAULT_ADDRESS
    try:
        url, unix_socket = parse_address(address)
    except ValueError as error:
        raise OptionError("address", "{address} {what}", what=error) from None
    fixed = {"address": address, "url": url, "unix_socket": unix_socket, "trust": trust}
    return VaultOptions(**{**given, **fixed})


def detailed(options: VaultOptions) -> VaultOptions:
    """Return the same, with the details that httpx shows."""
    return options._replace(in_detail=True)


def parse_address(address: str) -> tuple[str, str | None]:
    """Return the URL of the health endpoint, and the Unix socket if it is reached through one.

    Raises:
        ValueError: it is not an address; the text goes on from what the address is called.

    """
    base, unix_socket = base_of(address, FORM)
    return f"{base}{HEALTH}", unix_socket


def timeout(text: str, variable: str) -> float:
    """Return the seconds of VAULT_CLIENT_TIMEOUT.

    Raises:
        BadConfigError: it is not a time.

    """
    from kacheck.durations import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise BadConfigError(f"{variable}: {error}") from None


def warnings(options: VaultOptions) -> list[str]:
    """Return the warnings of the probe."""
    warning = unproven(options)
    return [] if warning is None else [warning]
