"""Real certificates for the tests, each wrong in at most one way."""

import datetime as dt
import ssl
from pathlib import Path
from typing import Final

import trustme
from cryptography.hazmat.primitives import serialization

__all__ = ["Authority", "server_context", "write_client_files"]

_DAY: Final = dt.timedelta(days=1)


class Authority:
    """A certificate authority that nobody trusts until its `pem` is given to them."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return self._ca.cert_pem.bytes()

    def write(self, path: Path) -> Path:
        """Write its own certificate to that file; returns the path."""
        path.write_bytes(self.pem)
        return path

    def server(self, *names: str) -> trustme.LeafCert:
        """A valid certificate for these DNS names and IP addresses."""
        return self._issue(names, 30 * _DAY)

    def expired(self, *names: str) -> trustme.LeafCert:
        """One that ended yesterday."""
        return self._issue(names, -_DAY)

    def not_yet_valid(self, *names: str) -> trustme.LeafCert:
        """One that begins tomorrow."""
        import pytest

        pytest.importorskip("trustme", minversion="1.1")  # Debian 12's cannot
        now = dt.datetime.now(dt.UTC)
        return self._ca.issue_cert(*names, not_before=now + _DAY, not_after=now + 30 * _DAY)

    def new(self, *names: str) -> trustme.LeafCert:
        """A valid one that began yesterday; the others did long ago."""
        now = dt.datetime.now(dt.UTC)
        return self._ca.issue_cert(*names, not_before=now - _DAY, not_after=now + 30 * _DAY)

    def client(self, name: str = "probe@example.org") -> trustme.LeafCert:
        """A valid certificate for a client."""
        return self._issue((name,), 30 * _DAY)

    def trust_clients_of(self, context: ssl.SSLContext) -> None:
        """Make a server's context accept this authority's client certificates."""
        self._ca.configure_trust(context)

    def _issue(self, names: tuple[str, ...], end: dt.timedelta) -> trustme.LeafCert:
        return self._ca.issue_cert(*names, not_after=dt.datetime.now(dt.UTC) + end)


def server_context(
    certificate: trustme.LeafCert, *, clients: Authority | None = None, tls_1_2: bool = False
) -> ssl.SSLContext:
    """A server's context.

    With `clients` it demands a certificate of that authority; with `tls_1_2` it speaks no 1.3.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if tls_1_2:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        clients.trust_clients_of(context)
    return context


def write_client_files(
    certificate: trustme.LeafCert, directory: Path, *, password: bytes | None = None
) -> tuple[Path, Path]:
    """Write the certificate with its chain, and its key, encrypted with a password if one is given.

    Returns both paths.
    """
    cert, key = directory / "client.pem", directory / "client.key"
    cert.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    pem = certificate.private_key_pem.bytes()
    key.write_bytes(pem if password is None else _encrypted(pem, password))
    key.chmod(0o600)
    return cert, key


def _encrypted(pem: bytes, password: bytes) -> bytes:
    return serialization.load_pem_private_key(pem, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
