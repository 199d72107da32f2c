"""What kacheck says about a certificate: cases that real servers show rarely."""

import ssl
from typing import Any, cast

import pytest

from kacheck.exchange import tls
from kacheck.exchange.options import Trust
from kacheck.probes.vault.settings import VaultOptions

OPTIONS = VaultOptions(
    url="https://vault.example:8200/v1/sys/health", trust=Trust(ca_cert="/etc/ca.pem")
)


def verification_error(code: int, message: str = "as OpenSSL says it") -> Any:
    error = ssl.SSLCertVerificationError(1, message)
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("not_after", "words"),
    [
        ("2001-01-01T00:00:00Z", "its certificate has expired on 2001-01-01T00:00:00Z"),
        ("2999-01-01T00:00:00Z", "a certificate of its authority has expired"),
        (None, "its certificate has expired; renew it"),
    ],
)
def test_it_says_whose_certificate_has_expired(
    monkeypatch: pytest.MonkeyPatch, not_after: str | None, words: str
) -> None:
    seen = tls.Certificate(not_after, ["vault"]) if not_after else None
    monkeypatch.setattr(tls, "look_again", lambda *_: seen)
    assert tls.explain(verification_error(10), OPTIONS, ("127.0.0.1", 1), 1).startswith(words)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, "unknown authority"),
        (18, "unknown authority"),
        (19, "unknown authority"),
        (20, "trusted now: /etc/ca.pem"),
        (21, "unknown authority"),
        (9, "compare the clocks"),
        (62, "its certificate is not for vault.example; give"),
        (23, "does not verify: certificate revoked"),
    ],
)
def test_each_verification_error_has_its_words(
    monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    monkeypatch.setattr(tls, "look_again", lambda *_: None)
    error = verification_error(code, "certificate revoked")
    assert words in tls.explain(error, OPTIONS, None, 1)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("TLSV1_ALERT_UNKNOWN_CA", "client certificate"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "client certificate"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "client certificate"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "client certificate"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "or it shares no cipher with us"),
        ("WRONG_VERSION_NUMBER", "does not speak TLS"),
        ("RECORD_LAYER_FAILURE", "does not speak TLS"),
        ("TLSV1_ALERT_INTERNAL_ERROR", "handshake failed: tlsv1 alert internal error"),
    ],
)
def test_each_alert_has_its_words(reason: str, words: str) -> None:
    error = ssl.SSLError(1, "as OpenSSL says it")
    error.reason = reason
    assert words in tls.explain(error, OPTIONS, None, 1)


def test_a_name_of_an_unexpected_kind_is_shown_as_text() -> None:
    class Connection:
        def getpeercert(self) -> dict[str, Any]:
            names = (("DNS", "vault"), ("DirName", ((("commonName", "x"),),)))
            return {"notAfter": "May  9 00:00:00 2027 GMT", "subjectAltName": names}

    seen = tls.certificate(cast("ssl.SSLSocket", Connection()))
    assert seen is not None
    assert seen.not_after == "2027-05-09T00:00:00Z"
    assert seen.names == ["vault", "((('commonName', 'x'),),)"]


def test_nothing_is_connected_to_when_no_time_is_left() -> None:
    assert tls.look_again(OPTIONS, ("127.0.0.1", 1), 0) is None
    assert tls.look_again(OPTIONS, None, 1) is None
