"""The TLS context of an exchange, and which of its many failures one was."""

from __future__ import annotations

import socket
import ssl
import time

from kacheck.exchange.authorities import error_text, load_authorities
from kacheck.result import BadConfigError

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    from kacheck.exchange.options import Trust
    from kacheck.exchange.target import Target
else:
    from kacheck.light import NamedTuple

EXPIRED = 10
NOT_YET_VALID = 9
WRONG_NAME = (62, 64)
UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
"""X509_V_ERR_… of OpenSSL's x509_vfy.h, in SSLCertVerificationError.verify_code."""
NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: verify all of a certificate but its dates."""
CLIENT_CERTIFICATE_ALERTS = (
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE_",  # expired, revoked, unknown, required
    "ALERT_HANDSHAKE_FAILURE",
    "ALERT_UNKNOWN_CA",
    "ALERT_UNSUPPORTED_CERTIFICATE",
)
"""Alerts of RFC 8446, 6.2, by which a server refuses the certificate it was shown, or none."""
NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
"""What OpenSSL says of an answer that is not TLS; the word depends on its version."""


class Certificate(NamedTuple):
    """What of the server's certificate helps a person."""

    not_after: str
    """ISO 8601, UTC."""
    names: list[str]


class NamedContext(ssl.SSLContext):
    """A context that asks for, and verifies, a name other than the address's.

    httpcore has an extension for this, sni_hostname, but not before 0.17.
    """

    server_name: str | None = None

    def wrap_socket(self, sock: socket.socket, **options: Any) -> ssl.SSLSocket:  # type: ignore[override]
        """As ever, for the name that was given."""
        if self.server_name:
            options["server_hostname"] = self.server_name
        return super().wrap_socket(sock, **options)


def context(target: Target) -> ssl.SSLContext:
    """Return the client's context for this target.

    Raises:
        BadConfigError: a file cannot be read or holds no certificate.

    """
    tls, trust = NamedContext(ssl.PROTOCOL_TLS_CLIENT), target.trust
    tls.server_name = trust.tls_server_name
    tls.hostname_checks_common_name = False  # as Go and every browser: only a subjectAltName counts
    tls.set_alpn_protocols(["http/1.1"])  # as httpcore does
    # As in Go: an intermediate or the server's own certificate may be what is trusted.
    tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if target.url.startswith("http:"):
        return tls  # never used; loading the system's roots would be for nothing
    if trust.insecure:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    else:
        load_authorities(tls, trust)
    if trust.client_cert and trust.client_key:
        try:
            tls.load_cert_chain(trust.client_cert, trust.client_key, password=no_password)
        except (OSError, ValueError) as error:
            raise BadConfigError(
                f"the client certificate {trust.client_cert} with key {trust.client_key} "
                f"cannot be used: {error_text(error, trust.client_cert, trust.client_key)}"
            ) from None
    return tls


def no_password() -> str:
    """Answer OpenSSL's question for a key's password, which would wait at a terminal."""
    raise ValueError("the key is encrypted; give one that is not")


def certificate(sock: ssl.SSLSocket) -> Certificate | None:
    """Return the certificate of a connection's server; None where it was not verified."""
    seen = sock.getpeercert()
    if not seen:
        return None
    alternatives: Any = seen.get("subjectAltName", ())
    return Certificate(iso(str(seen["notAfter"])), [str(name) for _, name in alternatives])


def iso(date: str) -> str:
    """`May  9 00:00:00 2027 GMT`, as getpeercert() has it, in ISO 8601."""
    return iso_of(ssl.cert_time_to_seconds(date))


def now() -> str:
    """Return the time, in ISO 8601."""
    return iso_of(time.time())


def iso_of(seconds: float) -> str:
    """Return a time in ISO 8601, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def explain(error: ssl.SSLError, target: Target, peer: tuple[str, int] | None, wait: float) -> str:
    """Which TLS failure this is, and the cure; may connect once more, for up to `wait` seconds."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return explain_alert(error)
    code = error.verify_code
    seen = look_again(target, peer, wait) if code in (EXPIRED, *WRONG_NAME) else None
    if code == EXPIRED:
        return expired(seen)
    if code == NOT_YET_VALID:
        return "its certificate is not valid yet; compare the clocks of both machines"
    if code in WRONG_NAME:
        return wrong_name(seen, server_name(target), target.service)
    if code in UNKNOWN_AUTHORITY:
        return (
            f"its certificate is from an unknown authority ({error.verify_message}); "
            "give the authority's certificate with --ca-cert "
            f"(trusted now: {trusted(target.trust)})"
        )
    return f"its certificate does not verify: {error.verify_message}"


def wrong_name(seen: Certificate | None, name: str, service: str) -> str:
    """Return which names the certificate has, and the cure."""
    if seen is not None and not seen.names:
        return (
            f"its certificate has no subjectAltName, so it is not for {name}; {service}'s own "
            "client refuses it too, whatever its common name; "
            f"reissue it with {name} as a subjectAltName"
        )
    names = f" but for {', '.join(seen.names)}" if seen else ""
    return (
        f"its certificate is not for {name}{names}; "
        "give one of its names with --tls-server-name or in the address"
    )


def expired(seen: Certificate | None) -> str:
    """Whose certificate has expired."""
    if seen is None:
        return "its certificate has expired; renew it"
    if seen.not_after > now():
        return "a certificate of its authority has expired; renew that"
    return f"its certificate has expired on {seen.not_after}; renew it"


def explain_alert(error: ssl.SSLError) -> str:
    """Return a failure of TLS other than the verification of the server's certificate."""
    reason = getattr(error, "reason", None) or str(error)
    if any(word in reason for word in CLIENT_CERTIFICATE_ALERTS):
        other = " (or it shares no cipher with us)" if "HANDSHAKE_FAILURE" in reason else ""
        return (
            f"it wants a client certificate, or a different one{other}: "
            f"{error_text(error)}; give --client-cert and --client-key"
        )
    if any(word in reason for word in NO_TLS):
        return (
            "it does not speak TLS; if that is intended, leave out --tls, or give an address that "
            "begins with http://"
        )
    return f"the TLS handshake failed: {error_text(error)}"


def trusted(trust: Trust) -> str:
    """Return the source of authorities that was used."""
    source = trust.ca_cert or trust.ca_path or trust.ca_cert_bytes_source
    return source or "the system's authorities"


def server_name(target: Target) -> str:
    """Return the name that the certificate must have."""
    from urllib.parse import urlsplit

    return target.trust.tls_server_name or urlsplit(target.url).hostname or ""


def look_again(target: Target, peer: tuple[str, int] | None, wait: float) -> Certificate | None:
    """Return the certificate that failed on its name or dates, verified in all else.

    ssl shows a certificate only after a handshake that succeeded, so make one that ignores both.
    """
    if peer is None or wait <= 0:
        return None
    tls = context(target)
    tls.check_hostname = False
    tls.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
    try:
        with (
            socket.create_connection(peer, timeout=wait) as raw,
            tls.wrap_socket(raw, server_hostname=server_name(target)) as sock,
        ):
            return certificate(sock)
    except OSError:
        return None
