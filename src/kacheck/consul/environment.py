"""The variables of Consul's own client, for a command line that does not give an option.

Source: hashicorp/consul api/api.go, defaultConfig() and NewClient(). An empty value counts as
unset. CONSUL_HTTP_AUTH, CONSUL_NAMESPACE and CONSUL_PARTITION are left alone.
"""

from __future__ import annotations

from kacheck.consul.agent import FORM, with_scheme
from kacheck.consul.options import AGENT_OPTIONS, DEFAULT_ADDRESS
from kacheck.exchange.address import base_of
from kacheck.exchange.options import boolean
from kacheck.result import BadConfigError

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ADDRESS = "CONSUL_HTTP_ADDR"
ACL = "CONSUL_HTTP_TOKEN"
SSL = "CONSUL_HTTP_SSL"
VERIFY = "CONSUL_HTTP_SSL_VERIFY"
TRUST = ("ca_cert", "ca_path", "insecure")
"""Where a command line gives one of these, the variables of none of them count."""


def from_environment(values: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Complete a command line's values from the environment.

    Raises:
        BadConfigError: names the variable and the cure.

    """
    has_trust = any(values.get(name) for name in TRUST)
    found: dict[str, Any] = {
        option.name: environ.get(option.environment)
        for option in AGENT_OPTIONS
        if option.environment and option.kind.takes_value
        if not (has_trust and option.name in TRUST)
    }
    found["token"] = None if values.get("token_file") else token_of(environ)
    found["insecure"] = not has_trust and boolean(environ, VERIFY) is False
    found = {name: value for name, value in found.items() if value and not values.get(name)}
    complete = {**values, **found}
    if boolean(environ, SSL):
        complete["address"] = with_tls(complete.get("address") or DEFAULT_ADDRESS)
    if "address" in found:
        refuse_invalid(complete["address"])
    return complete


def with_tls(address: str) -> str:
    """Return an address as one of https, unless it is a Unix socket."""
    full = with_scheme(address)
    return f"https://{full.removeprefix('http://')}" if full.startswith("http:") else full


def refuse_invalid(address: str) -> None:
    """Refuse a variable's address.

    Raises:
        BadConfigError: it is not one.

    """
    try:
        base_of(with_scheme(address), FORM)
    except ValueError as error:
        raise BadConfigError(f"{ADDRESS} {error}") from None


def token_of(environ: Mapping[str, str]) -> str | None:
    """Return the token of the environment.

    Raises:
        BadConfigError: it is not one; it is not repeated.

    """
    token = environ.get(ACL, "").strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise BadConfigError(f"{ACL} has a blank in it, or is not ASCII: set it to the token")
    return token or None
