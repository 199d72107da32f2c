"""Addresses of services whose endpoints are known, so that only the base of a URL is given."""

from __future__ import annotations

from kacheck.exchange.request import plain_parts
from kacheck.kinds import BLANK, has_blank

TYPE_CHECKING = False  # typing's own takes 10 ms to import
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from kacheck.light import NamedTuple


class AddressForm(NamedTuple):
    """How a service's address is given."""

    service: str
    example: str
    """An address, which has the service's usual port."""
    endpoint: str
    """What is asked for there."""


def base_of(address: str, form: AddressForm) -> tuple[str, str | None]:
    """Return the URL to which an endpoint is added, and the Unix socket that leads to it, if any.

    Raises:
        ValueError: it is not an address; the text goes on from what the address is called.

    """
    if "?" not in address and "/v1" not in address and plain_parts(address) is not None:
        return address.rstrip("/"), None
    return any_base_of(address, form)


def any_base_of(address: str, form: AddressForm) -> tuple[str, str | None]:
    """Return the same, and raise it, of whatever is not plain; to import urllib takes 4 ms."""
    if has_blank(address):
        raise ValueError(f"contains {BLANK}; remove it")
    from urllib.parse import urlsplit

    from kacheck.redact import redact_address

    shown = redact_address(address)
    if bracketed := with_brackets(address, form):  # which has no user and no password
        raise ValueError(f"{address} has an IPv6 address without brackets; write {bracketed}")
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:  # whose message repeats what may be a password
        raise ValueError(
            f"{shown} is not a valid URL: the port must be a number up to 65535, and an IPv6 "
            f"address needs brackets; give one like {form.example}"
        ) from None
    is_unix = parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc
    if is_unix and not (parts.query or parts.fragment):
        return "http://localhost", parts.path
    host = parts.hostname or ""
    is_encoded = "%" in host and ":" not in host  # but for an IPv6 zone: no host's name has one
    if not is_unix and (parts.scheme not in ("http", "https") or not host or is_encoded):
        raise ValueError(
            f"{shown} is not an address of {form.service}; "
            f"give one like {form.example} or unix:///run/{form.service.lower()}.sock"
        )
    if parts.username is not None:  # and do not repeat the password
        raise ValueError(f"has a user or password; remove it: {form.endpoint} needs none")
    if parts.query or parts.fragment:
        raise ValueError(f"{shown}: remove the query; {form.endpoint} is asked without one")
    path = parts.path.rstrip("/")
    if not is_unix and path and f"{form.endpoint}/".startswith(f"{path}/"):
        base = f"{parts.scheme}://{parts.netloc}"
        raise ValueError(f"{shown} has the path {parts.path}, which kacheck adds; write {base}")
    netloc = parts.netloc.replace("%25", "%")  # an IPv6 zone, as RFC 6874 writes it
    return f"{parts.scheme}://{netloc}{path}", None


def with_brackets(address: str, form: AddressForm) -> str | None:
    """Return an address with brackets around its IPv6 address; None where that is not the fault."""
    import re

    match = re.fullmatch(r"(https?://)([0-9a-fA-F:]*:[0-9a-fA-F]*:[0-9a-fA-F:]*)(/?)", address)
    if match is None:
        return None
    host, _, port = match[2].rpartition(":")
    if ":" in host and port.isdecimal() and int(port) > 999:
        return f"{match[1]}[{host}]:{port}"
    return f"{match[1]}[{match[2]}]:{form.example.rpartition(':')[2]}"
