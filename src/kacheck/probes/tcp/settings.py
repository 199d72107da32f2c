"""What a tcp check asks."""

from __future__ import annotations

from kacheck.exchange.options import Trust, split_trust
from kacheck.exchange.place import unproven
from kacheck.probe import OptionError
from kacheck.probes.tcp.kinds import bytes_of, place_of

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NamedTuple
else:
    from kacheck.light import NamedTuple

FOR_TLS = ("ca_cert", "ca_path", "client_cert", "client_key", "tls_server_name", "insecure")
"""The options that have no meaning without TLS."""


class TcpOptions(NamedTuple):
    """One address, and what is said there."""

    address: str
    host: str
    port: int
    unix_socket: str | None = None
    tls: bool = False
    send: bytes = b""
    expect: bytes = b""
    trust: Trust = Trust()

    @property
    def socket_form(self) -> str:
        """How a Unix socket is given."""
        return "unix:PATH"

    @property
    def service(self) -> str:
        """Whose address it is."""
        return "the service"

    @property
    def url(self) -> str:
        """Return the address as the exchange knows it: https means TLS."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'tcp'}://{host}:{self.port}"

    @property
    def method(self) -> str:
        """Return nothing: this is not HTTP."""
        return ""

    def fields(self) -> Mapping[str, str]:
        """Return nothing: this is not HTTP."""
        return {}


def prepare(values: Mapping[str, Any]) -> TcpOptions:
    """Return what is asked, as the probe's `prepare`.

    Raises:
        OptionError: options do not fit together.

    """
    trust, given = split_trust(values)
    for name in FOR_TLS:
        if values.get(name) and "tls" not in given:
            raise OptionError(name, f"{{{name}}} has no meaning without {{tls}}; add {{tls}}")
    try:
        place = place_of(values["address"])
    except ValueError:
        message = (
            "{address} is invalid; give HOST:PORT with an IPv6 address in brackets, or unix:PATH"
        )
        raise OptionError("address", message) from None
    if place.unix_socket and "tls" in given and not trust.tls_server_name:
        raise OptionError(
            "tls", "{tls} over a Unix socket needs {tls_server_name}; add the name to verify"
        )
    for name in ("send", "expect"):
        if name in given:
            given[name] = bytes_of(given[name])
    return TcpOptions(**given, trust=trust, **place._asdict())


def warnings(options: TcpOptions) -> list[str]:
    """Return the warnings of the probe."""
    warning = unproven(options)
    return [] if warning is None else [warning]
