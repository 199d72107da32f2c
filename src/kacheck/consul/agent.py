"""A Consul agent, and one request to it."""

from __future__ import annotations

from kacheck.consul.options import AGENT_OPTIONS, DEFAULT_ADDRESS
from kacheck.exchange.address import AddressForm, base_of
from kacheck.exchange.options import Trust, split_trust
from kacheck.exchange.request import PATH
from kacheck.exchange.secret_file import line_of, read_secret
from kacheck.probe import OptionError
from kacheck.redact import HIDDEN
from kacheck.result import BadConfigError

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NamedTuple
else:
    from kacheck.light import NamedTuple

FORM = AddressForm("Consul", DEFAULT_ADDRESS, "/v1/agent")
MAX_BODY = 1024 * 1024
"""Bytes; a key's value may have 512 KiB, which are encoded in base64, and an agent describes its
whole configuration."""
WHAT = "the file of the token"
TELLING = 4
"""Characters of a token's beginning that are hidden, too, where a quotation cuts it off."""


class Agent(NamedTuple):
    """An agent and what is asked of it: the target of an exchange."""

    address: str = DEFAULT_ADDRESS
    """As it was given, for people."""
    base: str = DEFAULT_ADDRESS
    url: str = DEFAULT_ADDRESS
    method: str = "GET"
    unix_socket: str | None = None
    token_file: str | None = None
    token: str | None = None
    """From the environment."""
    trust: Trust = Trust()

    @property
    def service(self) -> str:
        """Whose address it is."""
        return "Consul"

    @property
    def socket_form(self) -> str:
        """How a Unix socket is given."""
        return "unix:///PATH"

    def get(self, path: str) -> Agent:
        """Return the agent with the question for this path."""
        return self._replace(url=f"{self.base}{path}")

    def put(self, path: str) -> Agent:
        """Return the agent with the request to put something there."""
        return self._replace(url=f"{self.base}{path}", method="PUT")

    def fields(self) -> Mapping[str, str]:
        """Return the header field with the token, if there is one.

        Raises:
            BadConfigError: the token's file cannot be used.

        """
        token = self.secret()
        return {"x-consul-token": token} if token else {}

    def secret(self) -> str | None:
        """Return the token; the one in a file counts more, as for Consul's own client.

        Raises:
            BadConfigError: the token's file cannot be used.

        """
        if self.token_file is None:
            return self.token
        token = line_of(read_secret(self.token_file, WHAT))
        if not token or " " in token:
            raise BadConfigError(f"{WHAT} {self.token_file} must have one line, the token")
        return token

    def hide(self, text: str) -> str:
        """Return what an agent says without the token, be it whole or cut off by a quotation.

        Raises:
            BadConfigError: the token's file cannot be used.

        """
        token = self.secret() or ""
        text = text.replace(token, HIDDEN) if token else text
        for length in range(len(token) - 1, TELLING - 1, -1):
            for end in ('..."', '"'):
                text = text.replace(f"{token[:length]}{end}", f"{HIDDEN}{end}")
        return text


def agent_of(values: Mapping[str, Any]) -> Agent:
    """Return the agent that options give; other probes' values do not count.

    Raises:
        OptionError: the address is invalid, or a client certificate has no key, or the reverse.

    """
    names = ("token", *(option.name for option in AGENT_OPTIONS))
    trust, given = split_trust({name: values[name] for name in names if name in values})
    address = with_scheme(values.get("address") or DEFAULT_ADDRESS)
    try:
        base, unix_socket = base_of(address, FORM)
    except ValueError as error:
        raise OptionError("address", "{address} {what}", what=error) from None
    fixed = {"address": address, "base": base, "unix_socket": unix_socket, "trust": trust}
    return Agent(**{**given, **fixed})


def with_scheme(address: str) -> str:
    """Return an address with its scheme; Consul's client takes HOST:PORT alone, too."""
    return address if "://" in address else f"http://{address}"


def segment(text: str, safe: str = "") -> str:
    """Return a name as a part of a URL's path."""
    if PATH.issuperset(text) and ("/" in safe or "/" not in text):
        return text
    from urllib.parse import quote

    return quote(text, safe=f"{safe}:")
