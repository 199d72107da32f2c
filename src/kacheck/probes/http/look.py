"""Does a URL answer as expected? One request, judged."""

from __future__ import annotations

import time
from functools import partial

from kacheck.exchange.answer import CODES_WITH_BODY
from kacheck.exchange.once import ask_once
from kacheck.probes.http.judge import judge, with_certificate

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from kacheck.deadline import Deadline
    from kacheck.looks import RepeatedLook
    from kacheck.probes.http.settings import HttpOptions
    from kacheck.result import Result


def look(options: HttpOptions, deadline: Deadline) -> Result:
    """Ask once.

    Raises:
        KacheckError: a file cannot be used, or httpx is needed and not installed.

    """
    in_detail = options.in_detail or options.cert_days is not None
    result = ask_once(
        options, partial(judge, options=options), CODES_WITH_BODY, deadline, in_detail=in_detail
    )
    return with_certificate(result, options.cert_days, time.time())


def repeated(options: HttpOptions) -> RepeatedLook:
    """Return a client that asks again and again on a connection that it keeps."""
    from kacheck.exchange.client import HttpClient

    class CertificateClient(HttpClient):
        def __call__(self, deadline: Deadline) -> Result:
            """One look, with an eye on the certificate."""
            return with_certificate(super().__call__(deadline), options.cert_days, time.time())

    return CertificateClient(options, partial(judge, options=options), CODES_WITH_BODY, keep=True)


def preload(_: HttpOptions) -> None:
    """Import all that a look needs, whatever it asks.

    Raises:
        KacheckError: httpx is not installed.

    """
    from kacheck.exchange import client

    client.load()
