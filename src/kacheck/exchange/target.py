"""What an exchange asks: an address, and how to trust what answers there."""

from collections.abc import Mapping
from typing import Protocol


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
        """GET, or HEAD."""

    def fields(self) -> Mapping[str, str]:
        """Return header fields beside the usual ones, their names in small letters.

        Raises:
            BadConfigError: a file that they come from cannot be used.

        """

    @property
    def unix_socket(self) -> str | None:
        """The path of the socket that it is asked through."""

    @property
    def ca_cert(self) -> str | None:
        """The file of the authorities that are trusted, in place of the system's."""

    @property
    def inline_ca_cert(self) -> tuple[str, str] | None:
        """The same, as its content and where that is from."""

    @property
    def ca_path(self) -> str | None:
        """The same, a directory."""

    @property
    def client_cert(self) -> str | None:
        """The file of a certificate for a server that asks for one."""

    @property
    def client_key(self) -> str | None:
        """Its key's."""

    @property
    def tls_server_name(self) -> str | None:
        """The name to ask for and verify, in place of the address's."""

    @property
    def insecure(self) -> bool:
        """Whether any certificate is believed."""

    @property
    def remote(self) -> bool:
        """Whether the address is another machine on purpose."""
