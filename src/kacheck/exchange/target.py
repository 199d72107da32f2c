"""What an exchange asks: an address, and how to trust what answers there."""

from collections.abc import Mapping
from typing import Protocol

from kacheck.exchange.options import Trust


class Target(Protocol):
    """An address; a probe's options fit it."""

    @property
    def service(self) -> str:
        """Whose address it is, for people: `Vault`."""

    @property
    def socket_form(self) -> str:
        """How a Unix socket is given, for a cure: `unix:///PATH`."""

    @property
    def address(self) -> str:
        """As it was given, for people."""

    @property
    def url(self) -> str:
        """What is asked for."""

    @property
    def method(self) -> str:
        """GET, HEAD or PUT."""

    def fields(self) -> Mapping[str, str]:
        """Return header fields beside the usual ones, their names in small letters.

        Raises:
            BadConfigError: a file that they come from cannot be used.

        """

    @property
    def unix_socket(self) -> str | None:
        """The path of the socket that it is asked through."""

    @property
    def trust(self) -> Trust:
        """Whose certificate is believed."""
