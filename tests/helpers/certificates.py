"""Real certificates for the tests, each wrong in at most one way."""

import datetime as dt
import ssl
from pathlib import Path
from typing import Any, Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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
        """Return a valid certificate for these DNS names and IP addresses."""
        return self._issue(names, 30 * _DAY)

    def expired(self, *names: str) -> trustme.LeafCert:
        """Return one that ended yesterday."""
        return self._issue(names, -_DAY)

    def not_yet_valid(self, *names: str) -> trustme.LeafCert:
        """Return one that begins tomorrow."""
        import pytest

        pytest.importorskip("trustme", minversion="1.1")  # Debian 12's cannot
        now = dt.datetime.now(dt.UTC)
        return self._ca.issue_cert(*names, not_before=now + _DAY, not_after=now + 30 * _DAY)

    def new(self, *names: str) -> trustme.LeafCert:
        """Return a valid one that began yesterday; the others did long ago."""
        now = dt.datetime.now(dt.UTC)
        return self._ca.issue_cert(*names, not_before=now - _DAY, not_after=now + 30 * _DAY)

    def common_name_only(self, name: str, directory: Path) -> ssl.SSLContext:
        """Return the context of a server whose valid certificate has no subjectAltName."""
        now = dt.datetime.now(dt.UTC)
        authority = x509.load_pem_x509_certificate(self.pem)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(authority.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 30 * _DAY)
            .sign(_private_key(self._ca.private_key_pem.bytes()), hashes.SHA256())
        )
        file = directory / "common-name-only.pem"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + _pem_of(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def client(self, name: str = "probe@example.org") -> trustme.LeafCert:
        """Return a valid certificate for a client."""
        return self._issue((name,), 30 * _DAY)

    def trust_clients_of(self, context: ssl.SSLContext) -> None:
        """Make a server's context accept this authority's client certificates."""
        self._ca.configure_trust(context)

    def _issue(self, names: tuple[str, ...], end: dt.timedelta) -> trustme.LeafCert:
        return self._ca.issue_cert(*names, not_after=dt.datetime.now(dt.UTC) + end)


def server_context(
    certificate: trustme.LeafCert, *, clients: Authority | None = None, tls_1_2: bool = False
) -> ssl.SSLContext:
    """Return a server's context.

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
    key.write_bytes(pem if password is None else _pem_of(_private_key(pem), password))
    key.chmod(0o600)
    return cert, key


def _private_key(pem: bytes) -> Any:
    return serialization.load_pem_private_key(pem, None)


def _pem_of(key: Any, password: bytes | None = None) -> bytes:
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    )
    return pem
