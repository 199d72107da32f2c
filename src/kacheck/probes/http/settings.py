"""What an http check asks, and how its answer is judged."""

from __future__ import annotations

from kacheck.exchange.options import Trust, split_trust
from kacheck.exchange.place import unproven
from kacheck.kinds import BLANK
from kacheck.probe import OptionError
from kacheck.probes.http import EXPECTED
from kacheck.probes.http.kinds import ranges_of

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NamedTuple
else:
    from kacheck.light import NamedTuple


class HttpOptions(NamedTuple):
    """One URL, and the answer that is expected."""

    url: str
    address: str
    """The URL without its query, for people."""
    expect: str = EXPECTED
    warn: str | None = None
    json: tuple[str, ...] = ()
    contains: str | None = None
    method: str = "GET"
    header: tuple[str, ...] = ()
    auth_file: str | None = None
    unix_socket: str | None = None
    cert_days: int | None = None
    trust: Trust = Trust()
    in_detail: bool = False

    @property
    def socket_form(self) -> str:
        """How a Unix socket is given."""
        return "--unix-socket PATH (unix_socket)"

    @property
    def service(self) -> str:
        """Whose address it is."""
        return "the service"

    def fields(self) -> Mapping[str, str]:
        """Return the header fields that were given, with the credentials."""
        words = (field.partition(":") for field in self.header)
        fields = {name.lower(): value.strip() for name, _, value in words}
        if self.auth_file is None:
            return fields
        from kacheck.probes.http.credentials import authorization

        return {**fields, "authorization": authorization(self.auth_file)}


def prepare(values: Mapping[str, Any]) -> HttpOptions:
    """Return what is asked, as the probe's `prepare`.

    Raises:
        OptionError: the URL is invalid, or options do not fit together.

    """
    trust, given = split_trust(values)
    url = values["url"]
    try:
        address = address_of(url)
    except ValueError as error:
        raise OptionError("url", "{url} {what}", what=error) from None
    options = HttpOptions(**{**given, "address": address, "trust": trust})
    refuse_contradictions(options)
    return options


def refuse_contradictions(options: HttpOptions) -> None:
    """Refuse options that have no meaning together."""
    body = "json" if options.json else "contains"
    if options.method == "HEAD" and (options.json or options.contains):
        raise OptionError(body, f"{{{body}}} needs a body, which HEAD does not return; use GET")
    expected = {code for each in ranges_of(options.expect) for code in each}
    warned = {code for each in ranges_of(options.warn) for code in each} if options.warn else set()
    both = sorted(expected & warned)
    if both:
        raise OptionError("warn", "{warn} and {expect} both list {code}; remove it from one",
                          code=both[0])  # fmt: skip
    if options.cert_days and (not options.url.startswith("https:") or options.trust.insecure):
        raise OptionError(
            "cert_days",
            "{cert_days} needs a certificate that is verified: use an address that begins with "
            "https://, without {insecure}",
        )


def address_of(url: str) -> str:
    """Return the URL as people are shown it.

    Raises:
        ValueError: it is not one; the text goes on from what it is called.

    """
    from kacheck.exchange.request import plain_parts

    if plain_parts(url) is not None and "?" not in url:
        return url
    from urllib.parse import urlsplit

    from kacheck.redact import redact_address

    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"contains {BLANK}, or is not ASCII; encode it: %20 is a blank")
    shown = redact_address(url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # whose message repeats what may be a password
        raise ValueError(
            f"{shown} is not a valid URL: the port must be a number up to 65535, and an IPv6 "
            "address needs brackets"
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{shown} is not a URL; give one like http://127.0.0.1:8080/health")
    if parts.username is not None:
        raise ValueError(
            "has a user or password; put them into a file, and name it with --auth-file (auth_file)"
        )
    if parts.fragment:
        raise ValueError(f"{shown}: remove what follows #, which is never sent to a server")
    return shown


def detailed(options: HttpOptions) -> HttpOptions:
    """Return the same, with the details that httpx shows."""
    return options._replace(in_detail=True)


def warnings(options: HttpOptions) -> list[str]:
    """Return the warnings of the probe."""
    warning = unproven(options)
    return [] if warning is None else [warning]
